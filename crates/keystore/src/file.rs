//! Keys in a PKCS#12 file: a new key waits in a file beside it until its certificate comes.
//!
//! A file may be shared by several programs and homes: whoever changes it holds the lock beside it, and reads under the
//! lock what it changes. Whatever is in the file that is not understood here stays in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use obnova_crypto::{Pfx, PfxError, PfxKey, Primitives, Secret, SoftwareKey};
use obnova_lifecycle::document::Octets;
use obnova_lifecycle::port::{
    Census, Contents, Custody, Held, KeyStore, KeyStoreError, Pin, PinCare, PinState, Room, Scheme, StoreInfo,
    StoreKind,
};
use obnova_lifecycle::retirement::RemovalPermit;
use obnova_pki::signature::key_identity;
use obnova_pki::{Certificate, KeyKind, Signer};
use zeroize::Zeroizing;

use crate::durable;

/// How long one program waits for another that is just changing the file.
const PATIENCE: Duration = Duration::from_secs(30);

/// A PKCS#12 file as a store. `NAME.waiting` beside it holds keys without a certificate, and
/// `NAME.before` the former file while a predecessor is still in use.
pub struct FileStore {
    path: PathBuf,
    password: Option<Secret>,
}

impl FileStore {
    /// A file that exists, or is made by the first [`KeyStore::generate`].
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), password: None }
    }

    /// Whether nothing is there yet: neither the file nor a key that waits.
    pub fn is_new(&self) -> bool {
        !self.path.exists() && !self.beside(".waiting").exists()
    }

    /// The file itself: where the path is a link, it stays one.
    fn real(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }

    /// A file beside the real one; where version 0.1.0 left one beside a link, that one.
    fn beside(&self, ending: &str) -> PathBuf {
        let named = |path: &Path| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            path.with_file_name(name)
        };
        let by_link = named(&self.path);
        if by_link.exists() { by_link } else { named(&self.real()) }
    }

    /// Keeps other programs from changing the file, whatever home they have.
    fn lock(&self) -> Result<File, KeyStoreError> {
        let real = self.real();
        let mut name = std::ffi::OsString::from(".");
        name.push(real.file_name().unwrap_or_default());
        name.push(".lock");
        let path = real.with_file_name(name);
        let failed = |error: &dyn std::fmt::Display| failed("lock", &path, error);
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| failed(&error))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    fn password(&self) -> Result<&Secret, KeyStoreError> {
        self.password.as_ref().ok_or(KeyStoreError::PinNeeded)
    }

    fn read(path: &Path, password: &Secret) -> Result<Pfx, KeyStoreError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Pfx::default()),
            Err(error) => return Err(failed("read", path, &error)),
        };
        Pfx::read(&bytes, password).map_err(|error| match error {
            PfxError::Password => KeyStoreError::PinIncorrect { final_try: false },
            other => failed("read", path, &other),
        })
    }

    /// Puts a file in the place of another. The former one stays beside it until the new one was read back.
    fn write(&self, path: &Path, pfx: &Pfx) -> Result<(), KeyStoreError> {
        // Writing compares bag by bag what it wrote.
        let bytes = pfx.write(self.password()?).map_err(|error| failed("write", path, &error))?;
        let former = {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(".former");
            path.with_file_name(name)
        };
        match fs::read(path) {
            Ok(before) => durable::replace(&former, &before).map_err(|error| failed("write", &former, &error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("read", path, &error)),
        }
        durable::replace(path, &bytes).map_err(|error| failed("write", path, &error))?;
        let back = fs::read(path).map_err(|error| failed("read", path, &error))?;
        if back != bytes {
            return Err(KeyStoreError::NotStored);
        }
        durable::remove(&former).map_err(|error| failed("remove", &former, &error))
    }

    fn main(&self) -> Result<Pfx, KeyStoreError> {
        Self::read(&self.path, self.password()?)
    }

    fn waiting(&self) -> Result<Pfx, KeyStoreError> {
        Self::read(&self.beside(".waiting"), self.password()?)
    }

    /// The key, wherever it is.
    fn key(&self, public_key: &[u8]) -> Result<SoftwareKey, KeyStoreError> {
        let all = self.main()?.keys.into_iter().chain(self.waiting()?.keys);
        all.map(|entry| entry.key).find(|key| key.public_key() == public_key).ok_or(KeyStoreError::KeyMissing)
    }

    /// Adds a key to those that wait; what waits is read anew, under the lock.
    fn wait(&self, key: SoftwareKey, label: &str) -> Result<(), KeyStoreError> {
        let _lock = self.lock()?;
        // Both files open with one password: somebody else may have changed it meanwhile.
        self.main()?;
        let mut waiting = self.waiting()?;
        waiting.keys.push(PfxKey { key, certificate: None, name: Some(label.to_owned()) });
        self.write(&self.beside(".waiting"), &waiting)
    }

    /// Takes a key from those that wait; under the lock.
    fn forget_waiting(&self, public_key: &[u8]) -> Result<(), KeyStoreError> {
        let mut waiting = self.waiting()?;
        let before = waiting.keys.len();
        waiting.keys.retain(|entry| entry.key.public_key() != public_key);
        let path = self.beside(".waiting");
        if waiting.keys.is_empty() {
            durable::remove(&path).map_err(|error| failed("remove", &path, &error))
        } else if waiting.keys.len() < before {
            self.write(&path, &waiting)
        } else {
            Ok(())
        }
    }
}

