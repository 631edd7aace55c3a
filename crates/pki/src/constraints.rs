//! Name constraints along a path (RFC 5280 section 4.2.1.10).

use der::asn1::{Any, ObjectIdentifier};
use der::{Decode, Sequence, Tag, TagNumber, Tagged};

use crate::{Certificate, Name, oid};

/// Most subtrees in one certificate, and most names that they are compared with.
const MOST: usize = 1_000;

#[derive(Sequence)]
struct Raw {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    permitted: Option<Vec<Vec<Any>>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    excluded: Option<Vec<Vec<Any>>>,
}

/// A name of a kind that constraints know; any other is told by its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
enum General {
    Mail(String),
    Host(String),
    Directory(Name),
    Address(String),
    Ip(Vec<u8>),
    Other(u32),
}

impl General {
    fn of(any: &Any) -> Result<Self, &'static str> {
        let Tag::ContextSpecific { number: TagNumber(number), .. } = any.tag() else { return Err("a name is none") };
        let text = || {
            let text = core::str::from_utf8(any.value()).map_err(|_| "a name is no text")?;
            match text.is_ascii() {
                true => Ok(text.to_owned()),
                false => Err("a name is not ASCII"),
            }
        };
        Ok(match number {
            1 => Self::Mail(text()?),
            2 => Self::Host(text()?),
            4 => Self::Directory(Name::from_der(any.value()).map_err(|_| "a directory name cannot be read")?),
            6 => Self::Address(text()?),
            7 => Self::Ip(any.value().to_vec()),
            other => Self::Other(other),
        })
    }

    fn kind(&self) -> u32 {
        match self {
            Self::Mail(_) => 1,
            Self::Host(_) => 2,
            Self::Directory(_) => 4,
            Self::Address(_) => 6,
            Self::Ip(_) => 7,
            Self::Other(number) => *number,
        }
    }

    /// Whether it lies in the subtree of `base`, which is of its kind.
    fn is_in(&self, base: &Self) -> Result<bool, &'static str> {
        Ok(match (self, base) {
            (Self::Mail(name), Self::Mail(base)) => {
                let (local, host) = name.rsplit_once('@').ok_or("an e-mail address is none")?;
                match base.rsplit_once('@') {
                    // The local part counts as it is written (RFC 5321 section 2.4).
                    Some((mailbox, at)) => local == mailbox && host.eq_ignore_ascii_case(at),
                    None => is_host_in(host, base, false),
                }
            }
            (Self::Host(name), Self::Host(base)) => is_host_in(name, base, true),
            (Self::Address(name), Self::Address(base)) => {
                is_host_in(host_of(name).ok_or("a URI without a host")?, base, false)
            }
            (Self::Directory(name), Self::Directory(base)) => name.is_below(base),
            (Self::Ip(name), Self::Ip(base)) => {
                let (net, mask) = base.split_at(base.len() / 2);
                net.len() == name.len()
                    && name.iter().zip(net).zip(mask).all(|((octet, net), mask)| octet & mask == net & mask)
            }
            _ => return Err("a name of this kind cannot be constrained here"),
        })
    }
}

/// `.example.com` means what is below it. Without the dot it is one host, and for DNS names all that is below it, too.
fn is_host_in(host: &str, base: &str, with_below: bool) -> bool {
    // A dot at the end says that the name is whole, which it is.
    let whole = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let (host, base) = (whole(host), whole(base));
    if let Some(domain) = base.strip_prefix('.') {
        return host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    }
    base.is_empty() || host == base || (with_below && host.strip_suffix(&base).is_some_and(|rest| rest.ends_with('.')))
}

/// The host of a URI with an authority (RFC 3986 section 3.2); `None` for addresses in numbers, which no constraint names.
fn host_of(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let is_name = !host.is_empty() && !host.starts_with('[') && host.chars().any(|c| c.is_ascii_alphabetic());
    is_name.then_some(host)
}

fn subtrees(raw: Option<Vec<Vec<Any>>>) -> Result<Vec<General>, &'static str> {
    let mut all = Vec::new();
    for subtree in raw.unwrap_or_default() {
        // minimum is 0 and maximum absent in every certificate of this profile.
        let [base] = subtree.as_slice() else { return Err("a subtree with minimum or maximum") };
        let base = General::of(base)?;
        // An address and a mask of four octets each, or of sixteen.
        if matches!(&base, General::Ip(octets) if ![8, 32].contains(&octets.len())) {
            return Err("a subtree of addresses that is neither of IPv4 nor of IPv6");
        }
        all.push(base);
    }
    match all.len() > MOST {
        true => Err("too many subtrees"),
        false => Ok(all),
    }
}

/// What the authorities of a path allow their subjects to be called.
#[derive(Default)]
pub(crate) struct NameConstraints {
    /// One list for each constraining authority: a name must lie in each that knows its kind.
    permitted: Vec<Vec<General>>,
    excluded: Vec<General>,
}

