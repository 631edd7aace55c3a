//! Certificate management messages: header, body and protection (RFC 9810; profile RFC 9483).

use std::time::SystemTime;

use der::asn1::{Any, BitString, GeneralizedTime, Int, ObjectIdentifier, OctetString, Utf8StringRef};
use der::{Decode, Sequence, Tag, TagNumber, Tagged};
use spki::AlgorithmIdentifierOwned;

use crate::{
    Certificate, Digest, FormatError, Name, SignError, SignatureAlgorithm, Signer, Verifier, decode, encode, oid,
};

/// Certificates that may travel in one message.
const MAX_CERTIFICATES: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct InfoTypeAndValue {
    info_type: ObjectIdentifier,
    #[asn1(optional = "true")]
    info_value: Option<Any>,
}

#[derive(Clone, Debug, Sequence)]
struct RawHeader {
    pvno: u8,
    sender: Any,
    recipient: Any,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    message_time: Option<GeneralizedTime>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    protection_algorithm: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    sender_kid: Option<OctetString>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    recipient_kid: Option<OctetString>,
    #[asn1(context_specific = "4", tag_mode = "EXPLICIT", optional = "true")]
    transaction_id: Option<OctetString>,
    #[asn1(context_specific = "5", tag_mode = "EXPLICIT", optional = "true")]
    sender_nonce: Option<OctetString>,
    #[asn1(context_specific = "6", tag_mode = "EXPLICIT", optional = "true")]
    recipient_nonce: Option<OctetString>,
    #[asn1(context_specific = "7", tag_mode = "EXPLICIT", optional = "true")]
    free_text: Option<Vec<Any>>,
    #[asn1(context_specific = "8", tag_mode = "EXPLICIT", optional = "true")]
    general_info: Option<Vec<InfoTypeAndValue>>,
}

#[derive(Clone, Debug, Sequence)]
struct RawMessage {
    header: Any,
    body: Any,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    protection: Option<BitString>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extra_certificates: Option<Vec<Any>>,
}

/// The part of the header that both sides fill in by hand (RFC 9810 section 5.1.1).
#[derive(Debug, Clone)]
pub struct Header {
    /// sender; the empty name when only a shared secret speaks.
    pub sender: Name,
    /// recipient.
    pub recipient: Name,
    /// messageTime.
    pub time: Option<SystemTime>,
    /// senderKID: the reference of a shared secret, or a key identifier.
    pub sender_kid: Option<Vec<u8>>,
    /// transactionID.
    pub transaction_id: Vec<u8>,
    /// senderNonce.
    pub sender_nonce: Vec<u8>,
    /// recipNonce.
    pub recipient_nonce: Option<Vec<u8>>,
    /// Whether implicitConfirm stands in generalInfo.
    pub implicit_confirm: bool,
    /// Until when the sender waits for the confirmation.
    pub confirm_wait: Option<SystemTime>,
    /// The profile asked for by name (certProfile, RFC 9810 section 5.1.1.4).
    pub profile: Option<String>,
}

/// What a body is; the number is its tag (RFC 9810 section 5.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BodyKind {
    /// ir: first certificate.
    InitializationRequest = 0,
    /// ip.
    InitializationResponse = 1,
    /// cr: a further certificate.
    CertificationRequest = 2,
    /// cp.
    CertificationResponse = 3,
    /// p10cr: PKCS#10 inside.
    Pkcs10Request = 4,
    /// kur: successor of a certificate.
    KeyUpdateRequest = 7,
    /// kup.
    KeyUpdateResponse = 8,
    /// rr.
    RevocationRequest = 11,
    /// rp.
    RevocationResponse = 12,
    /// pkiconf.
    Confirmation = 19,
    /// genm.
    GeneralMessage = 21,
    /// genp.
    GeneralResponse = 22,
    /// error.
    Error = 23,
    /// certConf.
    CertificateConfirm = 24,
    /// pollReq.
    PollRequest = 25,
    /// pollRep.
    PollResponse = 26,
}

impl BodyKind {
    fn from_tag(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::InitializationRequest,
            1 => Self::InitializationResponse,
            2 => Self::CertificationRequest,
            3 => Self::CertificationResponse,
            4 => Self::Pkcs10Request,
            7 => Self::KeyUpdateRequest,
            8 => Self::KeyUpdateResponse,
            11 => Self::RevocationRequest,
            12 => Self::RevocationResponse,
            19 => Self::Confirmation,
            21 => Self::GeneralMessage,
            22 => Self::GeneralResponse,
            23 => Self::Error,
            24 => Self::CertificateConfirm,
            25 => Self::PollRequest,
            26 => Self::PollResponse,
            _ => return None,
        })
    }

    /// The answer that carries a certificate for this request.
    pub fn response(self) -> Option<Self> {
        Some(match self {
            Self::InitializationRequest => Self::InitializationResponse,
            Self::CertificationRequest | Self::Pkcs10Request => Self::CertificationResponse,
            Self::KeyUpdateRequest => Self::KeyUpdateResponse,
            _ => return None,
        })
    }
}