fn failed(what: &str, path: &Path, error: &dyn std::fmt::Display) -> KeyStoreError {
    KeyStoreError::File { detail: format!("{what} {}: {error}", path.display()) }
}

impl KeyStore for FileStore {
    fn info(&mut self) -> Result<StoreInfo, KeyStoreError> {
        Ok(StoreInfo {
            id: format!("file:{}", self.path.display()),
            device: format!("file:{}", self.path.display()),
            name: self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            kind: StoreKind::File,
            reader: None,
            pin: PinState::default(),
            puk: None,
            free: None,
            total: None,
            needs_login: true,
            key_kinds: vec![KeyKind::P256, KeyKind::P384, KeyKind::Rsa(3072), KeyKind::Rsa(4096)],
        })
    }

    fn unlock(&mut self, pin: &Pin, _last_try: bool) -> Result<(), KeyStoreError> {
        // A file may have an empty password; a byte order mark was never part of one.
        if !pin.expose().is_empty() && !pin.is_plausible() {
            return Err(KeyStoreError::NotAPin);
        }
        let password = Secret::new(pin.expose().to_owned());
        Self::read(&self.path, &password)?;
        Self::read(&self.beside(".waiting"), &password)?;
        self.password = Some(password);
        Ok(())
    }

    fn keys(&mut self) -> Result<Vec<Vec<u8>>, KeyStoreError> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for entry in self.main()?.keys.iter().chain(&self.waiting()?.keys) {
            if !keys.iter().any(|known| known == entry.key.public_key()) {
                keys.push(entry.key.public_key().to_vec());
            }
        }
        Ok(keys)
    }

    fn sign(&mut self, public_key: &[u8], scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        let key = self.key(public_key)?;
        match scheme {
            Scheme::Plain(algorithm) if algorithm == key.algorithm() => key.sign(message),
            Scheme::RsaPssSha256 => key.sign_pss(message),
            Scheme::Plain(_) => return Err(KeyStoreError::KeyMissing),
        }
        .map_err(|error| failed("sign with a key of", &self.path, &error))
    }

    fn held(&mut self) -> Result<Vec<Held>, KeyStoreError> {
        let pfx = self.main()?;
        let held = |octets: &[u8], label: Option<String>, key: Option<Vec<u8>>| Held {
            octets: Octets(octets.to_vec()),
            identity: Primitives.fingerprint(octets),
            label: label.unwrap_or_default(),
            key: key.map(Octets),
            unfit: None,
        };
        let mut all: Vec<Held> = pfx.certificates().map(|certificate| held(certificate.der(), None, None)).collect();
        all.extend(pfx.unread.into_iter().map(|unread| held(&unread.octets, unread.name, unread.key)));
        Ok(all)
    }

    fn generate(&mut self, kind: KeyKind, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        self.password()?;
        let key = SoftwareKey::generate(kind).map_err(|_| KeyStoreError::KeyKindUnsupported(kind))?;
        let public_key = key.public_key().to_vec();
        self.wait(key, label)?;
        Ok(public_key)
    }

    fn install(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        let _lock = self.lock()?;
        let mut main = self.main()?;
        let key = self.key(certificate.public_key()).map_err(|_| KeyStoreError::NotOurKey)?;
        if !main.keys.iter().any(|entry| entry.certificate.as_ref() == Some(certificate)) {
            let real = self.real();
            if real.exists() {
                let before = self.beside(".before");
                let bytes = fs::read(&real).map_err(|error| failed("read", &real, &error))?;
                durable::replace(&before, &bytes).map_err(|error| failed("write", &before, &error))?;
            }
            main.others.retain(|other| other != certificate);
            let name = format!("{} {}", certificate.subject().common_name(), certificate.serial().hexadecimal());
            match main.keys.iter_mut().find(|entry| entry.key.public_key() == certificate.public_key()) {
                // The key has a certificate already: both stay.
                Some(entry) => main.others.extend(entry.certificate.replace(certificate.clone())),
                None => main.keys.push(PfxKey { key, certificate: Some(certificate.clone()), name: Some(name) }),
            }
            self.write(&real, &main)?;
        }
        if !self.main()?.certificates().any(|stored| stored == certificate) {
            return Err(KeyStoreError::NotStored);
        }
        self.forget_waiting(certificate.public_key())
    }

    fn remove(&mut self, permit: &RemovalPermit) -> Result<(), KeyStoreError> {
        let _lock = self.lock()?;
        let contents = Contents::of(self.held()?);
        let claims = contents.claims(permit.public_key(), permit.unrelated());
        if !claims.is_empty() {
            let detail: Vec<&str> = claims.iter().map(|one| &one.identity[..16]).collect();
            return Err(KeyStoreError::Claimed { detail: detail.join(", ") });
        }
        let Some(certificate) = permit.certificate() else { return self.forget_waiting(permit.public_key()) };
        let mut main = self.main()?;
        let before = main.certificates().count();
        let of = key_identity(certificate.public_key());
        main.others.retain(|other| other != certificate);
        // A key that another certificate needs stays with that one.
        for entry in main.keys.iter_mut().filter(|entry| entry.certificate.as_ref() == Some(certificate)) {
            let other = main.others.iter().position(|other| key_identity(other.public_key()) == of);
            entry.certificate = other.map(|place| main.others.remove(place));
        }
        main.keys.retain(|entry| entry.certificate.is_some() || key_identity(entry.key.public_key()) != of);
        if main.certificates().count() < before {
            self.write(&self.real(), &main)?;
        }
        let former = self.beside(".before");
        durable::remove(&former).map_err(|error| failed("remove", &former, &error))
    }

    fn pin_care(&mut self) -> Option<&mut dyn PinCare> {
        Some(self)
    }

    fn custody(&mut self) -> Option<&mut dyn Custody> {
        Some(self)
    }

    fn room(&mut self) -> Option<&mut dyn Room> {
        Some(self)
    }
}

