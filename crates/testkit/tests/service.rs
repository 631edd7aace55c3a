//! Reminders, the help desk's bundle and message, and what packers need: by the real program, judged by others.

use std::process::Command;

use crate::bench::{PIN, PUK};
use crate::stage::{has_softhsm, programs, skip};
use crate::token::{Desk, shell, told};

/// A token with a certificate that ends in this many days.
fn desk(days: &str) -> Desk {
    let desk = Desk::new(&["Token"], "");
    shell(
        desk.bench.path("").as_path(),
        &format!(
            "printf '[req]\\ndistinguished_name=d\\nx509_extensions=v\\n[d]\\n[v]\\nbasicConstraints=CA:FALSE\\n' > req.cnf\n\
             openssl req -config req.cnf -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days {days} \
             -utf8 -subj '/CN=Jana Dvořáková; DEMO, Úřad/O=DEMO' -set_serial 4711 2>/dev/null\n\
             openssl req -new -newkey rsa:2048 -nodes -keyout ca.key -x509 -subj /CN=CA -out ca.pem -days 999 2>/dev/null\n\
             openssl x509 -in cert.pem -CA ca.pem -CAkey ca.key -set_serial 4711 -days {days} -out signed.pem 2>/dev/null\n\
             openssl pkcs12 -export -inkey key.pem -in signed.pem -passout 'pass:Heslo 1' -out person.p12"
        ),
    );
    desk.secret("file-password", "Heslo 1");
    let (file, password) = (desk.file("person.p12"), desk.file("file-password"));
    desk.ask(&["import", &file, "--store", "Token", "--file-password-file", &password]);
    desk
}

#[test]
fn what_ends_is_told_without_a_pin_and_stands_in_a_calendar() {
    if !has_softhsm() {
        return;
    }
    let desk = desk("20");
    let logins = || desk.bench.calls().iter().filter(|call| *call == "C_Login").count();
    let before = logins();
    let reminded = desk.ask(&["remind"]);
    assert_eq!(reminded["reminders"][0]["step"], 30, "{reminded}");
    assert_eq!(logins(), before, "no PIN was needed");
    // Where no desktop is, nothing is taken for told.
    let notice = desk.run(&["remind", "--notify"]);
    if notice.status.code() == Some(1) {
        assert!(told(&notice).contains("[no-desktop]"), "{}", told(&notice));
        assert_eq!(desk.ask(&["remind"])["reminders"][0]["told"], false);
    }
    // Pulled out, it is still known.
    desk.bench.rules("removed = 1");
    let away = desk.run(&["remind", "--json", "--file", &desk.file("person.p12")]);
    assert!(String::from_utf8_lossy(&away.stdout).contains("Jana"), "{}", told(&away));
    desk.bench.rules("");
    let calendar = desk.file("ends.ics");
    desk.ask(&["remind", "--ics", &calendar]);
    let python = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/judges/bin/python");
    let script = "import icalendar,sys\n\
                  c=icalendar.Calendar.from_ical(open(sys.argv[1],'rb').read())\n\
                  e=[x for x in c.walk('VEVENT')]; assert len(e)==1, e\n\
                  assert 'Jana Dvořáková; DEMO, Úřad' in str(e[0]['SUMMARY']), e[0]['SUMMARY']\n\
                  assert len(list(e[0].walk('VALARM')))==6";
    let judged = Command::new(&python).args(["-c", script, &calendar]).output();
    match judged {
        Ok(output) if told(&output).contains("No module named") => skip("icalendar (PyPI)"),
        Ok(output) => assert!(output.status.success(), "{}", told(&output)),
        Err(_) => skip("icalendar (PyPI)"),
    }
}

