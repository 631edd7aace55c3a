//! Care of a device: the PIN is looked at, tried, changed and unblocked; nothing is tried twice.

use std::process::{Command, Output};

use obnova_testkit::{Engine, Store, World};

use crate::peers::{ok, openssl};
use crate::stage::{has_softhsm, world};

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file with one line, for the flags that read secrets from files.
fn secret(world: &World, name: &str, text: &str) -> String {
    let path = world.path(name);
    std::fs::write(&path, format!("{text}\n")).unwrap();
    path.display().to_string()
}

#[track_caller]
fn done(world: &World, arguments: &[&str]) {
    let output = world.obnova(arguments).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
}

#[track_caller]
fn refused(world: &World, arguments: &[&str], code: &str) {
    for language in ["en", "cs"] {
        let output = world.obnova(&[arguments, &["--lang", language]].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(told(&output).contains(&format!("[{code}]")), "{code}: {}", told(&output));
    }
}

#[test]
fn the_pin_of_a_token_is_changed_and_unblocked() {
    if !has_softhsm() {
        return;
    }
    let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
    let state = world.ask(&["pin", "status"]).unwrap();
    assert_eq!(state["pin"]["locked"], false, "{state}");
    assert!(state["puk"].is_object(), "{state}");
    done(&world, &["pin", "verify"]);
    let (short, new) = (secret(&world, "short", "12"), secret(&world, "new", "654321"));
    refused(&world, &["pin", "change", "--new-pin-file", &short], "pin-length");
    done(&world, &["pin", "change", "--new-pin-file", &new]);
    refused(&world, &["pin", "verify"], "pin-incorrect");
    secret(&world, "pin", "654321");
    done(&world, &["pin", "verify"]);
    // By the PUK, as after too many wrong tries.
    let (wrong, puk, third) =
        (secret(&world, "wrong", "00000000"), secret(&world, "puk", "87654321"), secret(&world, "third", "111222"));
    refused(&world, &["pin", "unblock", "--puk-file", &wrong, "--new-pin-file", &third], "puk-incorrect");
    done(&world, &["pin", "verify"]);
    done(&world, &["pin", "unblock", "--puk-file", &puk, "--new-pin-file", &third]);
    refused(&world, &["pin", "verify"], "pin-incorrect");
    secret(&world, "pin", "111222");
    // The keys are what they were: the renewal goes through, and a foreign program logs in with the new PIN.
    done(&world, &["renew", "--all"]);
    let module = obnova_testkit::softhsm_module().unwrap();
    ok(Command::new("pkcs11-tool")
        .env("SOFTHSM2_CONF", world.path("softhsm2.conf"))
        .arg("--module")
        .arg(module)
        .args(["--login", "--pin", "111222", "-O", "--type", "privkey"]));
}

#[test]
fn a_wrong_pin_is_sent_once_and_shown_as_such() {
    if !has_softhsm() {
        return;
    }
    let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
    let spy = ["/usr/lib/x86_64-linux-gnu/pkcs11-spy.so", "/usr/lib/aarch64-linux-gnu/pkcs11-spy.so"];
    let Some(spy) = spy.iter().find(|path| std::path::Path::new(path).exists()) else {
        return crate::stage::skip("pkcs11-spy (package opensc)");
    };
    let module = obnova_testkit::softhsm_module().unwrap().display().to_string();
    let settings = world.path("home").join("obnova.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace(&module, spy)).unwrap();
    secret(&world, "pin", "999999");
    let new = secret(&world, "new", "654321");
    for arguments in [&["pin", "verify"][..], &["pin", "change", "--new-pin-file", &new], &["renew", "--all"]] {
        let calls = world.path("calls");
        let _ = std::fs::remove_file(&calls);
        let mut command = world.client_command(arguments);
        let output = command.env("PKCS11SPY", &module).env("PKCS11SPY_OUTPUT", &calls).output().unwrap();
        assert!(told(&output).contains("[pin-incorrect]"), "{}", told(&output));
        let calls = std::fs::read_to_string(calls).unwrap();
        let sent = calls.lines().filter(|line| line.ends_with(": C_Login") || line.ends_with(": C_SetPIN")).count();
        assert_eq!(sent, 1, "{arguments:?}");
    }
    // Without the spy: nobody else has used up a try.
    std::fs::write(&settings, text).unwrap();
    assert_eq!(world.ask(&["pin", "status"]).unwrap()["pin"]["locked"], false);
}

#[test]
fn the_password_of_a_file_is_changed_when_no_key_waits() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let new = secret(&world, "new", "DEMO nové heslo");
    assert!(world.kill_at(&["renew", "commercial"], "keyed").unwrap());
    refused(&world, &["pin", "change", "--new-pin-file", &new], "key-waits");
    done(&world, &["resume"]);
    refused(&world, &["pin", "unblock", "--new-pin-file", &new], "no-puk");
    done(&world, &["pin", "change", "--new-pin-file", &new]);
    refused(&world, &["pin", "verify"], "pin-incorrect");
    secret(&world, "pin", "DEMO nové heslo");
    done(&world, &["prove", "commercial"]);
    let opened = ["pkcs12", "-in", "demo.p12", "-passin", "file:pin", "-noout"];
    ok(openssl(world.folder()).args(opened));
}
