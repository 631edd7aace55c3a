//! Secrets at rest: private keys as EncryptedPrivateKeyInfo under PBES2 (RFC 5958 section 3, RFC 8018
//! section 6.2), and short secrets under AES-256-GCM.

use core::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use der::asn1::{Any, ObjectIdentifier, OctetString};
use der::{Decode, Encode, Sequence};
use spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use crate::{KeyError, Primitives, Secret, SoftwareKey};

const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const HMAC_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");

/// Rounds that a new seal takes; a reader accepts up to ten million.
const ITERATIONS: u32 = 600_000;

#[derive(Sequence)]
struct EncryptedPrivateKeyInfo {
    algorithm: AlgorithmIdentifierOwned,
    data: OctetString,
}

#[derive(Sequence)]
struct Pbes2Parameters {
    derivation: AlgorithmIdentifierOwned,
    encryption: AlgorithmIdentifierOwned,
}

#[derive(Sequence)]
struct Pbkdf2Parameters {
    salt: OctetString,
    iterations: u32,
    #[asn1(optional = "true")]
    key_length: Option<u16>,
    #[asn1(optional = "true")]
    prf: Option<AlgorithmIdentifierOwned>,
}

/// Opens what another program sealed under AES-256 in CBC mode with padding (PKCS#11's CKM_AES_CBC_PAD).
///
/// `None` when key, vector or padding do not fit.
pub fn aes_cbc_decrypt(key: &[u8; 32], vector: [u8; 16], mut sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, key).ok()?).ok()?;
    let opened = key.decrypt(&mut sealed, DecryptionContext::Iv128(FixedLength::from(vector))).ok()?;
    let opened = Zeroizing::new(opened.to_vec());
    zeroize::Zeroize::zeroize(&mut sealed);
    Some(opened)
}

/// Why a sealed secret did not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealError {
    /// The passphrase is wrong, or the bytes were changed.
    Wrong,
    /// Not in the form that is written here.
    Malformed,
    /// What came out is no usable key.
    Key(KeyError),
}

impl core::fmt::Display for SealError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Wrong => f.write_str("the passphrase is wrong, or the file was changed"),
            Self::Malformed => f.write_str("not a private key sealed under PBES2 with AES-256"),
            Self::Key(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for SealError {}

fn derive(passphrase: &Secret, salt: &[u8], iterations: NonZeroU32) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, passphrase.expose().as_bytes(), &mut *key);
    key
}

/// Seals a private key under a passphrase.
///
/// # Errors
///
/// [`SealError::Malformed`] when the key cannot be encoded.
pub fn seal_private_key(key: &SoftwareKey, passphrase: &Secret) -> Result<Vec<u8>, SealError> {
    let malformed = |_| SealError::Malformed;
    let salt: [u8; 16] = Primitives.octets();
    let iv: [u8; 16] = Primitives.octets();
    let rounds = NonZeroU32::new(ITERATIONS).ok_or(SealError::Malformed)?;
    let cipher = UnboundCipherKey::new(&AES_256, derive(passphrase, &salt, rounds).as_slice())
        .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
        .map_err(|_| SealError::Malformed)?;
    let mut data = key.pkcs8().to_vec();
    cipher
        .less_safe_encrypt(&mut data, EncryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| SealError::Malformed)?;
    let derivation = Pbkdf2Parameters {
        salt: OctetString::new(salt.to_vec()).map_err(malformed)?,
        iterations: ITERATIONS,
        key_length: None,
        prf: Some(AlgorithmIdentifierOwned { oid: HMAC_SHA256, parameters: Some(Any::null()) }),
    };
    let parameters = Pbes2Parameters {
        derivation: AlgorithmIdentifierOwned {
            oid: PBKDF2,
            parameters: Some(Any::encode_from(&derivation).map_err(malformed)?),
        },
        encryption: AlgorithmIdentifierOwned {
            oid: AES_256_CBC,
            parameters: Some(OctetString::new(iv.to_vec()).and_then(|iv| Any::encode_from(&iv)).map_err(malformed)?),
        },
    };
    EncryptedPrivateKeyInfo {
        algorithm: AlgorithmIdentifierOwned {
            oid: PBES2,
            parameters: Some(Any::encode_from(&parameters).map_err(malformed)?),
        },
        data: OctetString::new(data).map_err(malformed)?,
    }
    .to_der()
    .map_err(malformed)
}

