//! X.509 certificates: reading any, and putting together our own (RFC 5280 section 4).

use std::time::{Duration, SystemTime};

use der::asn1::{Any, BitString, Int, ObjectIdentifier, OctetString, Uint};
use der::{Decode, Encode, Sequence, Tag, Tagged};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, SubjectAltName,
    SubjectKeyIdentifier,
    name::{DistributionPointName, GeneralName},
};
use x509_cert::time::Time;

use crate::{
    Digest, FormatError, KeyKind, Name, Serial, SignError, SignatureAlgorithm, Signer, Verifier, decode, encode, oid,
    qualified,
};

pub use x509_cert::ext::Extension;

#[derive(Clone, Debug, Sequence)]
pub(crate) struct Validity {
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
}

/// basicConstraints (RFC 5280 section 4.2.1.9); a path length may be any number.
#[derive(Clone, Debug, Sequence)]
struct BasicConstraints {
    #[asn1(default = "no")]
    ca: bool,
    #[asn1(optional = "true")]
    path_len_constraint: Option<Uint>,
}

fn no() -> bool {
    false
}

/// Whether the value of an extension can be read, as far as it is one that anything here rests on.
fn is_readable(extension: &Extension) -> bool {
    let value = extension.extn_value.as_bytes();
    let names = |value: &[u8]| Vec::<Any>::from_der(value).is_ok_and(|names| !names.is_empty());
    match extension.extn_id {
        oid::BASIC_CONSTRAINTS => BasicConstraints::from_der(value).is_ok(),
        // "At least one of the bits MUST be set to 1" (section 4.2.1.3).
        oid::KEY_USAGE => KeyUsage::from_der(value).is_ok_and(|usage| !usage.0.is_empty()),
        oid::EXTENDED_KEY_USAGE => ExtendedKeyUsage::from_der(value).is_ok_and(|usage| !usage.0.is_empty()),
        oid::CERTIFICATE_POLICIES => CertificatePolicies::from_der(value).is_ok_and(|policies| !policies.0.is_empty()),
        oid::SUBJECT_KEY_IDENTIFIER => SubjectKeyIdentifier::from_der(value).is_ok(),
        // General names of kinds that are not used here are names all the same.
        oid::AUTHORITY_KEY_IDENTIFIER => Vec::<Any>::from_der(value).is_ok() && is_key_identifier(value),
        oid::SUBJECT_ALT_NAME
        | oid::ISSUER_ALT_NAME
        | oid::CRL_DISTRIBUTION_POINTS
        | oid::AUTHORITY_INFO_ACCESS
        | oid::QC_STATEMENTS => names(value),
        _ => true,
    }
}

/// Whether the first field of an authorityKeyIdentifier is one, where it is there.
fn is_key_identifier(value: &[u8]) -> bool {
    let fields: Vec<Any> = Vec::from_der(value).unwrap_or_default();
    let numbers: Vec<u32> = fields
        .iter()
        .filter_map(|field| match field.tag() {
            Tag::ContextSpecific { number, .. } => Some(number.value()),
            _ => None,
        })
        .collect();
    numbers.len() == fields.len() && numbers.windows(2).all(|pair| pair[0] < pair[1]) && numbers.iter().all(|n| *n < 3)
}

