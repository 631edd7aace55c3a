//! Faults that the house must survive: each gets a message with a stable code, and nothing is lost.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use obnova_testkit::{Engine, Store, World};

use crate::stage::{has_softhsm, on_both_engines, skip, world, world_since};

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn refused(world: &World, arguments: &[&str], code: &str) {
    for language in ["en", "cs"] {
        let mut all = arguments.to_vec();
        all.extend(["--lang", language]);
        let output = world.obnova(&all).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(told(&output).contains(&format!("[{code}]")), "{code} in {language}: {}", told(&output));
    }
}

#[test]
fn a_wrong_pin_is_tried_once() {
    for store in [Store::File, Store::SoftHsm] {
        if store == Store::SoftHsm && !has_softhsm() {
            continue;
        }
        let (world, _folder) = world(store, Engine::Sqlite);
        std::fs::write(world.path("pin"), "999999").unwrap();
        refused(&world, &["renew", "--all"], "pin-incorrect");
        std::fs::write(world.path("pin"), "123456").unwrap();
        assert!(world.obnova(&["renew", "--all"]).unwrap().status.success());
    }
}

#[test]
fn a_pulled_token_is_waited_for() {
    if !has_softhsm() {
        return;
    }
    let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
    assert!(world.kill_at(&["renew", "--all"], "submitted").unwrap());
    std::fs::rename(world.path("tokens"), world.path("pulled")).unwrap();
    std::fs::create_dir(world.path("tokens")).unwrap();
    refused(&world, &["resume"], "store-gone");
    std::fs::remove_dir(world.path("tokens")).unwrap();
    std::fs::rename(world.path("pulled"), world.path("tokens")).unwrap();
    let output = world.obnova(&["resume"]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn an_authority_that_is_away_is_waited_for() {
    let (mut world, _folder) = world(Store::File, Engine::Sqlite);
    assert!(world.kill_at(&["renew", "--all"], "requested").unwrap());
    world.kill_server();
    refused(&world, &["resume"], "authority-unreachable");
    world.start_server().unwrap();
    let output = world.obnova(&["resume"]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn a_certificate_without_a_successor_stays() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        let old = world.serial_of("commercial").unwrap();
        refused(&world, &["retire", &old, "--yes"], "stays-no-successor");
        assert!(world.kill_at(&["renew", "--all"], "proven").unwrap());
        refused(&world, &["retire", &old, "--yes"], "stays-no-successor");
        assert!(world.obnova(&["resume"]).unwrap().status.success());
        // Now it may go, and its public part stays in the archive.
        let output = world.obnova(&["retire", &old, "--yes"]).unwrap();
        assert!(output.status.success(), "{}", told(&output));
        let list = world.ask(&["list"]).unwrap();
        assert_eq!(list["certificates"].as_array().unwrap().len(), 3);
        // The new one has no successor, and is the last login.
        refused(&world, &["retire", &world.serial_of("commercial").unwrap(), "--yes"], "stays-no-successor");
    });
}

/// What the settings say of the device's room, as a help desk would write it for a device that does not say.
fn says_room(world: &World, pairs: u8) {
    let settings = world.path("home").join("obnova.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("{text}room = {pairs}\n")).unwrap();
    std::fs::write(world.path("file-password"), "DEMO file password\n").unwrap();
}

fn with_file_password(world: &World, arguments: &[&str]) -> Vec<String> {
    let password = world.path("file-password").display().to_string();
    let all = arguments.iter().map(|argument| (*argument).to_owned());
    all.chain(["--file-password-file".to_owned(), password]).collect()
}

fn kinds_in(world: &World, start: &str) -> Vec<String> {
    let arguments = with_file_password(world, &["list"]);
    let list = world.ask(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    list["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|certificate| certificate["store"].as_str().unwrap().starts_with(start))
        .map(|certificate| certificate["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// The guide's way 7c: nothing on a full device may go, so the commercial successor lives in a file first.
#[test]
fn a_full_device_is_renewed_through_a_file() {
    if !has_softhsm() {
        return;
    }
    for broken in [None, Some("keyed"), Some("installed"), Some("registered"), Some("retired")] {
        let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
        says_room(&world, 0);
        let run = |arguments: &[&str]| {
            let arguments = with_file_password(&world, arguments);
            world.obnova(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
        };
        // Removing something is agreed to first.
        let output = run(&["renew", "--all"]);
        assert!(told(&output).contains("[not-agreed]"), "{}", told(&output));
        if let Some(station) = broken {
            let arguments = with_file_password(&world, &["renew", "--all", "--yes"]);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            assert!(world.kill_at(&arguments, station).unwrap());
        } else {
            let output = run(&["renew", "--all", "--yes"]);
            assert!(output.status.success(), "{}", told(&output));
        }
        let output = run(&["resume"]);
        assert!(output.status.success(), "{broken:?}: {}", told(&output));
        // The commercial one made room for the qualified one, and both new ones work.
        assert_eq!(kinds_in(&world, "token:"), ["qualified", "qualified"], "{broken:?}");
        assert_eq!(kinds_in(&world, "file:"), ["commercial"], "{broken:?}");
        let status = world.ask(&["status"]).unwrap();
        let made = status.as_array().unwrap().iter().find(|made| made["items"].as_array().unwrap().len() == 2).unwrap();
        assert!(made["items"][0]["successor"]["store"].as_str().unwrap().starts_with("file:"), "{made}");
        for kind in ["qualified", "commercial"] {
            let output = run(&["prove", kind]);
            assert!(output.status.success(), "{broken:?}: {}", told(&output));
        }
        let output = run(&["register", "commercial", "--json"]);
        assert!(String::from_utf8_lossy(&output.stdout).contains("demo.jana"), "{broken:?}: {}", told(&output));
    }
}

#[test]
fn where_one_pair_fits_the_old_one_makes_room_for_the_next() {
    if !has_softhsm() {
        return;
    }
    let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
    says_room(&world, 1);
    let old = world.serial_of("qualified").unwrap();
    let output = world.obnova(&["renew", "--all", "--yes"]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let list = world.ask(&["list"]).unwrap();
    let serials: Vec<&str> =
        list["certificates"].as_array().unwrap().iter().map(|found| found["decimal"].as_str().unwrap()).collect();
    assert_eq!(serials.len(), 3, "{list}");
    assert!(!serials.contains(&old.as_str()), "{list}");
    let archived = std::fs::read_dir(world.path("home").join("archive")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(archived.filter(|path| path.extension().is_some_and(|ending| ending == "crt")).count(), 2);
}

#[test]
fn an_expired_predecessor_is_told_with_who_can_help() {
    let (world, _folder) = world_since(390, Store::File, Engine::Sqlite);
    refused(&world, &["renew", "--all"], "nobody-made-a-key");
    let output = world.obnova(&["renew", "--all", "--lang", "en"]).unwrap();
    assert!(told(&output).contains("a first certificate must be issued anew"), "{}", told(&output));
    assert!(!world.path("demo.p12.waiting").exists(), "no key was made");
    // The account explains it as well, and does not break the handshake.
    refused(&world, &["register", "commercial"], "login-failed");
    let output = world.obnova(&["register", "commercial"]).unwrap();
    assert!(told(&output).contains("expired"), "{}", told(&output));
}

#[test]
fn old_middleware_is_told_before_a_key_is_made() {
    if !has_softhsm() {
        return;
    }
    let (mut world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
    world.kill_server();
    world.authority_extra =
        "oldest_middleware = [{ model = \"SoftHSM\", version = \"99.0\", download = \"https://x.example.com\" }]"
            .into();
    world.write_configuration().unwrap();
    world.start_server().unwrap();
    refused(&world, &["renew", "--all"], "middleware-old");
    assert!(world.ask(&["status"]).unwrap().as_array().unwrap().iter().all(|journey| journey["finished"] == true));
}

#[test]
fn bad_bytes_are_refused() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let address = format!("https://{}/.well-known/cmp", world.authority_address());
    let post = |bytes: &[u8]| {
        let file = world.path("bytes");
        std::fs::write(&file, bytes).unwrap();
        let output = Command::new("curl")
            .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
            .arg(world.house_certificate("service"))
            .args(["-H", "Content-Type: application/pkixcmp", "--data-binary"])
            .arg(format!("@{}", file.display()))
            .arg(&address)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // Too long: refused before it is parsed.
    assert_ne!(post(&vec![0x30; 1 << 20]), "200");
    // Nested as deep as it goes, cut off, and nothing at all: an answer that says so.
    let mut nested = vec![0x05, 0x00];
    while nested.len() < 60_000 {
        let mut outer = vec![0x30, 0x83];
        outer.extend_from_slice(&(nested.len() as u32).to_be_bytes()[1..]);
        outer.extend_from_slice(&nested);
        nested = outer;
    }
    for bytes in [nested.as_slice(), &nested[..100], b"", b"\x30\x80\x00\x00", b"not DER"] {
        assert_eq!(post(bytes), "200");
    }
    // The server is as it was.
    assert!(world.obnova(&["renew", "--all"]).unwrap().status.success());
}

#[test]
fn a_clock_that_is_wrong_by_a_day_loses_nothing() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    refused(&world, &["renew", "--all", "--demo-days-back", "1"], "clock-wrong");
    // The doctor sees it as well, and says by how much.
    let output = world.obnova(&["doctor", "--demo-days-back", "1", "--lang", "en"]).unwrap();
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(seen.contains("BAD") && seen.contains("[clock-wrong]"), "{seen}");
    assert!(world.obnova(&["renew", "--all"]).unwrap().status.success());
}

/// The same command under strace, killed at its `when`-th sync, rename or removal of a file.
fn killed_at_sync(command: &Command, when: u32, fork: bool) -> Command {
    let mut traced = Command::new("strace");
    if fork {
        traced.arg("-f");
    }
    let calls = "fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat";
    traced.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    traced.arg("-e").arg(format!("inject={calls}:signal=KILL:when={when}"));
    traced.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    traced
}

fn can_trace() -> bool {
    let there =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    if !there {
        skip("strace");
    }
    there
}

#[test]
fn the_client_killed_at_every_sync_loses_nothing() {
    if !can_trace() {
        return;
    }
    let patience = Duration::from_secs(400);
    let stores: &[Store] = if has_softhsm() { &[Store::File, Store::SoftHsm] } else { &[Store::File] };
    for &store in stores {
        let begun = Instant::now();
        let mut when = 0;
        loop {
            when += 1;
            let (world, _folder) = world(store, Engine::Sqlite);
            let command = world.client_command(&["renew", "--all"]);
            let output = killed_at_sync(&command, when, true).output().unwrap();
            let untouched = output.status.success();
            for kind in ["qualified", "commercial"] {
                let output = world.obnova(&["prove", kind]).unwrap();
                assert!(output.status.success(), "{store:?}, kill {when}: {}", told(&output));
            }
            // A kill before the plan was journaled leaves nothing to resume: then it begins.
            let mut output = world.obnova(&["resume"]).unwrap();
            assert!(output.status.success(), "{store:?}, kill {when}: {}", told(&output));
            if world.ask(&["list"]).unwrap()["certificates"].as_array().unwrap().len() == 2 {
                output = world.obnova(&["renew", "--all"]).unwrap();
                assert!(output.status.success(), "{store:?}, kill {when}: {}", told(&output));
            }
            let list = world.ask(&["list"]).unwrap();
            assert_eq!(list["certificates"].as_array().unwrap().len(), 4, "{store:?}, kill {when}: {list}");
            let account = world.ask(&["register", "commercial"]).unwrap();
            assert_eq!(account["bound"].as_array().unwrap().len(), 1, "{store:?}, kill {when}");
            if untouched || begun.elapsed() > patience {
                let end = if untouched { "the story ended untouched" } else { "the time was up" };
                eprintln!("{store:?}: {when} kills of the client at a sync or rename; {end}");
                break;
            }
        }
    }
}

/// Where something is removed to make room, a crash at any moment leaves one certificate of each kind that works.
#[test]
fn the_client_killed_while_it_makes_room_loses_nothing() {
    if !can_trace() || !has_softhsm() {
        return;
    }
    let begun = Instant::now();
    let mut when = 0;
    loop {
        // The first points are those of any renewal; steps widen until something is removed, then each one counts.
        when += if when < 20 { 4 } else { 1 };
        let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
        says_room(&world, 0);
        let run = |arguments: &[&str]| {
            let arguments = with_file_password(&world, arguments);
            world.obnova(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
        };
        let arguments = with_file_password(&world, &["renew", "--all", "--yes"]);
        let command = world.client_command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let untouched = killed_at_sync(&command, when, true).output().unwrap().status.success();
        for kind in ["qualified", "commercial"] {
            let output = run(&["prove", kind]);
            assert!(output.status.success(), "kill {when}: {}", told(&output));
        }
        let output = run(&["resume"]);
        assert!(output.status.success(), "kill {when}: {}", told(&output));
        if kinds_in(&world, "file:").is_empty() {
            let output = run(&["renew", "--all", "--yes"]);
            assert!(output.status.success(), "kill {when}: {}", told(&output));
        }
        assert_eq!(kinds_in(&world, "token:"), ["qualified", "qualified"], "kill {when}");
        assert_eq!(kinds_in(&world, "file:"), ["commercial"], "kill {when}");
        let output = run(&["register", "commercial"]);
        assert!(output.status.success(), "kill {when}: {}", told(&output));
        if untouched || begun.elapsed() > Duration::from_secs(300) {
            let end = if untouched { "the story ended untouched" } else { "the time was up" };
            eprintln!("a full device: killed up to the {when}th sync, rename or removal; {end}");
            break;
        }
    }
}

/// The server under strace, killed at the `when`-th sync of one of its databases. All writes of a database go
/// through one connection, whose thread is the one that counts.
fn server_killed_at_sync(world: &World, database: &str, when: u32) -> Command {
    let command = world.run_command();
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"]);
    for ending in ["db", "db-wal"] {
        traced.arg("-P").arg(world.path("server").join(format!("{database}.{ending}")));
    }
    traced.args(["-e", &format!("inject=fsync,fdatasync:signal=KILL:when={when}")]);
    traced.arg(command.get_program()).args(command.get_args());
    traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    traced.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    traced
}

#[test]
fn the_server_killed_at_every_sync_loses_nothing() {
    if !can_trace() {
        return;
    }
    let (begun, patience) = (Instant::now(), Duration::from_secs(420));
    for database in ["authority", "identity"] {
        let mut when = 0;
        loop {
            when += 1;
            let (mut world, _folder) = world(Store::File, Engine::Sqlite);
            world.kill_server();
            let mut child = server_killed_at_sync(&world, database, when).spawn().unwrap();
            let mut line = String::new();
            // A server that dies before it is ready says nothing.
            std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
            let mut finished = false;
            if line.starts_with("ready") {
                finished = world.obnova(&["renew", "--all"]).unwrap().status.success();
                // The letters about it are syncs, too.
                let bound = || world.letter_with("Message-ID: <bound-", Duration::from_secs(1));
                (0..3).find(|_| !finished || bound().is_some());
            }
            let untouched = finished && child.try_wait().unwrap().is_none();
            let _ = child.kill();
            let _ = child.wait();
            // strace dies with its child; a server that outlived it would hold the port.
            let _ = Command::new("pkill").args(["-9", "-f", &world.path("server").display().to_string()]).status();
            std::thread::sleep(Duration::from_millis(100));
            world.start_server().unwrap();
            if !finished {
                let output = world.obnova(&["resume"]).unwrap();
                assert!(output.status.success(), "{database}, kill {when}: {}", told(&output));
                if world.ask(&["list"]).unwrap()["certificates"].as_array().unwrap().len() == 2 {
                    let output = world.obnova(&["renew", "--all"]).unwrap();
                    assert!(output.status.success(), "{database}, kill {when}: {}", told(&output));
                }
            }
            let list = world.ask(&["list"]).unwrap();
            assert_eq!(list["certificates"].as_array().unwrap().len(), 4, "{database}, kill {when}: {list}");
            world.server(&["health"]).unwrap();
            let serial = world.ask(&["show", "commercial"]).unwrap()["hexadecimal"].as_str().unwrap().to_owned();
            for letter in [format!("issued-commercial-{serial}"), format!("bound-demo.jana-{serial}")] {
                let wanted = format!("Message-ID: <{letter}@");
                assert!(world.letter_with(&wanted, Duration::from_secs(20)).is_some(), "kill {when}: {letter} is lost");
            }
            if untouched || begun.elapsed() > patience {
                let end = if untouched { "the story ended untouched" } else { "the time was up" };
                eprintln!("the server was killed at {} syncs of its {database} database; {end}", when - 1);
                break;
            }
        }
    }
}

#[test]
fn a_successor_is_introduced_to_the_account_by_its_number() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let old = world.serial_of("commercial").unwrap();
    // A second commercial certificate, which no journey tells the account about.
    world.enroll("commercial", "p256").unwrap();
    let new = world.serial_of("commercial").unwrap();
    assert_ne!(old, new);
    refused(&world, &["register", &new], "login-failed");
    let output = world.obnova(&["register", &new, "--with", &old]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let account = world.ask(&["register", &new]).unwrap();
    assert_eq!(account["bound"].as_array().unwrap().len(), 2, "{account}");
}

#[test]
fn a_locked_account_keeps_the_old_certificate_until_the_administrator_acts() {
    let (mut world, _folder) = world(Store::File, Engine::Sqlite);
    // An identity space that lost its accounts: the login with the old certificate does not work.
    let old = world.serial_of("commercial").unwrap();
    world.kill_server();
    for file in ["identity.db", "identity.db-wal", "identity.db-shm"] {
        std::fs::remove_file(world.path("server").join(file)).ok();
    }
    world.start_server().unwrap();
    let output = world.obnova(&["renew", "--all"]).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("[login-failed] unknown"), "{}", told(&output));
    refused(&world, &["retire", &old, "--yes"], "stays-not-registered");
    // The local administrator binds the new one; the journey then ends by itself.
    let account =
        ["account", "add", "demo.jana", "--name", "Jana Dvořáková DEMO", "--email", "j@demo.obnova.example.com"];
    world.server(&[&account[..], &["--organisation", "DEMO"]].concat()).unwrap();
    let new = world.serial_of("commercial").unwrap();
    assert_ne!(old, new);
    world.server(&["account", "bind", "demo.jana", "--issuer", "Public CA", "--serial", &new]).unwrap();
    let output = world.obnova(&["resume"]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
}
