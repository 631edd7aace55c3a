//! Keys and certificates between stores: a PKCS#12 file onto a token, a certificate out of any store, a soft key to
//! another place. Everything is checked before the first write, and read back after the last.

use std::path::{Path, PathBuf};

use obnova_crypto::{Pfx, PfxError, PfxKey, PfxMac, Primitives, Secret, SoftwareKey, Zeroizing};
use obnova_keystore::{StoreSigner, durable};
use obnova_lifecycle::port::{Clock, KeyStoreError, Pin, PinState, StoreInfo, StoreKind};
use obnova_lifecycle::retirement::{OrphanStanding, permit_orphan};
use obnova_lifecycle::station::{ProofOfUse, challenge_message};
use obnova_pki::signature::key_identity;
use obnova_pki::{Certificate, KeyKind, Signer};
use serde::Serialize;

use crate::inventory::{Inventory, OpenStore};
use crate::journey::PinSource;
use crate::{CertificateView, ClientError, Home};

/// A pair that was brought into a store.
#[derive(Debug, Clone, Serialize)]
pub struct Imported {
    /// The certificate.
    pub certificate: CertificateView,
    /// Whether it was there before, so that nothing was written.
    pub was_there: bool,
    /// Whether the store is a device: the key was then not made on it, and must not be called so.
    pub on_device: bool,
}

/// What an import leaves out, and why (`left-CODE` in the texts): `ended`, `older`, `unread`, `key-kind`, `foreign`.
#[derive(Debug, Clone, Serialize)]
pub struct LeftOut {
    /// Serial number in hexadecimal, or what else it is found by.
    pub number: String,
    /// The code.
    pub why: &'static str,
}

/// What became of a file that was imported.
#[derive(Debug, Clone, Serialize)]
pub struct ImportedFile {
    /// Pairs that are in the store now.
    pub imported: Vec<Imported>,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
}

/// A copy of a soft key's file in a second place.
#[derive(Debug, Clone, Serialize)]
pub struct Backup {
    /// Where the copy is.
    pub copy: PathBuf,
    /// SHA-256 of both.
    pub sha256: String,
    /// How many keys signed and verified when they were read back from the copy.
    pub tested: usize,
}

/// Pairs of a key and its certificate, checked and not written yet.
struct Checked(Vec<(Zeroizing<Vec<u8>>, Certificate)>);

fn read_file(path: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(path).map_err(|error| ClientError::new("file-error", format!("{}: {error}", path.display())))
}

fn open_pfx(path: &Path, password: &Pin) -> Result<Pfx, ClientError> {
    Pfx::read(&read_file(path)?, &Secret::new(password.expose().to_owned())).map_err(|error| match error {
        PfxError::Password => ClientError::new("password-wrong", path.display()),
        other => ClientError::new("pfx-wrong", format!("{}: {other}", path.display())),
    })
}

/// Whether a pair is worth bringing: the key signs for its certificate, the certificate has not ended, and the store
/// can hold such a key.
fn check_pair(
    pkcs8: &[u8],
    certificate: &Certificate,
    target: &StoreInfo,
    clock: &dyn Clock,
) -> Result<(), ClientError> {
    let serial = certificate.serial().hexadecimal();
    let key = SoftwareKey::from_pkcs8(pkcs8).map_err(|error| ClientError::new("pfx-wrong", error))?;
    let challenge: [u8; 32] = Primitives.octets();
    let signature = key.sign(&challenge_message(&challenge))?;
    ProofOfUse::check(certificate, &challenge, &signature, clock.now(), &Primitives)
        .map_err(|_| ClientError::new("key-does-not-match", &serial))?;
    if clock.now() > certificate.not_after() {
        return Err(ClientError::new("certificate-ended", &serial));
    }
    let kind = KeyKind::of(key.public_key()).map_err(|error| ClientError::new("pfx-wrong", error))?;
    let is_token = matches!(target.kind, StoreKind::Token { .. });
    if is_token && !target.key_kinds.contains(&kind) {
        return Err(ClientError::new("key-kind-unsupported", format!("{}: {kind}", target.name)));
    }
    Ok(())
}