#[derive(Clone, Debug, Sequence)]
struct Tbs {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", default = "version_1")]
    version: u8,
    serial_number: Int,
    signature: AlgorithmIdentifierOwned,
    issuer: Any,
    validity: Validity,
    subject: Any,
    subject_public_key_info: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    issuer_unique_id: Option<BitString>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    subject_unique_id: Option<BitString>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

fn version_1() -> u8 {
    0
}

/// `SEQUENCE { toBeSigned, algorithm, signature }`: the outer shape of certificates, requests and CRLs.
#[derive(Clone, Debug, Sequence)]
pub(crate) struct Signed {
    pub(crate) to_be_signed: Any,
    pub(crate) algorithm: AlgorithmIdentifierOwned,
    pub(crate) signature: BitString,
}

/// Wraps signed bytes: `SEQUENCE { to_be_signed, algorithm, signature }`.
pub(crate) fn seal(
    to_be_signed: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
) -> Result<Vec<u8>, FormatError> {
    const FIELD: &str = "signature";
    let wrong = |error: der::Error| FormatError::new(FIELD, error.to_string());
    encode(
        FIELD,
        &Signed {
            to_be_signed: Any::from_der(to_be_signed).map_err(wrong)?,
            algorithm: algorithm.identifier(),
            signature: BitString::from_bytes(signature).map_err(wrong)?,
        },
    )
}

/// What a certificate is meant for, read from the certificate itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Carries QcCompliance (EN 319 412-5 section 4.2.1): for qualified signatures.
    Qualified,
    /// A person's certificate without it: login, encryption, everyday signatures.
    Commercial,
    /// An authority's own certificate.
    Authority,
}

/// An X.509 certificate; the bytes it came in are kept and never re-encoded.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    tbs_der: Vec<u8>,
    tbs: Tbs,
    serial: Serial,
    issuer: Name,
    subject: Name,
    public_key: Vec<u8>,
    algorithm: Result<SignatureAlgorithm, ObjectIdentifier>,
    signature: Vec<u8>,
    /// The first extension of those that are understood here whose value cannot be read.
    unread: Option<ObjectIdentifier>,
}

impl Certificate {
    /// Reads one certificate. How it is signed need not be understood for that: such a signature just never verifies.
    ///
    /// # Errors
    ///
    /// [`FormatError`] with the field: not DER, a negative or over-long serial number, an extension that
    /// appears twice, different algorithms inside and outside.
    pub fn from_der(bytes: &[u8]) -> Result<Self, FormatError> {
        let outer: Signed = decode("certificate", bytes)?;
        let tbs_der = encode("tbsCertificate", &outer.to_be_signed)?;
        let tbs: Tbs = decode("tbsCertificate", &tbs_der)?;
        if tbs.version > 2 {
            return Err(FormatError::new("version", "neither v1, v2 nor v3"));
        }
        if tbs.signature != outer.algorithm {
            return Err(FormatError::new("signature", "differs from signatureAlgorithm (RFC 5280 section 4.1.1.2)"));
        }
        let serial = Serial::from_integer(tbs.serial_number.as_bytes())
            .map_err(|error| FormatError::new("serialNumber", error.to_string()))?;
        if let Some(extensions) = &tbs.extensions {
            for (i, extension) in extensions.iter().enumerate() {
                if extensions[..i].iter().any(|earlier| earlier.extn_id == extension.extn_id) {
                    return Err(FormatError::new("extensions", format!("{} appears twice", extension.extn_id)));
                }
            }
        }
        Ok(Self {
            issuer: Name::from_any(&tbs.issuer)?,
            subject: Name::from_any(&tbs.subject)?,
            public_key: encode("subjectPublicKeyInfo", &tbs.subject_public_key_info)?,
            algorithm: SignatureAlgorithm::from_oid(outer.algorithm.oid).map_err(|_| outer.algorithm.oid),
            signature: outer.signature.raw_bytes().to_vec(),
            der: bytes.to_vec(),
            tbs_der,
            serial,
            unread: tbs.extensions.iter().flatten().find(|one| !is_readable(one)).map(|one| one.extn_id),
            tbs,
        })
    }

    /// Reads a certificate in DER or PEM, whichever it is.
    ///
    /// # Errors
    ///
    /// As [`Certificate::from_der`], and for PEM with another label.
    pub fn from_any_form(bytes: &[u8]) -> Result<Self, FormatError> {
        match crate::pem::certificates(bytes)?.into_iter().next() {
            Some(der) => Self::from_der(&der),
            None => Self::from_der(bytes),
        }
    }

    /// The whole certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The part under the signature.
    pub fn tbs_der(&self) -> &[u8] {
        &self.tbs_der
    }

