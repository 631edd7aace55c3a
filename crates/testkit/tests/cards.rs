//! Cards under the middleware that people have: pcscd, the module of the card's maker, and OpenSC.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use obnova_crypto::{Primitives, SoftwareKey};
use obnova_keystore::{Load, ModuleHost, SharedStore, StoreSigner};
use obnova_lifecycle::port::{KeyStore, KeyStoreError, Scheme, StoreInfo};
use obnova_pki::{Certificate, KeyKind, Name, Request, SignatureAlgorithm, Signer, Verifier, oid};
use obnova_testkit::{CardStand, Engine, InsertedCard, MANAGEMENT_KEY, OPENSC, READER, Store, YKCS11};
use serde_json::Value;

use crate::bench::{PIN, pin};
use crate::contract::{Expected, Ground, certificate, hold_on, proves};
use crate::stage::{programs, skip, world};

/// The service with its reader, unless it is missing, which is said aloud.
pub(crate) fn stand() -> Option<CardStand> {
    let stand = CardStand::start(&programs()).unwrap();
    if stand.is_none() {
        skip(
            "the stack for cards (pcscd that does not run yet, vsmartcard-vpcd, opensc-pkcs11, ykcs11, yubico-piv-tool, and vcard, which is built by cargo build --manifest-path vcard/Cargo.toml --target-dir target --features openpgp)",
        );
    }
    stand
}

fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

pub(crate) fn host(module: &str) -> Arc<ModuleHost> {
    ModuleHost::new(&programs().join("obnova"), Load::Module(module.into()))
}

/// What an officer with the management key does, by OpenSC's tool and the module of the card's maker.
fn officer(arguments: &[&str]) -> String {
    let login = ["--module", YKCS11, "--login", "--login-type", "so", "--so-pin", MANAGEMENT_KEY];
    tool("pkcs11-tool", &[&login[..], arguments].concat())
}

/// A pair in a slot of a PIV card (1 is 9A, 2 is 9C), made by the officer.
pub(crate) fn piv_pair(folder: &Path, slot: &str, kind: &str) -> Vec<u8> {
    officer(&["--keypairgen", "--key-type", kind, "--id", slot]);
    let file = folder.join("public").display().to_string();
    tool("pkcs11-tool", &["--module", YKCS11, "--read-object", "--type", "pubkey", "--id", slot, "-o", &file]);
    std::fs::read(file).unwrap()
}

pub(crate) fn piv_certificate(folder: &Path, slot: &str, certificate: &Certificate) {
    let file = folder.join("certificate").display().to_string();
    std::fs::write(&file, certificate.der()).unwrap();
    officer(&["--write-object", &file, "--type", "cert", "--id", slot]);
}

/// A card in the stand under one module.
struct CardGround<'a> {
    name: String,
    module: &'static str,
    slots: &'static [(&'static str, &'static str)],
    stand: &'a CardStand,
    _card: InsertedCard,
}

impl<'a> CardGround<'a> {
    fn piv(stand: &'a CardStand, module: &'static str, slots: &'static [(&'static str, &'static str)]) -> Self {
        let card = stand.insert(0, "piv", &[]).unwrap();
        Self { name: format!("PIV by {module}"), module, slots, stand, _card: card }
    }
}

impl Ground for CardGround<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn stores(&self) -> Vec<(Box<dyn KeyStore>, StoreInfo)> {
        let stores = host(self.module).stores().unwrap();
        stores.into_iter().map(|(store, info)| (Box::new(store) as Box<dyn KeyStore>, info)).collect()
    }

    fn pair_of_others(&self, login: usize) -> Vec<u8> {
        let (slot, kind) = self.slots[login];
        piv_pair(&self.stand.path(""), slot, kind)
    }

    fn certificate_of_others(&self, login: usize, certificate: &Certificate) -> bool {
        piv_certificate(&self.stand.path(""), self.slots[login].0, certificate);
        true
    }

    fn unblock(&self) {
        tool("yubico-piv-tool", &["--reader", "Yubico", "--action", "unblock-pin", "-P", "12345678", "-N", PIN]);
    }
}

