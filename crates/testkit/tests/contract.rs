//! The contract that every device is held to: one scenario, and a table of what each kind of device does differently.

use std::time::{Duration, SystemTime};

use obnova_crypto::{Primitives, SoftwareKey};
use obnova_lifecycle::port::{KeyStore, KeyStoreError, Scheme};
use obnova_lifecycle::retirement::{OrphanStanding, Standing, permit, permit_orphan};
use obnova_pki::certificate::{ToBeSigned, sign};
use obnova_pki::{Certificate, KeyKind, Name, Serial, SignatureAlgorithm, Signer, Verifier, oid};

use crate::bench::{Bench, PIN, PUK, pin};
use crate::stage::has_softhsm;

/// What a kind of device does differently.
struct Expected {
    /// How many logins it shows.
    logins: usize,
    /// Whether the holder's PIN makes keys.
    generates: Result<(), KeyStoreError>,
    /// Whether it counts wrong PINs, and locks.
    counts: bool,
    /// Whether it warns before the last try.
    warns_early: bool,
    /// Whether the PIN is typed on the device.
    pad: bool,
}

impl Expected {
    fn plain() -> Self {
        Self { logins: 1, generates: Ok(()), counts: false, warns_early: true, pad: false }
    }

    fn counting() -> Self {
        Self { counts: true, ..Self::plain() }
    }
}

const LONG_AGO: Duration = Duration::from_secs(1_600_000_000);

/// A certificate for a key of the device, by an authority made for it.
pub(crate) fn certificate(public_key: &[u8], serial: u8, life: Duration) -> Certificate {
    let authority = SoftwareKey::generate(KeyKind::P256).unwrap();
    let name = |text| Name::from_attributes(&[(oid::COMMON_NAME, text)]).unwrap();
    let from = SystemTime::UNIX_EPOCH + LONG_AGO;
    let tbs = ToBeSigned {
        serial: Serial::from_be_octets(&[1, serial]).unwrap(),
        algorithm: SignatureAlgorithm::EcdsaSha256,
        issuer: name("Bench authority"),
        not_before: from,
        not_after: from + life,
        subject: name("Bench holder"),
        public_key: public_key.to_vec(),
        extensions: Vec::new(),
    };
    sign(&tbs.to_der().unwrap(), &authority as &dyn Signer).unwrap()
}

fn proves(store: &mut dyn KeyStore, key: &[u8]) {
    let algorithm = KeyKind::of(key).unwrap().signature_algorithm();
    for round in 0..3u8 {
        let signature = store.sign(key, Scheme::Plain(algorithm), &[round; 40]).unwrap();
        Primitives.verify(key, algorithm, &[round; 40], &signature).unwrap();
    }
}

fn hold(labels: &[&str], rules: &str, expected: &Expected) {
    let bench = Bench::new(labels, rules);
    let host = bench.host();
    let mut stores = host.stores().unwrap();
    assert_eq!(stores.len(), expected.logins, "{rules}");
    if let [(_, first), (_, second)] = stores.as_slice() {
        assert_eq!(first.device, second.device, "one device");
        assert_ne!(first.id, second.id, "two logins");
    }
    for (store, info) in &mut stores {
        assert_eq!(info.pin.pad, expected.pad);
        assert_eq!(store.certificates().unwrap(), []);
        if !expected.pad {
            wrong_pins(&bench, rules, store, expected);
        }
        store.unlock(&pin(PIN), true).unwrap();
        let made = store.generate(KeyKind::P256, "bench");
        let key = match (&made, &expected.generates) {
            (Ok(key), Ok(())) => key.clone(),
            (Err(found), Err(wanted)) if found == wanted => continue,
            _ => panic!("{rules}: {made:?}"),
        };
        assert!(store.keys().unwrap().contains(&key));
        proves(store, &key);
        let other = certificate(SoftwareKey::generate(KeyKind::P256).unwrap().public_key(), 9, Duration::from_secs(1));
        assert_eq!(store.install(&other), Err(KeyStoreError::NotOurKey));
        let first = certificate(&key, 1, Duration::from_secs(1));
        store.install(&first).unwrap();
        store.install(&first).unwrap();
        assert_eq!(store.certificates().unwrap(), std::slice::from_ref(&first), "once, and byte for byte");
        proves(store, &key);
        // RSA: what the device says that it makes, it makes; longer ones are refused by name.
        let largest = info.key_kinds.iter().filter_map(|kind| match kind {
            KeyKind::Rsa(bits) => Some(*bits),
            _ => None,
        });
        if largest.max().is_some_and(|most| most < 4096) {
            let refused = store.generate(KeyKind::Rsa(4096), "too long");
            assert_eq!(refused, Err(KeyStoreError::KeyKindUnsupported(KeyKind::Rsa(4096))));
        }
        // A second key; the first is removed, and only the first.
        let second = store.generate(KeyKind::P256, "bench").unwrap();
        let standing = Standing {
            successor_proven: false,
            successor_registered: false,
            registration_said: false,
            consequence_typed: false,
            decryption_waived: true,
        };
        let gone = permit(&first, &standing, SystemTime::now()).unwrap();
        store.remove(&gone).unwrap();
        store.remove(&gone).unwrap();
        assert_eq!(store.keys().unwrap(), std::slice::from_ref(&second));
        assert_eq!(store.certificates().unwrap(), []);
        let orphan = OrphanStanding { request_open: false, request_closed: true, loss_typed: false };
        store.remove(&permit_orphan(&second, &orphan, SystemTime::now()).unwrap()).unwrap();
        assert_eq!(store.keys().unwrap(), Vec::<Vec<u8>>::new());
        let census = store.census().unwrap();
        assert_eq!((census.certificates, census.private_keys, census.public_keys), (0, 0, 0), "nothing is left behind");
    }
}