#[test]
fn a_desktop_shows_the_notice() {
    if !has_softhsm() {
        return;
    }
    let parts = ["dbus-run-session", "Xvfb", "dunst", "dunstctl", "notify-send"];
    if let Some(missing) = parts.iter().find(|part| !std::path::Path::new("/usr/bin").join(part).exists()) {
        return skip(missing);
    }
    let desk = desk("20");
    let program = programs().join("obnova");
    // A desktop of its own: a bus, a display that nobody sees, and a real notification daemon.
    let inner =
        "\"$0\" remind --notify --lang cs --pin-file pin >/dev/null; sleep 1; dunstctl close-all; dunstctl history";
    let script = format!(
        "Xvfb -displayfd 3 -screen 0 800x600x24 -nolisten tcp 3>display >/dev/null 2>&1 & trap \"kill $!\" EXIT
         for i in $(seq 100); do [ -s display ] && break; sleep 0.1; done
         DISPLAY=:$(cat display) dbus-run-session -- sh -c '{inner}' \"$0\""
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(&program).current_dir(desk.bench.path(""));
    command.env("OBNOVA_HOME", desk.bench.path("home")).env("HOME", desk.bench.path("home"));
    command.env("XDG_RUNTIME_DIR", desk.bench.path("home")).envs(desk.bench.environment());
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("Končící certifikáty") && shown.contains("Jana Dvořáková"), "{shown}{}", told(&output));
}

#[test]
fn the_schedule_is_the_persons_own_and_goes_away_again() {
    if !has_softhsm() {
        return;
    }
    let desk = desk("200");
    let installed = desk.ask(&["remind", "--install"]);
    let files: Vec<String> = installed["schedule"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(files.len(), 3, "{installed}");
    let service = std::fs::read_to_string(&files[0]).unwrap();
    assert!(service.contains("remind --notify --home"), "{service}");
    // systemd itself judges the unit files.
    if std::path::Path::new("/usr/bin/systemd-analyze").exists() {
        let judged = Command::new("systemd-analyze").args(["--user", "verify", &files[0], &files[1]]).output().unwrap();
        assert!(!told(&judged).contains("obnova-remind"), "{}", told(&judged));
    } else {
        skip("systemd-analyze");
    }
    desk.ask(&["remind", "--uninstall"]);
    desk.ask(&["remind", "--uninstall"]);
    assert!(files.iter().all(|file| !std::path::Path::new(file).exists()));
}

#[test]
fn the_bundle_holds_no_secret_and_the_message_its_reference() {
    if !has_softhsm() {
        return;
    }
    let desk = desk("20");
    let (bundle, message) = (desk.file("bundle.json"), desk.file("help.eml"));
    desk.refused(&["doctor", "--message", &message], "help-unknown");
    let settings = std::fs::read_to_string(desk.bench.path("home").join("obnova.toml")).unwrap();
    desk.settings(&format!(
        "{settings}\n[help]\nto = \"desk@demo.obnova.example.com\"\norganisation = \"17651921\"\nreference = \"DEMO-7\"\n"
    ));
    // Rights that are too wide are mended.
    shell(desk.bench.path("home").as_path(), "chmod 755 . ; mkdir -p journeys; echo torn > journeys/x.journal.new");
    let output = desk.run(&["doctor", "--repair", "--bundle", &bundle, "--message", &message]);
    assert!(told(&output).contains("Repaired"), "{}", told(&output));
    assert!(!desk.bench.path("home").join("journeys/x.journal.new").exists());
    let text = std::fs::read_to_string(&bundle).unwrap();
    for secret in [PIN, PUK, "Heslo 1", "PRIVATE KEY"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let bundle: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bundle["organisation"], "17651921");
    assert_eq!(bundle["certificates"][0]["decimal"], "4711");
    assert!(bundle["devices"][0]["library_version"].is_string());
    let script = "import email,email.policy,sys\n\
                  m=email.message_from_binary_file(open(sys.argv[1],'rb'),policy=email.policy.default)\n\
                  assert m['To']=='desk@demo.obnova.example.com'\n\
                  assert '17651921' in m['Subject'] and 'DEMO-7' in m['Subject'], m['Subject']\n\
                  assert 'IČO: 17651921' in m.get_body().get_content()\n\
                  assert [a.get_filename() for a in m.iter_attachments()]==['obnova-help.json']";
    let judged = Command::new("python3").args(["-c", script, &message]).output().unwrap();
    assert!(judged.status.success(), "{}", told(&judged));
}

#[test]
fn completions_and_manuals_are_made_by_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(programs().join("obnova"))
        .args(["generate", &folder.path().display().to_string()])
        .env("OBNOVA_HOME", folder.path().join("home"))
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    for file in ["obnova.bash", "_obnova", "obnova.fish", "_obnova.ps1", "man/obnova.1", "man/cs/obnova-renew.1"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
    shell(folder.path(), "bash -n obnova.bash");
}