/// A body: its kind and its contents in DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Which choice it is.
    pub kind: BodyKind,
    /// The DER inside the tag.
    pub content: Vec<u8>,
}

/// How a message says that it is protected.
#[derive(Debug, Clone)]
pub enum Protection {
    /// Not at all.
    None,
    /// By a signature; the certificate is expected first in extraCerts.
    Signature(SignatureAlgorithm),
    /// By a MAC with a shared secret (RFC 9481 section 6.1.1).
    Mac(PasswordBasedMac),
}

/// Parameters of id-PasswordBasedMac (RFC 4210 section 5.1.3.1, RFC 9481 section 6.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordBasedMac {
    /// salt, at most 128 octets.
    pub salt: Vec<u8>,
    /// One-way function.
    pub owf: Digest,
    /// iterationCount, 100 to 100 000: the upper bound is checked before anything is computed.
    pub iterations: u32,
    /// Digest of the HMAC.
    pub mac: Digest,
}

#[derive(Clone, Debug, Sequence)]
struct PbmParameter {
    salt: OctetString,
    owf: AlgorithmIdentifierOwned,
    iteration_count: Int,
    mac: AlgorithmIdentifierOwned,
}

impl PasswordBasedMac {
    /// The identifier with its parameters.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when the salt is too long for DER.
    pub fn identifier(&self) -> Result<AlgorithmIdentifierOwned, FormatError> {
        let wrong = |error: der::Error| FormatError::new("PBMParameter", error.to_string());
        let mac = match self.mac {
            Digest::Sha1 => oid::HMAC_SHA1,
            Digest::Sha256 => oid::HMAC_SHA256,
            Digest::Sha384 => oid::HMAC_SHA384,
            Digest::Sha512 => oid::HMAC_SHA512,
        };
        let parameter = PbmParameter {
            salt: OctetString::new(self.salt.clone()).map_err(wrong)?,
            owf: self.owf.identifier(),
            iteration_count: {
                let mut octets = vec![0];
                octets.extend_from_slice(&self.iterations.to_be_bytes());
                let start = octets.windows(2).position(|pair| pair[0] != 0 || pair[1] & 0x80 != 0).unwrap_or(4);
                Int::new(&octets[start..]).map_err(wrong)?
            },
            mac: AlgorithmIdentifierOwned { oid: mac, parameters: None },
        };
        Ok(AlgorithmIdentifierOwned {
            oid: oid::PASSWORD_BASED_MAC,
            parameters: Some(Any::encode_from(&parameter).map_err(wrong)?),
        })
    }

    fn from_identifier(identifier: &AlgorithmIdentifierOwned) -> Result<Self, FormatError> {
        const FIELD: &str = "PBMParameter";
        let parameter: PbmParameter = identifier
            .parameters
            .as_ref()
            .ok_or_else(|| FormatError::new(FIELD, "absent"))?
            .decode_as()
            .map_err(|error: der::Error| FormatError::new(FIELD, error.to_string()))?;
        let count = parameter.iteration_count.as_bytes();
        let iterations = if count.len() <= 4 && count.first().is_some_and(|octet| octet & 0x80 == 0) {
            count.iter().fold(0u32, |n, &octet| (n << 8) | u32::from(octet))
        } else {
            0
        };
        if !(100..=100_000).contains(&iterations) {
            return Err(FormatError::new(FIELD, "iterationCount must be 100 to 100000"));
        }
        if parameter.salt.as_bytes().len() > 128 {
            return Err(FormatError::new(FIELD, "salt is longer than 128 octets"));
        }
        let mac = match parameter.mac.oid {
            oid::HMAC_SHA1 | oid::HMAC_SHA1_IPSEC => Digest::Sha1,
            oid::HMAC_SHA256 => Digest::Sha256,
            oid::HMAC_SHA384 => Digest::Sha384,
            oid::HMAC_SHA512 => Digest::Sha512,
            other => return Err(FormatError::new(FIELD, format!("mac {other} is not supported"))),
        };
        Ok(Self {
            salt: parameter.salt.as_bytes().to_vec(),
            owf: Digest::from_oid(parameter.owf.oid)?,
            iterations,
            mac,
        })
    }
}

