//! PKCS#12 files (RFC 7292): keys and certificates under one password.

use obnova_pki::{Certificate, FormatError, Signer};
use p12_keystore::{
    EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, Pkcs12Archive, PrivateKey, PrivateKeyChain,
};

use crate::{KeyError, Secret, SoftwareKey};

/// Files longer than this are refused, in octets.
const MAX_FILE: usize = 4 << 20;

/// Rounds for key and MAC derivation of a file that is written here.
const ITERATIONS: u32 = 100_000;

/// Why a PKCS#12 file was not read or written.
#[derive(Debug)]
pub enum PfxError {
    /// The password is wrong, or the file was changed.
    Password,
    /// Damaged, or protected in a way that is not supported.
    File(String),
    /// A certificate inside is malformed.
    Certificate(FormatError),
    /// A key inside is of a kind that is not used here.
    Key(KeyError),
}

impl core::fmt::Display for PfxError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Password => f.write_str("the password is wrong, or the file was changed"),
            Self::File(detail) => write!(f, "the file cannot be read: {detail}"),
            Self::Certificate(error) => write!(f, "a certificate inside cannot be read: {error}"),
            Self::Key(error) => write!(f, "a key inside cannot be used: {error}"),
        }
    }
}

impl std::error::Error for PfxError {}

/// A key of a file with the certificate that belongs to it, if there is one.
pub struct PfxKey {
    /// The key.
    pub key: SoftwareKey,
    /// Its certificate, matched by the public key.
    pub certificate: Option<Certificate>,
    /// friendlyName.
    pub name: Option<String>,
}

/// What a PKCS#12 file holds.
#[derive(Default)]
pub struct Pfx {
    /// Keys in the order of the file.
    pub keys: Vec<PfxKey>,
    /// Certificates that belong to none of the keys: the path, and others.
    pub others: Vec<Certificate>,
}

impl Pfx {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`PfxError`] tells a wrong password from a damaged file.
    pub fn read(bytes: &[u8], password: &Secret) -> Result<Self, PfxError> {
        if bytes.len() > MAX_FILE {
            return Err(PfxError::File("longer than 4 MiB".to_owned()));
        }
        let archive = Pkcs12Archive::from_pkcs12(bytes, password.expose()).map_err(|error| match error {
            p12_keystore::error::Error::MacError(_) => PfxError::Password,
            other => PfxError::File(other.to_string()),
        })?;
        let mut certificates = Vec::new();
        for bag in &archive.certs {
            let certificate = Certificate::from_der(bag.cert.as_der()).map_err(PfxError::Certificate)?;
            if !certificates.contains(&certificate) {
                certificates.push(certificate);
            }
        }
        let mut keys = Vec::new();
        for bag in &archive.keys {
            let key = SoftwareKey::from_pkcs8(bag.key.as_der()).map_err(PfxError::Key)?;
            let certificate = certificates
                .iter()
                .position(|certificate| certificate.public_key() == key.public_key())
                .map(|found| certificates.remove(found));
            keys.push(PfxKey { key, certificate, name: bag.friendly_name.clone() });
        }
        Ok(Self { keys, others: certificates })
    }

    /// Writes a file: PBES2 with AES-256 and HMAC-SHA-256, as OpenSSL 3 does by default.
    ///
    /// # Errors
    ///
    /// [`PfxError::File`] when a part cannot be encoded, for example a password outside the BMP.
    pub fn write(&self, password: &Secret) -> Result<Vec<u8>, PfxError> {
        let wrong = |error: p12_keystore::error::Error| PfxError::File(error.to_string());
        let mut store = KeyStore::new();
        for (i, entry) in self.keys.iter().enumerate() {
            let key = PrivateKey::from_der(entry.key.pkcs8()).map_err(wrong)?;
            let mut chain = Vec::new();
            if let Some(certificate) = &entry.certificate {
                chain.push(p12_keystore::Certificate::from_der(certificate.der()).map_err(wrong)?);
            }
            let name = entry
                .name
                .clone()
                .or_else(|| entry.certificate.as_ref().map(|certificate| certificate.subject().common_name()))
                .unwrap_or_else(|| "obnova".to_owned());
            let id = crate::Primitives.fingerprint(entry.key.public_key());
            let local_key_id = id.as_bytes()[..40].to_vec();
            // The alias must be unique inside the file.
            let alias = if store.entry(&name).is_some() { format!("{name} ({})", i + 1) } else { name };
            store.add_entry(&alias, KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(local_key_id, key, chain)));
        }
        for certificate in &self.others {
            let alias = format!("{} {}", certificate.subject().common_name(), certificate.serial().hexadecimal());
            store.add_entry(
                &alias,
                KeyStoreEntry::Certificate(p12_keystore::Certificate::from_der(certificate.der()).map_err(wrong)?),
            );
        }
        store
            .writer(password.expose())
            .encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)
            .encryption_iterations(ITERATIONS)
            .mac_algorithm(MacAlgorithm::HmacSha256)
            .mac_iterations(ITERATIONS)
            .write()
            .map_err(wrong)
    }
}
