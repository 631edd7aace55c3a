//! When an old certificate, or a key that has none, may go, and why it must stay.

use std::time::SystemTime;

use obnova_pki::Certificate;
use serde::{Deserialize, Serialize};

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
}

impl RemovalPermit {
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
    Ok(RemovalPermit { doomed, ground: Ground::Certificate(*standing), at: now })
}

/// Decides whether a key without a certificate may go.
///
/// # Errors
///
/// [`MustStay::Waits`] while a request for it is under way, [`MustStay::UnknownRequest`] when nobody knows of one and
/// the consequence was not typed.
pub fn permit_orphan(key: &[u8], standing: &OrphanStanding, now: SystemTime) -> Result<RemovalPermit, MustStay> {
    if standing.request_open {
        return Err(MustStay::Waits);
    }
    if !standing.request_closed && !standing.loss_typed {
        return Err(MustStay::UnknownRequest);
    }
    Ok(RemovalPermit { doomed: Doomed::Orphan(key.to_vec()), ground: Ground::Orphan(*standing), at: now })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orphan_key_goes_only_when_nothing_can_come_for_it() {
        let standing = |request_open, request_closed, loss_typed| {
            permit_orphan(b"key", &OrphanStanding { request_open, request_closed, loss_typed }, SystemTime::UNIX_EPOCH)
                .map(|permit| permit.public_key().to_vec())
                .map_err(MustStay::code)
        };
        assert_eq!(standing(true, true, true), Err("stays-waits"));
        assert_eq!(standing(false, false, false), Err("stays-unknown-request"));
        assert_eq!(standing(false, true, false), Ok(b"key".to_vec()));
        assert_eq!(standing(false, false, true), Ok(b"key".to_vec()));
    }
}