/// Computes the MAC of a shared secret; the secret stays with its owner.
pub trait MacKey {
    /// HMAC under the key derived by `parameters` from the secret.
    fn tag(&self, parameters: &PasswordBasedMac, message: &[u8]) -> Vec<u8>;

    /// Compares in constant time.
    fn verify(&self, parameters: &PasswordBasedMac, message: &[u8], tag: &[u8]) -> bool;
}

/// A message that was read; its protection is checked by [`Message::check_signature`] or [`Message::check_mac`].
#[derive(Debug, Clone)]
pub struct Message {
    /// Header.
    pub header: Header,
    /// Body.
    pub body: Body,
    /// What its protection says it is.
    pub protection: Protection,
    /// extraCerts.
    pub certificates: Vec<Certificate>,
    protected: Vec<u8>,
    tag: Vec<u8>,
}

/// Who is to protect a message.
pub enum Protector<'a> {
    /// A key with its certificate.
    Key(&'a dyn Signer, &'a Certificate),
    /// A shared secret.
    Secret(&'a dyn MacKey, PasswordBasedMac),
}

fn general_name(name: &Name) -> Result<Any, der::Error> {
    Any::new(Tag::ContextSpecific { number: TagNumber(4), constructed: true }, name.der())
}

fn read_general_name(field: &'static str, any: &Any) -> Result<Name, FormatError> {
    match any.tag() {
        Tag::ContextSpecific { number: TagNumber(4), constructed: true } => Name::from_der(any.value()),
        _ => Err(FormatError::new(field, "not a directoryName")),
    }
}