fn wrong_pins(bench: &Bench, rules: &str, store: &mut dyn KeyStore, expected: &Expected) {
    let wrong = |store: &mut dyn KeyStore, last| store.unlock(&pin("000000"), last);
    assert_eq!(wrong(store, false), Err(KeyStoreError::PinIncorrect { final_try: false }));
    let logins = || bench.calls().iter().filter(|call| *call == "C_Login").count();
    let sent = logins();
    if expected.counts {
        assert_eq!(store.info().unwrap().pin.count_low, expected.warns_early, "{rules}");
        assert_eq!(wrong(store, false), Err(KeyStoreError::PinIncorrect { final_try: true }));
        // The last try is not spent unasked, not even a right one.
        assert_eq!(store.unlock(&pin(PIN), false), Err(KeyStoreError::PinLastTry));
        assert_eq!(logins(), sent + 1, "nothing was sent");
        assert_eq!(wrong(store, true), Err(KeyStoreError::PinLocked));
        assert_eq!(store.unlock(&pin(PIN), true), Err(KeyStoreError::PinLocked));
        assert_eq!(logins(), sent + 2, "a locked PIN is not tried");
        store.unblock_pin(&pin(PUK), &pin("654321"), false).unwrap();
        store.unlock(&pin("654321"), false).unwrap();
        store.change_pin(&pin("654321"), &pin(PIN), false).unwrap();
        assert!(!store.info().unwrap().pin.locked);
    }
}

#[test]
fn softhsm() {
    if has_softhsm() {
        hold(&["plain"], "profile = softhsm", &Expected::plain());
    }
}

#[test]
fn a_small_slow_token() {
    if has_softhsm() {
        hold(&["tokenme"], "profile = tokenme", &Expected::counting());
    }
}

#[test]
fn a_card_that_is_managed_elsewhere() {
    if has_softhsm() {
        let elsewhere = Err(KeyStoreError::ManagedElsewhere);
        hold(&["ykcs11"], "profile = ykcs11", &Expected { generates: elsewhere, ..Expected::counting() });
        let never = Err(KeyStoreError::KeyKindUnsupported(KeyKind::P256));
        let expected = Expected { generates: never, warns_early: false, ..Expected::counting() };
        hold(&["opensc"], "profile = opensc-piv", &expected);
    }
}

#[test]
fn one_device_in_two_slots_with_a_pin_each() {
    if has_softhsm() {
        hold(&["PIN", "QPIN"], "profile = two-pin", &Expected { logins: 2, ..Expected::counting() });
    }
}

#[test]
fn pins_typed_on_the_device() {
    if has_softhsm() {
        hold(&["pad"], "profile = pin-pad", &Expected { pad: true, ..Expected::plain() });
    }
}

#[test]
fn a_signature_that_wants_the_pin_each_time() {
    if has_softhsm() {
        hold(&["always"], "profile = always-authenticate", &Expected::plain());
    }
}

#[test]
fn templates_that_a_device_refuses_are_made_smaller() {
    if has_softhsm() {
        // CKA_EXTRACTABLE, CKA_VERIFY.
        for attribute in ["0x162", "0x10A"] {
            hold(&["picky"], &format!("refuse_attribute = {attribute}"), &Expected::plain());
        }
        hold(&["own"], "own_ids = 1\nreplace_on_write = 1", &Expected::plain());
    }
}

