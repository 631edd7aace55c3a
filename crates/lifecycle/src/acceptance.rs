//! Taking an issued certificate over: the only maker of [`Accepted`] (RFC 3647 section 4.4.4).

use std::time::SystemTime;

use obnova_pki::chain::{Chain, ChainError};
use obnova_pki::{Certificate, Kind, Name, Verifier};

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Expected {
    /// SubjectPublicKeyInfo of the new key.
    pub public_key: Vec<u8>,
    /// The subject asked for; `None` where the authority alone decides (first certificate).
    pub subject: Option<Name>,
    /// The kind asked for; `None` where it is not known.
    pub kind: Option<Kind>,
}

/// Why a certificate is not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be read.
    Malformed(String),
    /// It is for another key.
    OtherKey,
    /// It names another subject.
    OtherSubject {
        /// The subject it names.
        found: String,
    },
    /// It is of another kind.
    OtherKind,
    /// It leads to no trusted authority.
    Path(ChainError),
}

impl Refusal {
    /// Stable code of the message.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "certificate-malformed",
            Self::OtherKey => "certificate-other-key",
            Self::OtherSubject { .. } => "certificate-other-subject",
            Self::OtherKind => "certificate-other-kind",
            Self::Path(ChainError::NotValidAt { .. }) => "certificate-not-valid-now",
            Self::Path(_) => "certificate-not-trusted",
        }
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Malformed(detail) => f.write_str(detail),
            Self::OtherKey => f.write_str("it is for another key"),
            Self::OtherSubject { found } => write!(f, "it names {found}"),
            Self::OtherKind => f.write_str("it is of another kind"),
            Self::Path(error) => write!(f, "{error}"),
        }
    }
}

/// A certificate that was checked against what was asked for. Nothing else makes one.
#[derive(Debug, Clone)]
pub struct Accepted {
    certificate: Certificate,
    chain: Chain,
}

impl Accepted {
    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its path up to the anchor.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}

/// Checks key, subject, kind, validity and path.
///
/// # Errors
///
/// [`Refusal`] with the first rule that is broken.
pub fn accept(
    bytes: &[u8],
    expected: &Expected,
    others: &[Certificate],
    anchors: &[Certificate],
    now: SystemTime,
    verifier: &dyn Verifier,
) -> Result<Accepted, Refusal> {
    let certificate = Certificate::from_der(bytes).map_err(|error| Refusal::Malformed(error.to_string()))?;
    // The very octets: a store pairs key and certificate by them, and a point or an exponent may differ where a modulus
    // does not.
    if certificate.public_key() != expected.public_key {
        return Err(Refusal::OtherKey);
    }
    // The same name in another spelling is the same name (RFC 5280 section 7.1).
    if expected.subject.as_ref().is_some_and(|subject| !subject.matches(certificate.subject())) {
        return Err(Refusal::OtherSubject { found: certificate.subject().to_string() });
    }
    if certificate.kind() == Kind::Authority || expected.kind.is_some_and(|kind| kind != certificate.kind()) {
        return Err(Refusal::OtherKind);
    }
    let chain = Chain::check(&certificate, others, anchors, now, verifier).map_err(Refusal::Path)?;
    Ok(Accepted { certificate, chain })
}
