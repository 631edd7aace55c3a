//! The contract that every device is held to: one scenario, and a table of what each kind of device does differently.

use std::process::Command;
use std::time::{Duration, SystemTime};

use obnova_crypto::{Primitives, SoftwareKey};
use obnova_keystore::{FileStore, Load, ModuleHost, discovery};
use obnova_lifecycle::port::{KeyStore, KeyStoreError, Scheme, StoreInfo};
use obnova_lifecycle::retirement::{OrphanStanding, Standing, permit, permit_orphan};
use obnova_pki::certificate::{ToBeSigned, sign};
use obnova_pki::{Certificate, KeyKind, Name, Serial, SignatureAlgorithm, Signer, Verifier, oid};

use crate::bench::{Bench, PIN, PUK, pin};
use crate::stage::{has_softhsm, programs, skip};

/// Something that keeps keys, with the hands that are not ours: those of its maker's tools.
pub(crate) trait Ground {
    /// What it is called when something does not hold.
    fn name(&self) -> &str;

    /// Its stores, as a fresh process sees them.
    fn stores(&self) -> Vec<(Box<dyn KeyStore>, StoreInfo)>;

    /// Its PUK.
    fn puk(&self) -> &str {
        PUK
    }

    /// How often a PIN was sent so far, where somebody counts.
    fn logins(&self) -> Option<usize> {
        None
    }

    /// A pair that somebody else makes for a login of the device: its SubjectPublicKeyInfo.
    fn pair_of_others(&self, login: usize) -> Vec<u8> {
        panic!("{}: nobody else makes a key for login {login}", self.name())
    }

    /// A certificate that somebody else writes beside that pair; `false` when the device has no place for it.
    fn certificate_of_others(&self, login: usize, certificate: &Certificate) -> bool {
        panic!("{}: nobody else writes {} for login {login}", self.name(), certificate.serial().decimal())
    }

    /// The PIN unblocked and made what it was, by somebody else.
    fn unblock(&self) {
        panic!("{}: nobody else unblocks it", self.name())
    }
}

impl Ground for Bench {
    fn name(&self) -> &str {
        "bench"
    }

    fn stores(&self) -> Vec<(Box<dyn KeyStore>, StoreInfo)> {
        self.host()
            .stores()
            .unwrap()
            .into_iter()
            .map(|(store, info)| (Box::new(store) as Box<dyn KeyStore>, info))
            .collect()
    }

    fn logins(&self) -> Option<usize> {
        Some(self.calls().iter().filter(|call| *call == "C_Login").count())
    }
}

/// What a kind of device does differently.
pub(crate) struct Expected {
    /// How many logins it shows.
    pub(crate) logins: usize,
    /// Whether the holder's PIN makes keys.
    pub(crate) generates: Result<(), KeyStoreError>,
    /// What is said when a certificate is to be written beside a key that somebody else made.
    pub(crate) installs: Result<(), KeyStoreError>,
    /// Whether somebody else can make keys on it in this suite.
    pub(crate) has_others: bool,
    /// Whether a wrong PIN is refused at all, and counted until it locks.
    pub(crate) counts: bool,
    /// Whether it warns before the last try.
    pub(crate) warns_early: bool,
    /// Whether the try that locks it is told as such, or as one more wrong PIN.
    pub(crate) unblocks: Result<(), KeyStoreError>,
    /// Whether the PIN is typed on the device.
    pub(crate) pad: bool,
    /// Whether certificates are shown before the PIN.
    pub(crate) shows: bool,
}

impl Expected {
    pub(crate) fn plain() -> Self {
        Self {
            logins: 1,
            generates: Ok(()),
            installs: Ok(()),
            has_others: false,
            counts: false,
            warns_early: true,
            unblocks: Ok(()),
            pad: false,
            shows: true,
        }
    }

