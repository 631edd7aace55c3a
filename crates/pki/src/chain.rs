//! Certification paths: building one, and checking each step (RFC 5280 section 6).

use std::time::SystemTime;

use der::asn1::ObjectIdentifier;

use crate::{Certificate, Verifier, oid};

/// Longest path that is tried.
const MAX_LENGTH: usize = 8;

/// Extensions whose rules are followed here; any other critical one refuses the path.
const UNDERSTOOD: [ObjectIdentifier; 8] = [
    oid::BASIC_CONSTRAINTS,
    oid::KEY_USAGE,
    oid::EXTENDED_KEY_USAGE,
    oid::SUBJECT_KEY_IDENTIFIER,
    oid::AUTHORITY_KEY_IDENTIFIER,
    oid::SUBJECT_ALT_NAME,
    oid::CERTIFICATE_POLICIES,
    oid::QC_STATEMENTS,
];

/// Why no path holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainError {
    /// No certificate at hand issued this one, up to an anchor.
    NoPath {
        /// The last issuer that was looked for.
        issuer: String,
    },
    /// A certificate is outside its validity.
    NotValidAt {
        /// Its subject.
        subject: String,
    },
    /// A certificate's signature does not verify.
    Signature {
        /// Its subject.
        subject: String,
    },
    /// A rule of RFC 5280 section 6 is broken.
    Rule {
        /// The subject of the certificate.
        subject: String,
        /// The rule in words.
        rule: &'static str,
    },
}

impl core::fmt::Display for ChainError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoPath { issuer } => write!(f, "no trusted path: the certificate of {issuer} is missing"),
            Self::NotValidAt { subject } => write!(f, "the certificate of {subject} is outside its validity"),
            Self::Signature { subject } => write!(f, "the signature on the certificate of {subject} does not verify"),
            Self::Rule { subject, rule } => write!(f, "the certificate of {subject} breaks a rule: {rule}"),
        }
    }
}

impl std::error::Error for ChainError {}

/// A path that was checked, from the leaf to (and with) the anchor.
#[derive(Debug, Clone)]
pub struct Chain(Vec<Certificate>);

impl Chain {
    /// Certificates from the leaf to the anchor.
    pub fn certificates(&self) -> &[Certificate] {
        &self.0
    }

    /// Finds and checks a path from `leaf` to one of `anchors` at the time `at`.
    ///
    /// Names, signatures, validity, basicConstraints, path lengths, keyCertSign and critical extensions
    /// are checked; revocation is the caller's. Name constraints and policy mapping are not followed:
    /// a critical one refuses the path.
    ///
    /// # Errors
    ///
    /// [`ChainError`] of the path that came furthest.
    pub fn check(
        leaf: &Certificate,
        others: &[Certificate],
        anchors: &[Certificate],
        at: SystemTime,
        verifier: &dyn Verifier,
    ) -> Result<Self, ChainError> {
        step(vec![leaf.clone()], others, anchors, at, verifier).map(Self)
    }
}

fn step(
    path: Vec<Certificate>,
    others: &[Certificate],
    anchors: &[Certificate],
    at: SystemTime,
    verifier: &dyn Verifier,
) -> Result<Vec<Certificate>, ChainError> {
    let last = &path[path.len() - 1];
    check_alone(last, at)?;
    if anchors.contains(last) {
        return Ok(path);
    }
    let missing = || ChainError::NoPath { issuer: last.issuer().to_string() };
    if path.len() >= MAX_LENGTH {
        return Err(missing());
    }
    let mut failure = missing();
    for issuer in anchors.iter().chain(others) {
        if issuer.subject() != last.issuer() || path.contains(issuer) {
            continue;
        }
        if let Err(error) = check_issuer(last, issuer, path.len() - 1, verifier) {
            failure = error;
            continue;
        }
        let mut longer = path.clone();
        longer.push(issuer.clone());
        match step(longer, others, anchors, at, verifier) {
            Ok(found) => return Ok(found),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn check_alone(certificate: &Certificate, at: SystemTime) -> Result<(), ChainError> {
    let subject = || certificate.subject().to_string();
    if !certificate.is_valid_at(at) {
        return Err(ChainError::NotValidAt { subject: subject() });
    }
    for extension in certificate.extensions() {
        if extension.critical && !UNDERSTOOD.contains(&extension.extn_id) {
            return Err(ChainError::Rule { subject: subject(), rule: "a critical extension is not known" });
        }
    }
    Ok(())
}

fn check_issuer(
    issued: &Certificate,
    issuer: &Certificate,
    authorities_below: usize,
    verifier: &dyn Verifier,
) -> Result<(), ChainError> {
    let broken = |rule| Err(ChainError::Rule { subject: issuer.subject().to_string(), rule });
    match issuer.authority() {
        None => return broken("issued a certificate without being an authority (basicConstraints)"),
        Some(Some(limit)) if authorities_below > usize::from(limit) => return broken("pathLenConstraint is exceeded"),
        Some(_) => {}
    }
    if issuer.key_usage().is_some_and(|usage| !usage.key_cert_sign()) {
        return broken("keyUsage lacks keyCertSign");
    }
    if let (Some(wanted), Some(found)) = (issued.authority_key_identifier(), issuer.subject_key_identifier())
        && wanted != found
    {
        return broken("its key identifier is not the one that the issued certificate names");
    }
    issued
        .verify_by(issuer.public_key(), verifier)
        .map_err(|_| ChainError::Signature { subject: issued.subject().to_string() })
}
