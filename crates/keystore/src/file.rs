//! Keys in a PKCS#12 file: a new key waits in a file beside it until its certificate comes.

use std::fs;
use std::path::{Path, PathBuf};

use obnova_crypto::{Pfx, PfxError, PfxKey, Secret, SoftwareKey};
use obnova_lifecycle::port::{Census, KeyStore, KeyStoreError, Pin, PinState, Scheme, StoreInfo, StoreKind};
use obnova_lifecycle::retirement::RemovalPermit;
use obnova_pki::{Certificate, KeyKind, Signer};
use zeroize::Zeroizing;

use crate::durable;

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

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        self.path.with_file_name(name)
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

    fn write(&self, path: &Path, pfx: &Pfx) -> Result<(), KeyStoreError> {
        let bytes = pfx.write(self.password()?).map_err(|error| failed("write", path, &error))?;
        // What cannot be read again is never put in the place of what can.
        Pfx::read(&bytes, self.password()?).map_err(|error| failed("check", path, &error))?;
        durable::replace(path, &bytes).map_err(|error| failed("write", path, &error))
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
        let password = Secret::new(pin.expose().to_owned());
        Self::read(&self.path, &password)?;
        Self::read(&self.beside(".waiting"), &password)?;
        self.password = Some(password);
        Ok(())
    }

    fn change_pin(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        if new.expose().is_empty() {
            return Err(KeyStoreError::PinLength { least: 1, most: 1_000 });
        }
        self.unlock(old, last_try)?;
        // Two files cannot change their password in one moment, and a key that waits must not be left behind.
        if self.beside(".waiting").exists() {
            return Err(KeyStoreError::KeyWaits);
        }
        if !self.path.exists() {
            return Err(KeyStoreError::Gone);
        }
        let main = self.main()?;
        let former = self.password.replace(Secret::new(new.expose().to_owned()));
        let written = self.write(&self.path, &main);
        if written.is_err() {
            self.password = former;
        }
        written
    }

    fn unblock_pin(&mut self, _puk: &Pin, _new: &Pin, _last_try: bool) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NoPuk)
    }

    fn certificates(&mut self) -> Result<Vec<Certificate>, KeyStoreError> {
        let pfx = self.main()?;
        Ok(pfx.keys.into_iter().filter_map(|entry| entry.certificate).chain(pfx.others).collect())
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

    fn generate(&mut self, kind: KeyKind, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        let mut waiting = self.waiting()?;
        let key = SoftwareKey::generate(kind).map_err(|_| KeyStoreError::KeyKindUnsupported(kind))?;
        let public_key = key.public_key().to_vec();
        waiting.keys.push(PfxKey { key, certificate: None, name: Some(label.to_owned()) });
        self.write(&self.beside(".waiting"), &waiting)?;
        Ok(public_key)
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

    fn install(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        let mut main = self.main()?;
        let key = self.key(certificate.public_key()).map_err(|_| KeyStoreError::NotOurKey)?;
        let stored = main.keys.iter().any(|entry| entry.certificate.as_ref() == Some(certificate));
        if !stored {
            if self.path.exists() {
                let before = self.beside(".before");
                let bytes = fs::read(&self.path).map_err(|error| failed("read", &self.path, &error))?;
                durable::replace(&before, &bytes).map_err(|error| failed("write", &before, &error))?;
            }
            main.keys.retain(|entry| entry.key.public_key() != certificate.public_key());
            main.others.retain(|other| other != certificate);
            let name = format!("{} {}", certificate.subject().common_name(), certificate.serial().hexadecimal());
            main.keys.push(PfxKey { key, certificate: Some(certificate.clone()), name: Some(name) });
            self.write(&self.path, &main)?;
        }
        let back = self.main()?;
        if !back.keys.iter().any(|entry| entry.certificate.as_ref() == Some(certificate)) {
            return Err(KeyStoreError::NotStored);
        }
        self.forget_waiting(certificate.public_key())
    }

    fn deposit(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        let mut main = self.main()?;
        let is_there = main.others.contains(certificate)
            || main.keys.iter().any(|entry| entry.certificate.as_ref() == Some(certificate));
        if !is_there {
            main.others.push(certificate.clone());
            self.write(&self.path, &main)?;
        }
        if self.certificates()?.contains(certificate) { Ok(()) } else { Err(KeyStoreError::NotStored) }
    }

    fn import(&mut self, pkcs8: &Zeroizing<Vec<u8>>, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        let key = SoftwareKey::from_pkcs8(pkcs8).map_err(|error| failed("import into", &self.path, &error))?;
        let public_key = key.public_key().to_vec();
        if !self.keys()?.contains(&public_key) {
            let mut waiting = self.waiting()?;
            waiting.keys.push(PfxKey { key, certificate: None, name: Some(label.to_owned()) });
            self.write(&self.beside(".waiting"), &waiting)?;
        }
        Ok(public_key)
    }

    fn export(&mut self, public_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        Ok(Zeroizing::new(self.key(public_key)?.pkcs8().to_vec()))
    }

    fn census(&mut self) -> Result<Census, KeyStoreError> {
        let certificates = self.certificates()?;
        Ok(Census {
            certificates: certificates.len(),
            certificate_octets: certificates.iter().map(|certificate| certificate.der().len() as u64).sum(),
            private_keys: self.keys()?.len(),
            ..Census::default()
        })
    }

    fn reserve(&mut self, _octets: usize) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NotPossible)
    }

    fn change_puk(&mut self, _old: &Pin, _new: &Pin, _last_try: bool) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NoPuk)
    }

    fn initialise(&mut self, _puk: &Pin, _name: &str, _new: &Pin, _last_try: bool) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NotPossible)
    }

    fn remove(&mut self, permit: &RemovalPermit) -> Result<(), KeyStoreError> {
        let Some(certificate) = permit.certificate() else { return self.forget_waiting(permit.public_key()) };
        let mut main = self.main()?;
        let before = main.keys.len() + main.others.len();
        main.keys.retain(|entry| entry.certificate.as_ref() != Some(certificate));
        main.others.retain(|other| other != certificate);
        if main.keys.len() + main.others.len() < before {
            self.write(&self.path, &main)?;
        }
        let former = self.beside(".before");
        durable::remove(&former).map_err(|error| failed("remove", &former, &error))
    }
}