/// `ProtectedPart ::= SEQUENCE { header, body }` over the received bytes.
fn protected_part(header: &Any, body: &Any) -> Result<Vec<u8>, FormatError> {
    encode("protectedPart", &vec![header.clone(), body.clone()])
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// [`FormatError`]: malformed, an unknown body, a missing transactionID or senderNonce, a sender that is
    /// not a name, too many certificates, or protection that is not supported.
    pub fn from_der(bytes: &[u8]) -> Result<Self, FormatError> {
        let raw: RawMessage = decode("pkiMessage", bytes)?;
        let header_der = encode("pkiHeader", &raw.header)?;
        let header: RawHeader = decode("pkiHeader", &header_der)?;
        if !(2..=3).contains(&header.pvno) {
            return Err(FormatError::new("pvno", "must be 2 or 3"));
        }
        let kind = match raw.body.tag() {
            Tag::ContextSpecific { number, constructed: true } => BodyKind::from_tag(number.0),
            _ => None,
        }
        .ok_or_else(|| FormatError::new("pkiBody", "this kind of body is not supported"))?;
        let certificates = raw.extra_certificates.as_deref().unwrap_or_default();
        if certificates.len() > MAX_CERTIFICATES {
            return Err(FormatError::new("extraCerts", "more than 32 certificates"));
        }
        let protection = match (&header.protection_algorithm, &raw.protection) {
            (None, None) => Protection::None,
            (Some(identifier), Some(_)) if identifier.oid == oid::PASSWORD_BASED_MAC => {
                Protection::Mac(PasswordBasedMac::from_identifier(identifier)?)
            }
            (Some(identifier), Some(_)) => Protection::Signature(SignatureAlgorithm::from_oid(identifier.oid)?),
            _ => return Err(FormatError::new("protection", "protection and protectionAlg must come together")),
        };
        let bytes_of = |value: &Option<OctetString>| value.as_ref().map(|octets| octets.as_bytes().to_vec());
        let info = header.general_info.as_deref().unwrap_or_default();
        let find = |id: ObjectIdentifier| info.iter().find(|info| info.info_type == id);
        let bounded = |field: &'static str, value: Option<Vec<u8>>| match value {
            Some(octets) if (1..=64).contains(&octets.len()) => Ok(octets),
            Some(_) => Err(FormatError::new(field, "must have 1 to 64 octets")),
            None => Err(FormatError::new(field, "absent")),
        };
        Ok(Self {
            header: Header {
                sender: read_general_name("sender", &header.sender)?,
                recipient: read_general_name("recipient", &header.recipient).unwrap_or_else(|_| Name::empty()),
                time: header.message_time.map(|time| time.to_system_time()),
                sender_kid: bytes_of(&header.sender_kid),
                transaction_id: bounded("transactionID", bytes_of(&header.transaction_id))?,
                sender_nonce: bounded("senderNonce", bytes_of(&header.sender_nonce))?,
                recipient_nonce: bytes_of(&header.recipient_nonce),
                implicit_confirm: find(oid::IMPLICIT_CONFIRM).is_some(),
                confirm_wait: find(oid::CONFIRM_WAIT_TIME)
                    .and_then(|info| info.info_value.as_ref()?.decode_as::<GeneralizedTime>().ok())
                    .map(|time| time.to_system_time()),
                profile: find(oid::IT_CERT_PROFILE)
                    .and_then(|info| info.info_value.as_ref()?.decode_as::<Vec<Any>>().ok())
                    .and_then(|names| String::from_utf8(names.first()?.value().to_vec()).ok()),
            },
            body: Body { kind, content: raw.body.value().to_vec() },
            protection,
            // RFC 9483 section 3.3: extraCerts may hold anything, and what cannot be read is nobody's signer here. The
            // first one is the signer's: where it cannot be read, no other takes its place.
            certificates: match certificates.split_first() {
                None => Vec::new(),
                Some((signer, rest)) => {
                    let read = |any: &Any| encode("extraCerts", any).and_then(|der| Certificate::from_der(&der));
                    match read(signer) {
                        Ok(signer) => {
                            std::iter::once(signer).chain(rest.iter().filter_map(|any| read(any).ok())).collect()
                        }
                        Err(_) => Vec::new(),
                    }
                }
            },
            protected: protected_part(&raw.header, &raw.body)?,
            tag: raw.protection.map(|bits| bits.raw_bytes().to_vec()).unwrap_or_default(),
        })
    }

    /// Checks that `certificate`'s key signed the message and that its subject is the sender.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when the message is not signed, by another key, or names another sender.
    pub fn check_signature(&self, certificate: &Certificate, verifier: &dyn Verifier) -> Result<(), FormatError> {
        let Protection::Signature(algorithm) = self.protection else {
            return Err(FormatError::new("protection", "a signature is required"));
        };
        // RFC 9483 section 3.1: sender is the subject of the protecting certificate.
        if self.header.sender != *certificate.subject() {
            return Err(FormatError::new("sender", "is not the subject of the protecting certificate"));
        }
        verifier
            .verify(certificate.public_key(), algorithm, &self.protected, &self.tag)
            .map_err(|error| FormatError::new("protection", error.to_string()))
    }

    /// Checks the MAC by a shared secret.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when the message has no MAC or it is wrong.
    pub fn check_mac(&self, key: &dyn MacKey) -> Result<(), FormatError> {
        let Protection::Mac(parameters) = &self.protection else {
            return Err(FormatError::new("protection", "a MAC is required"));
        };
        if key.verify(parameters, &self.protected, &self.tag) {
            Ok(())
        } else {
            Err(FormatError::new("protection", "the MAC does not verify"))
        }
    }

    /// Puts a message together and protects it.
    ///
    /// # Errors
    ///
    /// [`SignError`] from the key, or with a [`FormatError`] inside.
    pub fn protect(
        header: &Header,
        body: &Body,
        protector: &Protector<'_>,
        extra: &[Certificate],
    ) -> Result<Vec<u8>, SignError> {
        let format = |error: FormatError| SignError(Box::new(error));
        let identifier = match protector {
            Protector::Key(signer, _) => signer.algorithm().identifier(),
            Protector::Secret(_, parameters) => parameters.identifier().map_err(format)?,
        };
        let (header, body) = assemble(header, body, identifier)
            .map_err(|error| format(FormatError::new("pkiHeader", error.to_string())))?;
        let protected = protected_part(&header, &body).map_err(format)?;
        let tag = match protector {
            Protector::Key(signer, _) => signer.sign(&protected)?,
            Protector::Secret(key, parameters) => key.tag(parameters, &protected),
        };
        let mut certificates = Vec::new();
        if let Protector::Key(_, certificate) = protector {
            certificates.push((*certificate).clone());
        }
        for certificate in extra {
            if !certificates.contains(certificate) {
                certificates.push(certificate.clone());
            }
        }
        let wrong = |error: der::Error| format(FormatError::new("pkiMessage", error.to_string()));
        let certificates =
            certificates.iter().map(|c| Any::from_der(c.der())).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let raw = RawMessage {
            header,
            body,
            protection: Some(BitString::from_bytes(&tag).map_err(wrong)?),
            extra_certificates: (!certificates.is_empty()).then_some(certificates),
        };
        encode("pkiMessage", &raw).map_err(format)
    }
}

