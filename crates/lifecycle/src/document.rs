//! Documents that both banks exchange, as versioned JSON; signed ones travel inside CMS SignedData.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::issuance::{Actor, Reason, Verdict};

/// Octets, written in base64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Octets(pub Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// What the authority publishes at `/.well-known/obnova`. It never adds a trust anchor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// `obnova-directory-1`.
    pub document: String,
    /// Path of the CMP service on this host.
    pub cmp: String,
    /// Path that answers what the verdict would be.
    pub verdict: String,
    /// Path prefix of request states.
    pub status: String,
    /// Certificates of the issuing authorities, for building paths.
    pub issuers: Vec<Octets>,
    /// Days before the end when renewal opens.
    pub renewal_window_days: u32,
    /// Oldest middleware that still works, by the model of the token: library version `major.minor`.
    #[serde(default)]
    pub oldest_middleware: Vec<OldestMiddleware>,
    /// Where the identity space is.
    #[serde(default)]
    pub identity: Option<IdentityAddress>,
    /// Who helps the people of this authority.
    #[serde(default)]
    pub desk: Option<Desk>,
    /// Which keys and abilities each product has; empty where the authority does not say.
    #[serde(default)]
    pub products: Vec<Product>,
}

/// What an authority issues under one profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// `qualified`, `qualified-device` or `commercial`.
    pub profile: String,
    /// Kinds of keys that it certifies: `RSA-3072`, `P-256`, ...
    pub keys: Vec<String>,
    /// Those of them whose certificates may also encrypt.
    #[serde(default)]
    pub encrypting: Vec<String>,
}

/// A help desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    /// Mailbox for general questions.
    pub general: String,
    /// Mailbox for technical questions.
    pub technical: String,
    /// When somebody is there, in its own words.
    pub hours: String,
}

/// The oldest library that still works with a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldestMiddleware {
    /// Beginning of the token's model.
    pub model: String,
    /// `major.minor`.
    pub version: String,
    /// Where to get a newer one.
    pub download: String,
}

impl OldestMiddleware {
    /// Whether a version is good enough; an unreadable version is.
    pub fn is_satisfied_by(&self, version: &str) -> bool {
        let parts = |text: &str| {
            let (major, minor) = text.split_once('.')?;
            Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
        };
        match (parts(version), parts(&self.version)) {
            (Some(found), Some(oldest)) => found >= oldest,
            _ => true,
        }
    }
}

/// Addresses of the identity space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityAddress {
    /// Name in statements.
    pub audience: String,
    /// Where a certificate logs in.
    pub login: String,
}

/// A certificate named by issuer and serial number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateName {
    /// The issuer's name in DER.
    pub issuer: Octets,
    /// The serial number in hexadecimal.
    pub serial: String,
}

impl CertificateName {
    /// Names a certificate.
    pub fn of(certificate: &obnova_pki::Certificate) -> Self {
        Self { issuer: Octets(certificate.issuer().der().to_vec()), serial: certificate.serial().hexadecimal() }
    }

    /// Whether it names this certificate.
    pub fn names(&self, certificate: &obnova_pki::Certificate) -> bool {
        *self == Self::of(certificate)
    }
}

/// "What would you say if I asked for a successor?", signed by the current certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictQuestion {
    /// `obnova-verdict-question-1`.
    pub document: String,
    /// Seconds since 1970.
    pub at: u64,
    /// The certificate that would be renewed; it signs the question.
    pub predecessor: CertificateName,
    /// The profile asked for.
    pub profile: String,
}

/// The answer to a [`VerdictQuestion`], and the state of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictAnswer {
    /// `obnova-verdict-1`.
    pub document: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Who can mend it.
    #[serde(default)]
    pub who: Option<Actor>,
}

/// State of a request, asked for by its unguessable receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestStatus {
    /// `obnova-status-1`.
    pub document: String,
    /// Where it stands.
    pub state: RequestState,
    /// Why it waits or was refused.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// A word from the clerk.
    #[serde(default)]
    pub note: Option<String>,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    /// Waits for a person.
    Waiting,
    /// Approved or issued: one poll brings the certificate.
    Ready,
    /// Refused.
    Refused,
    /// A state that this version does not know: neither decided nor refused, as far as it can tell.
    #[serde(other)]
    Other,
}

/// "This certificate is my successor", signed by predecessor and successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    /// `obnova-succession-1`.
    pub document: String,
    /// Accepted once.
    pub id: String,
    /// The identity space it is meant for.
    pub audience: String,
    /// Seconds since 1970.
    pub at: u64,
    /// The certificate that is followed.
    pub predecessor: CertificateName,
    /// The certificate that follows.
    pub successor: CertificateName,
    /// SHA-256 of the successor, hexadecimal.
    pub successor_sha256: String,
}

/// Names of the documents.
pub mod name {
    /// [`super::Directory`].
    pub const DIRECTORY: &str = "obnova-directory-1";
    /// [`super::VerdictQuestion`].
    pub const VERDICT_QUESTION: &str = "obnova-verdict-question-1";
    /// [`super::VerdictAnswer`].
    pub const VERDICT: &str = "obnova-verdict-1";
    /// [`super::RequestStatus`].
    pub const STATUS: &str = "obnova-status-1";
    /// [`super::Succession`].
    pub const SUCCESSION: &str = "obnova-succession-1";
}
