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
        if info.subject_public_key.unused_bits() != 0 {
            return Err(FormatError::new(FIELD, "a key is whole octets: unused bits must be 0"));
        }
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
                let (kind, field) = match curve {
                    Some(oid::P256) => (Self::P256, 32),
                    Some(oid::P384) => (Self::P384, 48),
                    _ => return Err(FormatError::new(FIELD, "curve is neither P-256 nor P-384")),
                };
                // Compressed and hybrid points would let one key pass for several (RFC 5480 section 2.2).
                match info.subject_public_key.raw_bytes() {
                    [0x04, point @ ..] if point.len() == 2 * field => Ok(kind),
                    _ => Err(FormatError::new(FIELD, "the point is not uncompressed (04, X, Y)")),
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

/// What a public key is apart from how it is written: two SubjectPublicKeyInfo with the same identity belong to one
/// private key.
///
/// RSA counts by its modulus, whatever the exponent, and also under id-RSASSA-PSS (RFC 4055 section 1.2). EC counts by
/// curve and X coordinate: compressed, hybrid and uncompressed points are one key, and so is the point with the other
/// Y, whose private key is the negative of this one's. Anything else counts as its own bytes.
pub fn key_identity(public_key: &[u8]) -> Vec<u8> {
    identity_parts(public_key).unwrap_or_else(|| [b"other:", public_key].concat())
}

fn identity_parts(public_key: &[u8]) -> Option<Vec<u8>> {
    let info: SubjectPublicKeyInfoOwned = decode("subjectPublicKeyInfo", public_key).ok()?;
    let key = info.subject_public_key.raw_bytes();
    match info.algorithm.oid {
        oid::RSA_ENCRYPTION | oid::RSASSA_PSS => {
            let key: RsaPublicKey = decode("subjectPublicKeyInfo", key).ok()?;
            Some([b"rsa:", key.modulus.as_bytes()].concat())
        }
        oid::EC_PUBLIC_KEY => {
            let curve = info.algorithm.parameters?.decode_as::<ObjectIdentifier>().ok()?;
            let (&form, point) = key.split_first()?;
            let x = match form {
                0x02 | 0x03 => point,
                0x04 | 0x06 | 0x07 if point.len() % 2 == 0 => &point[..point.len() / 2],
                _ => return None,
            };
            Some([b"ec:", curve.as_bytes(), b":", x].concat())
        }
        _ => None,
    }
}

/// Modulus and publicExponent of an RSA key, big-endian without leading zeros (RFC 8017 appendix A.1.1); `None` for
/// any other key.
pub fn rsa_parts(public_key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let info: SubjectPublicKeyInfoOwned = decode("subjectPublicKeyInfo", public_key).ok()?;
    if ![oid::RSA_ENCRYPTION, oid::RSASSA_PSS].contains(&info.algorithm.oid) {
        return None;
    }
    let key: RsaPublicKey = decode("subjectPublicKeyInfo", info.subject_public_key.raw_bytes()).ok()?;
    Some((key.modulus.as_bytes().to_vec(), key.public_exponent.as_bytes().to_vec()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use der::Encode;
    use der::asn1::{BitString, Uint};
    use spki::AlgorithmIdentifierOwned;

    fn spki(oid: ObjectIdentifier, parameters: Option<Any>, unused: u8, key: &[u8]) -> Vec<u8> {
        let algorithm = AlgorithmIdentifierOwned { oid, parameters };
        let subject_public_key = BitString::new(unused, key).unwrap();
        SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().unwrap()
    }

    fn rsa(oid: ObjectIdentifier, modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
        let key = RsaPublicKey { modulus: Uint::new(modulus).unwrap(), public_exponent: Uint::new(exponent).unwrap() };
        spki(oid, Some(Any::null()), 0, &key.to_der().unwrap())
    }

    fn ec(unused: u8, point: &[u8]) -> Vec<u8> {
        spki(oid::EC_PUBLIC_KEY, Some(Any::encode_from(&oid::P256).unwrap()), unused, point)
    }

    #[test]
    fn one_key_is_one_key_however_it_is_written() {
        let (x, y) = ([0x5A; 32], [0x30; 32]);
        let whole = ec(0, &[&[4][..], &x, &y].concat());
        let same = [
            ec(0, &[&[2][..], &x].concat()),
            ec(0, &[&[3][..], &x].concat()),
            ec(0, &[&[6][..], &x, &y].concat()),
            ec(0, &[&[7][..], &x, &y].concat()),
            ec(4, &[&[4][..], &x, &y].concat()),
            ec(0, &[&[4][..], &x, &[0x31; 32]].concat()),
        ];
        for other in &same[..5] {
            assert_eq!(key_identity(other), key_identity(&whole));
            assert!(KeyKind::of(other).is_err(), "written in another way than RFC 5480 section 2.2 wants it");
        }
        assert_eq!(key_identity(&same[5]), key_identity(&whole), "the negative of a private key is no other key");
        assert_eq!(KeyKind::of(&whole), Ok(KeyKind::P256));
        assert_ne!(key_identity(&whole), key_identity(&ec(0, &[&[4][..], &y, &x].concat())));
        let modulus = [&[0xC1][..], &[0x77; 255]].concat();
        let usual = rsa(oid::RSA_ENCRYPTION, &modulus, &[1, 0, 1]);
        for other in [rsa(oid::RSA_ENCRYPTION, &modulus, &[3]), rsa(oid::RSASSA_PSS, &modulus, &[1, 0, 1])] {
            assert_eq!(key_identity(&other), key_identity(&usual));
        }
        assert_ne!(key_identity(&usual), key_identity(&rsa(oid::RSA_ENCRYPTION, &modulus[..255], &[1, 0, 1])));
        // What is no key at all is itself, and nothing else.
        assert_ne!(key_identity(b"a"), key_identity(b"b"));
    }
}