#[test]
fn a_piv_card_by_the_module_of_its_maker() {
    let Some(stand) = stand() else { return };
    let expected = Expected {
        generates: Err(KeyStoreError::ManagedElsewhere),
        installs: Err(KeyStoreError::ManagedElsewhere),
        has_others: true,
        // Its security officer has a management key: a PUK is none, and the client does not send it at all.
        unblocks: Err(KeyStoreError::PukIncorrect { final_try: false }),
        ..Expected::counting()
    };
    // 9A, and 9C where every signature wants the PIN.
    for slots in [&[("01", "rsa:2048")], &[("02", "EC:prime256v1")]] {
        hold_on(&CardGround::piv(&stand, YKCS11, slots), &expected);
    }
}

#[test]
fn a_piv_card_by_opensc() {
    let Some(stand) = stand() else { return };
    let expected = Expected {
        generates: Err(KeyStoreError::KeyKindUnsupported(KeyKind::P256)),
        installs: Err(KeyStoreError::ManagedElsewhere),
        has_others: true,
        warns_early: false,
        unblocks: Err(KeyStoreError::NotPossible),
        ..Expected::counting()
    };
    hold_on(&CardGround::piv(&stand, OPENSC, &[("01", "rsa:2048")]), &expected);
}

/// An OpenPGP card: two slots, each with a login of its own, that check one and the same PIN.
struct OpenPgpGround<'a> {
    stand: &'a CardStand,
    _card: InsertedCard,
}

impl OpenPgpGround<'_> {
    /// Commands of the card's administrator, by OpenSC's tool: SELECT, VERIFY PW3 (OpenPGP card 3.4, 7.2.1 and 7.2.2).
    fn administrator(commands: &[&str]) {
        let mut arguments = vec!["--card-driver", "default", "-s", "00A4040006D27600012401", "-s"];
        arguments.push("00200083083132333435363738");
        arguments.extend(commands.iter().flat_map(|command| ["-s", *command]));
        let told = tool("opensc-tool", &arguments);
        assert_eq!(told.matches("SW1=0x90, SW2=0x00").count(), commands.len() + 2, "{told}");
    }
}

impl Ground for OpenPgpGround<'_> {
    fn name(&self) -> &str {
        "OpenPGP by OpenSC"
    }

    fn puk(&self) -> &str {
        "12345678"
    }

    fn stores(&self) -> Vec<(Box<dyn KeyStore>, StoreInfo)> {
        let stores = host(OPENSC).stores().unwrap();
        stores.into_iter().map(|(store, info)| (Box::new(store) as Box<dyn KeyStore>, info)).collect()
    }

    fn pair_of_others(&self, login: usize) -> Vec<u8> {
        // Authentication in the first slot, signature in the second; OpenSC lists a key that has a fingerprint.
        let fingerprint = "01".repeat(20);
        match login {
            0 => Self::administrator(&["0047800002A40000", &format!("00DA00C914{fingerprint}"), "00DA00D00400000001"]),
            _ => Self::administrator(&["0047800002B60000", &format!("00DA00C714{fingerprint}"), "00DA00CE0400000001"]),
        }
        let file = self.stand.path("public").display().to_string();
        let (slot, id) = if login == 0 { ("0", "03") } else { ("1", "01") };
        tool(
            "pkcs11-tool",
            &["--module", OPENSC, "--slot-index", slot, "--read-object", "--type", "pubkey", "--id", id, "-o", &file],
        );
        std::fs::read(file).unwrap()
    }

    fn certificate_of_others(&self, login: usize, certificate: &Certificate) -> bool {
        if login > 0 {
            // This version of OpenSC knows one place, that of the authentication key.
            return false;
        }
        let file = self.stand.path("certificate").display().to_string();
        std::fs::write(&file, certificate.der()).unwrap();
        let store = ["--store-certificate", &file, "--format", "der", "--auth-id", "3", "--id", "3", "--verify-pin"];
        tool("pkcs15-init", &[&store[..], &["--pin", "12345678"]].concat());
        true
    }

    fn unblock(&self) {
        // RESET RETRY COUNTER by the administrator (7.2.4), and the PIN what it was.
        Self::administrator(&["002C028106313233343536"]);
    }
}