    /// serialNumber.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// issuer.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// subject.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// notBefore; this second belongs to the validity (RFC 5280 section 4.1.2.5).
    pub fn not_before(&self) -> SystemTime {
        self.tbs.validity.not_before.to_system_time()
    }

    /// notAfter; this second belongs to the validity (RFC 5280 section 4.1.2.5).
    pub fn not_after(&self) -> SystemTime {
        self.tbs.validity.not_after.to_system_time()
    }

    /// Whether `now` lies inside the validity, both ends included.
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        self.not_before() <= now && now < self.not_after() + Duration::from_secs(1)
    }

    /// SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Kind of the public key.
    ///
    /// # Errors
    ///
    /// [`FormatError`] for keys that are not used here.
    pub fn key_kind(&self) -> Result<KeyKind, FormatError> {
        KeyKind::of(&self.public_key)
    }

    /// The algorithm it is signed with; the identifier of one that is not used here (RSASSA-PSS, SHA-1, EdDSA).
    ///
    /// # Errors
    ///
    /// The identifier.
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, ObjectIdentifier> {
        self.algorithm
    }

    /// The first extension of those that are understood here whose value cannot be read; `None` when every octet was
    /// read. What such an extension would forbid is not known, so no path leads through its certificate (RFC 5280
    /// section 4.2) and nothing of it is removed.
    pub fn unread_extension(&self) -> Option<ObjectIdentifier> {
        self.unread
    }

    /// Checks its signature by the issuer's public key.
    ///
    /// # Errors
    ///
    /// [`crate::signature::SignatureInvalid`]; also for an algorithm that is not used here.
    pub fn verify_by(
        &self,
        issuer_key: &[u8],
        verifier: &dyn Verifier,
    ) -> Result<(), crate::signature::SignatureInvalid> {
        let algorithm = self.algorithm.map_err(|_| crate::signature::SignatureInvalid)?;
        verifier.verify(issuer_key, algorithm, &self.tbs_der, &self.signature)
    }

    /// All extensions in their order.
    pub fn extensions(&self) -> &[Extension] {
        self.tbs.extensions.as_deref().unwrap_or_default()
    }

    /// The value of an extension.
    pub fn extension(&self, id: ObjectIdentifier) -> Option<&[u8]> {
        self.extensions().iter().find(|extension| extension.extn_id == id).map(|e| e.extn_value.as_bytes())
    }

    fn decoded<'a, T: Decode<'a>>(&'a self, id: ObjectIdentifier) -> Option<T> {
        self.extension(id).and_then(|value| T::from_der(value).ok())
    }

    /// basicConstraints: `None` for an end entity, otherwise the path length if it is limited (one that is longer than
    /// any path here counts as the longest number).
    pub fn authority(&self) -> Option<Option<u32>> {
        let constraints: BasicConstraints = self.decoded(oid::BASIC_CONSTRAINTS)?;
        let limit = |length: Uint| match length.as_bytes() {
            octets if octets.len() <= 4 => octets.iter().fold(0, |sum, &octet| (sum << 8) | u32::from(octet)),
            _ => u32::MAX,
        };
        constraints.ca.then_some(constraints.path_len_constraint.map(limit))
    }

    /// keyUsage, when it is there.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.decoded(oid::KEY_USAGE)
    }

    /// extKeyUsage; empty when absent.
    pub fn extended_key_usage(&self) -> Vec<ObjectIdentifier> {
        self.decoded::<ExtendedKeyUsage>(oid::EXTENDED_KEY_USAGE).map(|usage| usage.0).unwrap_or_default()
    }

    /// certificatePolicies; empty when absent.
    pub fn policies(&self) -> Vec<ObjectIdentifier> {
        self.decoded::<CertificatePolicies>(oid::CERTIFICATE_POLICIES)
            .map(|policies| policies.0.iter().map(|policy| policy.policy_identifier).collect())
            .unwrap_or_default()
    }

    /// subjectKeyIdentifier.
    pub fn subject_key_identifier(&self) -> Option<Vec<u8>> {
        self.decoded::<SubjectKeyIdentifier>(oid::SUBJECT_KEY_IDENTIFIER).map(|id| id.0.into_bytes().to_vec())
    }

    /// keyIdentifier of authorityKeyIdentifier.
    pub fn authority_key_identifier(&self) -> Option<Vec<u8>> {
        self.decoded::<AuthorityKeyIdentifier>(oid::AUTHORITY_KEY_IDENTIFIER)
            .and_then(|id| id.key_identifier)
            .map(|id| id.into_bytes().to_vec())
    }

    /// The first e-mail address in subjectAltName.
    pub fn email(&self) -> Option<String> {
        self.decoded::<SubjectAltName>(oid::SUBJECT_ALT_NAME)?.0.into_iter().find_map(|name| match name {
            GeneralName::Rfc822Name(address) => Some(address.to_string()),
            _ => None,
        })
    }

    /// Addresses of the issuer's certificate (authorityInfoAccess, caIssuers; RFC 5280 section 4.2.2.1).
    pub fn issuer_addresses(&self) -> Vec<String> {
        let Some(access) = self.decoded::<x509_cert::ext::pkix::AuthorityInfoAccessSyntax>(oid::AUTHORITY_INFO_ACCESS)
        else {
            return Vec::new();
        };
        let issuers = access.0.into_iter().filter(|entry| entry.access_method == oid::AD_CA_ISSUERS);
        issuers
            .filter_map(|entry| match entry.access_location {
                GeneralName::UniformResourceIdentifier(address) => Some(address.to_string()),
                _ => None,
            })
            .collect()
    }

    /// Addresses of the CRL, in their order.
    pub fn crl_addresses(&self) -> Vec<String> {
        let Some(points) = self.decoded::<CrlDistributionPoints>(oid::CRL_DISTRIBUTION_POINTS) else {
            return Vec::new();
        };
        points
            .0
            .into_iter()
            .filter_map(|point| point.distribution_point)
            .flat_map(|name| match name {
                DistributionPointName::FullName(names) => names,
                DistributionPointName::NameRelativeToCRLIssuer(_) => Vec::new(),
            })
            .filter_map(|name| match name {
                GeneralName::UniformResourceIdentifier(address) => Some(address.to_string()),
                _ => None,
            })
            .collect()
    }

    /// What it is meant for.
    pub fn kind(&self) -> Kind {
        if self.authority().is_some() {
            Kind::Authority
        } else if self.extension(oid::QC_STATEMENTS).is_some_and(qualified::claims_compliance) {
            Kind::Qualified
        } else {
            Kind::Commercial
        }
    }

    /// Whether it claims that its key lives on a qualified device (QcSSCD, EN 319 412-5 section 4.2.2).
    pub fn claims_qualified_device(&self) -> bool {
        self.extension(oid::QC_STATEMENTS).is_some_and(qualified::claims_device)
    }

    /// Whether its key may decrypt: keyEncipherment, dataEncipherment or keyAgreement, or no keyUsage that could be read.
    pub fn key_decrypts(&self) -> bool {
        self.key_usage()
            .is_none_or(|usage| usage.key_encipherment() || usage.data_encipherment() || usage.key_agreement())
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl core::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Certificate({} of {})", self.serial, self.issuer)
    }
}

