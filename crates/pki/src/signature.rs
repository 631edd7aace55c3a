//! Keys and signatures as identifiers, and the ports through which somebody else computes them
//! (RFC 5280, 5480, 5758, 8017).

use der::asn1::{Any, ObjectIdentifier};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::{FormatError, decode, oid};

/// A digest that certificates and messages use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-1: only for key identifiers and for messages of old peers, never for a signature.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Digest {
    /// The identifier, with the parameters absent (RFC 5754 section 2).
    pub fn identifier(self) -> AlgorithmIdentifierOwned {
        let oid = match self {
            Self::Sha1 => oid::SHA1,
            Self::Sha256 => oid::SHA256,
            Self::Sha384 => oid::SHA384,
            Self::Sha512 => oid::SHA512,
        };
        AlgorithmIdentifierOwned { oid, parameters: None }
    }

    /// The digest behind an identifier.
    ///
    /// # Errors
    ///
    /// [`FormatError`] for a digest that is not used here.
    pub fn from_oid(found: ObjectIdentifier) -> Result<Self, FormatError> {
        match found {
            oid::SHA1 => Ok(Self::Sha1),
            oid::SHA256 => Ok(Self::Sha256),
            oid::SHA384 => Ok(Self::Sha384),
            oid::SHA512 => Ok(Self::Sha512),
            other => Err(FormatError::new("digestAlgorithm", format!("{other} is not supported"))),
        }
    }
}

/// A signature algorithm: the kind of key together with the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsaSha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaSha512,
    /// ECDSA with SHA-256.
    EcdsaSha256,
    /// ECDSA with SHA-384.
    EcdsaSha384,
    /// ECDSA with SHA-512.
    EcdsaSha512,
}

impl SignatureAlgorithm {
    /// The identifier: NULL parameters for RSA (RFC 4055 section 5), none for ECDSA (RFC 5758 section 3.2).
    pub fn identifier(self) -> AlgorithmIdentifierOwned {
        let (oid, parameters) = match self {
            Self::RsaSha256 => (oid::SHA256_WITH_RSA, Some(Any::null())),
            Self::RsaSha384 => (oid::SHA384_WITH_RSA, Some(Any::null())),
            Self::RsaSha512 => (oid::SHA512_WITH_RSA, Some(Any::null())),
            Self::EcdsaSha256 => (oid::ECDSA_SHA256, None),
            Self::EcdsaSha384 => (oid::ECDSA_SHA384, None),
            Self::EcdsaSha512 => (oid::ECDSA_SHA512, None),
        };
        AlgorithmIdentifierOwned { oid, parameters }
    }

    /// The algorithm behind an identifier.
    ///
    /// # Errors
    ///
    /// [`FormatError`] for an algorithm that is not used here, SHA-1 signatures among them.
    pub fn from_oid(found: ObjectIdentifier) -> Result<Self, FormatError> {
        match found {
            oid::SHA256_WITH_RSA => Ok(Self::RsaSha256),
            oid::SHA384_WITH_RSA => Ok(Self::RsaSha384),
            oid::SHA512_WITH_RSA => Ok(Self::RsaSha512),
            oid::ECDSA_SHA256 => Ok(Self::EcdsaSha256),
            oid::ECDSA_SHA384 => Ok(Self::EcdsaSha384),
            oid::ECDSA_SHA512 => Ok(Self::EcdsaSha512),
            other => Err(FormatError::new("signatureAlgorithm", format!("{other} is not supported"))),
        }
    }

    /// The digest part.
    pub fn digest(self) -> Digest {
        match self {
            Self::RsaSha256 | Self::EcdsaSha256 => Digest::Sha256,
            Self::RsaSha384 | Self::EcdsaSha384 => Digest::Sha384,
            Self::RsaSha512 | Self::EcdsaSha512 => Digest::Sha512,
        }
    }
}

/// What kind of public key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with the length of its modulus in bits.
    Rsa(u32),
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
}

