//! Private keys in memory, as PKCS#8 (RFC 5958).

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair};
use obnova_pki::{KeyKind, SignError, SignatureAlgorithm, Signer};
use zeroize::Zeroizing;

/// Why a software key was not made or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// The bytes are no PKCS#8 of a kind used here.
    Malformed,
    /// This kind or size is not made here (RSA: 2048, 3072, 4096, 8192).
    Unsupported(KeyKind),
}

impl core::fmt::Display for KeyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a private key in PKCS#8 of a kind used here"),
            Self::Unsupported(kind) => write!(f, "keys {kind} are not made here"),
        }
    }
}

impl std::error::Error for KeyError {}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
}

/// SubjectPublicKeyInfo of a key pair; the trait's lifetime does not fit through a function.
macro_rules! public_key {
    ($pair:expr) => {
        AsDer::<PublicKeyX509Der<'_>>::as_der($pair.public_key()).map_err(|_| KeyError::Malformed)?.as_ref().to_vec()
    };
}

/// A private key in memory.
pub struct SoftwareKey {
    pair: Pair,
    pkcs8: Zeroizing<Vec<u8>>,
    public_key: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

impl SoftwareKey {
    /// Makes a key. RSA takes up to a few seconds.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unsupported`].
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let unsupported = KeyError::Unsupported(kind);
        let random = SystemRandom::new();
        let pkcs8 = match kind {
            KeyKind::Rsa(bits) => {
                let size = match bits {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    8192 => KeySize::Rsa8192,
                    _ => return Err(unsupported),
                };
                let pair = RsaKeyPair::generate(size).map_err(|_| unsupported.clone())?;
                let document = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&pair).map_err(|_| unsupported)?;
                Zeroizing::new(document.as_ref().to_vec())
            }
            KeyKind::P256 => ecdsa_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &random).ok_or(unsupported)?,
            KeyKind::P384 => ecdsa_pkcs8(&signature::ECDSA_P384_SHA384_ASN1_SIGNING, &random).ok_or(unsupported)?,
        };
        Self::from_pkcs8(&pkcs8)
    }

    /// Reads a key from PKCS#8 in DER.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] also for key kinds that are not used here.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let wiped = Zeroizing::new(pkcs8.to_vec());
        if let Ok(pair) = RsaKeyPair::from_pkcs8(pkcs8) {
            let public_key = public_key!(pair);
            return Ok(Self {
                pair: Pair::Rsa(Box::new(pair)),
                pkcs8: wiped,
                public_key,
                algorithm: SignatureAlgorithm::RsaSha256,
            });
        }
        for (scheme, algorithm) in [
            (&signature::ECDSA_P256_SHA256_ASN1_SIGNING, SignatureAlgorithm::EcdsaSha256),
            (&signature::ECDSA_P384_SHA384_ASN1_SIGNING, SignatureAlgorithm::EcdsaSha384),
        ] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(scheme, pkcs8) {
                let public_key = public_key!(pair);
                return Ok(Self { pair: Pair::Ecdsa(pair), pkcs8: wiped, public_key, algorithm });
            }
        }
        Err(KeyError::Malformed)
    }

    /// PKCS#8 in DER, for sealing.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Signs with RSASSA-PSS and SHA-256 (salt as long as the digest), as TLS 1.3 wants it of RSA keys.
    ///
    /// # Errors
    ///
    /// [`SignError`] for keys that are not RSA.
    pub fn sign_pss(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Rsa(pair) => rsa_sign(pair, &signature::RSA_PSS_SHA256, message),
            Pair::Ecdsa(_) => Err(SignError(Box::new(KeyError::Malformed))),
        }
    }
}

fn ecdsa_pkcs8(scheme: &'static signature::EcdsaSigningAlgorithm, random: &SystemRandom) -> Option<Zeroizing<Vec<u8>>> {
    EcdsaKeyPair::generate_pkcs8(scheme, random).ok().map(|document| Zeroizing::new(document.as_ref().to_vec()))
}

fn rsa_sign(
    pair: &RsaKeyPair,
    scheme: &'static dyn signature::RsaEncoding,
    message: &[u8],
) -> Result<Vec<u8>, SignError> {
    let mut out = vec![0; pair.public_modulus_len()];
    pair.sign(scheme, &SystemRandom::new(), message, &mut out).map_err(|error| SignError(Box::new(error)))?;
    Ok(out)
}

impl Signer for SoftwareKey {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Rsa(pair) => rsa_sign(pair, &signature::RSA_PKCS1_SHA256, message),
            Pair::Ecdsa(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|error| SignError(Box::new(error))),
        }
    }
}
