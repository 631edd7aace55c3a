//! The successor is what its predecessor was, and one that is not taken over is kept.

use std::process::Command;

use serde_json::Value;

use crate::others::Files;
use crate::stage::Killed;
use crate::token::told;

/// What is refused here after the authority issued it is kept, with its key, and the authority hears of it.
#[test]
fn what_is_not_taken_over_is_kept() {
    let Some(newer) = crate::peers::judge("openssl-new") else { return };
    // What the mock server answers with, as options of `openssl x509` and the subject.
    let answers = [
        ("the same name in another spelling", "/C=CZ/CN=jan  LHOTA", "", true),
        ("another name", "/C=CZ/CN=Jan Jinak", "", false),
        ("an authority", "/C=CZ/CN=Jan Lhota", "basicConstraints=critical,CA:TRUE", false),
        ("a signature that is not used", "/C=CZ/CN=Jan Lhota", "PSS", false),
        ("a serial number of 24 octets", "/C=CZ/CN=Jan Lhota", "LONG", false),
        ("another key", "/C=CZ/CN=Jan Lhota", "KEY", false),
    ];
    for (what, subject, how, is_taken) in answers {
        let files = Files::new();
        files.shell(
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj '/C=CZ/CN=Foreign CA' 2>/dev/null\n\
             openssl ecparam -name prime256v1 -genkey -noout -out old.key\n\
             openssl req -new -key old.key -subj '/C=CZ/CN=Jan Lhota' -out old.csr\n\
             printf 'basicConstraints=CA:FALSE\\nkeyUsage=critical,digitalSignature\\n' > leaf.ext\n\
             openssl x509 -req -in old.csr -CA ca.pem -CAkey ca.key -days 20 -extfile leaf.ext -out old.pem 2>/dev/null\n\
             openssl pkcs12 -export -inkey old.key -in old.pem -passout pass:heslo123 -out x.p12",
        );
        let port = obnova_testkit::free_port().unwrap().to_string();
        let address = format!("http://127.0.0.1:{port}/");
        let renew = ["renew", "commercial", "--file", "x.p12", "--cmp", &address, "--anchor", "ca.pem"];
        let output = files.run(&renew);
        assert!(told(&output).contains("[authority-unreachable]"), "{what}: {}", told(&output));
        // The new key waits: the authority certifies it, in its own way.
        let secret = obnova_crypto::Secret::new("heslo123".to_owned());
        let waiting = obnova_crypto::Pfx::read(&std::fs::read(files.path("x.p12.waiting")).unwrap(), &secret).unwrap();
        let key = obnova_pki::Signer::public_key(&waiting.keys[0].key).to_vec();
        std::fs::write(files.path("new.pub"), obnova_pki::pem::block("PUBLIC KEY", &key).unwrap()).unwrap();
        if how == "KEY" {
            files.shell("openssl pkey -in old.key -pubout -out new.pub");
        }
        let extra = if how.contains('=') { how } else { "basicConstraints=CA:FALSE" };
        std::fs::write(files.path("new.ext"), format!("{extra}\nkeyUsage=critical,digitalSignature\n")).unwrap();
        let option = match how {
            "PSS" => "-sigopt rsa_padding_mode:pss",
            "LONG" => "-set_serial 0x112233445566778899aabbccddeeff001122334455667788",
            _ => "",
        };
        files.shell(&format!(
            "openssl x509 -new -subj '{subject}' -force_pubkey new.pub -days 10 -CA ca.pem -CAkey ca.key -extfile new.ext {option} -out new.pem"
        ));
        std::fs::write(files.path("mock.cnf"), "[cmp]\nref_cert = old.pem\n").unwrap();
        let log = std::fs::File::create(files.path("mock.log")).unwrap();
        let _server = Killed(
            Command::new(&newer)
                .current_dir(files.path(""))
                .args(["cmp", "-config", "mock.cnf", "-port", &port, "-srv_cert", "ca.pem", "-srv_key", "ca.key"])
                .args(["-srv_trusted", "ca.pem", "-rsp_cert", "new.pem"])
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap(),
        );
        std::thread::sleep(std::time::Duration::from_millis(500));
        let output = files.run(&["resume", "--file", "x.p12"]);
        let said = told(&output);
        let log = std::fs::read_to_string(files.path("mock.log")).unwrap();
        if is_taken {
            assert!(output.status.success(), "{what}: {said}\n{log}");
            continue;
        }
        assert!(said.contains("[certificate-not-taken]"), "{what}: {said}\n{log}");
        assert!(!said.contains("refused"), "{what}: the authority refused nothing: {said}");
        assert!(log.matches("received request").count() >= 2, "{what}: the authority hears of it: {log}");
        // The octets are kept, and the key is not removed without being given up.
        let kept = std::fs::read_dir(files.path("home/archive"))
            .unwrap()
            .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with("not-taken-"));
        assert!(kept, "{what}");
        let survey = files.ask(&["clean", "--dry-run", "--file", "x.p12"]);
        let key = survey["items"].as_array().unwrap().iter().find(|item| item["certificate"].is_null()).unwrap();
        assert_eq!(key["why"], "stays-issued", "{what}: {survey}");
        files.run(&["clean", "--file", "x.p12"]);
        assert!(files.path("x.p12.waiting").exists(), "{what}: the key is there");
        let print = key["key_sha256"].as_str().unwrap()[..12].to_owned();
        files.run(&["clean", "--file", "x.p12", "--give-up", &print]);
        assert!(!files.path("x.p12.waiting").exists(), "{what}: the person gave it up");
    }
}

/// A certificate for login and encryption is followed by one that still encrypts, unless the person agrees in words.
#[test]
fn the_successor_is_what_its_predecessor_was() {
    let (world, _folder) = crate::stage::world_with_keys("rsa3072");
    let preview = world.ask(&["renew", "--all", "--dry-run"]).unwrap();
    let item = |view: &Value, kind: &str| {
        let items = view["items"].as_array().unwrap();
        items.iter().find(|item| item["certificate"]["kind"] == kind).cloned().unwrap()
    };
    for kind in ["qualified", "commercial"] {
        assert_eq!(item(&preview["plan"], kind)["key"], "RSA-3072", "{preview}");
        assert!(item(&preview["plan"], kind)["loses"].is_null(), "{preview}");
    }
    // Asked for a key that cannot encrypt, the plan says so, and --yes does not agree to it.
    let output = world.obnova(&["renew", "commercial", "--key", "p256", "--yes"]).unwrap();
    let said = told(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("cannot be used for encryption"), "{said}");
    assert!(world.obnova(&["renew", "--all", "--yes"]).unwrap().status.success());
    let serial = world.serial_of("commercial").unwrap();
    let pem = world.path("exported.pem");
    let output = world.obnova(&["export", &serial, "--to", &pem.display().to_string()]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let text = Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(&pem).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("Key Encipherment") && text.contains("3072 bit"), "{text}");
}
