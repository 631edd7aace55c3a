//! Whether a certificate was revoked, by lists of any shape (RFC 5280 section 6.3): partitioned by distribution point, by
//! kind or by reason, indirect, signed by a key of their own, and with deltas.

use std::time::SystemTime;

use der::asn1::{Any, BitString, Int};
use der::{Decode, Encode, Sequence, Tag, TagNumber, Tagged};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::time::Time;

use crate::certificate::Signed;
use crate::chain::Chain;
use crate::crl::Reason;
use crate::{Certificate, FormatError, Name, SignatureAlgorithm, Verifier, decode, oid};

/// Longest list that is read, in octets: a national list is far larger than any other document here.
const MAX_LIST: usize = 64 << 20;

/// Deepest that the status of those who sign lists is asked for.
const DEEPEST: usize = 3;

/// All reasons that a list may be divided by (ReasonFlags, bits 1 to 8).
const ALL_REASONS: u16 = 0x1FE;

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

fn no() -> bool {
    false
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Sequence)]
struct IssuingDistributionPoint {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    point: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", default = "no")]
    only_users: bool,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", default = "no")]
    only_authorities: bool,
    #[asn1(context_specific = "3", tag_mode = "IMPLICIT", optional = "true")]
    only_reasons: Option<BitString>,
    #[asn1(context_specific = "4", tag_mode = "IMPLICIT", default = "no")]
    is_indirect: bool,
    #[asn1(context_specific = "5", tag_mode = "IMPLICIT", default = "no")]
    only_attributes: bool,
}

#[derive(Clone, Debug, Default, Sequence)]
struct DistributionPoint {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    point: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    reasons: Option<BitString>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    issuer: Option<Vec<Any>>,
}

fn reasons(flags: Option<&BitString>) -> u16 {
    let Some(flags) = flags else { return ALL_REASONS };
    flags.bits().enumerate().filter(|(nth, bit)| *bit && (1..=8).contains(nth)).fold(0, |all, (nth, _)| all | 1 << nth)
}

