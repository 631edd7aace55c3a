//! Certification paths: building one, and checking each step (RFC 5280 section 6).

use std::time::SystemTime;

use der::asn1::ObjectIdentifier;

use crate::constraints::NameConstraints;
use crate::policy::{Policies, PolicySettings};
use crate::{Certificate, Verifier, oid};

/// Longest path that is tried.
const MAX_LENGTH: usize = 8;

/// Signatures that are verified before a search is given up: a path of our own needs three.
const SIGNATURES: usize = 100;

/// Extensions whose rules are followed here; any other critical one refuses the path.
const UNDERSTOOD: [ObjectIdentifier; 14] = [
    oid::BASIC_CONSTRAINTS,
    oid::KEY_USAGE,
    oid::EXTENDED_KEY_USAGE,
    oid::SUBJECT_KEY_IDENTIFIER,
    oid::AUTHORITY_KEY_IDENTIFIER,
    oid::SUBJECT_ALT_NAME,
    oid::CERTIFICATE_POLICIES,
    oid::QC_STATEMENTS,
    oid::NAME_CONSTRAINTS,
    oid::POLICY_CONSTRAINTS,
    oid::POLICY_MAPPINGS,
    oid::INHIBIT_ANY_POLICY,
    // Where lists are is the matter of whoever asks for the status.
    oid::CRL_DISTRIBUTION_POINTS,
    oid::ISSUER_ALT_NAME,
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
    /// So many certificates would fit one another that the search was given up.
    TooManyPaths,
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
            Self::TooManyPaths => f.write_str("no trusted path: too many certificates of the same name were brought"),
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
    /// Names, signatures, validity, basicConstraints, path lengths, keyCertSign and extensions are checked; revocation is
    /// the caller's. An extension that cannot be read refuses, critical or not; constraints of names and policies are
    /// followed, critical or not. No issuer (name and key) stands on a path twice, and the search ends after a hundred
    /// signatures, whatever others bring along.
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
        Self::check_with(leaf, others, anchors, at, verifier, &PolicySettings::default())
    }

    /// The same, with demands on policies.
    ///
    /// # Errors
    ///
    /// As [`Chain::check`].
    pub fn check_with(
        leaf: &Certificate,
        others: &[Certificate],
        anchors: &[Certificate],
        at: SystemTime,
        verifier: &dyn Verifier,
        policies: &PolicySettings,
    ) -> Result<Self, ChainError> {
        let mut search = Search { others, anchors, at, verifier, policies, budget: SIGNATURES };
        search.step(vec![leaf]).map(|path| Self(path.into_iter().cloned().collect()))
    }
}

/// The search for a path, from the leaf upwards.
struct Search<'a> {
    others: &'a [Certificate],
    anchors: &'a [Certificate],
    at: SystemTime,
    verifier: &'a dyn Verifier,
    policies: &'a PolicySettings,
    /// Signatures that may still be verified.
    budget: usize,
}

impl<'a> Search<'a> {
    fn step(&mut self, path: Vec<&'a Certificate>) -> Result<Vec<&'a Certificate>, ChainError> {
        let last = path[path.len() - 1];
        check_alone(last, self.at)?;
        if self.anchors.contains(last) {
            return self.check_downwards(&path).map(|()| path);
        }
        let mut failure = ChainError::NoPath { issuer: last.issuer().to_string() };
        if path.len() >= MAX_LENGTH {
            return Err(failure);
        }
        for issuer in self.anchors.iter().chain(self.others) {
            let is_twin =
                |on: &&Certificate| on.subject().matches(issuer.subject()) && on.public_key() == issuer.public_key();
            if !issuer.subject().matches(last.issuer()) || path.iter().any(is_twin) {
                continue;
            }
            if self.budget == 0 {
                return Err(ChainError::TooManyPaths);
            }
            if let Err(error) = self.check_issuer(&path, issuer) {
                failure = error;
                continue;
            }
            let mut longer = path.clone();
            longer.push(issuer);
            match self.step(longer) {
                Ok(found) => return Ok(found),
                Err(ChainError::TooManyPaths) => return Err(ChainError::TooManyPaths),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// What only shows when a path is walked from its anchor: names and policies (RFC 5280 sections 6.1.3 to 6.1.5). The
    /// anchor itself is trusted as it is.
    fn check_downwards(&self, path: &[&Certificate]) -> Result<(), ChainError> {
        let Some((_, certificates)) = path.split_last() else { return Ok(()) };
        let mut names = NameConstraints::default();
        let mut policies = Policies::new(self.policies, certificates.len());
        for (nth, certificate) in certificates.iter().enumerate().rev() {
            let is_last = nth == 0;
            let broken = |rule| ChainError::Rule { subject: certificate.subject().to_string(), rule };
            let self_issued = certificate.subject().matches(certificate.issuer());
            if is_last || !self_issued {
                names.check(certificate).map_err(broken)?;
            }
            policies.take(certificate, is_last).map_err(broken)?;
            if !is_last {
                policies.prepare(certificate).map_err(broken)?;
                names.take(certificate).map_err(broken)?;
            }
        }
        match certificates.first() {
            Some(last) => {
                policies.finish(last).map_err(|rule| ChainError::Rule { subject: last.subject().to_string(), rule })
            }
            None => Ok(()),
        }
    }

    fn check_issuer(&mut self, path: &[&Certificate], issuer: &Certificate) -> Result<(), ChainError> {
        let issued = path[path.len() - 1];
        let broken = |rule| Err(ChainError::Rule { subject: issuer.subject().to_string(), rule });
        // Certificates that an authority issued to itself count for nothing (RFC 5280 section 6.1.4 (l)).
        let below = path[1..].iter().filter(|one| !one.subject().matches(one.issuer())).count();
        match issuer.authority() {
            None => return broken("issued a certificate without being an authority (basicConstraints)"),
            Some(Some(limit)) if u32::try_from(below).is_ok_and(|below| below > limit) => {
                return broken("pathLenConstraint is exceeded");
            }
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
        self.budget -= 1;
        issued
            .verify_by(issuer.public_key(), self.verifier)
            .map_err(|_| ChainError::Signature { subject: issued.subject().to_string() })
    }
}

fn check_alone(certificate: &Certificate, at: SystemTime) -> Result<(), ChainError> {
    let broken = |rule| Err(ChainError::Rule { subject: certificate.subject().to_string(), rule });
    if !certificate.is_valid_at(at) {
        return Err(ChainError::NotValidAt { subject: certificate.subject().to_string() });
    }
    if certificate.unread_extension().is_some() {
        return broken("an extension cannot be read");
    }
    for extension in certificate.extensions() {
        if extension.critical && !UNDERSTOOD.contains(&extension.extn_id) {
            return broken("a critical extension is not known");
        }
    }
    Ok(())
}
