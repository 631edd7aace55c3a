//! Certificates and stores as screens show them: every text of others is clean, every time is RFC 3339.

use std::time::SystemTime;

use obnova_crypto::Primitives;
use obnova_lifecycle::port::StoredUnread;
use obnova_pki::{Certificate, Kind};
use serde::Serialize;

/// A certificate as screens show it.
#[derive(Debug, Clone, Serialize)]
pub struct CertificateView {
    /// Stable name of its store.
    pub store: String,
    /// `qualified`, `commercial` or `authority`.
    pub kind: &'static str,
    /// Whose it is.
    pub subject: String,
    /// Common name of the holder.
    pub name: String,
    /// Who issued it.
    pub issuer: String,
    /// Serial number in decimal.
    pub decimal: String,
    /// Serial number in hexadecimal.
    pub hexadecimal: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// Whole days until the end; negative when it is over.
    pub days_left: i64,
    /// Kind of the key.
    pub key: String,
    /// Whether it claims a qualified device.
    pub qualified_device: bool,
    /// What may truly be said of that claim (`device-CODE`): `qualified`, `ended`, `unknown`, `elsewhere`.
    pub device: Option<&'static str>,
    /// The last day of the device's certification, when it is known.
    pub device_until: Option<String>,
    /// Why it cannot be renewed, as a code (`unfit-CODE`): `authority`, `expired`, `self-made`, `key-kind`.
    pub unfit: Option<&'static str>,
    /// SHA-256 of the certificate.
    pub sha256: String,
}

/// Something that a store calls a certificate, and that cannot be read.
#[derive(Debug, Clone, Serialize)]
pub struct UnreadView {
    /// Stable name of its store.
    pub store: String,
    /// What it is found by: SHA-256 of its octets.
    pub identity: String,
    /// Octets of its serial number in hexadecimal, where they can be told.
    pub serial: Option<String>,
    /// Common name of its subject, or the label that the store gives it.
    pub name: Option<String>,
    /// RFC 3339, where it can be told.
    pub not_after: Option<String>,
    /// Whole days until the end; negative when it is over.
    pub days_left: Option<i64>,
    /// The field that cannot be read, and the rule that it breaks.
    pub why: String,
}

impl UnreadView {
    /// An object of a store.
    pub fn of(unread: &StoredUnread, store: &str, now: SystemTime) -> Self {
        let certificate = &unread.certificate;
        let label = Some(&unread.label).filter(|label| !label.is_empty());
        Self {
            store: store.to_owned(),
            identity: unread.identity.clone(),
            serial: certificate.serial().map(hex::encode),
            name: certificate
                .subject()
                .map(|subject| subject.common_name())
                .filter(|name| !name.is_empty())
                .or(label.cloned())
                .map(|name| obnova_texts::clean(&name)),
            not_after: certificate.not_after().map(rfc3339),
            days_left: certificate.not_after().map(|end| days_until(end, now)),
            why: obnova_texts::clean(&certificate.why().to_string()),
        }
    }

    /// The serial number, or what it is found by where there is none.
    pub fn number(&self) -> String {
        match &self.serial {
            Some(serial) => format!("0x{serial}"),
            None => self.identity[..16.min(self.identity.len())].to_owned(),
        }
    }
}

/// A store as screens show it.
#[derive(Debug, Clone, Serialize)]
pub struct StoreView {
    /// Stable name.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// `token`, `file`, `browser` or `system`.
    pub kind: &'static str,
    /// The device that several stores with logins of their own belong to; the same as `id` for all others.
    pub device: String,
    /// Model and library version of a token.
    pub model: Option<String>,
    /// Why it cannot be read, as a code.
    pub problem: Option<String>,
}

/// Whole days from `now` to the end of a certificate; negative when it is over.
pub fn expiry_days(certificate: &Certificate, now: SystemTime) -> i64 {
    days_until(certificate.not_after(), now)
}

fn days_until(end: SystemTime, now: SystemTime) -> i64 {
    let days = |duration: std::time::Duration| i64::try_from(duration.as_secs() / 86_400).unwrap_or(i64::MAX);
    match end.duration_since(now) {
        Ok(left) => days(left),
        Err(over) => -1 - days(over.duration()),
    }
}

fn rfc3339(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map(|at| at.to_string()).unwrap_or_default()
}

/// Name of a kind.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Qualified => "qualified",
        Kind::Commercial => "commercial",
        Kind::Authority => "authority",
    }
}

impl CertificateView {
    /// A certificate of a store.
    pub fn of(certificate: &Certificate, store: &str, now: SystemTime) -> Self {
        Self {
            store: store.to_owned(),
            kind: kind_name(certificate.kind()),
            subject: obnova_texts::clean(&certificate.subject().to_string()),
            name: obnova_texts::clean(&certificate.subject().common_name()),
            issuer: obnova_texts::clean(&certificate.issuer().common_name()),
            decimal: certificate.serial().decimal(),
            hexadecimal: certificate.serial().hexadecimal(),
            not_before: rfc3339(certificate.not_before()),
            not_after: rfc3339(certificate.not_after()),
            days_left: expiry_days(certificate, now),
            key: certificate.key_kind().map(|kind| kind.to_string()).unwrap_or_default(),
            qualified_device: certificate.claims_qualified_device(),
            device: None,
            device_until: None,
            unfit: unfit(certificate, now),
            sha256: Primitives.fingerprint(certificate.der()),
        }
    }
}

/// Why a certificate cannot be renewed by anybody; what depends on an authority is its verdict's matter.
fn unfit(certificate: &Certificate, now: SystemTime) -> Option<&'static str> {
    if certificate.kind() == Kind::Authority {
        Some("authority")
    } else if certificate.issuer().der() == certificate.subject().der() {
        // Some devices put such a one beside a new key, to mark the place.
        Some("self-made")
    } else if now > certificate.not_after() {
        Some("expired")
    } else if certificate.key_kind().is_err() {
        Some("key-kind")
    } else {
        None
    }
}