impl NameConstraints {
    /// Takes up the constraints of an authority (section 6.1.4 (g)).
    pub(crate) fn take(&mut self, certificate: &Certificate) -> Result<(), &'static str> {
        let Some(value) = certificate.extension(oid::NAME_CONSTRAINTS) else { return Ok(()) };
        let raw = Raw::from_der(value).map_err(|_| "nameConstraints cannot be read")?;
        if raw.permitted.is_none() && raw.excluded.is_none() {
            return Err("nameConstraints is empty");
        }
        if raw.permitted.is_some() {
            self.permitted.push(subtrees(raw.permitted)?);
        }
        self.excluded.extend(subtrees(raw.excluded)?);
        Ok(())
    }

    /// Whether a certificate is called as it may be (section 6.1.3 (b) and (c)).
    pub(crate) fn check(&self, certificate: &Certificate) -> Result<(), &'static str> {
        if self.permitted.is_empty() && self.excluded.is_empty() {
            return Ok(());
        }
        let names = names_of(certificate)?;
        if names.len() > MOST {
            return Err("too many names");
        }
        for name in &names {
            for base in self.excluded.iter().filter(|base| base.kind() == name.kind()) {
                if name.is_in(base)? {
                    return Err("its name is excluded by an authority above it");
                }
            }
            for permitted in &self.permitted {
                let mut of_kind = permitted.iter().filter(|base| base.kind() == name.kind()).peekable();
                if of_kind.peek().is_none() {
                    continue;
                }
                let mut is_in = false;
                for base in of_kind {
                    is_in |= name.is_in(base)?;
                }
                if !is_in {
                    return Err("its name is not permitted by an authority above it");
                }
            }
        }
        Ok(())
    }
}

/// All names of a certificate: subject, subjectAltName, and e-mail addresses in a subject without alternatives.
fn names_of(certificate: &Certificate) -> Result<Vec<General>, &'static str> {
    const EMAIL: ObjectIdentifier = oid::EMAIL_ADDRESS;
    let mut names = Vec::new();
    if !certificate.subject().is_empty() {
        names.push(General::Directory(certificate.subject().clone()));
    }
    match certificate.extension(oid::SUBJECT_ALT_NAME) {
        Some(value) => {
            let all: Vec<Any> = Vec::from_der(value).map_err(|_| "subjectAltName cannot be read")?;
            for any in &all {
                names.push(match General::of(any)? {
                    // An explicit tag around the name.
                    General::Directory(_) | General::Other(_) if any.value().is_empty() => return Err("an empty name"),
                    name => name,
                });
            }
        }
        None => {
            let mail = certificate.subject().attributes().into_iter().filter(|(id, _)| *id == EMAIL);
            names.extend(mail.map(|(_, address)| General::Mail(address)));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_of_each_kind() {
        let mail = |name: &str, base: &str| General::Mail(name.to_owned()).is_in(&General::Mail(base.to_owned()));
        assert_eq!(mail("jana@example.cz", "example.cz"), Ok(true));
        assert_eq!(mail("jana@EXAMPLE.cz", "example.cz"), Ok(true));
        assert_eq!(mail("jana@sub.example.cz", "example.cz"), Ok(false));
        assert_eq!(mail("jana@sub.example.cz", ".example.cz"), Ok(true));
        assert_eq!(mail("jana@example.cz", ".example.cz"), Ok(false));
        assert_eq!(mail("Jana@example.cz", "jana@example.cz"), Ok(false));
        assert!(mail("nobody", "example.cz").is_err());
        let host = |name: &str, base: &str| General::Host(name.to_owned()).is_in(&General::Host(base.to_owned()));
        assert_eq!(host("www.example.cz", "example.cz"), Ok(true));
        assert_eq!(host("wwwexample.cz", "example.cz"), Ok(false));
        assert_eq!(host("anything.cz", ""), Ok(true));
        assert_eq!(host("www.example.cz.", "example.cz"), Ok(true), "a name that says that it is whole");
        assert_eq!(host("www.example.cz", "example.cz."), Ok(true));
        let uri = |name: &str, base: &str| General::Address(name.to_owned()).is_in(&General::Address(base.to_owned()));
        assert_eq!(uri("https://a@www.example.cz:8443/x?y#z", "www.example.cz"), Ok(true));
        assert_eq!(uri("https://www.example.cz/", ".example.cz"), Ok(true));
        assert_eq!(uri("https://example.cz.evil.example/", ".example.cz"), Ok(false));
        for odd in ["urn:x", "https:///x", "https://127.0.0.1/", "https://[::1]/"] {
            assert!(uri(odd, ".example.cz").is_err(), "{odd}");
        }
        let ip = |name: &[u8], base: &[u8]| General::Ip(name.to_vec()).is_in(&General::Ip(base.to_vec()));
        assert_eq!(ip(&[10, 1, 2, 3], &[10, 0, 0, 0, 255, 0, 0, 0]), Ok(true));
        assert_eq!(ip(&[11, 1, 2, 3], &[10, 0, 0, 0, 255, 0, 0, 0]), Ok(false));
        assert_eq!(ip(&[10, 1, 2, 3], &[10, 0, 0, 255]), Ok(false), "half an address");
        assert!(General::Other(0).is_in(&General::Other(0)).is_err());
    }
}