#[derive(der::Sequence)]
struct RsaPublicKey {
    modulus: der::asn1::Uint,
    public_exponent: der::asn1::Uint,
}

impl KeyKind {
    /// Reads the kind from a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when it is malformed or of a kind not used here.
    pub fn of(public_key: &[u8]) -> Result<Self, FormatError> {
        const FIELD: &str = "subjectPublicKeyInfo";
        let info: SubjectPublicKeyInfoOwned = decode(FIELD, public_key)?;
        match info.algorithm.oid {
            oid::RSA_ENCRYPTION => {
                // Other parameters would let one key pass for several (RFC 3279 section 2.3.1).
                if info.algorithm.parameters != Some(Any::null()) {
                    return Err(FormatError::new(FIELD, "parameters of an RSA key must be NULL"));
                }
                let key: RsaPublicKey = decode(FIELD, info.subject_public_key.raw_bytes())?;
                let modulus = key.modulus.as_bytes();
                let top = modulus.first().map_or(8, |byte| byte.leading_zeros());
                let bits = u32::try_from(modulus.len()).unwrap_or(u32::MAX / 16) * 8 - top;
                if key.public_exponent.as_bytes().len() > 8 || bits > 16_384 {
                    return Err(FormatError::new(FIELD, "RSA modulus or exponent is absurdly long"));
                }
                Ok(Self::Rsa(bits))
            }
            oid::EC_PUBLIC_KEY => {
                let curve = info.algorithm.parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
                match curve {
                    Some(oid::P256) => Ok(Self::P256),
                    Some(oid::P384) => Ok(Self::P384),
                    _ => Err(FormatError::new(FIELD, "curve is neither P-256 nor P-384")),
                }
            }
            other => Err(FormatError::new(FIELD, format!("key algorithm {other} is not supported"))),
        }
    }

    /// The kind of this name, as [`KeyKind`]'s own text gives it: `RSA-3072`, `P-256`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            rsa => rsa.strip_prefix("RSA-")?.parse().ok().map(Self::Rsa),
        }
    }

    /// The algorithm that such a key signs with here.
    pub fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Rsa(_) => SignatureAlgorithm::RsaSha256,
            Self::P256 => SignatureAlgorithm::EcdsaSha256,
            Self::P384 => SignatureAlgorithm::EcdsaSha384,
        }
    }
}

impl core::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
        }
    }
}

/// Why a signature was not made; the owner of the key knows the details.
#[derive(Debug)]
pub struct SignError(pub Box<dyn std::error::Error + Send + Sync>);

impl core::fmt::Display for SignError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the key did not sign: {}", self.0)
    }
}

impl std::error::Error for SignError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.as_ref())
    }
}

/// A private key that may live anywhere: only its use is visible.
pub trait Signer {
    /// SubjectPublicKeyInfo in DER.
    fn public_key(&self) -> &[u8];

    /// The algorithm of the signatures made by [`Signer::sign`].
    fn algorithm(&self) -> SignatureAlgorithm;

    /// Signs the whole message (the digest is computed inside); ECDSA as DER `Ecdsa-Sig-Value`.
    ///
    /// # Errors
    ///
    /// [`SignError`] with the key owner's own error inside.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// A signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureInvalid;

impl core::fmt::Display for SignatureInvalid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the signature does not verify")
    }
}

impl std::error::Error for SignatureInvalid {}

/// Checks signatures and computes digests.
pub trait Verifier {
    /// Checks `signature` over the whole `message` by the key in `public_key` (SubjectPublicKeyInfo in DER).
    ///
    /// # Errors
    ///
    /// [`SignatureInvalid`] also when the key is of the wrong kind or too weak (RSA below 2048 bits).
    fn verify(
        &self,
        public_key: &[u8],
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureInvalid>;

    /// Digest of `message`.
    fn digest(&self, digest: Digest, message: &[u8]) -> Vec<u8>;
}

/// A source of unpredictable octets.
pub trait Random {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}