fn assemble(header: &Header, body: &Body, protection: AlgorithmIdentifierOwned) -> Result<(Any, Any), der::Error> {
    let octets = |value: &[u8]| OctetString::new(value.to_vec());
    let mut info = Vec::new();
    if header.implicit_confirm {
        info.push(InfoTypeAndValue { info_type: oid::IMPLICIT_CONFIRM, info_value: Some(Any::null()) });
    }
    if let Some(until) = header.confirm_wait {
        let until = GeneralizedTime::from_system_time(whole_seconds(until))?;
        info.push(InfoTypeAndValue { info_type: oid::CONFIRM_WAIT_TIME, info_value: Some(Any::encode_from(&until)?) });
    }
    if let Some(profile) = &header.profile {
        let names = vec![Any::encode_from(&Utf8StringRef::new(profile)?)?];
        info.push(InfoTypeAndValue { info_type: oid::IT_CERT_PROFILE, info_value: Some(Any::encode_from(&names)?) });
    }
    let raw = RawHeader {
        // 2 as long as nothing of version 3 is used (RFC 9810 section 7).
        pvno: 2,
        sender: general_name(&header.sender)?,
        recipient: general_name(&header.recipient)?,
        message_time: header.time.map(|at| GeneralizedTime::from_system_time(whole_seconds(at))).transpose()?,
        protection_algorithm: Some(protection),
        sender_kid: header.sender_kid.as_deref().map(octets).transpose()?,
        recipient_kid: None,
        transaction_id: Some(octets(&header.transaction_id)?),
        sender_nonce: Some(octets(&header.sender_nonce)?),
        recipient_nonce: header.recipient_nonce.as_deref().map(octets).transpose()?,
        free_text: None,
        general_info: (!info.is_empty()).then_some(info),
    };
    let tag = Tag::ContextSpecific { number: TagNumber(u32::from(body.kind as u8)), constructed: true };
    Ok((Any::encode_from(&raw)?, Any::new(tag, body.content.as_slice())?))
}

fn whole_seconds(at: SystemTime) -> SystemTime {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs())
}

/// PKIStatus (RFC 9810 section 5.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// As asked.
    Accepted = 0,
    /// With changes.
    GrantedWithMods = 1,
    /// Refused.
    Rejection = 2,
    /// Not decided yet.
    Waiting = 3,
}

/// PKIFailureInfo: numbers of the bits used here (RFC 9810 section 5.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Failure {
    /// badAlg.
    BadAlgorithm = 0,
    /// badMessageCheck: the protection does not verify.
    BadMessageCheck = 1,
    /// badRequest.
    BadRequest = 2,
    /// badTime.
    BadTime = 3,
    /// badCertId.
    BadCertificateId = 4,
    /// badDataFormat.
    BadDataFormat = 5,
    /// incorrectData.
    IncorrectData = 7,
    /// badPOP.
    BadProof = 9,
    /// certRevoked.
    CertificateRevoked = 10,
    /// certConfirmed.
    CertificateConfirmed = 11,
    /// badRecipientNonce.
    BadRecipientNonce = 13,
    /// badCertTemplate.
    BadTemplate = 19,
    /// signerNotTrusted.
    SignerNotTrusted = 20,
    /// transactionIdInUse.
    TransactionInUse = 21,
    /// notAuthorized.
    NotAuthorized = 23,
    /// systemUnavail.
    SystemUnavailable = 24,
    /// systemFailure.
    SystemFailure = 25,
}

/// PKIStatusInfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusInfo {
    /// PKIStatus as a number; see [`Status`].
    pub status: u8,
    /// statusString.
    pub text: Vec<String>,
    /// Numbers of the bits set in failInfo.
    pub failures: Vec<u8>,
}

#[derive(Clone, Debug, Sequence)]
struct RawStatusInfo {
    status: u8,
    #[asn1(optional = "true")]
    text: Option<Vec<Any>>,
    #[asn1(optional = "true")]
    failure: Option<BitString>,
}

/// PKIFreeText as it may be shown: 16 lines of 1 000 characters at most, nothing that controls a terminal.
fn free_text(text: Option<&[Any]>) -> Vec<String> {
    let line =
        |any: &Any| String::from_utf8_lossy(any.value()).chars().filter(|c| !c.is_control()).take(1_000).collect();
    text.unwrap_or_default().iter().take(16).map(line).collect()
}

impl StatusInfo {
    /// What it says in words; where there are none, the numbers of the bits of PKIFailureInfo (RFC 9810 section
    /// 5.2.3).
    pub fn words(&self) -> String {
        if !self.text.is_empty() {
            return self.text.join("; ");
        }
        let bits: Vec<String> = self.failures.iter().map(u8::to_string).collect();
        format!("PKIStatus {}, PKIFailureInfo {}", self.status, bits.join(" "))
    }

    /// Granted as asked.
    pub fn accepted() -> Self {
        Self { status: Status::Accepted as u8, text: Vec::new(), failures: Vec::new() }
    }