    pub(crate) fn counting() -> Self {
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

pub(crate) fn proves(store: &mut dyn KeyStore, key: &[u8]) {
    let algorithm = KeyKind::of(key).unwrap().signature_algorithm();
    for round in 0..3u8 {
        let signature = store.sign(key, Scheme::Plain(algorithm), &[round; 40]).unwrap();
        Primitives.verify(key, algorithm, &[round; 40], &signature).unwrap();
    }
}

fn hold(labels: &[&str], rules: &str, expected: &Expected) {
    hold_on(&Bench::new(labels, rules), expected);
}

/// The one scenario.
pub(crate) fn hold_on(ground: &dyn Ground, expected: &Expected) {
    let name = ground.name();
    let mut stores = ground.stores();
    assert_eq!(stores.len(), expected.logins, "{name}");
    if let [(_, first), (_, second)] = stores.as_slice() {
        assert_eq!(first.device, second.device, "one device");
        assert_ne!(first.id, second.id, "two logins");
    }
    for (nth, (store, info)) in stores.iter_mut().enumerate() {
        let store = store.as_mut();
        assert_eq!(info.pin.pad, expected.pad);
        assert!(!expected.shows || store.certificates().unwrap().is_empty());
        if !expected.pad {
            wrong_pins(ground, store, expected);
        }
        store.unlock(&pin(PIN), true).unwrap();
        let made = store.generate(KeyKind::P256, "bench");
        match (&made, &expected.generates) {
            (Ok(key), Ok(())) => one_life(store, info, key),
            (Err(found), Err(wanted)) if found == wanted => {
                if expected.has_others {
                    kept_by_others(ground, nth, expected);
                }
            }
            _ => panic!("{name}: {made:?}"),
        }
    }
}

/// How a certificate stands that is only old.
fn expired() -> Standing {
    Standing {
        successor_proven: false,
        successor_registered: false,
        registration_said: false,
        consequence_typed: false,
        decryption_waived: true,
    }
}

/// A key made here: certified, used, and removed beside a second one that stays.
fn one_life(store: &mut dyn KeyStore, info: &StoreInfo, key: &[u8]) {
    assert!(store.keys().unwrap().iter().any(|known| known == key));
    proves(store, key);
    let other = certificate(SoftwareKey::generate(KeyKind::P256).unwrap().public_key(), 9, Duration::from_secs(1));
    assert_eq!(store.install(&other), Err(KeyStoreError::NotOurKey));
    let first = certificate(key, 1, Duration::from_secs(1));
    store.install(&first).unwrap();
    store.install(&first).unwrap();
    assert_eq!(store.certificates().unwrap(), std::slice::from_ref(&first), "once, and byte for byte");
    proves(store, key);
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
    let gone = permit(&first, &expired(), SystemTime::now()).unwrap();
    store.remove(&gone).unwrap();
    store.remove(&gone).unwrap();
    assert_eq!(store.keys().unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.certificates().unwrap(), []);
    let orphan =
        OrphanStanding { request_open: false, request_closed: true, loss_typed: false, certificate_issued: false };
    store.remove(&permit_orphan(&second, &orphan, SystemTime::now()).unwrap()).unwrap();
    assert_eq!(store.keys().unwrap(), Vec::<Vec<u8>>::new());
    let census = store.census().unwrap();
    assert_eq!((census.certificates, census.private_keys, census.public_keys), (0, 0, 0), "nothing is left behind");
}

/// A device whose keys somebody else makes: it signs, shows, and is not written to. What others do is seen by a fresh
/// process: modules remember what they read.
fn kept_by_others(ground: &dyn Ground, login: usize, expected: &Expected) {
    let name = ground.name();
    let fresh = || ground.stores().remove(login).0;
    let key = ground.pair_of_others(login);
    let mut store = fresh();
    store.unlock(&pin(PIN), true).unwrap();
    assert!(store.keys().unwrap().contains(&key), "{name}: the key is seen");
    proves(store.as_mut(), &key);
    let first = certificate(&key, 1, Duration::from_secs(1));
    assert_eq!(store.install(&first), expected.installs, "{name}");
    let other = certificate(SoftwareKey::generate(KeyKind::P256).unwrap().public_key(), 9, Duration::from_secs(1));
    assert_eq!(store.install(&other), Err(KeyStoreError::NotOurKey), "{name}");
    drop(store);
    let is_written = ground.certificate_of_others(login, &first);
    let mut store = fresh();
    assert!(!is_written || store.certificates().unwrap().contains(&first), "{name}: the certificate is seen");
    store.unlock(&pin(PIN), true).unwrap();
    proves(store.as_mut(), &key);
}

fn wrong_pins(ground: &dyn Ground, store: &mut dyn KeyStore, expected: &Expected) {
    let name = ground.name();
    let wrong = |store: &mut dyn KeyStore, last| store.unlock(&pin("000000"), last);
    assert_eq!(wrong(store, false), Err(KeyStoreError::PinIncorrect { final_try: false }), "{name}");
    let sent = ground.logins();
    let more = |count: usize| sent.map(|sent| sent + count);
    if expected.counts {
        assert_eq!(store.info().unwrap().pin.count_low, expected.warns_early, "{name}");
        assert_eq!(wrong(store, false), Err(KeyStoreError::PinIncorrect { final_try: true }), "{name}");
        // The last try is not spent unasked, not even a right one.
        assert_eq!(store.unlock(&pin(PIN), false), Err(KeyStoreError::PinLastTry));
        assert_eq!(ground.logins(), more(1), "nothing was sent");
        assert_eq!(wrong(store, true), Err(KeyStoreError::PinLocked), "{name}");
        assert_eq!(store.unlock(&pin(PIN), true), Err(KeyStoreError::PinLocked));
        assert_eq!(ground.logins(), more(2), "a locked PIN is not tried");
        let unblocked = store.unblock_pin(&pin(ground.puk()), &pin("654321"), false);
        assert_eq!(unblocked, expected.unblocks, "{name}");
        if unblocked.is_ok() {
            store.unlock(&pin("654321"), false).unwrap();
            store.change_pin(&pin("654321"), &pin(PIN), false).unwrap();
        } else {
            ground.unblock();
        }
        assert!(!store.info().unwrap().pin.locked, "{name}");
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
        let orphan =
            OrphanStanding { request_open: false, request_closed: true, loss_typed: false, certificate_issued: false };
        for key in &keys[1..] {
            store.remove(&permit_orphan(key, &orphan, SystemTime::now()).unwrap()).unwrap();
        }
        store.install(&paid).unwrap();
        proves(&mut store, &keys[0]);
    }
    // Some make a key for the session only, which is gone with it.
    let bench = Bench::new(&["fleeting"], "session_keys = 1");
    let (mut store, _) = bench.host().stores().unwrap().remove(0);
    store.unlock(&pin(PIN), false).unwrap();
    assert_eq!(store.generate(KeyKind::P256, "bench"), Err(KeyStoreError::NotStored));
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
    let store: &mut dyn KeyStore = &mut store;
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
fn what_cannot_be_true_is_not_enforced() {
    if !has_softhsm() {
        return;
    }
    for (told, believed) in [("0-0", None), ("4-0", None), ("8-4", None), ("4-8", Some((4, 8)))] {
        let stores = Bench::new(&["lengths"], &format!("pin_length = {told}")).host().stores().unwrap();
        assert_eq!(stores[0].1.pin.length, believed, "{told}");
    }
    // A module that answers for mechanisms that it lists as if it did not know them.
    let bench = Bench::new(&["mechanisms"], "fail.C_GetMechanismInfo = 0x70");
    let (mut store, info) = bench.host().stores().unwrap().remove(0);
    assert!(info.key_kinds.contains(&KeyKind::P256) && info.key_kinds.contains(&KeyKind::Rsa(2048)));
    store.unlock(&pin(PIN), false).unwrap();
    store.generate(KeyKind::Rsa(2048), "bench").unwrap();
    // One that is slow is waited for.
    bench.rules("delay.C_GenerateKeyPair = 2000");
    store.generate(KeyKind::P256, "bench").unwrap();
}

#[test]
fn a_slot_that_cannot_be_read_costs_only_itself() {
    if !has_softhsm() {
        return;
    }
    let bench = Bench::new(&["first", "second"], "fail.C_GetTokenInfo = 0x05#1");
    assert_eq!(bench.host().stores().unwrap().len(), 1);
    bench.rules("");
    assert_eq!(bench.host().stores().unwrap().len(), 2);
}

#[test]
fn a_locked_pin_that_is_called_incorrect_is_told_as_locked() {
    if !has_softhsm() {
        return;
    }
    let bench = Bench::new(&["locked"], "pin_tries = 3\nlocked_as_incorrect = 1");
    let (mut store, _) = bench.host().stores().unwrap().remove(0);
    let told: Vec<_> = (0..3).map(|_| store.unlock(&pin("000000"), true)).collect();
    assert_eq!(told[2], Err(KeyStoreError::PinLocked), "{told:?}");
}

#[test]
fn certificates_are_matched_by_their_key_whatever_they_are_called() {
    if !has_softhsm() {
        return;
    }
    let bench = Bench::new(&["names"], "");
    let (mut store, _) = bench.host().stores().unwrap().remove(0);
    store.unlock(&pin(PIN), false).unwrap();
    let key = store.generate(KeyKind::P256, "bench").unwrap();
    // Another program writes it under an identifier of its own, and with the name of somebody else.
    let first = certificate(&key, 1, Duration::from_secs(1));
    std::fs::write(bench.path("certificate"), first.der()).unwrap();
    let file = bench.path("certificate").display().to_string();
    let module = obnova_testkit::softhsm_module().unwrap().display().to_string();
    let written = Command::new("pkcs11-tool")
        .args(["--module", &module, "--token-label", "names", "--login", "--pin", PIN])
        .args(["--write-object", &file, "--type", "cert", "--id", "ff", "--label", "Somebody Else"])
        .envs(bench.environment())
        .output()
        .unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let (mut store, _) = bench.host().stores().unwrap().remove(0);
    store.unlock(&pin(PIN), false).unwrap();
    let store: &mut dyn KeyStore = &mut store;
    proves(store, first.public_key());
    store.install(&first).unwrap();
    assert_eq!(store.certificates().unwrap(), std::slice::from_ref(&first), "it is there already");
    store.remove(&permit(&first, &expired(), SystemTime::now()).unwrap()).unwrap();
    assert_eq!((store.keys().unwrap(), store.certificates().unwrap()), (Vec::new(), Vec::new()));
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

/// Keys in software: the database of a browser, by the module of NSS.
struct Browser {
    folder: tempfile::TempDir,
    module: std::path::PathBuf,
}

impl Ground for Browser {
    fn name(&self) -> &str {
        "NSS"
    }

    fn stores(&self) -> Vec<(Box<dyn KeyStore>, StoreInfo)> {
        let load = Load::Browser { module: self.module.clone(), profile: self.folder.path().to_owned() };
        let stores = ModuleHost::new(&programs().join("obnova"), load).stores().unwrap();
        stores.into_iter().map(|(store, info)| (Box::new(store) as Box<dyn KeyStore>, info)).collect()
    }
}

#[test]
fn the_database_of_a_browser() {
    let (Some(module), Ok(_)) = (discovery::nss_module(), Command::new("certutil").arg("-H").output()) else {
        return skip("NSS (libnss3-tools)");
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), PIN).unwrap();
    let database = format!("sql:{}", folder.path().display());
    let password = folder.path().join("password").display().to_string();
    assert!(Command::new("certutil").args(["-N", "-d", &database, "-f", &password]).status().unwrap().success());
    hold_on(&Browser { folder, module }, &Expected::plain());
}

/// A PKCS#12 file.
struct File(tempfile::TempDir);

impl Ground for File {
    fn name(&self) -> &str {
        "PKCS#12"
    }

    fn stores(&self) -> Vec<(Box<dyn KeyStore>, StoreInfo)> {
        let mut store = FileStore::new(&self.0.path().join("keys.p12"));
        let info = store.info().unwrap();
        vec![(Box::new(store), info)]
    }
}

#[test]
fn a_file() {
    let ground = File(tempfile::tempdir().unwrap());
    // A file has a password from its first certificate on.
    let (mut store, _) = ground.stores().remove(0);
    store.unlock(&pin(PIN), false).unwrap();
    let key = store.generate(KeyKind::P256, "first").unwrap();
    let first = certificate(&key, 1, Duration::from_secs(1));
    store.install(&first).unwrap();
    store.remove(&permit(&first, &expired(), SystemTime::now()).unwrap()).unwrap();
    hold_on(&ground, &Expected { shows: false, ..Expected::plain() });
}
