//! When an old certificate, or a key that has none, may go, and why it must stay.

use std::time::SystemTime;

use obnova_pki::Certificate;
use serde::{Deserialize, Serialize};

use crate::port::Contents;

/// What is known about a certificate that somebody wants removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// A successor is installed and has signed a fresh challenge.
    pub successor_proven: bool,
    /// Every relying party that the person uses knows the successor, has seen a login with it, and takes the
    /// predecessor for a login no more.
    pub successor_registered: bool,
    /// That a relying party knows the successor is only the person's word.
    pub registration_said: bool,
    /// The person typed what is lost should that word be wrong.
    pub consequence_typed: bool,
    /// The person agreed in words to lose what only this key decrypts.
    pub decryption_waived: bool,
}

/// What is known about a key that has no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanStanding {
    /// A request for it is under way.
    pub request_open: bool,
    /// A journal of ours tells that its request was refused or given up.
    pub request_closed: bool,
    /// The person typed that a certificate for it can then never be installed.
    pub loss_typed: bool,
    /// A certificate was issued for it, which was not taken over here.
    #[serde(default)]
    pub certificate_issued: bool,
}

/// Why something must stay, with the missing step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MustStay {
    /// It is valid and has no proven successor.
    NoProvenSuccessor,
    /// The successor is not registered everywhere.
    NotRegistered,
    /// That the successor is registered is only the person's word, and the consequence was not typed.
    OnlySaid,
    /// Its key may decrypt older mail.
    Decrypts,
    /// The key waits for its certificate.
    Waits,
    /// Nobody knows whether a certificate will come for the key.
    UnknownRequest,
    /// A certificate was issued for the key, and was not taken over here: it is kept, and so is the key.
    Issued,
    /// A certificate that cannot be read may belong to the key.
    Claimed,
    /// Not every octet of it was read: what it says is not known.
    Unread,
    /// It is an authority's, and belongs to nobody's key here.
    Authority,
}

impl MustStay {
    /// Stable code of the message.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoProvenSuccessor => "stays-no-successor",
            Self::NotRegistered => "stays-not-registered",
            Self::OnlySaid => "stays-only-said",
            Self::Decrypts => "stays-decrypts",
            Self::Waits => "stays-waits",
            Self::UnknownRequest => "stays-unknown-request",
            Self::Issued => "stays-issued",
            Self::Claimed => "stays-claimed",
            Self::Unread => "stays-unread",
            Self::Authority => "stays-authority",
        }
    }
}

/// What a permission is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doomed {
    /// A certificate with its pair of keys.
    Certificate(Box<Certificate>),
    /// A pair of keys without a certificate, by its SubjectPublicKeyInfo.
    Orphan(Vec<u8>),
}

/// What a permission rests on, so that the process that carries it out decides once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// For a certificate.
    Certificate(Standing),
    /// For an orphan key.
    Orphan(OrphanStanding),
}

/// Permission to remove one certificate with its key, or one orphan key: a store removes nothing without it.
#[derive(Debug, Clone)]
pub struct RemovalPermit {
    doomed: Doomed,
    ground: Ground,
    at: SystemTime,
    unrelated: Vec<String>,
}

impl RemovalPermit {
    /// The same, where the person said in words that these unreadable certificates (by what they are found by) do not
    /// belong to the key.
    #[must_use]
    pub fn beside(mut self, unrelated: Vec<String>) -> Self {
        self.unrelated = unrelated;
        self
    }

    /// Unreadable certificates that do not belong to the key, by the person's word.
    pub fn unrelated(&self) -> &[String] {
        &self.unrelated
    }

    /// The same permission where nothing that the store holds speaks against it; a store asks once more itself.
    ///
    /// # Errors
    ///
    /// [`MustStay::Claimed`] while an unreadable certificate may belong to the key.
    pub fn unless_claimed(self, contents: &Contents) -> Result<Self, MustStay> {
        match contents.claims(self.public_key(), &self.unrelated).is_empty() {
            true => Ok(self),
            false => Err(MustStay::Claimed),
        }
    }

