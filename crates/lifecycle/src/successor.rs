//! What makes a certificate the successor of another; the same rule on both banks.

use std::time::{Duration, SystemTime};

use obnova_pki::signature::key_identity;
use obnova_pki::{Certificate, Name, oid};

/// Why a certificate cannot have a successor made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// It has ended.
    Expired,
    /// It is not valid yet: the clock may be wrong.
    NotYetValid,
    /// It was revoked.
    Revoked,
    /// The window for renewal has not opened.
    TooEarly,
    /// Another subject is asked for.
    OtherSubject,
    /// The same key is asked for again.
    SameKey,
}

impl Obstacle {
    /// Stable code of the message.
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "predecessor-expired",
            Self::NotYetValid => "predecessor-not-yet-valid",
            Self::Revoked => "predecessor-revoked",
            Self::TooEarly => "renewal-too-early",
            Self::OtherSubject => "subject-differs",
            Self::SameKey => "same-key",
        }
    }
}

/// Whether two names are those of one holder: country, name, organisation and its identifier are the same. Authorities
/// that number their certificates in the subject's serialNumber may change that.
pub fn same_holder(a: &Name, b: &Name) -> bool {
    let fixed = [oid::COUNTRY, oid::COMMON_NAME, oid::ORGANIZATION, oid::ORGANIZATION_IDENTIFIER];
    fixed.iter().all(|attribute| a.attribute(*attribute) == b.attribute(*attribute))
}

/// A predecessor that may have a successor: only [`Successor::check`] makes one.
#[derive(Debug, Clone)]
pub struct Successor {
    predecessor: Certificate,
}

impl Successor {
    /// Checks the rule for a predecessor and, when they are known, the subject and key asked for.
    ///
    /// The window is counted back from notAfter; `None` opens it always.
    ///
    /// # Errors
    ///
    /// [`Obstacle`].
    pub fn check(
        predecessor: &Certificate,
        revoked: bool,
        asked: Option<(&Name, &[u8])>,
        window: Option<Duration>,
        now: SystemTime,
    ) -> Result<Self, Obstacle> {
        if now < predecessor.not_before() {
            return Err(Obstacle::NotYetValid);
        }
        if !predecessor.is_valid_at(now) {
            return Err(Obstacle::Expired);
        }
        if revoked {
            return Err(Obstacle::Revoked);
        }
        if window.is_some_and(|window| now + window < predecessor.not_after()) {
            return Err(Obstacle::TooEarly);
        }
        if let Some((subject, public_key)) = asked {
            if subject != predecessor.subject() {
                return Err(Obstacle::OtherSubject);
            }
            if key_identity(public_key) == key_identity(predecessor.public_key()) {
                return Err(Obstacle::SameKey);
            }
        }
        Ok(Self { predecessor: predecessor.clone() })
    }

    /// The predecessor.
    pub fn predecessor(&self) -> &Certificate {
        &self.predecessor
    }
}