/// SHA-1 of the subjectPublicKey bits: the usual key identifier (RFC 5280 section 4.2.1.2, method 1).
///
/// # Errors
///
/// [`FormatError`] when `public_key` is not a SubjectPublicKeyInfo.
pub fn key_identifier(public_key: &[u8], verifier: &dyn Verifier) -> Result<Vec<u8>, FormatError> {
    let info: SubjectPublicKeyInfoOwned = decode("subjectPublicKeyInfo", public_key)?;
    Ok(verifier.digest(Digest::Sha1, info.subject_public_key.raw_bytes()))
}

/// The subjectPublicKeyInfo inside to-be-signed bytes.
///
/// # Errors
///
/// [`FormatError`] when they are no TBSCertificate.
pub fn public_key_of(tbs_der: &[u8]) -> Result<Vec<u8>, FormatError> {
    let tbs: Tbs = decode("tbsCertificate", tbs_der)?;
    encode("subjectPublicKeyInfo", &tbs.subject_public_key_info)
}

/// A certificate before it is signed.
#[derive(Debug, Clone)]
pub struct ToBeSigned {
    /// serialNumber.
    pub serial: Serial,
    /// The algorithm of the coming signature.
    pub algorithm: SignatureAlgorithm,
    /// issuer.
    pub issuer: Name,
    /// notBefore, whole seconds.
    pub not_before: SystemTime,
    /// notAfter, whole seconds.
    pub not_after: SystemTime,
    /// subject.
    pub subject: Name,
    /// SubjectPublicKeyInfo in DER.
    pub public_key: Vec<u8>,
    /// Extensions in the order they are to appear.
    pub extensions: Vec<Extension>,
}

/// UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5); fractions of a second are dropped.
///
/// # Errors
///
/// [`FormatError`] outside the years 1970 to 9999.
pub(crate) fn time(at: SystemTime) -> Result<Time, FormatError> {
    let wrong = |error: der::Error| FormatError::new("time", error.to_string());
    let seconds =
        at.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| FormatError::new("time", "before 1970"))?.as_secs();
    let at = der::DateTime::from_unix_duration(Duration::from_secs(seconds)).map_err(wrong)?;
    if at.year() < 2050 {
        der::asn1::UtcTime::from_date_time(at).map(Time::UtcTime).map_err(wrong)
    } else {
        Ok(Time::GeneralTime(der::asn1::GeneralizedTime::from_date_time(at)))
    }
}

impl ToBeSigned {
    /// The exact bytes that will be signed.
    ///
    /// # Errors
    ///
    /// [`FormatError`] with the field that cannot be encoded.
    pub fn to_der(&self) -> Result<Vec<u8>, FormatError> {
        let tbs = Tbs {
            version: 2,
            serial_number: Int::new(&self.serial.to_integer())
                .map_err(|error| FormatError::new("serialNumber", error.to_string()))?,
            signature: self.algorithm.identifier(),
            issuer: self.issuer.to_any()?,
            validity: Validity { not_before: time(self.not_before)?, not_after: time(self.not_after)? },
            subject: self.subject.to_any()?,
            subject_public_key_info: decode("subjectPublicKeyInfo", &self.public_key)?,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(self.extensions.clone()),
        };
        encode("tbsCertificate", &tbs)
    }
}

/// Signs to-be-signed bytes and gives the whole certificate back.
///
/// # Errors
///
/// [`SignError`] from the key, or with a [`FormatError`] inside when the bytes are no TBSCertificate.
pub fn sign(tbs_der: &[u8], issuer: &dyn Signer) -> Result<Certificate, SignError> {
    let signature = issuer.sign(tbs_der)?;
    let certificate = seal(tbs_der, issuer.algorithm(), &signature).and_then(|der| Certificate::from_der(&der));
    certificate.map_err(|error| SignError(Box::new(error)))
}

/// An extension from a value that can be encoded.
///
/// # Errors
///
/// [`FormatError`] when the value cannot be encoded.
pub fn extension(id: ObjectIdentifier, critical: bool, value: &impl Encode) -> Result<Extension, FormatError> {
    raw_extension(id, critical, encode("extension", value)?)
}

/// An extension from DER bytes.
///
/// # Errors
///
/// [`FormatError`] when the value is longer than DER allows.
pub fn raw_extension(id: ObjectIdentifier, critical: bool, value: Vec<u8>) -> Result<Extension, FormatError> {
    let extn_value = OctetString::new(value).map_err(|error| FormatError::new("extension", error.to_string()))?;
    Ok(Extension { extn_id: id, critical, extn_value })
}
