//! When an old certificate may go, and why it must stay.

use std::time::SystemTime;

use obnova_pki::Certificate;

/// What is known about a certificate that somebody wants removed.
#[derive(Debug, Clone)]
pub struct Standing {
    /// A successor is installed and has signed a fresh challenge.
    pub successor_proven: bool,
    /// Every relying party that the person uses knows the successor, has seen a login with it, and takes the
    /// predecessor for a login no more.
    pub successor_registered: bool,
    /// The person agreed in words to lose what only this key decrypts.
    pub decryption_waived: bool,
}

/// Why it must stay, with the missing step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MustStay {
    /// It is valid and has no proven successor.
    NoProvenSuccessor,
    /// The successor is not registered everywhere.
    NotRegistered,
    /// Its key may decrypt older mail.
    Decrypts,
}

impl MustStay {
    /// Stable code of the message.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoProvenSuccessor => "stays-no-successor",
            Self::NotRegistered => "stays-not-registered",
            Self::Decrypts => "stays-decrypts",
        }
    }
}

/// Permission to remove one certificate with its key: a store removes nothing without it.
#[derive(Debug, Clone)]
pub struct RemovalPermit {
    certificate: Certificate,
}

impl RemovalPermit {
    /// The certificate that may go.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

/// Decides whether a certificate may go.
///
/// # Errors
///
/// [`MustStay`] names the step that is missing.
pub fn permit(certificate: &Certificate, standing: &Standing, now: SystemTime) -> Result<RemovalPermit, MustStay> {
    let valid = now < certificate.not_after();
    if valid && !standing.successor_proven {
        return Err(MustStay::NoProvenSuccessor);
    }
    if valid && !standing.successor_registered {
        return Err(MustStay::NotRegistered);
    }
    if certificate.key_decrypts() && !standing.decryption_waived {
        return Err(MustStay::Decrypts);
    }
    Ok(RemovalPermit { certificate: certificate.clone() })
}
