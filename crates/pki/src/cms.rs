//! SignedData (RFC 5652 section 5): a document with the signatures of one or more keys over it.

use std::time::SystemTime;

use der::asn1::{Any, ObjectIdentifier, OctetString, SetOfVec};
use der::{Decode, Encode, Sequence, Tag, TagNumber, Tagged};
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::Attribute;

use crate::certificate::time;
use crate::{
    Certificate, Digest, FormatError, SignError, SignatureAlgorithm, Signer, Unread, Verifier, decode, encode, oid,
};

#[derive(Clone, Debug, Sequence)]
struct ContentInfo {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: Any,
}

#[derive(Clone, Debug, Sequence)]
struct Encapsulated {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    content: Option<Any>,
}

#[derive(Clone, Debug, Sequence)]
struct SignedData {
    version: u8,
    digest_algorithms: SetOfVec<AlgorithmIdentifierOwned>,
    encapsulated: Encapsulated,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    crls: Option<SetOfVec<Any>>,
    signer_infos: SetOfVec<SignerInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct IssuerAndSerial {
    issuer: Any,
    serial_number: der::asn1::Int,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct SignerInfo {
    version: u8,
    sid: Any,
    digest_algorithm: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    signed_attributes: Option<SetOfVec<Attribute>>,
    signature_algorithm: AlgorithmIdentifierOwned,
    signature: OctetString,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    unsigned_attributes: Option<SetOfVec<Attribute>>,
}

impl der::ValueOrd for SignerInfo {
    fn value_cmp(&self, other: &Self) -> der::Result<core::cmp::Ordering> {
        use der::EncodeValue;
        let bytes = |info: &Self| -> der::Result<Vec<u8>> {
            let mut out = Vec::new();
            info.encode_value(&mut out)?;
            Ok(out)
        };
        Ok(bytes(self)?.cmp(&bytes(other)?))
    }
}

fn attribute(id: ObjectIdentifier, value: &impl EncodeTagged) -> Result<Attribute, der::Error> {
    let mut values = SetOfVec::new();
    values.insert(value.any()?)?;
    Ok(Attribute { oid: id, values })
}

/// Values that an attribute can hold.
trait EncodeTagged {
    fn any(&self) -> Result<Any, der::Error>;
}

impl<T: Tagged + der::EncodeValue> EncodeTagged for T {
    fn any(&self) -> Result<Any, der::Error> {
        Any::encode_from(self)
    }
}

/// Signs `document` by each of `signers`; their certificates travel along, with `others` for the path.
///
/// Signed attributes are contentType, messageDigest and signingTime (`at`).
///
/// # Errors
///
/// [`SignError`] from a key, or with a [`FormatError`] inside.
pub fn sign(
    document: &[u8],
    signers: &[(&dyn Signer, &Certificate)],
    others: &[Certificate],
    at: SystemTime,
    verifier: &dyn Verifier,
) -> Result<Vec<u8>, SignError> {
    signed(document, true, signers, others, at, verifier)
}

/// The same with the document left out, as signed mail wants it (RFC 8551 section 3.5.3).
///
/// # Errors
///
/// As [`sign`].
pub fn sign_detached(
    document: &[u8],
    signers: &[(&dyn Signer, &Certificate)],
    others: &[Certificate],
    at: SystemTime,
    verifier: &dyn Verifier,
) -> Result<Vec<u8>, SignError> {
    signed(document, false, signers, others, at, verifier)
}

fn signed(
    document: &[u8],
    inside: bool,
    signers: &[(&dyn Signer, &Certificate)],
    others: &[Certificate],
    at: SystemTime,
    verifier: &dyn Verifier,
) -> Result<Vec<u8>, SignError> {
    let der_error = |error: der::Error| SignError(Box::new(FormatError::new("signedData", error.to_string())));
    let format = |error: FormatError| SignError(Box::new(error));
    let mut digest_algorithms = SetOfVec::new();
    let mut certificates = SetOfVec::new();
    let mut signer_infos = SetOfVec::new();
    for (signer, certificate) in signers {
        let digest = signer.algorithm().digest();
        let value = OctetString::new(verifier.digest(digest, document)).map_err(der_error)?;
        let mut attributes = SetOfVec::new();
        for one in [
            attribute(oid::ATTRIBUTE_CONTENT_TYPE, &oid::CMS_DATA),
            attribute(oid::ATTRIBUTE_MESSAGE_DIGEST, &value),
            time(at).map_err(format)?.to_der().and_then(|der| Any::from_der(&der)).and_then(|any| {
                let mut values = SetOfVec::new();
                values.insert(any)?;
                Ok(Attribute { oid: oid::ATTRIBUTE_SIGNING_TIME, values })
            }),
        ] {
            attributes.insert(one.map_err(der_error)?).map_err(der_error)?;
        }
        // RFC 5652 section 5.4: the signature covers the universal SET OF, not the [0] that is written.
        let signature = signer.sign(&attributes.to_der().map_err(der_error)?)?;
        let sid = IssuerAndSerial {
            issuer: decode("issuer", certificate.issuer().der()).map_err(format)?,
            serial_number: der::asn1::Int::new(&certificate.serial().to_integer()).map_err(der_error)?,
        };
        signer_infos
            .insert(SignerInfo {
                version: 1,
                sid: Any::encode_from(&sid).map_err(der_error)?,
                digest_algorithm: digest.identifier(),
                signed_attributes: Some(attributes),
                signature_algorithm: signer.algorithm().identifier(),
                signature: OctetString::new(signature).map_err(der_error)?,
                unsigned_attributes: None,
            })
            .map_err(der_error)?;
        let identifier = digest.identifier();
        if !digest_algorithms.iter().any(|known| *known == identifier) {
            digest_algorithms.insert(identifier).map_err(der_error)?;
        }
    }
    let mut put: Vec<&[u8]> = Vec::new();
    for certificate in signers.iter().map(|(_, certificate)| *certificate).chain(others) {
        if !put.contains(&certificate.der()) {
            put.push(certificate.der());
            certificates.insert(Any::from_der(certificate.der()).map_err(der_error)?).map_err(der_error)?;
        }
    }
    let content = match inside {
        true => Some(OctetString::new(document).and_then(|octets| Any::encode_from(&octets)).map_err(der_error)?),
        false => None,
    };
    let data = SignedData {
        version: 1,
        digest_algorithms,
        encapsulated: Encapsulated { content_type: oid::CMS_DATA, content },
        certificates: Some(certificates),
        crls: None,
        signer_infos,
    };
    let info = ContentInfo { content_type: oid::CMS_SIGNED_DATA, content: Any::encode_from(&data).map_err(der_error)? };
    encode("contentInfo", &info).map_err(format)
}

/// A document whose every signature was checked, with the certificates of its signers.
///
/// Paths, validity and revocation of the certificates are the caller's to check.
#[derive(Debug, Clone)]
pub struct SignedDocument {
    /// The document.
    pub content: Vec<u8>,
    /// Certificates of the signers, in the order of their SignerInfos.
    pub signers: Vec<Certificate>,
    /// Every certificate that travelled along.
    pub certificates: Vec<Certificate>,
}

/// Reads SignedData and checks all its signatures.
///
/// # Errors
///
/// [`FormatError`] when it is malformed, unsigned, detached, has more than eight signers, or a signature is wrong.
pub fn verify(bytes: &[u8], verifier: &dyn Verifier) -> Result<SignedDocument, FormatError> {
    let wrong = |error: der::Error| FormatError::new("signedData", error.to_string());
    let info: ContentInfo = decode("contentInfo", bytes)?;
    if info.content_type != oid::CMS_SIGNED_DATA {
        return Err(FormatError::new("contentType", "not signedData"));
    }
    let data: SignedData = info.content.decode_as().map_err(wrong)?;
    let content = data
        .encapsulated
        .content
        .ok_or_else(|| FormatError::new("eContent", "the document is not inside"))?
        .decode_as::<OctetString>()
        .map_err(wrong)?;
    let mut certificates = Vec::new();
    for any in data.certificates.iter().flat_map(SetOfVec::iter) {
        // Other certificate choices are tagged; only plain certificates are of use here.
        // One that cannot be read is nobody's signer here, and hinders no other.
        if any.tag() == Tag::Sequence
            && let Ok(certificate) = Certificate::from_der(&any.to_der().map_err(wrong)?)
        {
            certificates.push(certificate);
        }
    }
    if data.signer_infos.is_empty() || data.signer_infos.len() > 8 {
        return Err(FormatError::new("signerInfos", "one to eight signatures are expected"));
    }
    let mut signers = Vec::new();
    for info in data.signer_infos.iter() {
        let signer = find_signer(&info.sid, &certificates)?;
        check_signature(info, &signer, data.encapsulated.content_type, content.as_bytes(), verifier)?;
        signers.push(signer);
    }
    Ok(SignedDocument { content: content.as_bytes().to_vec(), signers, certificates })
}

/// The certificates of SignedData that carries nothing else ("certs-only", RFC 8551 section 3.2.2), also those that
/// cannot be read; nothing is checked, and nothing of it is trusted by that.
///
/// # Errors
///
/// [`FormatError`] when it is malformed or carries more than a hundred certificates.
pub fn certificates_only(bytes: &[u8]) -> Result<Vec<Result<Certificate, Box<Unread>>>, FormatError> {
    let wrong = |error: der::Error| FormatError::new("signedData", error.to_string());
    let info: ContentInfo = decode("contentInfo", bytes)?;
    if info.content_type != oid::CMS_SIGNED_DATA {
        return Err(FormatError::new("contentType", "not signedData"));
    }
    let data: SignedData = info.content.decode_as().map_err(wrong)?;
    let all = data.certificates.iter().flat_map(SetOfVec::iter).filter(|any| any.tag() == Tag::Sequence);
    let mut certificates = Vec::new();
    for any in all {
        if certificates.len() == 100 {
            return Err(FormatError::new("certificates", "more than a hundred"));
        }
        certificates.push(Certificate::read(&any.to_der().map_err(wrong)?));
    }
    Ok(certificates)
}

fn find_signer(sid: &Any, certificates: &[Certificate]) -> Result<Certificate, FormatError> {
    const FIELD: &str = "sid";
    let wrong = |error: der::Error| FormatError::new(FIELD, error.to_string());
    let found = match sid.tag() {
        Tag::Sequence => {
            let sid: IssuerAndSerial = sid.decode_as().map_err(wrong)?;
            let issuer = sid.issuer.to_der().map_err(wrong)?;
            certificates.iter().find(|certificate| {
                certificate.issuer().der() == issuer
                    && certificate.serial().to_integer() == sid.serial_number.as_bytes()
            })
        }
        Tag::ContextSpecific { number: TagNumber(0), .. } => {
            certificates.iter().find(|certificate| certificate.subject_key_identifier().as_deref() == Some(sid.value()))
        }
        _ => return Err(FormatError::new(FIELD, "unknown choice")),
    };
    found.cloned().ok_or_else(|| FormatError::new(FIELD, "the signer's certificate is not inside"))
}

fn check_signature(
    info: &SignerInfo,
    signer: &Certificate,
    content_type: ObjectIdentifier,
    content: &[u8],
    verifier: &dyn Verifier,
) -> Result<(), FormatError> {
    let digest = Digest::from_oid(info.digest_algorithm.oid)?;
    if digest == Digest::Sha1 {
        return Err(FormatError::new("digestAlgorithm", "SHA-1 is not accepted"));
    }
    let attributes = info
        .signed_attributes
        .as_ref()
        .ok_or_else(|| FormatError::new("signedAttrs", "absent; contentType and messageDigest are required here"))?;
    let single = |id: ObjectIdentifier| {
        let mut matching = attributes.iter().filter(|attribute| attribute.oid == id);
        match (matching.next(), matching.next()) {
            (Some(one), None) if one.values.len() == 1 => one.values.get(0).cloned(),
            _ => None,
        }
    };
    let stated = single(oid::ATTRIBUTE_CONTENT_TYPE).and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    if stated != Some(content_type) {
        return Err(FormatError::new("contentType", "the signed attribute names another type"));
    }
    let stated = single(oid::ATTRIBUTE_MESSAGE_DIGEST).and_then(|any| any.decode_as::<OctetString>().ok());
    if stated.as_ref().map(OctetString::as_bytes) != Some(verifier.digest(digest, content).as_slice()) {
        return Err(FormatError::new("messageDigest", "the document is not the one that was signed"));
    }
    let algorithm = signature_algorithm(info.signature_algorithm.oid, digest)?;
    let signed = attributes.to_der().map_err(|error| FormatError::new("signedAttrs", error.to_string()))?;
    verifier
        .verify(signer.public_key(), algorithm, &signed, info.signature.as_bytes())
        .map_err(|error| FormatError::new("signature", error.to_string()))
}

/// CMS also allows plain rsaEncryption here, with the digest named beside it (RFC 3370 section 3.2).
fn signature_algorithm(found: ObjectIdentifier, digest: Digest) -> Result<SignatureAlgorithm, FormatError> {
    if found != oid::RSA_ENCRYPTION {
        return SignatureAlgorithm::from_oid(found);
    }
    match digest {
        Digest::Sha256 => Ok(SignatureAlgorithm::RsaSha256),
        Digest::Sha384 => Ok(SignatureAlgorithm::RsaSha384),
        Digest::Sha512 => Ok(SignatureAlgorithm::RsaSha512),
        Digest::Sha1 => Err(FormatError::new("digestAlgorithm", "SHA-1 signatures are not accepted")),
    }
}