/// Names of a distribution point, as octets; relative ones are completed by the issuer of the list.
fn point_names(point: &Any, issuer: &Name) -> Vec<Vec<u8>> {
    match point.tag() {
        Tag::ContextSpecific { number: TagNumber(0), .. } => {
            let names = Any::new(Tag::Sequence, point.value()).and_then(|any| any.decode_as::<Vec<Any>>());
            names.unwrap_or_default().iter().filter_map(|name| name.to_der().ok()).collect()
        }
        Tag::ContextSpecific { number: TagNumber(1), .. } => {
            // nameRelativeToCRLIssuer: one more RDN below the issuer's name, as a directoryName.
            let rdn = Any::new(Tag::Set, point.value()).and_then(|any| any.to_der()).unwrap_or_default();
            let rdns: Vec<Any> = Vec::from_der(issuer.der()).unwrap_or_default();
            let mut content: Vec<u8> = rdns.iter().filter_map(|one| one.to_der().ok()).flatten().collect();
            content.extend(rdn);
            let name = Any::new(Tag::Sequence, content).and_then(|any| any.to_der()).unwrap_or_default();
            let tag = Tag::ContextSpecific { number: TagNumber(4), constructed: true };
            Any::new(tag, name).and_then(|any| any.to_der()).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// A directoryName among general names.
fn directory_names(names: &[Any]) -> Vec<Name> {
    let is_directory = |any: &&Any| matches!(any.tag(), Tag::ContextSpecific { number: TagNumber(4), .. });
    names.iter().filter(is_directory).filter_map(|any| Name::from_der(any.value()).ok()).collect()
}

/// One line of a list.
#[derive(Debug, Clone)]
struct Line {
    serial: Vec<u8>,
    /// Who issued the certificate.
    issuer: Name,
    reason: i64,
}

/// A list as it came; nothing of it is checked yet.
#[derive(Debug, Clone)]
pub struct List {
    issuer: Name,
    this_update: SystemTime,
    next_update: Option<SystemTime>,
    lines: Vec<Line>,
    point: Option<IssuingDistributionPoint>,
    number: Option<Vec<u8>>,
    /// The number of the complete list that a delta goes with.
    base: Option<Vec<u8>>,
    key_identifier: Option<Vec<u8>>,
    /// Whether something critical in it is not known, so that it tells of nothing.
    is_unknown: bool,
    algorithm: AlgorithmIdentifierOwned,
    tbs_der: Vec<u8>,
    signature: Vec<u8>,
}

impl List {
    /// Reads a list.
    ///
    /// # Errors
    ///
    /// [`FormatError`] with the field.
    pub fn from_der(bytes: &[u8]) -> Result<Self, FormatError> {
        const FIELD: &str = "certificateList";
        if bytes.len() > MAX_LIST {
            return Err(FormatError::new(FIELD, "longer than 64 MiB"));
        }
        let wrong = |error: der::Error| FormatError::new(FIELD, error.to_string());
        let outer = Signed::from_der(bytes).map_err(wrong)?;
        let tbs_der = outer.to_be_signed.to_der().map_err(wrong)?;
        let tbs = Tbs::from_der(&tbs_der).map_err(wrong)?;
        if tbs.signature != outer.algorithm {
            return Err(FormatError::new("signature", "differs from signatureAlgorithm"));
        }
        let issuer = Name::from_any(&tbs.issuer)?;
        let mut list = Self {
            this_update: tbs.this_update.to_system_time(),
            next_update: tbs.next_update.map(|next| next.to_system_time()),
            lines: Vec::new(),
            point: None,
            number: None,
            base: None,
            key_identifier: None,
            is_unknown: false,
            algorithm: outer.algorithm,
            signature: outer.signature.raw_bytes().to_vec(),
            issuer,
            tbs_der,
        };
        for extension in tbs.extensions.iter().flatten() {
            let value = extension.extn_value.as_bytes();
            let number = |field| decode::<Int>(field, value).map(|number| number.as_bytes().to_vec());
            match extension.extn_id {
                oid::ISSUING_DISTRIBUTION_POINT => list.point = Some(decode("issuingDistributionPoint", value)?),
                oid::CRL_NUMBER => list.number = Some(number("cRLNumber")?),
                oid::DELTA_CRL_INDICATOR => list.base = Some(number("deltaCRLIndicator")?),
                oid::AUTHORITY_KEY_IDENTIFIER => {
                    let fields: Vec<Any> = decode("authorityKeyIdentifier", value)?;
                    let is_key = |any: &&Any| matches!(any.tag(), Tag::ContextSpecific { number: TagNumber(0), .. });
                    list.key_identifier = fields.iter().find(is_key).map(|any| any.value().to_vec());
                }
                _ if extension.critical => list.is_unknown = true,
                _ => {}
            }
        }
        let is_indirect = list.point.as_ref().is_some_and(|point| point.is_indirect);
        // In an indirect list a line is of the issuer that the last line with one named (section 5.3.3).
        let mut named = list.issuer.clone();
        for entry in tbs.revoked.into_iter().flatten() {
            let mut reason = 0;
            for extension in entry.extensions.iter().flatten() {
                let value = extension.extn_value.as_bytes();
                match extension.extn_id {
                    oid::REASON_CODE => reason = i64::from(decode::<Reason>("reasonCode", value)? as u32),
                    oid::CERTIFICATE_ISSUER if is_indirect => {
                        let names: Vec<Any> = decode("certificateIssuer", value)?;
                        match directory_names(&names).into_iter().next() {
                            Some(name) => named = name,
                            None => list.is_unknown = true,
                        }
                    }
                    _ if extension.critical => list.is_unknown = true,
                    _ => {}
                }
            }
            let issuer = if is_indirect { named.clone() } else { list.issuer.clone() };
            list.lines.push(Line { serial: entry.serial_number.as_bytes().to_vec(), issuer, reason });
        }
        Ok(list)
    }

    fn is_current_at(&self, at: SystemTime) -> bool {
        self.this_update <= at && self.next_update.is_some_and(|next| at <= next)
    }

    fn line(&self, certificate: &Certificate) -> Option<&Line> {
        let serial = certificate.serial().to_integer();
        self.lines.iter().find(|line| line.serial == serial && line.issuer.matches(certificate.issuer()))
    }

    /// Whether a delta goes with this complete list (section 5.2.4).
    fn takes(&self, delta: &Self) -> bool {
        let at_least = |a: &Option<Vec<u8>>, b: &Option<Vec<u8>>| match (a, b) {
            (Some(a), Some(b)) => (a.len(), a) >= (b.len(), b),
            _ => false,
        };
        self.base.is_none()
            && delta.issuer.matches(&self.issuer)
            && delta.point == self.point
            && delta.key_identifier == self.key_identifier
            && at_least(&self.number, &delta.base)
            && at_least(&delta.number, &self.number)
    }
}

/// What lists say of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Every reason was looked for, and it stands in no list.
    Good,
    /// It stands in one, for this reason (RFC 5280 section 5.3.1).
    Revoked(i64),
    /// Nobody can tell, and why.
    Unknown(&'static str),
}

/// What there is to judge by.
pub struct Evidence<'a> {
    /// Certificates from which paths of those who sign lists may be built.
    pub certificates: &'a [Certificate],
    /// Anchors.
    pub anchors: &'a [Certificate],
    /// Lists.
    pub lists: &'a [List],
    /// The time that counts.
    pub at: SystemTime,
    /// Verifies signatures.
    pub verifier: &'a dyn Verifier,
}

impl Evidence<'_> {
    /// The status of every certificate of a path but its anchor; the first that is not good.
    pub fn of_chain(&self, chain: &Chain) -> Status {
        self.chain_at(chain, 0)
    }

    /// The status of one certificate.
    pub fn of(&self, certificate: &Certificate) -> Status {
        self.at_depth(certificate, 0)
    }

    fn chain_at(&self, chain: &Chain, depth: usize) -> Status {
        let certificates = chain.certificates();
        for certificate in &certificates[..certificates.len() - 1] {
            match self.at_depth(certificate, depth) {
                Status::Good => {}
                other => return other,
            }
        }
        Status::Good
    }

    fn at_depth(&self, certificate: &Certificate, depth: usize) -> Status {
        if depth > DEEPEST {
            return Status::Unknown("those who sign the lists lead to one another");
        }
        let mut points = vec![DistributionPoint::default()];
        if let Some(value) = certificate.extension(oid::CRL_DISTRIBUTION_POINTS) {
            match decode::<Vec<DistributionPoint>>("cRLDistributionPoints", value) {
                // A list for the whole authority serves as well (section 6.3.3, last paragraph).
                Ok(told) => points.splice(0..0, told).for_each(drop),
                Err(_) => return Status::Unknown("cRLDistributionPoints cannot be read"),
            }
        }
        let mut covered = 0;
        for point in &points {
            let mut newest: Vec<&List> = self.lists.iter().filter(|list| list.base.is_none()).collect();
            newest.sort_by_key(|list| core::cmp::Reverse(list.this_update));
            for list in newest {
                let Some(told) = self.fits(certificate, point, list) else { continue };
                if told & !covered == 0 || !self.is_signed(list, certificate, depth) {
                    continue;
                }
                let delta = self
                    .lists
                    .iter()
                    .filter(|delta| delta.base.is_some() && !delta.is_unknown && delta.is_current_at(self.at))
                    .filter(|delta| list.takes(delta) && self.is_signed(delta, certificate, depth))
                    .max_by(|a, b| a.this_update.cmp(&b.this_update));
                let line = match delta.and_then(|delta| delta.line(certificate)) {
                    // removeFromCRL: released from hold.
                    Some(line) if line.reason == 8 => None,
                    Some(line) => Some(line),
                    None => list.line(certificate),
                };
                if let Some(line) = line {
                    return Status::Revoked(line.reason);
                }
                covered |= told;
            }
        }
        match covered & ALL_REASONS == ALL_REASONS {
            true => Status::Good,
            false => Status::Unknown("no current list tells of it for every reason"),
        }
    }

    /// The reasons that a list tells of for a certificate at a distribution point; `None` when it is not about it.
    fn fits(&self, certificate: &Certificate, point: &DistributionPoint, list: &List) -> Option<u16> {
        if list.is_unknown || !list.is_current_at(self.at) {
            return None;
        }
        let scope = list.point.clone().unwrap_or_default();
        match &point.issuer {
            Some(names) => {
                let named = directory_names(names).iter().any(|name| name.matches(&list.issuer));
                if !named || !scope.is_indirect {
                    return None;
                }
            }
            None if !list.issuer.matches(certificate.issuer()) => return None,
            None => {}
        }
        if let Some(told) = &scope.point {
            let wanted: Vec<Vec<u8>> = match (&point.point, &point.issuer) {
                (Some(names), _) => point_names(names, &list.issuer),
                (None, Some(issuers)) => issuers.iter().filter_map(|name| name.to_der().ok()).collect(),
                (None, None) => Vec::new(),
            };
            let told = point_names(told, &list.issuer);
            if !told.iter().any(|name| wanted.contains(name)) {
                return None;
            }
        }
        let is_authority = certificate.authority().is_some();
        if scope.only_attributes || (scope.only_users && is_authority) || (scope.only_authorities && !is_authority) {
            return None;
        }
        Some(reasons(scope.only_reasons.as_ref()) & reasons(point.reasons.as_ref()))
    }

    /// Whether a list is signed by whoever may: a certificate of its issuer's name that may sign lists, on a good path.
    fn is_signed(&self, list: &List, about: &Certificate, depth: usize) -> bool {
        let Ok(algorithm) = SignatureAlgorithm::from_oid(list.algorithm.oid) else { return false };
        self.certificates.iter().chain(self.anchors).any(|signer| {
            let is_named = signer.subject().matches(&list.issuer)
                && list
                    .key_identifier
                    .as_ref()
                    .is_none_or(|wanted| signer.subject_key_identifier().is_none_or(|own| own == *wanted));
            if !is_named
                || signer.key_usage().is_some_and(|usage| !usage.crl_sign())
                || self.verifier.verify(signer.public_key(), algorithm, &list.tbs_der, &list.signature).is_err()
            {
                return false;
            }
            if self.anchors.contains(signer) {
                return true;
            }
            let Ok(chain) = Chain::check(signer, self.certificates, self.anchors, self.at, self.verifier) else {
                return false;
            };
            // Whoever issued the certificate stands on its path already, and is judged there.
            let issued_it =
                signer.subject().matches(about.issuer()) && about.verify_by(signer.public_key(), self.verifier).is_ok();
            issued_it || (signer != about && self.chain_at(&chain, depth + 1) == Status::Good)
        })
    }
}
