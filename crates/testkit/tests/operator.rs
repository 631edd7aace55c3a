//! What an operator does once a year: what the root signed is announced before it ends, and signed anew.

use std::time::{Duration, SystemTime};

use obnova_crypto::{Secret, open_private_key};
use obnova_pki::certificate::key_identifier;
use obnova_pki::crl::{self, Reason, Revoked};
use obnova_pki::{Certificate, Serial};
use obnova_testkit::{Engine, Store};

use crate::stage::world;
use crate::token::{shell, told};

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn what_the_root_signed_is_announced_and_signed_anew() {
    let (mut world, _folder) = world(Store::File, Engine::Sqlite);
    let house = world.path("server/certificates");
    let health = |world: &obnova_testkit::World| -> serde_json::Value {
        serde_json::from_str(&world.server(&["--json", "health"]).unwrap()).unwrap()
    };
    assert_eq!(health(&world)["ends"].as_array().unwrap().len(), 0);
    let nothing = world.server(&["--json", "ceremony"]).unwrap();
    let nothing: serde_json::Value = serde_json::from_str(&nothing).unwrap();
    assert_eq!(nothing["renewed"].as_array().unwrap().len(), 0, "{nothing}");

    // A list of the root that ends in thirty days, with one line.
    let root = Certificate::from_any_form(&std::fs::read(house.join("root.crt")).unwrap()).unwrap();
    let passphrase = std::fs::read_to_string(world.path("passphrase")).unwrap();
    let sealed = std::fs::read(world.path("server/keys/root.key")).unwrap();
    let key = open_private_key(&sealed, &Secret::new(passphrase.trim_end().to_owned())).unwrap();
    let id = key_identifier(root.public_key(), &obnova_crypto::Primitives).unwrap();
    let now = SystemTime::now();
    let line =
        Revoked { serial: Serial::from_be_octets(&[1, 2, 3]).unwrap(), at: now - DAY, reason: Reason::Superseded };
    let list = crl::sign(root.subject(), &id, 7, now - DAY, now + 30 * DAY, &[line], &key).unwrap();
    std::fs::write(house.join("root.crl"), list).unwrap();
    let told_of = health(&world)["ends"].clone();
    assert_eq!(told_of[0]["file"], "root.crl", "{told_of}");
    assert_eq!(told_of.as_array().unwrap().len(), 1, "{told_of}");

    // The root's key lies in a safe: without it nothing happens, and another key is none.
    std::fs::rename(world.path("server/keys/root.key"), world.path("safe.key")).unwrap();
    let error = world.server(&["ceremony"]).unwrap_err().to_string();
    assert!(error.contains("--root-key"), "{error}");
    let other = world.path("server/keys/reply.key").display().to_string();
    let error = world.server(&["ceremony", "--root-key", &other]).unwrap_err().to_string();
    assert!(error.contains("not the key of the root"), "{error}");
    let safe = world.path("safe.key").display().to_string();
    let done = world.server(&["--json", "ceremony", "--root-key", &safe]).unwrap();
    let done: serde_json::Value = serde_json::from_str(&done).unwrap();
    assert_eq!(done["renewed"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(health(&world)["ends"].as_array().unwrap().len(), 0);

    // All of it, twice: names and keys stay, what was there is kept, and OpenSSL follows every path.
    for _ in 0..2 {
        let done = world.server(&["--json", "ceremony", "--all", "--root-key", &safe]).unwrap();
        let done: serde_json::Value = serde_json::from_str(&done).unwrap();
        assert_eq!(done["renewed"].as_array().unwrap().len(), 4, "{done}");
    }
    let kept = std::fs::read_dir(&house)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("qualified-"));
    assert_eq!(kept.count(), 2);
    shell(
        &house,
        "openssl crl -in root.crl -CAfile root.crt -noout 2>&1 | grep -q 'verify OK'\n\
         openssl crl -in root.crl -noout -text | grep -q 'Serial Number: 010203'\n\
         cat root.crt > all.pem; openssl crl -in root.crl -inform DER >> all.pem 2>/dev/null || cat root.crl >> all.pem\n\
         for n in qualified commercial reply; do openssl verify -crl_check -CAfile all.pem $n.crt; done; rm all.pem",
    );
    // Whoever renews at a server that was started again meets nothing of it.
    world.turn_clock_back(0).unwrap();
    let output = world.obnova(&["renew", "--all"]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert!(world.obnova(&["prove", "commercial"]).unwrap().status.success());
    let server = std::fs::read_to_string(world.path("server.log")).unwrap();
    assert!(!server.contains("root.crl ends"), "{server}");
}

/// A server that is never stopped makes its certificates of TLS anew, every thirty days or when the system says so.
#[test]
fn what_is_shown_at_a_handshake_is_made_anew() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let shown = |address: String| -> String {
        let script = format!(
            "openssl s_client -connect {address} -CAfile {} -verify_return_error </dev/null 2>/dev/null \
             | openssl x509 -noout -fingerprint -sha256",
            world.path("server/certificates/service.crt").display()
        );
        let output = std::process::Command::new("sh").args(["-ec", &script]).output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let addresses = [world.authority_address(), world.identity_address()]
        .map(|address| address.trim_start_matches("https://").trim_end_matches('/').to_owned());
    let before = addresses.clone().map(&shown);
    let id = world.server_id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    let begun = std::time::Instant::now();
    for (address, before) in addresses.iter().zip(&before) {
        while shown(address.clone()) == *before {
            assert!(begun.elapsed() < Duration::from_secs(30), "{address} still shows {before}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    // Whoever pinned the service root notices nothing.
    let output = world.obnova(&["renew", "--all"]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
}
