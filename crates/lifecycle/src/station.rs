//! The way of one certificate: each station is a type that owns what is known by then.
//!
//! A station is left only with a proof that its check passed, so no station can be skipped.
//! Stations are never stored: the journal keeps evidence, and every check runs again on the way back.

use std::time::SystemTime;

use obnova_pki::signature::SignatureInvalid;
use obnova_pki::{Certificate, Verifier};

use crate::acceptance::Accepted;

/// Names of the stations, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Station {
    /// The predecessor is found and may be renewed.
    Found,
    /// The new key exists.
    Keyed,
    /// The signed request exists.
    Requested,
    /// The authority has the request.
    Submitted,
    /// The certificate came.
    Issued,
    /// It was checked.
    Accepted,
    /// The authority knows that it was accepted.
    Confirmed,
    /// It stands beside its key.
    Installed,
    /// The pair signed a fresh challenge.
    Proven,
    /// Relying parties know it.
    Registered,
    /// The predecessor went out of use.
    Retired,
}

impl Station {
    /// All of them, in their order.
    pub const ALL: [Self; 11] = [
        Self::Found,
        Self::Keyed,
        Self::Requested,
        Self::Submitted,
        Self::Issued,
        Self::Accepted,
        Self::Confirmed,
        Self::Installed,
        Self::Proven,
        Self::Registered,
        Self::Retired,
    ];

    /// The name, also the key of its text (`station-NAME`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Keyed => "keyed",
            Self::Requested => "requested",
            Self::Submitted => "submitted",
            Self::Issued => "issued",
            Self::Accepted => "accepted",
            Self::Confirmed => "confirmed",
            Self::Installed => "installed",
            Self::Proven => "proven",
            Self::Registered => "registered",
            Self::Retired => "retired",
        }
    }

    /// From a name in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|station| station.name().eq_ignore_ascii_case(name))
    }
}

/// A new key: it was not there before, and a fresh look found it.
#[derive(Debug, Clone)]
pub struct FreshKey(Vec<u8>);

/// Why a key is not taken for new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFresh {
    /// It was there before.
    Old,
    /// A fresh look does not find it.
    Missing,
}

impl FreshKey {
    /// Compares two looks at the store around the generation.
    ///
    /// # Errors
    ///
    /// [`NotFresh`].
    pub fn check(before: &[Vec<u8>], after: &[Vec<u8>], key: &[u8]) -> Result<Self, NotFresh> {
        if before.iter().any(|old| old == key) {
            return Err(NotFresh::Old);
        }
        if !after.iter().any(|found| found == key) {
            return Err(NotFresh::Missing);
        }
        Ok(Self(key.to_vec()))
    }

    /// SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.0
    }
}

/// A certificate that was read back from its store, byte for byte, beside its key.
#[derive(Debug, Clone)]
pub struct ReadBack(());

impl ReadBack {
    /// Looks for the certificate and its key in a fresh reading of the store.
    ///
    /// `None` when one of them is missing.
    pub fn check(certificate: &Certificate, certificates: &[Certificate], keys: &[Vec<u8>]) -> Option<Self> {
        let stored = certificates.contains(certificate);
        let paired = keys.iter().any(|key| key == certificate.public_key());
        (stored && paired).then_some(Self(()))
    }
}

/// A fresh challenge that the key signed and the certificate verified.
#[derive(Debug, Clone)]
pub struct ProofOfUse {
    /// When.
    pub at: SystemTime,
}

impl ProofOfUse {
    /// Verifies the signature over the challenge.
    ///
    /// # Errors
    ///
    /// [`SignatureInvalid`].
    pub fn check(
        certificate: &Certificate,
        challenge: &[u8; 32],
        signature: &[u8],
        at: SystemTime,
        verifier: &dyn Verifier,
    ) -> Result<Self, SignatureInvalid> {
        let algorithm = certificate.key_kind().map_err(|_| SignatureInvalid)?.signature_algorithm();
        verifier.verify(certificate.public_key(), algorithm, &challenge_message(challenge), signature)?;
        Ok(Self { at })
    }
}

