//! Certificate revocation lists (RFC 5280 section 5).

use std::time::SystemTime;

use der::asn1::{Any, Int, OctetString};
use der::{Encode, Enumerated, Sequence};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::time::Time;

use crate::certificate::{Signed, raw_extension, seal, time};
use crate::{
    Certificate, FormatError, Name, Serial, SignError, SignatureAlgorithm, Signer, Verifier, decode, encode, oid,
};

/// Why a certificate was revoked (RFC 5280 section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enumerated)]
#[asn1(type = "ENUMERATED")]
#[repr(u32)]
pub enum Reason {
    /// No reason was given; written as absent.
    Unspecified = 0,
    /// Somebody else may have the key.
    KeyCompromise = 1,
    /// The authority's key may be lost.
    CaCompromise = 2,
    /// The holder's data changed.
    AffiliationChanged = 3,
    /// A successor took over.
    Superseded = 4,
    /// Not needed any more.
    CessationOfOperation = 5,
    /// On hold.
    CertificateHold = 6,
    /// Released from hold; only in delta lists.
    RemoveFromCrl = 8,
    /// A right was withdrawn.
    PrivilegeWithdrawn = 9,
    /// The attribute authority's key may be lost.
    AaCompromise = 10,
}

impl Reason {
    /// From the number in a reasonCode.
    pub fn from_code(code: i64) -> Option<Self> {
        Some(match code {
            0 => Self::Unspecified,
            1 => Self::KeyCompromise,
            2 => Self::CaCompromise,
            3 => Self::AffiliationChanged,
            4 => Self::Superseded,
            5 => Self::CessationOfOperation,
            6 => Self::CertificateHold,
            8 => Self::RemoveFromCrl,
            9 => Self::PrivilegeWithdrawn,
            10 => Self::AaCompromise,
            _ => return None,
        })
    }
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// userCertificate.
    pub serial: Serial,
    /// revocationDate.
    pub at: SystemTime,
    /// reasonCode.
    pub reason: Reason,
}

#[derive(Clone, Debug, Sequence)]
struct Entry {
    serial_number: Int,
    revocation_date: Time,
    #[asn1(optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Clone, Debug, Sequence)]
struct Tbs {
    #[asn1(optional = "true")]
    version: Option<u8>,
    signature: AlgorithmIdentifierOwned,
    issuer: Any,
    this_update: Time,
    #[asn1(optional = "true")]
    next_update: Option<Time>,
    #[asn1(optional = "true")]
    revoked: Option<Vec<Entry>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

/// A list that was read; its signature is checked by [`Crl::from_der`].
#[derive(Debug, Clone)]
pub struct Crl {
    issuer: Name,
    this_update: SystemTime,
    next_update: Option<SystemTime>,
    revoked: Vec<Revoked>,
}

impl Crl {
    /// Reads a complete list of an authority and checks its signature.
    ///
    /// # Errors
    ///
    /// [`FormatError`] for another issuer, one that may not sign lists (RFC 5280 section 6.3.3 (f)), a bad signature, or a
    /// critical extension that is not known.
    pub fn from_der(bytes: &[u8], authority: &Certificate, verifier: &dyn Verifier) -> Result<Self, FormatError> {
        const FIELD: &str = "certificateList";
        // A national list is far larger than any other document here.
        if bytes.len() > 64 << 20 {
            return Err(FormatError::new(FIELD, "longer than 64 MiB"));
        }
        let wrong = |error: der::Error| FormatError::new(FIELD, error.to_string());
        let outer = <Signed as der::Decode>::from_der(bytes).map_err(wrong)?;
        let tbs_der = outer.to_be_signed.to_der().map_err(wrong)?;
        let tbs = <Tbs as der::Decode>::from_der(&tbs_der).map_err(wrong)?;
        let found = Name::from_any(&tbs.issuer)?;
        if found != *authority.subject() {
            return Err(FormatError::new("issuer", format!("the list is of {found}")));
        }
        if authority.key_usage().is_some_and(|usage| !usage.crl_sign()) {
            return Err(FormatError::new("keyUsage", format!("{found} may not sign lists (no cRLSign)")));
        }
        if tbs.signature != outer.algorithm {
            return Err(FormatError::new("signature", "differs from signatureAlgorithm"));
        }
        for extension in tbs.extensions.iter().flatten() {
            if extension.critical {
                return Err(FormatError::new("crlExtensions", format!("critical {} is not known", extension.extn_id)));
            }
        }
        verifier
            .verify(
                authority.public_key(),
                SignatureAlgorithm::from_oid(outer.algorithm.oid)?,
                &tbs_der,
                outer.signature.raw_bytes(),
            )
            .map_err(|error| FormatError::new("signature", error.to_string()))?;
        let revoked = tbs
            .revoked
            .unwrap_or_default()
            .iter()
            .map(|entry| {
                let reason = entry
                    .extensions
                    .iter()
                    .flatten()
                    .find(|extension| extension.extn_id == oid::REASON_CODE)
                    .and_then(|extension| decode::<Reason>("reasonCode", extension.extn_value.as_bytes()).ok());
                Ok(Revoked {
                    serial: Serial::from_integer(entry.serial_number.as_bytes())
                        .map_err(|error| FormatError::new("userCertificate", error.to_string()))?,
                    at: entry.revocation_date.to_system_time(),
                    reason: reason.unwrap_or(Reason::Unspecified),
                })
            })
            .collect::<Result<Vec<_>, FormatError>>()?;
        Ok(Self {
            issuer: found,
            this_update: tbs.this_update.to_system_time(),
            next_update: tbs.next_update.map(|time| time.to_system_time()),
            revoked,
        })
    }