#[test]
fn full_has_many_faces_and_none_of_them_loses_anything() {
    if !has_softhsm() {
        return;
    }
    for (code, named) in [("0x31", true), ("0x05", false), ("0x30", false), ("0x06", false)] {
        let bench = Bench::new(&["full"], &format!("capacity = 900\nfull_rv = {code}"));
        let (mut store, _) = bench.host().stores().unwrap().remove(0);
        store.unlock(&pin(PIN), false).unwrap();
        // Keys fit until they do not; what was made works.
        let mut keys = Vec::new();
        let refused = loop {
            match store.generate(KeyKind::P256, "bench") {
                Ok(key) => keys.push(key),
                Err(error) => break error,
            }
            assert!(keys.len() < 9);
        };
        match &refused {
            KeyStoreError::Full => assert!(named),
            KeyStoreError::WriteFailed { .. } => assert!(!named),
            other => panic!("{other:?}"),
        }
        assert_eq!(store.keys().unwrap().len(), keys.len());
        // A certificate that finds no place is refused the same way, and the key stays.
        let paid = certificate(&keys[0], 1, Duration::from_secs(1));
        assert!(store.install(&paid).is_err());
        proves(&mut store, &keys[0]);
        // Room comes back, and the same certificate goes in without anything new.
        let orphan = OrphanStanding { request_open: false, request_closed: true, loss_typed: false };
        for key in &keys[1..] {
            store.remove(&permit_orphan(key, &orphan, SystemTime::now()).unwrap()).unwrap();
        }
        store.install(&paid).unwrap();
        proves(&mut store, &keys[0]);
    }
    // Some say yes and store nothing.
    let bench = Bench::new(&["liar"], "");
    let (mut store, _) = bench.host().stores().unwrap().remove(0);
    store.unlock(&pin(PIN), false).unwrap();
    let key = store.generate(KeyKind::P256, "bench").unwrap();
    bench.rules("lie_on_create = 1");
    assert_eq!(store.install(&certificate(&key, 1, Duration::from_secs(1))), Err(KeyStoreError::NotStored));
}

#[test]
fn room_is_held_and_given_back() {
    if !has_softhsm() {
        return;
    }
    let bench = Bench::new(&["reserved"], "capacity = 3000");
    let (mut store, _) = bench.host().stores().unwrap().remove(0);
    store.unlock(&pin(PIN), false).unwrap();
    store.reserve(2_700).unwrap();
    store.generate(KeyKind::P256, "bench").unwrap();
    assert_eq!(store.generate(KeyKind::P256, "bench"), Err(KeyStoreError::Full));
    store.reserve(0).unwrap();
    store.generate(KeyKind::P256, "bench").unwrap();
    assert_eq!(store.reserve(9_000), Err(KeyStoreError::Full));
    assert_eq!(store.census().unwrap().data, 0);
}

#[test]
fn memory_that_cannot_be_true_is_not_believed() {
    if !has_softhsm() {
        return;
    }
    for (rules, free) in [
        ("free_memory = 1\ntotal_memory = 1", None),
        ("free_memory = 30824", None),
        ("free_memory = 30824\ntotal_memory = 20000", None),
        ("free_memory = 12000\ntotal_memory = 65536", Some(12_000)),
    ] {
        let bench = Bench::new(&["memory"], rules);
        let stores = bench.host().stores().unwrap();
        assert_eq!(stores[0].1.free, free, "{rules}");
    }
}

#[test]
fn a_module_that_crashes_hangs_or_loses_its_device_takes_nothing_down() {
    if !has_softhsm() {
        return;
    }
    let bench = Bench::new(&["fragile"], "");
    let host = bench.host();
    let (mut store, info) = host.stores().unwrap().remove(0);
    store.unlock(&pin(PIN), false).unwrap();
    let key = store.generate(KeyKind::P256, "bench").unwrap();
    // It crashes in the middle; the next call starts it anew, where nobody is logged in any more.
    bench.rules("before.C_Sign = 1");
    let signed = store.sign(&key, Scheme::Plain(SignatureAlgorithm::EcdsaSha256), b"text");
    assert!(matches!(signed, Err(KeyStoreError::Crashed { .. })), "{signed:?}");
    bench.rules("");
    assert_eq!(store.info().unwrap().id, info.id);
    store.unlock(&pin(PIN), false).unwrap();
    proves(&mut store, &key);
    // Pulled: told by the list of slots, whatever code the call gave.
    bench.rules("removed = 1");
    assert_eq!(store.info(), Err(KeyStoreError::Gone));
    bench.rules("fail.C_SignInit = 0x30\nremoved = 1");
    let signed = store.sign(&key, Scheme::Plain(SignatureAlgorithm::EcdsaSha256), b"text");
    assert_eq!(signed, Err(KeyStoreError::Gone));
    // Put back: the same process goes on, after a new login.
    bench.rules("");
    store.unlock(&pin(PIN), false).unwrap();
    proves(&mut store, &key);
    // Pulled while it makes a key.
    bench.rules("pulled.C_GenerateKeyPair = 1");
    assert_eq!(store.generate(KeyKind::P256, "bench"), Err(KeyStoreError::Gone));
    std::fs::remove_file(bench.path("rules.pulled")).unwrap();
    bench.rules("");
    store.unlock(&pin(PIN), false).unwrap();
    assert_eq!(store.keys().unwrap(), [key]);
}
