//! Certification requests, PKCS#10 (RFC 2986).

use der::Sequence;
use der::asn1::{Any, ObjectIdentifier, SetOfVec};
use spki::SubjectPublicKeyInfoOwned;

use crate::certificate::{Extension, Signed, seal};
use crate::{FormatError, Name, SignError, SignatureAlgorithm, Signer, Verifier, decode, encode, oid};

#[derive(Clone, Debug, Sequence)]
struct Info {
    version: u8,
    subject: Any,
    public_key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    attributes: SetOfVec<Any>,
}

/// A certification request whose proof of possession was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    der: Vec<u8>,
    subject: Name,
    public_key: Vec<u8>,
    extensions: Vec<Extension>,
}

#[derive(Clone, Debug, Sequence)]
struct Attribute {
    id: ObjectIdentifier,
    values: SetOfVec<Any>,
}

/// Extensions asked for by the attribute extensionRequest (RFC 2985 section 5.4.2); other attributes ask for nothing here.
fn extensions(attributes: &SetOfVec<Any>) -> Result<Vec<Extension>, FormatError> {
    let mut all = Vec::new();
    for any in attributes.iter() {
        let attribute: Attribute =
            any.decode_as().map_err(|error: der::Error| FormatError::new("attributes", error.to_string()))?;
        if attribute.id == oid::EXTENSION_REQUEST {
            for value in attribute.values.iter() {
                let asked: Vec<Extension> = value
                    .decode_as()
                    .map_err(|error: der::Error| FormatError::new("extensionRequest", error.to_string()))?;
                all.extend(asked);
            }
        }
    }
    Ok(all)
}

/// The public key that a request asks for, before its signature is looked at: a key that is not taken is refused as what
/// it is.
///
/// # Errors
///
/// [`FormatError`] when it is malformed.
pub fn key_of(bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
    let outer: Signed = decode("certificationRequest", bytes)?;
    let info: Info = decode("certificationRequestInfo", &encode("certificationRequestInfo", &outer.to_be_signed)?)?;
    encode("subjectPKInfo", &info.public_key)
}

impl Request {
    /// Reads a request and checks that the private key signed it.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when it is malformed or the signature does not verify.
    pub fn from_der(bytes: &[u8], verifier: &dyn Verifier) -> Result<Self, FormatError> {
        let outer: Signed = decode("certificationRequest", bytes)?;
        let info_der = encode("certificationRequestInfo", &outer.to_be_signed)?;
        let info: Info = decode("certificationRequestInfo", &info_der)?;
        if info.version != 0 {
            return Err(FormatError::new("version", "not v1 (RFC 2986 section 4.1)"));
        }
        let public_key = encode("subjectPKInfo", &info.public_key)?;
        verifier
            .verify(
                &public_key,
                SignatureAlgorithm::from_oid(outer.algorithm.oid)?,
                &info_der,
                outer.signature.raw_bytes(),
            )
            .map_err(|error| FormatError::new("signature", error.to_string()))?;
        let extensions = extensions(&info.attributes)?;
        Ok(Self { der: bytes.to_vec(), subject: Name::from_any(&info.subject)?, public_key, extensions })
    }

    /// Makes a request for `subject` and the signer's public key, without attributes.
    ///
    /// # Errors
    ///
    /// [`SignError`] from the key.
    pub fn sign(subject: &Name, signer: &dyn Signer) -> Result<Self, SignError> {
        let format = |error: FormatError| SignError(Box::new(error));
        let info = Info {
            version: 0,
            subject: subject.to_any().map_err(format)?,
            public_key: decode("subjectPKInfo", signer.public_key()).map_err(format)?,
            attributes: SetOfVec::new(),
        };
        let info_der = encode("certificationRequestInfo", &info).map_err(format)?;
        let signature = signer.sign(&info_der)?;
        Ok(Self {
            der: seal(&info_der, signer.algorithm(), &signature).map_err(format)?,
            subject: subject.clone(),
            public_key: signer.public_key().to_vec(),
            extensions: Vec::new(),
        })
    }

    /// The bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The subject asked for.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// Extensions asked for.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}