#[test]
fn one_card_in_two_slots_with_one_pin() {
    let Some(stand) = stand() else { return };
    let expected = Expected {
        logins: 2,
        generates: Err(KeyStoreError::ManagedElsewhere),
        installs: Err(KeyStoreError::ManagedElsewhere),
        has_others: true,
        warns_early: false,
        unblocks: Err(KeyStoreError::NotPossible),
        ..Expected::counting()
    };
    let card = stand.insert(0, "openpgp", &[]).unwrap();
    let ground = OpenPgpGround { stand: &stand, _card: card };
    hold_on(&ground, &expected);
    let mut stores = ground.stores();
    for (store, _) in &mut stores {
        store.unlock(&pin(PIN), false).unwrap();
        assert_eq!(store.generate(KeyKind::Rsa(2048), "bench"), Err(KeyStoreError::ManagedElsewhere));
    }
    // A wrong PIN in one login lowers the tries of the other: they are read anew, never remembered.
    for _ in 0..2 {
        assert!(stores[0].0.unlock(&pin("000000"), false).is_err());
    }
    assert!(stores[1].0.info().unwrap().pin.final_try, "both check one PIN");
    assert_eq!(stores[1].0.unlock(&pin(PIN), false), Err(KeyStoreError::PinLastTry));
}

#[test]
fn a_card_that_is_pulled_and_put_back() {
    let Some(stand) = stand() else { return };
    for module in [YKCS11, OPENSC] {
        let card = stand.insert_remembering(0, "piv", module.rsplit('/').next().unwrap()).unwrap();
        let key = piv_pair(&stand.path(""), "01", "rsa:2048");
        let host = host(module);
        let (mut store, info) = host.stores().unwrap().remove(0);
        store.unlock(&pin(PIN), false).unwrap();
        proves(&mut store, &key);
        drop(card);
        stand.wait(0, false).unwrap();
        let scheme = Scheme::Plain(SignatureAlgorithm::RsaSha256);
        assert_eq!(store.sign(&key, scheme, b"text"), Err(KeyStoreError::Gone), "{module}");
        assert!(host.stores().unwrap().is_empty(), "{module}");
        // Back again, in the same process: a login, and it works.
        let card = stand.insert_remembering(0, "piv", module.rsplit('/').next().unwrap()).unwrap();
        assert_eq!(store.info().unwrap().id, info.id, "{module}");
        store.unlock(&pin(PIN), false).unwrap();
        proves(&mut store, &key);
        // Pulled in the middle of a call: whatever the module says, the device is gone.
        let puller = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(300));
            drop(card);
        });
        let failed = loop {
            if let Err(error) = store.sign(&key, scheme, b"text") {
                break error;
            }
        };
        puller.join().unwrap();
        stand.wait(0, false).unwrap();
        // OpenSC sometimes waits for itself then, and never comes back: its process is ended when patience is.
        let is_honest =
            matches!(failed, KeyStoreError::Gone | KeyStoreError::Module { .. } | KeyStoreError::Silent { .. });
        assert!(is_honest, "{module}: {failed:?}");
        assert_eq!(store.info(), Err(KeyStoreError::Gone), "{module}");
    }
}