impl PinCare for FileStore {
    fn change_pin(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        if new.expose().is_empty() {
            return Err(KeyStoreError::PinLength { least: 1, most: 1_000 });
        }
        if !new.is_plausible() {
            return Err(KeyStoreError::NotAPin);
        }
        let _lock = self.lock()?;
        self.unlock(old, last_try)?;
        // Two files cannot change their password in one moment, and a key that waits must not be left behind.
        if self.beside(".waiting").exists() {
            return Err(KeyStoreError::KeyWaits);
        }
        if !self.path.exists() {
            return Err(KeyStoreError::Gone);
        }
        let mut main = self.main()?;
        let secret = Secret::new(new.expose().to_owned());
        main.reseal(&secret).map_err(|error| match error {
            PfxError::Foreign(detail) => KeyStoreError::HoldsOthers { detail },
            other => failed("write", &self.path, &other),
        })?;
        let former = self.password.replace(secret);
        let written = self.write(&self.real(), &main);
        if written.is_err() {
            self.password = former;
        }
        written
    }

    fn unblock_pin(&mut self, _puk: &Pin, _new: &Pin, _last_try: bool) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NoPuk)
    }

    fn change_puk(&mut self, _old: &Pin, _new: &Pin, _last_try: bool) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NoPuk)
    }

    fn initialise(&mut self, _puk: &Pin, _name: &str, _new: &Pin, _last_try: bool) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NotPossible)
    }
}