impl Inventory {
    /// Brings the keys and certificates of a PKCS#12 file into a store.
    ///
    /// # Errors
    ///
    /// Before anything is written: `password-wrong`, `pfx-wrong`, `pfx-empty`, `key-does-not-match`,
    /// `certificate-ended`, `key-kind-unsupported`. Later the store's own; the same call goes on.
    pub fn import_file(
        &self,
        home: &Home,
        file: &Path,
        wanted: Option<&str>,
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<ImportedFile, ClientError> {
        let target = self.meant(wanted)?;
        let named = StoreInfo {
            id: format!("file:{}", file.display()),
            name: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            kind: StoreKind::File,
            reader: None,
            // A file has a password of its own, however its target is opened.
            needs_login: true,
            pin: PinState::default(),
            puk: None,
            ..target.info.clone()
        };
        // A file that is not there needs no password.
        read_file(file)?;
        let pfx = open_pfx(file, &pin.pin(&named)?)?;
        let (mut pairs, mut left_out) = (Vec::new(), Vec::new());
        let left = |number: String, why| LeftOut { number, why };
        let mut ended = None;
        for PfxKey { key, certificate, .. } in &pfx.keys {
            // Of several certificates of a key this is the one that ends last.
            let Some(certificate) = certificate else { continue };
            match check_pair(key.pkcs8(), certificate, &target.info, clock) {
                Ok(()) => pairs.push((Zeroizing::new(key.pkcs8().to_vec()), certificate.clone())),
                // What has ended is of no use on a device, and no reason to refuse the rest.
                Err(error) if error.code == "certificate-ended" => {
                    left_out.push(left(certificate.serial().hexadecimal(), "ended"));
                    ended.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
            let identity = key_identity(key.public_key());
            let older = pfx.others.iter().filter(|other| key_identity(other.public_key()) == identity);
            left_out.extend(older.map(|other| left(other.serial().hexadecimal(), "older")));
        }
        left_out.extend(
            pfx.unread.iter().map(|unread| left(Primitives.fingerprint(&unread.octets)[..16].to_owned(), "unread")),
        );
        if pfx.foreign() > 0 {
            left_out.push(left(pfx.foreign().to_string(), "foreign"));
        }
        if pairs.is_empty() {
            return Err(ended.unwrap_or_else(|| ClientError::new("pfx-empty", file.display())));
        }
        let imported = bring(home, target, &Checked(pairs), pin, clock)?;
        Ok(ImportedFile { imported, left_out })
    }

    /// Moves a copy of a pair from a store in software to another store.
    ///
    /// # Errors
    ///
    /// `not-exportable` when the key cannot leave its store; otherwise as [`Inventory::import_file`].
    pub fn bring_from(
        &self,
        home: &Home,
        (source, certificate): (&str, &Certificate),
        wanted: Option<&str>,
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<Vec<Imported>, ClientError> {
        let target = self.meant(wanted)?;
        let from = self.named(source)?;
        if from.info.id == target.info.id {
            return Err(ClientError::new("same-store", source));
        }
        from.unlock(pin)?;
        let key = from.store.lock().export(certificate.public_key())?;
        check_pair(&key, certificate, &target.info, clock)?;
        bring(home, target, &Checked(vec![(key, certificate.clone())]), pin, clock)
    }

    /// Writes a certificate with its key into a new PKCS#12 file, and reads it back.
    ///
    /// # Errors
    ///
    /// `not-exportable`; `file-exists`, because nothing is overwritten; `file-error`.
    pub fn export_pair(
        &self,
        (source, certificate): (&str, &Certificate),
        file: &Path,
        mac: PfxMac,
        pin: &dyn PinSource,
    ) -> Result<(), ClientError> {
        if file.exists() {
            return Err(ClientError::new("file-exists", file.display()));
        }
        let from = self.named(source)?;
        from.unlock(pin)?;
        let key = from.store.lock().export(certificate.public_key())?;
        let key = SoftwareKey::from_pkcs8(&key).map_err(|error| ClientError::new("pfx-wrong", error))?;
        let named = StoreInfo {
            id: format!("file:{}", file.display()),
            name: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            kind: StoreKind::File,
            reader: None,
            needs_login: true,
            pin: PinState::default(),
            puk: None,
            ..from.info.clone()
        };
        let password = pin.new_password(&named)?;
        let name = certificate.subject().common_name();
        let entry = PfxKey { key, certificate: Some(certificate.clone()), name: Some(name) };
        let pfx = Pfx::new(vec![entry], Vec::new());
        let bytes = pfx
            .write_with(&Secret::new(password.expose().to_owned()), mac)
            .map_err(|error| ClientError::new("pfx-wrong", error))?;
        durable::replace(file, &bytes)?;
        let back = open_pfx(file, &password)?;
        let is_there = back.keys.iter().any(|entry| entry.certificate.as_ref() == Some(certificate));
        if is_there { Ok(()) } else { Err(ClientError::new("not-stored", file.display())) }
    }

    /// Copies the PKCS#12 file of a store, and a key that waits beside it, to a second place; compares both, opens the
    /// copy and signs with every key in it.
    ///
    /// # Errors
    ///
    /// `not-possible-here` for anything but a file; `backup-differs`; `proof-failed`; `file-exists` when another file
    /// has the name.
    pub fn back_up(
        &self,
        home: &Home,
        wanted: Option<&str>,
        folder: &Path,
        pin: &dyn PinSource,
    ) -> Result<Vec<Backup>, ClientError> {
        let open = self.meant(wanted)?;
        let path = match (&open.info.kind, open.info.id.strip_prefix("file:")) {
            (StoreKind::File, Some(path)) => PathBuf::from(path),
            _ => return Err(KeyStoreError::NotPossible.into()),
        };
        let _lock = home.lock(&open.info.id)?;
        let password = pin.pin(&open.info)?;
        back_up(&path, folder, &password)
    }

    /// A store by its stable name.
    pub(crate) fn named(&self, id: &str) -> Result<&OpenStore, ClientError> {
        self.stores.iter().find(|open| open.info.id == id).ok_or_else(|| ClientError::new("store-gone", id))
    }
}

/// Writes checked pairs into a store, reads them back and proves each by a signature.
fn bring(
    home: &Home,
    target: &OpenStore,
    checked: &Checked,
    pin: &dyn PinSource,
    clock: &dyn Clock,
) -> Result<Vec<Imported>, ClientError> {
    let _lock = home.lock(&target.info.id)?;
    target.unlock(pin)?;
    let mut imported = Vec::new();
    for (key, certificate) in &checked.0 {
        let mut store = target.store.lock();
        let had_key = store.keys()?.iter().any(|known| known == certificate.public_key());
        let was_there = had_key && store.certificates()?.contains(certificate);
        if !was_there {
            let label = certificate.subject().common_name();
            store.import(key, &label)?;
            if let Err(error) = store.install(certificate) {
                // A copy without its certificate is of no use: what this very run brought is taken back, no more.
                let standing = OrphanStanding {
                    request_open: false,
                    request_closed: true,
                    loss_typed: false,
                    certificate_issued: false,
                };
                if let Ok(permit) = permit_orphan(certificate.public_key(), &standing, clock.now())
                    && !had_key
                {
                    store.remove(&permit)?;
                }
                return Err(error.into());
            }
        }
        drop(store);
        let challenge: [u8; 32] = Primitives.octets();
        let signer = StoreSigner::new(target.store.clone(), certificate.public_key())?;
        let signature = signer.sign(&challenge_message(&challenge))?;
        ProofOfUse::check(certificate, &challenge, &signature, clock.now(), &Primitives)
            .map_err(|error| ClientError::new("proof-failed", error))?;
        imported.push(Imported {
            certificate: CertificateView::of(certificate, &target.info.id, clock.now()),
            was_there,
            on_device: matches!(target.info.kind, StoreKind::Token { .. }),
        });
    }
    Ok(imported)
}

/// Copies a file store's files; see [`Inventory::back_up`].
pub(crate) fn back_up(path: &Path, folder: &Path, password: &Pin) -> Result<Vec<Backup>, ClientError> {
    std::fs::create_dir_all(folder)
        .map_err(|error| ClientError::new("file-error", format!("{}: {error}", folder.display())))?;
    let mut waiting = path.file_name().unwrap_or_default().to_owned();
    waiting.push(".waiting");
    let mut copies = Vec::new();
    let sources = [path.to_owned(), path.with_file_name(waiting)];
    // A key moves from one to the other when its certificate comes.
    let mut here = Vec::new();
    for source in sources.iter().filter(|source| source.exists()) {
        here.extend(open_pfx(source, password)?.keys.iter().map(|entry| entry.key.public_key().to_vec()));
    }
    for source in sources {
        if !source.exists() {
            continue;
        }
        let mut copy = folder.join(source.file_name().unwrap_or_default());
        if copy.canonicalize().is_ok_and(|copy| source.canonicalize().is_ok_and(|source| source == copy)) {
            return Err(ClientError::new("file-exists", copy.display()));
        }
        let bytes = read_file(&source)?;
        // Another person's file of this name is not ours to replace. A copy of other keys under the same password is kept,
        // and this one gets a name of its own.
        if copy.exists() {
            let there = open_pfx(&copy, password).map_err(|_| ClientError::new("file-exists", copy.display()))?;
            let is_ours = |key: &[u8]| here.iter().any(|mine| mine.as_slice() == key);
            if !there.keys.is_empty() && !there.keys.iter().any(|entry| is_ours(entry.key.public_key())) {
                let name = copy.file_name().unwrap_or_default().to_string_lossy().into_owned();
                copy = folder.join(format!("{}-{name}", &Primitives.fingerprint(&bytes)[..8]));
            }
        }
        durable::replace(&copy, &bytes)?;
        let (ours, theirs) = (Primitives.fingerprint(&bytes), Primitives.fingerprint(&read_file(&copy)?));
        if ours != theirs {
            return Err(ClientError::new("backup-differs", copy.display()));
        }
        let pfx = open_pfx(&copy, password)?;
        for entry in &pfx.keys {
            let message = challenge_message(&Primitives.octets());
            let signature = entry.key.sign(&message)?;
            obnova_pki::Verifier::verify(
                &Primitives,
                entry.key.public_key(),
                entry.key.algorithm(),
                &message,
                &signature,
            )
            .map_err(|error| ClientError::new("proof-failed", error))?;
        }
        copies.push(Backup { copy, sha256: ours, tested: pfx.keys.len() });
    }
    if copies.is_empty() { Err(ClientError::new("store-gone", path.display())) } else { Ok(copies) }
}