    /// Granted, but not as it was asked for.
    pub fn modified(text: &str) -> Self {
        Self { status: Status::GrantedWithMods as u8, text: vec![text.to_owned()], failures: Vec::new() }
    }

    /// Not decided yet, with a word about what it waits for.
    pub fn waiting(text: &str) -> Self {
        Self { status: Status::Waiting as u8, text: vec![text.to_owned()], failures: Vec::new() }
    }

    /// Refused, with the reason in words and as a bit.
    pub fn rejection(failure: Failure, text: impl Into<String>) -> Self {
        Self { status: Status::Rejection as u8, text: vec![text.into()], failures: vec![failure as u8] }
    }

    /// Whether it grants something.
    pub fn is_granted(&self) -> bool {
        self.status == Status::Accepted as u8 || self.status == Status::GrantedWithMods as u8
    }

    fn raw(&self) -> Result<RawStatusInfo, der::Error> {
        let failure = match self.failures.iter().max() {
            None => None,
            Some(&highest) => {
                let mut octets = vec![0u8; usize::from(highest) / 8 + 1];
                for &bit in &self.failures {
                    octets[usize::from(bit) / 8] |= 0x80 >> (bit % 8);
                }
                Some(BitString::new(7 - highest % 8, octets)?)
            }
        };
        let text =
            self.text.iter().map(|text| Any::encode_from(&Utf8StringRef::new(text)?)).collect::<Result<Vec<_>, _>>()?;
        Ok(RawStatusInfo { status: self.status, text: (!text.is_empty()).then_some(text), failure })
    }

    fn from_raw(raw: &RawStatusInfo) -> Self {
        Self {
            status: raw.status,
            text: free_text(raw.text.as_deref()),
            failures: raw
                .failure
                .iter()
                .flat_map(|bits| {
                    bits.bits().enumerate().filter(|(_, set)| *set).map(|(i, _)| i as u8).collect::<Vec<_>>()
                })
                .collect(),
        }
    }
}

#[derive(Clone, Debug, Sequence)]
struct CertRepMessage {
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    ca_pubs: Option<Vec<Any>>,
    response: Vec<CertResponse>,
}

#[derive(Clone, Debug, Sequence)]
struct CertResponse {
    id: Int,
    status: RawStatusInfo,
    #[asn1(optional = "true")]
    key_pair: Option<CertifiedKeyPair>,
}

#[derive(Clone, Debug, Sequence)]
struct CertifiedKeyPair {
    // CertOrEncCert ::= CHOICE { certificate [0] CMPCertificate, encryptedCert [1] ... }, explicit tags.
    certificate: Any,
}

/// The answer to a request: a certificate, or why not, or not yet.
#[derive(Debug, Clone)]
pub struct CertificateResponse {
    /// certReqId; -1 for p10cr (RFC 9483 section 4.1.4).
    pub id: i64,
    /// How it went.
    pub status: StatusInfo,
    /// The certificate, when it was granted.
    pub certificate: Option<Vec<u8>>,
    /// Certificates that the authority offers as anchors (only meaningful under a shared secret).
    pub ca_certificates: Vec<Vec<u8>>,
}

fn int(value: i64) -> Result<Int, der::Error> {
    let octets = value.to_be_bytes();
    let start = octets
        .windows(2)
        .position(|pair| !(pair[0] == 0 && pair[1] & 0x80 == 0 || pair[0] == 0xff && pair[1] & 0x80 != 0))
        .unwrap_or(octets.len() - 1);
    Int::new(&octets[start..])
}

fn read_int(field: &'static str, value: &Int) -> Result<i64, FormatError> {
    let octets = value.as_bytes();
    if octets.len() > 8 {
        return Err(FormatError::new(field, "too large"));
    }
    let negative = octets.first().is_some_and(|octet| octet & 0x80 != 0);
    Ok(octets.iter().fold(if negative { -1 } else { 0 }, |n, &octet| (n << 8) | i64::from(octet)))
}

fn content<T>(made: Result<T, der::Error>) -> Result<T, FormatError> {
    made.map_err(|error| FormatError::new("pkiBody", error.to_string()))
}

impl CertificateResponse {
    /// The content of an ip, cp or kup.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when a part cannot be encoded.
    pub fn to_content(&self) -> Result<Vec<u8>, FormatError> {
        let explicit_0 = |der: &[u8]| Any::new(Tag::ContextSpecific { number: TagNumber(0), constructed: true }, der);
        let message = CertRepMessage {
            ca_pubs: (!self.ca_certificates.is_empty())
                .then(|| self.ca_certificates.iter().map(|der| content(Any::from_der(der))).collect::<Result<_, _>>())
                .transpose()?,
            response: vec![CertResponse {
                id: content(int(self.id))?,
                status: content(self.status.raw())?,
                key_pair: self
                    .certificate
                    .as_ref()
                    .map(|der| content(explicit_0(der)).map(|certificate| CertifiedKeyPair { certificate }))
                    .transpose()?,
            }],
        };
        encode("certRepMessage", &message)
    }