impl Custody for FileStore {
    fn deposit(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        let _lock = self.lock()?;
        let mut main = self.main()?;
        let is_there = main.certificates().any(|stored| stored == certificate);
        if !is_there {
            main.others.push(certificate.clone());
            self.write(&self.real(), &main)?;
        }
        let is_there = self.main()?.certificates().any(|stored| stored == certificate);
        if is_there { Ok(()) } else { Err(KeyStoreError::NotStored) }
    }

    fn import(&mut self, pkcs8: &Zeroizing<Vec<u8>>, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        let key = SoftwareKey::from_pkcs8(pkcs8).map_err(|error| failed("import into", &self.path, &error))?;
        let public_key = key.public_key().to_vec();
        if !self.keys()?.contains(&public_key) {
            self.wait(key, label)?;
        }
        Ok(public_key)
    }

    fn export(&mut self, public_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        Ok(Zeroizing::new(self.key(public_key)?.pkcs8().to_vec()))
    }
}

impl Room for FileStore {
    fn census(&mut self) -> Result<Census, KeyStoreError> {
        let pfx = self.main()?;
        let certificates: Vec<&Certificate> = pfx.certificates().collect();
        Ok(Census {
            certificates: certificates.len() + pfx.unread.len(),
            unread: pfx.unread.len(),
            certificate_octets: certificates.iter().map(|certificate| certificate.der().len() as u64).sum(),
            private_keys: self.keys()?.len(),
            data: pfx.foreign(),
            ..Census::default()
        })
    }

    fn reserve(&mut self, _octets: usize) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NotPossible)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Two programs at one file: a key never waits under a password that the file no longer has.
    #[test]
    fn a_password_that_was_changed_elsewhere_stops_a_new_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.p12");
        let key = SoftwareKey::generate(KeyKind::P256).unwrap();
        let pfx = Pfx::new(vec![PfxKey { key, certificate: None, name: None }], Vec::new());
        let pin = |text: &str| Pin::new(text.to_owned());
        std::fs::write(&path, pfx.write(&Secret::new("one".to_owned())).unwrap()).unwrap();
        let (mut here, mut there) = (FileStore::new(&path), FileStore::new(&path));
        here.unlock(&pin("one"), false).unwrap();
        there.pin_care().unwrap().change_pin(&pin("one"), &pin("two"), false).unwrap();
        here.generate(KeyKind::P256, "new").unwrap_err();
        assert!(!path.with_extension("p12.waiting").exists());
        let mut later = FileStore::new(&path);
        later.unlock(&pin("two"), false).unwrap();
        later.generate(KeyKind::P256, "new").unwrap();
        assert_eq!(later.keys().unwrap().len(), 2);
    }
}