#[test]
fn a_certificate_of_another_key_does_not_make_wrong_signatures() {
    let Some(stand) = stand() else { return };
    let _card = stand.insert(0, "piv", &[]).unwrap();
    let key = piv_pair(&stand.path(""), "01", "rsa:2048");
    let stranger = SoftwareKey::generate(KeyKind::Rsa(2048)).unwrap();
    let wrong = certificate(stranger.public_key(), 7, std::time::Duration::from_secs(1));
    piv_certificate(&stand.path(""), "01", &wrong);
    // This module derives the public key from the certificate beside it, and so tells a key that is not there.
    let (mut store, _) = host(YKCS11).stores().unwrap().remove(0);
    store.unlock(&pin(PIN), false).unwrap();
    let scheme = Scheme::Plain(SignatureAlgorithm::RsaSha256);
    for told in store.keys().unwrap() {
        match store.sign(&told, scheme, b"text") {
            Ok(signature) => {
                Primitives.verify(&told, SignatureAlgorithm::RsaSha256, b"text", &signature).unwrap();
            }
            Err(error) => assert_eq!(error, KeyStoreError::AnotherKey),
        }
    }
    // The right one makes it whole again.
    let right = certificate(&key, 8, std::time::Duration::from_secs(1));
    piv_certificate(&stand.path(""), "01", &right);
    let (mut store, _) = host(YKCS11).stores().unwrap().remove(0);
    store.unlock(&pin(PIN), false).unwrap();
    proves(&mut store, &key);
    let store: &mut dyn KeyStore = &mut store;
    assert_eq!(store.certificates().unwrap(), [right], "the module replaced it");
}

