//! A store that several users take turns with, and its keys as signers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use obnova_lifecycle::port::{KeyStore, KeyStoreError, Scheme};
use obnova_pki::{KeyKind, SignError, SignatureAlgorithm, Signer};

/// A store behind a lock: one call at a time reaches the device.
#[derive(Clone)]
pub struct SharedStore(Arc<Mutex<Box<dyn KeyStore>>>);

impl SharedStore {
    /// Takes a store over.
    pub fn new(store: Box<dyn KeyStore>) -> Self {
        Self(Arc::new(Mutex::new(store)))
    }

    /// The store, for one turn.
    pub fn lock(&self) -> MutexGuard<'_, Box<dyn KeyStore>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One key of a store as a [`Signer`].
#[derive(Clone)]
pub struct StoreSigner {
    store: SharedStore,
    public_key: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

impl StoreSigner {
    /// The key with this SubjectPublicKeyInfo.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::KeyMissing`] when the key is of a kind that is not used here.
    pub fn new(store: SharedStore, public_key: &[u8]) -> Result<Self, KeyStoreError> {
        let algorithm = KeyKind::of(public_key).map_err(|_| KeyStoreError::KeyMissing)?.signature_algorithm();
        Ok(Self { store, public_key: public_key.to_vec(), algorithm })
    }

    /// Signs with RSASSA-PSS (SHA-256), as TLS 1.3 wants it of RSA keys.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`] of the store.
    pub fn sign_pss(&self, message: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        self.store.lock().sign(&self.public_key, Scheme::RsaPssSha256, message)
    }
}

impl Signer for StoreSigner {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.store
            .lock()
            .sign(&self.public_key, Scheme::Plain(self.algorithm), message)
            .map_err(|error| SignError(Box::new(error)))
    }
}