/// The octets that are signed as a proof: they can never be mistaken for a document.
pub fn challenge_message(challenge: &[u8; 32]) -> Vec<u8> {
    let mut message = b"obnova proof of possession, not a document\0".to_vec();
    message.extend_from_slice(challenge);
    message
}

/// The predecessor is found, and pre-flight passed.
#[derive(Debug, Clone)]
pub struct Found {
    /// The certificate to be renewed; `None` for a first certificate.
    pub predecessor: Option<Certificate>,
}

/// The new key exists.
#[derive(Debug, Clone)]
pub struct Keyed {
    /// What was known before.
    pub found: Found,
    /// The new key.
    pub key: FreshKey,
}

/// The signed request exists and is journaled.
#[derive(Debug, Clone)]
pub struct Requested {
    /// What was known before.
    pub keyed: Keyed,
    /// The signed message, sent again byte for byte when needed.
    pub message: Vec<u8>,
}

/// The authority has the request.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// What was known before.
    pub requested: Requested,
    /// transactionID, by which its state is asked for.
    pub receipt: Vec<u8>,
}

/// The certificate came; nothing is trusted yet.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What was known before.
    pub submitted: Submitted,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The certificate was checked against what was asked for.
#[derive(Debug, Clone)]
pub struct AcceptedAt {
    /// What was known before.
    pub issued: Issued,
    /// The proof.
    pub accepted: Accepted,
}

/// The authority knows that it was accepted.
#[derive(Debug, Clone)]
pub struct Confirmed {
    /// What was known before.
    pub at: AcceptedAt,
}

/// The certificate stands beside its key.
#[derive(Debug, Clone)]
pub struct Installed {
    /// What was known before.
    pub confirmed: Confirmed,
}

/// The pair works.
#[derive(Debug, Clone)]
pub struct Proven {
    /// What was known before.
    pub installed: Installed,
    /// The proof.
    pub proof: ProofOfUse,
}

impl Found {
    /// Leaves with the new key.
    pub fn keyed(self, key: FreshKey) -> Keyed {
        Keyed { found: self, key }
    }
}

impl Keyed {
    /// Leaves with the signed request.
    pub fn requested(self, message: Vec<u8>) -> Requested {
        Requested { keyed: self, message }
    }
}

impl Requested {
    /// Leaves with the authority's receipt.
    pub fn submitted(self, receipt: Vec<u8>) -> Submitted {
        Submitted { requested: self, receipt }
    }
}

impl Submitted {
    /// Leaves with the certificate's bytes.
    pub fn issued(self, bytes: Vec<u8>) -> Issued {
        Issued { submitted: self, bytes }
    }
}

impl Issued {
    /// Leaves with the proof of acceptance.
    pub fn accepted(self, accepted: Accepted) -> AcceptedAt {
        AcceptedAt { issued: self, accepted }
    }
}

impl AcceptedAt {
    /// Leaves when the authority confirmed, or asked for no confirmation.
    pub fn confirmed(self) -> Confirmed {
        Confirmed { at: self }
    }
}

impl Confirmed {
    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        self.at.accepted.certificate()
    }

    /// Leaves with the proof that it was read back.
    pub fn installed(self, _: ReadBack) -> Installed {
        Installed { confirmed: self }
    }
}

impl Installed {
    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        self.confirmed.certificate()
    }

    /// Leaves with the proof of use.
    pub fn proven(self, proof: ProofOfUse) -> Proven {
        Proven { installed: self, proof }
    }
}

impl Proven {
    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        self.installed.certificate()
    }

    /// The predecessor, when there is one.
    pub fn predecessor(&self) -> Option<&Certificate> {
        self.installed.confirmed.at.issued.submitted.requested.keyed.found.predecessor.as_ref()
    }
}