    /// What may go.
    pub fn doomed(&self) -> &Doomed {
        &self.doomed
    }

    /// The certificate that may go; `None` for an orphan key.
    pub fn certificate(&self) -> Option<&Certificate> {
        match &self.doomed {
            Doomed::Certificate(certificate) => Some(certificate),
            Doomed::Orphan(_) => None,
        }
    }

    /// SubjectPublicKeyInfo of the keys that may go.
    pub fn public_key(&self) -> &[u8] {
        match &self.doomed {
            Doomed::Certificate(certificate) => certificate.public_key(),
            Doomed::Orphan(key) => key,
        }
    }

    /// What it rests on, and the moment it was given.
    pub fn ground(&self) -> (Ground, SystemTime) {
        (self.ground, self.at)
    }
}

/// Decides whether a certificate may go.
///
/// # Errors
///
/// [`MustStay`] names the step that is missing.
pub fn permit(certificate: &Certificate, standing: &Standing, now: SystemTime) -> Result<RemovalPermit, MustStay> {
    if certificate.unread_extension().is_some() {
        return Err(MustStay::Unread);
    }
    if certificate.kind() == obnova_pki::Kind::Authority {
        return Err(MustStay::Authority);
    }
    // notAfter itself still belongs to the validity (RFC 5280 section 4.1.2.5).
    let valid = now <= certificate.not_after();
    if valid && !standing.successor_proven {
        return Err(MustStay::NoProvenSuccessor);
    }
    if valid && !standing.successor_registered {
        return Err(MustStay::NotRegistered);
    }
    if valid && standing.registration_said && !standing.consequence_typed {
        return Err(MustStay::OnlySaid);
    }
    if certificate.key_decrypts() && !standing.decryption_waived {
        return Err(MustStay::Decrypts);
    }
    let doomed = Doomed::Certificate(Box::new(certificate.clone()));
    Ok(RemovalPermit { doomed, ground: Ground::Certificate(*standing), at: now, unrelated: Vec::new() })
}

/// Decides whether a key without a certificate may go.
///
/// # Errors
///
/// [`MustStay::Waits`] while a request for it is under way; unless the consequence was typed, [`MustStay::Issued`] when a
/// certificate exists for it, and [`MustStay::UnknownRequest`] when nobody knows of a request.
pub fn permit_orphan(key: &[u8], standing: &OrphanStanding, now: SystemTime) -> Result<RemovalPermit, MustStay> {
    if standing.request_open {
        return Err(MustStay::Waits);
    }
    if standing.certificate_issued && !standing.loss_typed {
        return Err(MustStay::Issued);
    }
    if !standing.request_closed && !standing.loss_typed {
        return Err(MustStay::UnknownRequest);
    }
    let (doomed, ground) = (Doomed::Orphan(key.to_vec()), Ground::Orphan(*standing));
    Ok(RemovalPermit { doomed, ground, at: now, unrelated: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orphan_key_goes_only_when_nothing_can_come_for_it() {
        let decided = |request_open, request_closed, loss_typed, certificate_issued| {
            let standing = OrphanStanding { request_open, request_closed, loss_typed, certificate_issued };
            permit_orphan(b"key", &standing, SystemTime::UNIX_EPOCH)
                .map(|permit| permit.public_key().to_vec())
                .map_err(MustStay::code)
        };
        let standing = |open, closed, typed| decided(open, closed, typed, false);
        assert_eq!(decided(false, true, false, true), Err("stays-issued"));
        assert_eq!(decided(false, true, true, true), Ok(b"key".to_vec()));
        assert_eq!(standing(true, true, true), Err("stays-waits"));
        assert_eq!(standing(false, false, false), Err("stays-unknown-request"));
        assert_eq!(standing(false, true, false), Ok(b"key".to_vec()));
        assert_eq!(standing(false, false, true), Ok(b"key".to_vec()));
    }
}