    /// Reads an ip, cp or kup with one answer.
    ///
    /// # Errors
    ///
    /// [`FormatError`]: malformed, more than one answer, an encrypted certificate, a grant without a certificate.
    pub fn from_content(bytes: &[u8]) -> Result<Self, FormatError> {
        let message: CertRepMessage = decode("certRepMessage", bytes)?;
        let [response] = message.response.as_slice() else {
            return Err(FormatError::new("response", "exactly one answer is expected"));
        };
        let certificate = match &response.key_pair {
            None => None,
            Some(pair)
                if pair.certificate.tag() == Tag::ContextSpecific { number: TagNumber(0), constructed: true } =>
            {
                Some(pair.certificate.value().to_vec())
            }
            Some(_) => return Err(FormatError::new("certOrEncCert", "an encrypted certificate is not supported")),
        };
        let status = StatusInfo::from_raw(&response.status);
        if status.is_granted() && certificate.is_none() {
            return Err(FormatError::new("certifiedKeyPair", "granted, but there is no certificate"));
        }
        Ok(Self {
            id: read_int("certReqId", &response.id)?,
            status,
            certificate,
            ca_certificates: message
                .ca_pubs
                .iter()
                .flatten()
                .take(MAX_CERTIFICATES)
                .map(|any| encode("caPubs", any))
                .collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Clone, Debug, Sequence)]
struct CertStatus {
    hash: OctetString,
    id: Int,
    #[asn1(optional = "true")]
    status: Option<RawStatusInfo>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash_algorithm: Option<AlgorithmIdentifierOwned>,
}

/// certConf for one certificate (RFC 9810 section 5.3.18): accepted, or refused with a reason.
#[derive(Debug, Clone)]
pub struct CertificateConfirm {
    /// certHash, by the digest of the certificate's signature.
    pub hash: Vec<u8>,
    /// certReqId.
    pub id: i64,
    /// `None` means accepted.
    pub status: Option<StatusInfo>,
}

impl CertificateConfirm {
    /// Whether the holder keeps the certificate.
    pub fn is_accepted(&self) -> bool {
        self.status.as_ref().is_none_or(StatusInfo::is_granted)
    }

    /// Content of a certConf.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when a part cannot be encoded.
    pub fn to_content(&self) -> Result<Vec<u8>, FormatError> {
        let status = CertStatus {
            hash: content(OctetString::new(self.hash.clone()))?,
            id: content(int(self.id))?,
            status: self
                .status
                .as_ref()
                .map(StatusInfo::raw)
                .transpose()
                .map_err(|error| FormatError::new("statusInfo", error.to_string()))?,
            hash_algorithm: None,
        };
        encode("certConfirmContent", &vec![status])
    }

    /// Reads a certConf with one certificate.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when it is malformed or names another digest algorithm.
    pub fn from_content(bytes: &[u8]) -> Result<Self, FormatError> {
        let all: Vec<CertStatus> = decode("certConfirmContent", bytes)?;
        let [one] = all.as_slice() else {
            return Err(FormatError::new("certConfirmContent", "exactly one certificate is expected"));
        };
        if one.hash_algorithm.is_some() {
            return Err(FormatError::new("hashAlg", "only the digest of the certificate's signature is used"));
        }
        Ok(Self {
            hash: one.hash.as_bytes().to_vec(),
            id: read_int("certReqId", &one.id)?,
            status: one.status.as_ref().map(StatusInfo::from_raw),
        })
    }
}

#[derive(Clone, Debug, Sequence)]
struct RawError {
    status: RawStatusInfo,
    #[asn1(optional = "true")]
    code: Option<Int>,
    #[asn1(optional = "true")]
    details: Option<Vec<Any>>,
}

/// Content of an error message.
///
/// # Errors
///
/// [`FormatError`] when a part cannot be encoded.
pub fn error_content(status: &StatusInfo) -> Result<Vec<u8>, FormatError> {
    encode("errorMsgContent", &RawError { status: content(status.raw())?, code: None, details: None })
}

/// Reads an error message.
///
/// # Errors
///
/// [`FormatError`] when it is malformed.
pub fn read_error(bytes: &[u8]) -> Result<StatusInfo, FormatError> {
    let raw: RawError = decode("errorMsgContent", bytes)?;
    let mut status = StatusInfo::from_raw(&raw.status);
    // Some authorities say the reason only here.
    status.text.extend(free_text(raw.details.as_deref()));
    Ok(status)
}

#[derive(Clone, Debug, Sequence)]
struct PollRep {
    id: Int,
    check_after: Int,
    #[asn1(optional = "true")]
    reason: Option<Vec<Any>>,
}

/// Content of a pollReq for one request.
///
/// # Errors
///
/// [`FormatError`] when a part cannot be encoded.
pub fn poll_request_content(id: i64) -> Result<Vec<u8>, FormatError> {
    encode("pollReqContent", &vec![vec![content(int(id))?]])
}

/// Reads a pollReq: the certReqId that it asks about.
///
/// # Errors
///
/// [`FormatError`] when it is malformed or asks about more than one.
pub fn read_poll_request(bytes: &[u8]) -> Result<i64, FormatError> {
    let all: Vec<Vec<Int>> = decode("pollReqContent", bytes)?;
    match all.as_slice() {
        [one] if one.len() == 1 => read_int("certReqId", &one[0]),
        _ => Err(FormatError::new("pollReqContent", "exactly one request is expected")),
    }
}

/// Content of a pollRep: ask again after so many seconds, because of `reason`.
///
/// # Errors
///
/// [`FormatError`] when a part cannot be encoded.
pub fn poll_response_content(id: i64, check_after: u32, reason: &str) -> Result<Vec<u8>, FormatError> {
    let reason = content(Utf8StringRef::new(reason).and_then(|text| Any::encode_from(&text)))?;
    let one = PollRep {
        id: content(int(id))?,
        check_after: content(int(i64::from(check_after)))?,
        reason: Some(vec![reason]),
    };
    encode("pollRepContent", &vec![one])
}

/// Reads a pollRep: certReqId, after how many seconds to ask again (at most a day), and why.
///
/// # Errors
///
/// [`FormatError`] when it is malformed or speaks of more than one request.
pub fn read_poll_response(bytes: &[u8]) -> Result<(i64, u64, Option<String>), FormatError> {
    let all: Vec<PollRep> = decode("pollRepContent", bytes)?;
    let [one] = all.as_slice() else {
        return Err(FormatError::new("pollRepContent", "exactly one request is expected"));
    };
    let seconds = u64::try_from(read_int("checkAfter", &one.check_after)?).unwrap_or(0).min(86_400);
    let reason = one
        .reason
        .iter()
        .flatten()
        .next()
        .map(|any| String::from_utf8_lossy(any.value()).chars().filter(|c| !c.is_control()).take(1_000).collect());
    Ok((read_int("certReqId", &one.id)?, seconds, reason))
}

/// Content of a pkiconf.
pub fn confirmation_content() -> Vec<u8> {
    vec![0x05, 0x00]
}

#[derive(Clone, Debug, Sequence)]
struct RevRep {
    status: Vec<RawStatusInfo>,
}

/// Content of an rp for one certificate.
///
/// # Errors
///
/// [`FormatError`] when a part cannot be encoded.
pub fn revocation_response_content(status: &StatusInfo) -> Result<Vec<u8>, FormatError> {
    encode("revRepContent", &RevRep { status: vec![content(status.raw())?] })
}

/// Content of a genp that answers `id-it-caCerts` with certificates (RFC 9483 section 4.3.1);
/// with none, the value is absent.
///
/// # Errors
///
/// [`FormatError`] when a certificate is not DER.
pub fn ca_certificates_content(certificates: &[Certificate]) -> Result<Vec<u8>, FormatError> {
    let list = certificates.iter().map(|c| content(Any::from_der(c.der()))).collect::<Result<Vec<_>, _>>()?;
    let info_value = (!list.is_empty()).then(|| content(Any::encode_from(&list))).transpose()?;
    encode("genRepContent", &vec![InfoTypeAndValue { info_type: oid::IT_CA_CERTS, info_value }])
}

/// Reads the types asked for in a genm.
///
/// # Errors
///
/// [`FormatError`] when it is malformed.
pub fn read_general(bytes: &[u8]) -> Result<Vec<ObjectIdentifier>, FormatError> {
    let all: Vec<InfoTypeAndValue> = decode("genMsgContent", bytes)?;
    Ok(all.iter().map(|info| info.info_type).collect())
}

/// Digest of a certificate by the digest of its own signature, as certConf wants it (RFC 9810 section 5.3.18); SHA-256
/// where that is not used here.
pub fn certificate_hash(certificate: &Certificate, verifier: &dyn Verifier) -> Vec<u8> {
    let digest = certificate.signature_algorithm().map_or(Digest::Sha256, SignatureAlgorithm::digest);
    verifier.digest(digest, certificate.der())
}
