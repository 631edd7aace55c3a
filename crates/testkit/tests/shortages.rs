//! What runs short: room on the device, room on the disk, the database, the mail server. Nothing is lost by it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use obnova_testkit::{Engine, Store, World};

use crate::stage::{Killed, has_softhsm, skip, world};

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A small disk of its own under a folder; what stood there is carried over, and full means full.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this machine mounts nothing for us.
    fn under(folder: &Path, size: &str) -> Option<Self> {
        let aside = folder.with_extension("aside");
        std::fs::rename(folder, &aside).unwrap();
        std::fs::create_dir(folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"])
            .arg(folder)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            skip("the right to mount a small disk");
            return None;
        }
        let disk = Self(folder.to_owned());
        let copied = Command::new("cp").arg("-a").arg(aside.join(".")).arg(folder).status().unwrap();
        assert!(copied.success());
        Some(disk)
    }

    /// Fills what is left.
    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[track_caller]
fn refused(world: &World, arguments: &[&str], codes: &[&str]) {
    for language in ["en", "cs"] {
        let mut all = arguments.to_vec();
        all.extend(["--lang", language]);
        let output = world.obnova(&all).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(codes.iter().any(|code| told(&output).contains(&format!("[{code}]"))), "{}", told(&output));
    }
}

fn certificates(world: &World) -> usize {
    world.ask(&["list"]).unwrap()["certificates"].as_array().unwrap().len()
}

/// The guide's error 621, at the worst moment: the certificate is issued and confirmed, and does not fit.
#[test]
fn a_token_that_is_full_at_installation_loses_nothing() {
    if !has_softhsm() {
        return;
    }
    let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
    let Some(disk) = SmallDisk::under(&world.path("tokens"), "256k") else { return };
    assert!(world.kill_at(&["renew", "--all"], "confirmed").unwrap());
    disk.fill();
    // This module says yes to the certificate and keeps nothing; others say that they are full.
    refused(&world, &["resume"], &["store-full", "not-stored"]);
    for kind in ["qualified", "commercial"] {
        let output = world.obnova(&["prove", kind]).unwrap();
        assert!(output.status.success(), "{}", told(&output));
    }
    disk.free();
    let output = world.obnova(&["resume"]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(certificates(&world), 4, "no second request, nothing twice");
}

#[test]
fn a_full_disk_stops_before_anything_irreversible() {
    let stations = ["found", "keyed", "requested", "submitted", "issued", "confirmed", "installed", "proven"];
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let Some(disk) = SmallDisk::under(&world.path("home"), "512k") else { return };
    disk.fill();
    refused(&world, &["renew", "--all"], &["journal-error"]);
    disk.free();
    assert!(world.kill_at(&["renew", "--all"], stations[0]).unwrap());
    for station in &stations[1..] {
        disk.fill();
        refused(&world, &["resume"], &["journal-error", "file-error"]);
        disk.free();
        assert!(world.kill_at(&["resume"], station).unwrap(), "{station}");
    }
    let output = world.obnova(&["resume"]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(certificates(&world), 4, "nothing lost, nothing twice");
}

#[test]
fn a_locked_database_is_waited_for() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let database = world.path("server").join("authority.db");
    let script = "import sqlite3,sys,time\nc=sqlite3.connect(sys.argv[1],isolation_level=None)\n\
                  c.execute('BEGIN IMMEDIATE')\nprint('locked',flush=True)\ntime.sleep(600)";
    let mut child = Command::new("python3").args(["-c", script]).arg(&database).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line.trim(), "locked");
    let holder = Killed(child);
    refused(&world, &["renew", "commercial"], &["authority-busy", "renewal-open"]);
    refused(&world, &["resume"], &["authority-busy"]);
    drop(holder);
    let output = world.obnova(&["resume"]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
    world.server(&["health"]).unwrap();
    assert_eq!(certificates(&world), 3);
}

#[test]
fn letters_wait_for_a_mail_server_that_is_away() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    assert!(world.letter_with("Message-ID: <bound-", Duration::from_secs(20)).is_some());
    assert!(world.letter_with("Message-ID: <expiring-", Duration::from_secs(20)).is_some());
    std::thread::sleep(Duration::from_secs(1));
    world.mail.refuse(true);
    let before = world.mail.letters().len();
    assert!(world.obnova(&["renew", "--all"]).unwrap().status.success());
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(world.mail.letters().len(), before, "nobody took a letter");
    world.mail.refuse(false);
    let serial = world.ask(&["show", "commercial"]).unwrap()["hexadecimal"].as_str().unwrap().to_owned();
    for letter in [format!("issued-commercial-{serial}"), format!("bound-demo.jana-{serial}")] {
        let wanted = format!("Message-ID: <{letter}@");
        assert!(world.letter_with(&wanted, Duration::from_secs(30)).is_some(), "{letter} was lost");
    }
}
