//! Cards under the middleware that people have: pcscd, the module of the card's maker, and OpenSC.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use obnova_keystore::{Load, ModuleHost};
use obnova_lifecycle::port::{KeyStore, KeyStoreError, StoreInfo};
use obnova_pki::{Certificate, KeyKind};
use obnova_testkit::{CardStand, InsertedCard, MANAGEMENT_KEY, OPENSC, READER, YKCS11};

use crate::bench::PIN;
use crate::contract::{Expected, Ground, hold_on};
use crate::stage::{programs, skip};

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

    fn certificate_of_others(&self, login: usize, certificate: &Certificate) {
        piv_certificate(&self.stand.path(""), self.slots[login].0, certificate);
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