/// Opens a private key sealed by [`seal_private_key`] or by `openssl pkcs8 -topk8 -v2 aes-256-cbc`.
///
/// # Errors
///
/// [`SealError`] tells a wrong passphrase from a wrong file.
pub fn open_private_key(sealed: &[u8], passphrase: &Secret) -> Result<SoftwareKey, SealError> {
    let malformed = |_| SealError::Malformed;
    let info = EncryptedPrivateKeyInfo::from_der(sealed).map_err(malformed)?;
    let parameters: Pbes2Parameters =
        info.algorithm.parameters.ok_or(SealError::Malformed)?.decode_as().map_err(malformed)?;
    let derivation: Pbkdf2Parameters =
        parameters.derivation.parameters.ok_or(SealError::Malformed)?.decode_as().map_err(malformed)?;
    let iv: OctetString =
        parameters.encryption.parameters.ok_or(SealError::Malformed)?.decode_as().map_err(malformed)?;
    let iv: [u8; 16] = iv.as_bytes().try_into().map_err(|_| SealError::Malformed)?;
    let known = info.algorithm.oid == PBES2
        && parameters.derivation.oid == PBKDF2
        && parameters.encryption.oid == AES_256_CBC
        && derivation.prf.is_some_and(|prf| prf.oid == HMAC_SHA256)
        && derivation.key_length.is_none_or(|length| length == 32)
        && derivation.iterations <= 10_000_000;
    let rounds = NonZeroU32::new(derivation.iterations).filter(|_| known).ok_or(SealError::Malformed)?;
    let key = derive(passphrase, derivation.salt.as_bytes(), rounds);
    let cipher = UnboundCipherKey::new(&AES_256, key.as_slice())
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .map_err(|_| SealError::Malformed)?;
    let mut data = Zeroizing::new(info.data.as_bytes().to_vec());
    let plain =
        cipher.decrypt(&mut data, DecryptionContext::Iv128(FixedLength::from(iv))).map_err(|_| SealError::Wrong)?;
    // A wrong passphrase passes the padding once in 256 times; then the key does not parse.
    SoftwareKey::from_pkcs8(plain).map_err(|_| SealError::Wrong)
}

/// A key that seals short secrets in a database.
pub struct SealingKey(RandomizedNonceKey);

impl SealingKey {
    /// From 32 octets.
    ///
    /// # Errors
    ///
    /// [`SealError::Malformed`] when aws-lc refuses them.
    pub fn new(key: &[u8; 32]) -> Result<Self, SealError> {
        RandomizedNonceKey::new(&AES_256_GCM, key).map(Self).map_err(|_| SealError::Malformed)
    }

    /// Seals `secret`; `context` (not secret) must be given again to open it.
    ///
    /// # Errors
    ///
    /// [`SealError::Malformed`] when the secret is too long.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut data = secret.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut data)
            .map_err(|_| SealError::Malformed)?;
        let mut out = nonce.as_ref().to_vec();
        out.append(&mut data);
        Ok(out)
    }

    /// Opens what [`SealingKey::seal`] made.
    ///
    /// # Errors
    ///
    /// [`SealError::Wrong`] for another key, another context or changed bytes.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, data) = sealed.split_at_checked(12).ok_or(SealError::Malformed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Malformed)?;
        let mut data = Zeroizing::new(data.to_vec());
        let length =
            self.0.open_in_place(nonce, Aad::from(context.as_bytes()), &mut data).map_err(|_| SealError::Wrong)?.len();
        data.truncate(length);
        Ok(data)
    }
}