#[test]
fn a_card_by_two_modules_is_one_device_and_one_by_none_is_told() {
    let Some(stand) = stand() else { return };
    let _card = stand.insert(0, "piv", &["--serial", "77"]).unwrap();
    let key = piv_pair(&stand.path(""), "01", "rsa:2048");
    let home = stand.path("home");
    std::fs::create_dir(&home).unwrap();
    let ask = |arguments: &[&str]| -> Value {
        let mut command = Command::new(programs().join("obnova"));
        // Browsers and settings of whoever runs the tests stay out of it.
        command.env("HOME", &home).arg("--home").arg(home.join("obnova")).arg("--json").args(arguments);
        let output = command.output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!(
                "{arguments:?}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        })
    };
    let stores_of = |told: &Value| -> Vec<String> {
        let all = told["stores"].as_array().unwrap().iter();
        all.map(|store| store["model"].as_str().unwrap_or_default().to_owned())
            .filter(|model| model.contains("YK5") || model.contains("PKCS#15"))
            .collect()
    };
    // The certificate that the module itself put beside the new key is no certificate to be renewed.
    let told = ask(&["list"]);
    let placeholders = told["certificates"].as_array().unwrap().iter().filter(|one| one["unfit"].is_null()).count();
    assert_eq!(placeholders, 0, "{told}");
    piv_certificate(&stand.path(""), "01", &certificate(&key, 1, std::time::Duration::from_secs(400 * 86_400 * 1000)));
    let told = ask(&["list"]);
    // The maker's own module is taken before OpenSC, and the one that the person names before both.
    assert_eq!(stores_of(&told), ["YubiKey YK5 2.20"], "{told}");
    assert_eq!(told["certificates"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["cards"], serde_json::json!([]));
    assert_eq!(stores_of(&ask(&["--module", OPENSC, "list"])), ["PKCS#15 emulated 0.23"]);
    // The name that OpenSC gives the device is that of a certificate on it, and its identity is not.
    let store = |module| host(module).stores().unwrap().remove(0).1;
    let before = store(OPENSC);
    piv_certificate(&stand.path(""), "01", &certificate(&key, 2, std::time::Duration::from_secs(1)));
    assert_eq!(store(OPENSC).id, before.id);
    assert_eq!(store(YKCS11).reader.as_deref(), Some(READER));
    // A token whose middleware is not installed.
    let atr = "3BFF1800008131FE45006B150C03020101014234441031800D";
    let _stranger = stand.insert(1, "stranger", &["--atr", atr]).unwrap();
    let told = ask(&["list"]);
    let card = &told["cards"][0];
    assert_eq!(card["state"], "unseen", "{told}");
    assert_eq!(card["atr"], atr);
    assert!(card["card"].as_str().unwrap().contains("TokenME"), "{told}");
    assert!(card["middleware"].as_str().unwrap().contains("Bit4id"), "{told}");
    assert_eq!(card["administrator"], true);
    let findings = ask(&["doctor", "--administrator", &home.join("letter").display().to_string()]);
    let has = |code: &str| findings.as_array().unwrap().iter().any(|one| one["advice"] == code);
    assert!(has("card-unseen"), "{findings}");
    let letter = std::fs::read_to_string(home.join("letter")).unwrap();
    assert!(letter.contains("Bit4id") && letter.contains(atr), "{letter}");
}

#[test]
fn a_certificate_on_a_card_that_others_manage_is_renewed_into_a_file() {
    let Some(stand) = stand() else { return };
    let (mut world, _folder) = world(Store::File, Engine::Sqlite);
    world.turn_clock_back(365).unwrap();
    let path = |name: &str| world.path(name).display().to_string();
    // The clerk's pair is on a card, made there by the office's administrator: OpenSSL carries the request.
    let _card = stand.insert(0, "piv", &[]).unwrap();
    let key = piv_pair(&stand.path(""), "01", "rsa:2048");
    let invitation = world.server(&["invite", "DEMO-100", "--profile", "commercial", "--json"]).unwrap();
    let invitation: Value = serde_json::from_str(&invitation).unwrap();
    let card = SharedStore::new(Box::new(host(YKCS11).stores().unwrap().remove(0).0));
    card.lock().unlock(&pin(PIN), false).unwrap();
    let subject = Name::from_attributes(&[(oid::COMMON_NAME, "invited")]).unwrap();
    let request = Request::sign(&subject, &StoreSigner::new(card, &key).unwrap()).unwrap();
    let request = obnova_pki::pem::block("CERTIFICATE REQUEST", request.der()).unwrap();
    std::fs::write(world.path("csr"), request).unwrap();
    let secret = format!("pass:{}", invitation["code"].as_str().unwrap());
    let server = format!("https://{}", world.authority_address());
    let tls = world.house_certificate("service").display().to_string();
    let place =
        ["-server", &server, "-path", ".well-known/cmp", "-tls_used", "-tls_trusted", &tls, "-recipient", "/CN=any"];
    let mine = ["-ref", invitation["reference"].as_str().unwrap(), "-secret", &secret, "-csr", &path("csr")];
    let cmp = ["cmp", "-config", "", "-cmd", "p10cr", "-certout", &path("card.pem")];
    tool("openssl", &[&cmp[..], &place, &mine].concat());
    world.turn_clock_back(0).unwrap();
    let issued = Certificate::from_any_form(&std::fs::read(world.path("card.pem")).unwrap()).unwrap();
    piv_certificate(&stand.path(""), "01", &issued);
    let settings = format!("discover = false\nbackup = false\n[[store]]\nmodule = \"{YKCS11}\"\n");
    std::fs::write(world.path("home").join("obnova.toml"), settings).unwrap();
    let old = world.serial_of("commercial").unwrap();
    world.server(&["account", "bind", "demo.jana", "--issuer", "Public CA", "--serial", &old]).unwrap();
    let before = world.ask(&["status"]).unwrap();
    // Said before anything is made or sent.
    let refused = world.obnova(&["renew", "commercial"]).unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("[managed-elsewhere]"), "{told}");
    assert_eq!(world.ask(&["status"]).unwrap(), before, "no journey began");
    // The card signs the request and logs in; the new key lives in the file.
    let file = world.path("new.p12").display().to_string();
    let output = world.obnova(&["renew", "commercial", "--to-file", &file]).unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(told.contains(&file), "{told}");
    let status = world.ask(&["status"]).unwrap();
    assert!(status.as_array().unwrap().iter().all(|journey| journey["finished"] == true), "{status}");
    let list = world.ask(&["--file", &file, "list"]).unwrap();
    let new: Vec<_> = list["certificates"].as_array().unwrap().iter().filter(|one| one["decimal"] != *old).collect();
    assert_eq!(new.len(), 1, "{list}");
    assert_eq!(new[0]["store"], format!("file:{file}"));
    // The card still has what it had: nobody but its administrator writes there.
    let store: &mut dyn KeyStore = &mut host(YKCS11).stores().unwrap().remove(0).0;
    assert_eq!(store.certificates().unwrap().len(), 1);
}