    /// issuer.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// thisUpdate.
    pub fn this_update(&self) -> SystemTime {
        self.this_update
    }

    /// nextUpdate.
    pub fn next_update(&self) -> Option<SystemTime> {
        self.next_update
    }

    /// All lines.
    pub fn revoked(&self) -> &[Revoked] {
        &self.revoked
    }

    /// Whether `now` is between thisUpdate and nextUpdate.
    pub fn is_current_at(&self, now: SystemTime) -> bool {
        self.this_update <= now && self.next_update.is_none_or(|next| now <= next)
    }

    /// The line about a serial number.
    pub fn find(&self, serial: &Serial) -> Option<&Revoked> {
        self.revoked.iter().find(|revoked| revoked.serial == *serial)
    }
}

/// Makes a complete v2 list.
///
/// # Errors
///
/// [`SignError`] from the key, or with a [`FormatError`] inside.
pub fn sign(
    issuer: &Name,
    key_identifier: &[u8],
    number: u64,
    this_update: SystemTime,
    next_update: SystemTime,
    revoked: &[Revoked],
    signer: &dyn Signer,
) -> Result<Vec<u8>, SignError> {
    let format = |error: FormatError| SignError(Box::new(error));
    let tbs = to_be_signed(issuer, key_identifier, number, this_update, next_update, revoked, signer.algorithm())
        .map_err(format)?;
    let signature = signer.sign(&tbs)?;
    seal(&tbs, signer.algorithm(), &signature).map_err(format)
}

fn to_be_signed(
    issuer: &Name,
    key_identifier: &[u8],
    number: u64,
    this_update: SystemTime,
    next_update: SystemTime,
    revoked: &[Revoked],
    algorithm: SignatureAlgorithm,
) -> Result<Vec<u8>, FormatError> {
    let entries = revoked
        .iter()
        .map(|line| {
            let extensions = match line.reason {
                // RFC 5280 section 5.3.1: absent rather than unspecified.
                Reason::Unspecified => None,
                reason => Some(vec![raw_extension(oid::REASON_CODE, false, encode("reasonCode", &reason)?)?]),
            };
            Ok(Entry {
                serial_number: Int::new(&line.serial.to_integer())
                    .map_err(|error| FormatError::new("userCertificate", error.to_string()))?,
                revocation_date: time(line.at)?,
                extensions,
            })
        })
        .collect::<Result<Vec<_>, FormatError>>()?;
    let authority = x509_cert::ext::pkix::AuthorityKeyIdentifier {
        key_identifier: Some(
            OctetString::new(key_identifier)
                .map_err(|error| FormatError::new("authorityKeyIdentifier", error.to_string()))?,
        ),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    let tbs = Tbs {
        version: Some(1),
        signature: algorithm.identifier(),
        issuer: issuer.to_any()?,
        this_update: time(this_update)?,
        next_update: Some(time(next_update)?),
        // RFC 5280 section 5.1.2.6: absent rather than empty.
        revoked: (!entries.is_empty()).then_some(entries),
        extensions: Some(vec![
            raw_extension(oid::AUTHORITY_KEY_IDENTIFIER, false, encode("authorityKeyIdentifier", &authority)?)?,
            raw_extension(oid::CRL_NUMBER, false, encode("cRLNumber", &number)?)?,
        ]),
    };
    encode("tbsCertList", &tbs)
}
