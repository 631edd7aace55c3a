//! Certificate request messages: what is asked for, and the proof that its key is held (RFC 4211).

use der::asn1::{Any, BitString, Int, ObjectIdentifier};
use der::{Decode, Encode, Sequence, Tag, TagNumber, Tagged};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::ext::Extension;
use x509_cert::time::Time;

use crate::{FormatError, Name, Serial, SignError, SignatureAlgorithm, Signer, Verifier, decode, encode, oid};

/// `CertTemplate` with every field optional (RFC 4211 section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Sequence)]
struct Template {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    version: Option<u8>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    serial_number: Option<Int>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    signing_algorithm: Option<AlgorithmIdentifierOwned>,
    // Name is a CHOICE, so its tag is explicit although the module says IMPLICIT.
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    issuer: Option<Any>,
    #[asn1(context_specific = "4", tag_mode = "IMPLICIT", optional = "true")]
    validity: Option<OptionalValidity>,
    #[asn1(context_specific = "5", tag_mode = "EXPLICIT", optional = "true")]
    subject: Option<Any>,
    #[asn1(context_specific = "6", tag_mode = "IMPLICIT", optional = "true")]
    public_key: Option<SubjectPublicKeyInfoOwned>,
    #[asn1(context_specific = "7", tag_mode = "IMPLICIT", optional = "true")]
    issuer_uid: Option<BitString>,
    #[asn1(context_specific = "8", tag_mode = "IMPLICIT", optional = "true")]
    subject_uid: Option<BitString>,
    #[asn1(context_specific = "9", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Sequence)]
struct OptionalValidity {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    not_before: Option<Time>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    not_after: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct Control {
    id: ObjectIdentifier,
    value: Any,
}

#[derive(Clone, Debug, Sequence)]
struct CertRequest {
    cert_req_id: Int,
    template: Template,
    #[asn1(optional = "true")]
    controls: Option<Vec<Control>>,
}

// poposkInput [0] has no place here: it must be absent when subject and key are in the template
// (RFC 4211 section 4.1), and a message that has it is refused as malformed.
#[derive(Clone, Debug, Sequence)]
struct PossessionSignature {
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// `CertId` (RFC 4211 section 6.5).
#[derive(Clone, Debug, Sequence)]
struct CertId {
    issuer: Any,
    serial_number: Int,
}

/// A certificate named by its issuer and serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateId {
    /// issuer.
    pub issuer: Name,
    /// serialNumber.
    pub serial: Serial,
}

/// One request out of a `CertReqMessages`, with its proof of possession checked.
#[derive(Debug, Clone)]
pub struct CertificateRequest {
    /// certReqId, answered with the same number.
    pub id: i64,
    /// subject, when one is asked for.
    pub subject: Option<Name>,
    /// SubjectPublicKeyInfo in DER.
    pub public_key: Vec<u8>,
    /// The certificate that is to be replaced (oldCertID control).
    pub old_certificate: Option<CertificateId>,
    /// issuer, when one is asked for.
    pub issuer: Option<Name>,
    /// Extensions asked for.
    pub extensions: Vec<Extension>,
    /// Whether the template asks for a validity, a serial number or unique identifiers.
    pub asks_more: bool,
}

fn small(value: &Int) -> Option<i64> {
    let octets = value.as_bytes();
    let negative = octets.first().is_some_and(|octet| octet & 0x80 != 0);
    (octets.len() <= 8)
        .then(|| octets.iter().fold(if negative { -1 } else { 0 }, |n, &octet| (n << 8) | i64::from(octet)))
}

fn named(any: &Any) -> Result<Name, FormatError> {
    // [4] directoryName of a GeneralName.
    match any.tag() {
        Tag::ContextSpecific { number: TagNumber(4), constructed: true } => Name::from_der(any.value()),
        _ => Err(FormatError::new("issuer", "not a directoryName")),
    }
}

fn directory_name(name: &Name) -> Result<Any, der::Error> {
    Any::new(Tag::ContextSpecific { number: TagNumber(4), constructed: true }, name.der())
}

/// The parts of the single message of a `CertReqMessages` (RFC 9483 section 4.1 allows just one): certReq as it came and
/// as it reads, and what follows it.
fn single(messages: &[u8]) -> Result<(Vec<u8>, CertRequest, Vec<Any>), FormatError> {
    const FIELD: &str = "certReqMessages";
    let mut all: Vec<Vec<Any>> = decode(FIELD, messages)?;
    let (Some(mut message), true) = (all.pop(), all.is_empty()) else {
        return Err(FormatError::new(FIELD, "exactly one request is expected (RFC 9483 section 4.1)"));
    };
    if message.is_empty() {
        return Err(FormatError::new("certReq", "absent"));
    }
    let request_der = encode("certReq", &message.remove(0))?;
    let request = decode("certReq", &request_der)?;
    Ok((request_der, request, message))
}

fn key_in(request: &CertRequest) -> Result<Vec<u8>, FormatError> {
    match &request.template.public_key {
        Some(key) => encode("publicKey", key),
        None => Err(FormatError::new("publicKey", "absent: the authority makes no keys here")),
    }
}

/// The public key that a `CertReqMessages` asks for, before its proof of possession is looked at: a key that is not
/// taken is refused as what it is.
///
/// # Errors
///
/// As [`parse`], but for the proof.
pub fn key_of(messages: &[u8]) -> Result<Vec<u8>, FormatError> {
    key_in(&single(messages)?.1)
}

/// Reads the single request of a `CertReqMessages` (RFC 9483 section 4.1 allows just one)
/// and checks the proof of possession by signature.
///
/// # Errors
///
/// [`FormatError`]: malformed, more than one request, no key, no proof, or a proof that does not verify.
pub fn parse(messages: &[u8], verifier: &dyn Verifier) -> Result<CertificateRequest, FormatError> {
    const FIELD: &str = "certReqMessages";
    let wrong = |error: der::Error| FormatError::new(FIELD, error.to_string());
    let (request_der, request, rest) = single(messages)?;
    let public_key = key_in(&request)?;
    let proof = rest
        .first()
        .filter(|any| any.tag() == Tag::ContextSpecific { number: TagNumber(1), constructed: true })
        .ok_or_else(|| FormatError::new("popo", "a signature is required as proof of possession"))?;
    // [1] IMPLICIT POPOSigningKey: the same contents under the universal tag.
    let proof: PossessionSignature = Any::new(Tag::Sequence, proof.value())
        .and_then(|any| any.decode_as())
        .map_err(|error| FormatError::new("popo", error.to_string()))?;
    verifier
        .verify(
            &public_key,
            SignatureAlgorithm::from_oid(proof.algorithm.oid)?,
            &request_der,
            proof.signature.raw_bytes(),
        )
        .map_err(|_| FormatError::new("popo", "the signature by the new key does not verify"))?;
    let old_certificate = request
        .controls
        .iter()
        .flatten()
        .find(|control| control.id == oid::OLD_CERT_ID)
        .map(|control| {
            let id: CertId = control.value.decode_as().map_err(wrong)?;
            Ok(CertificateId {
                issuer: named(&id.issuer)?,
                serial: Serial::from_integer(id.serial_number.as_bytes())
                    .map_err(|error| FormatError::new("oldCertID", error.to_string()))?,
            })
        })
        .transpose()?;
    Ok(CertificateRequest {
        id: small(&request.cert_req_id).ok_or_else(|| FormatError::new("certReqId", "too long"))?,
        subject: request.template.subject.as_ref().map(Name::from_any).transpose()?,
        issuer: request.template.issuer.as_ref().map(Name::from_any).transpose()?,
        public_key,
        old_certificate,
        asks_more: request.template.validity.is_some()
            || request.template.serial_number.is_some()
            || request.template.issuer_uid.is_some()
            || request.template.subject_uid.is_some(),
        extensions: request.template.extensions.unwrap_or_default(),
    })
}

/// Makes a `CertReqMessages` with one request (certReqId 0) and the new key's proof of possession.
///
/// # Errors
///
/// [`SignError`] from the new key.
pub fn request(
    subject: &Name,
    issuer: Option<&Name>,
    old_certificate: Option<&CertificateId>,
    new_key: &dyn Signer,
) -> Result<Vec<u8>, SignError> {
    let format = |error: FormatError| SignError(Box::new(error));
    let wrong = |error: der::Error| SignError(Box::new(FormatError::new("certReqMessages", error.to_string())));
    let controls = old_certificate
        .map(|old| {
            let id =
                CertId { issuer: directory_name(&old.issuer)?, serial_number: Int::new(&old.serial.to_integer())? };
            Ok(vec![Control { id: oid::OLD_CERT_ID, value: Any::encode_from(&id)? }])
        })
        .transpose()
        .map_err(wrong)?;
    let request = CertRequest {
        cert_req_id: Int::new(&[0]).map_err(wrong)?,
        template: Template {
            issuer: issuer.map(Name::to_any).transpose().map_err(format)?,
            subject: Some(subject.to_any().map_err(format)?),
            public_key: Some(decode("publicKey", new_key.public_key()).map_err(format)?),
            ..Template::default()
        },
        controls,
    };
    let request_der = encode("certReq", &request).map_err(format)?;
    let signature = new_key.sign(&request_der)?;
    let proof = PossessionSignature {
        algorithm: new_key.algorithm().identifier(),
        signature: BitString::from_bytes(&signature).map_err(wrong)?,
    };
    let proof = Any::encode_from(&proof).map_err(wrong)?;
    let proof =
        Any::new(Tag::ContextSpecific { number: TagNumber(1), constructed: true }, proof.value()).map_err(wrong)?;
    let message = vec![Any::from_der(&request_der).map_err(wrong)?, proof];
    vec![message].to_der().map_err(wrong)
}

#[derive(Clone, Debug, Sequence)]
struct RevocationDetails {
    template: Template,
    #[asn1(optional = "true")]
    extensions: Option<Vec<Extension>>,
}

/// Reads a `RevReqContent` with one certificate: which one, and why.
///
/// # Errors
///
/// [`FormatError`] when it is malformed, names more than one, or lacks issuer or serial number.
pub fn parse_revocation(content: &[u8]) -> Result<(CertificateId, crate::crl::Reason), FormatError> {
    const FIELD: &str = "revReqContent";
    let all: Vec<RevocationDetails> = decode(FIELD, content)?;
    let [details] = all.as_slice() else {
        return Err(FormatError::new(FIELD, "exactly one certificate is expected (RFC 9483 section 4.2)"));
    };
    let (Some(issuer), Some(serial)) = (&details.template.issuer, &details.template.serial_number) else {
        return Err(FormatError::new("certDetails", "issuer and serialNumber are required"));
    };
    let reason = details
        .extensions
        .iter()
        .flatten()
        .find(|extension| extension.extn_id == oid::REASON_CODE)
        .map(|extension| decode("reasonCode", extension.extn_value.as_bytes()))
        .transpose()?;
    Ok((
        CertificateId {
            issuer: Name::from_any(issuer)?,
            serial: Serial::from_integer(serial.as_bytes())
                .map_err(|error| FormatError::new("serialNumber", error.to_string()))?,
        },
        reason.unwrap_or(crate::crl::Reason::Unspecified),
    ))
}
