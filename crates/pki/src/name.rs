//! Distinguished names (RFC 5280 section 4.1.2.4), kept as the bytes they came in.

use der::asn1::{Any, Ia5StringRef, ObjectIdentifier, PrintableStringRef, SetOfVec, Utf8StringRef};
use der::{Encode, Tag, Tagged};
use unicode_normalization::UnicodeNormalization;
use x509_cert::attr::AttributeTypeAndValue;

use crate::{FormatError, decode, oid};

/// A distinguished name. `==` compares octets, as records, lists and identifiers do; [`Name::matches`] compares as
/// RFC 5280 section 7.1 does, for paths and for what an authority answers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// The empty sequence, as CMP uses it for a sender without a name.
    pub fn empty() -> Self {
        Self(vec![0x30, 0x00])
    }

    /// A name of one attribute per RDN, in the given order.
    ///
    /// countryName and serialNumber become PrintableString, emailAddress IA5String, all else UTF8String.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when a value is empty or has a character that its string type lacks.
    pub fn from_attributes(attributes: &[(ObjectIdentifier, &str)]) -> Result<Self, FormatError> {
        const FIELD: &str = "name";
        let wrong = |error: der::Error| FormatError::new(FIELD, error.to_string());
        let mut rdns = Vec::new();
        for &(attribute, text) in attributes {
            if text.is_empty() {
                return Err(FormatError::new(FIELD, format!("attribute {attribute} is empty")));
            }
            let value = match attribute {
                oid::COUNTRY | oid::SERIAL_NUMBER => Any::encode_from(&PrintableStringRef::new(text).map_err(wrong)?),
                oid::EMAIL_ADDRESS => Any::encode_from(&Ia5StringRef::new(text).map_err(wrong)?),
                _ => Any::encode_from(&Utf8StringRef::new(text).map_err(wrong)?),
            }
            .map_err(wrong)?;
            let mut rdn = SetOfVec::new();
            rdn.insert(AttributeTypeAndValue { oid: attribute, value }).map_err(wrong)?;
            rdns.push(rdn);
        }
        rdns.to_der().map(Self).map_err(wrong)
    }

    /// Checks that the bytes are a name and keeps them.
    ///
    /// # Errors
    ///
    /// [`FormatError`] when they are not an RDNSequence.
    pub fn from_der(bytes: &[u8]) -> Result<Self, FormatError> {
        let _: Vec<SetOfVec<AttributeTypeAndValue>> = decode("name", bytes)?;
        Ok(Self(bytes.to_vec()))
    }

    /// The bytes.
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// Whether it has no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.attributes().is_empty()
    }

    /// Attributes in the order of the name.
    pub fn attributes(&self) -> Vec<(ObjectIdentifier, String)> {
        let rdns: Vec<SetOfVec<AttributeTypeAndValue>> = decode("name", &self.0).unwrap_or_default();
        rdns.iter().flat_map(|rdn| rdn.iter()).map(|attribute| (attribute.oid, text(&attribute.value))).collect()
    }

    /// Whether two names are the same name, however each is spelled (RFC 5280 section 7.1): the same RDNs in the same order,
    /// text compared after string preparation (RFC 4518: NFKC, case folded, spaces collapsed), whatever string type
    /// holds it; other values by their octets. A name that is kept or looked up is compared by octets (`==`).
    pub fn matches(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        match (self.prepared(), other.prepared()) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => false,
        }
    }

    /// Whether it begins with all RDNs of another name, compared as [`Name::matches`] does (RFC 5280 section 4.2.1.10).
    pub fn is_below(&self, base: &Self) -> bool {
        match (self.prepared(), base.prepared()) {
            (Some(mine), Some(base)) => mine.starts_with(&base),
            _ => false,
        }
    }

    /// RDN by RDN, prepared for comparison; `None` when it cannot be read.
    fn prepared(&self) -> Option<Vec<Vec<(ObjectIdentifier, Prepared)>>> {
        let rdns: Vec<SetOfVec<AttributeTypeAndValue>> = decode("name", &self.0).ok()?;
        let prepared = |rdn: &SetOfVec<AttributeTypeAndValue>| {
            let mut all: Vec<(ObjectIdentifier, Prepared)> =
                rdn.iter().map(|attribute| (attribute.oid, Prepared::of(&attribute.value))).collect();
            all.sort();
            all
        };
        Some(rdns.iter().map(prepared).collect())
    }

    /// First value of an attribute.
    pub fn attribute(&self, wanted: ObjectIdentifier) -> Option<String> {
        self.attributes().into_iter().find(|(found, _)| *found == wanted).map(|(_, value)| value)
    }

    /// commonName, or else the whole name.
    pub fn common_name(&self) -> String {
        self.attribute(oid::COMMON_NAME).unwrap_or_else(|| self.to_string())
    }

    pub(crate) fn to_any(&self) -> Result<Any, FormatError> {
        decode("name", &self.0)
    }

    pub(crate) fn from_any(any: &Any) -> Result<Self, FormatError> {
        Self::from_der(&crate::encode("name", any)?)
    }
}

/// A value on its way to a comparison.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Prepared {
    Text(String),
    Octets(Vec<u8>),
}

impl Prepared {
    fn of(value: &Any) -> Self {
        match string(value) {
            Some(text) => Self::Text(prepare(&text)),
            None => Self::Octets(value.to_der().unwrap_or_default()),
        }
    }
}

/// String preparation for caseIgnoreMatch (RFC 4518 section 2), as far as names need it.
fn prepare(text: &str) -> String {
    // Mapped to nothing: soft hyphens, joiners, variation selectors and other controls; to a space: tabs and line ends.
    let mapped = text.chars().filter_map(|c| match c {
        '\t' | '\n' | '\u{B}' | '\u{C}' | '\r' | '\u{85}' => Some(' '),
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}' => None,
        c if c.is_control() => None,
        c => Some(c),
    });
    let folded: String = mapped.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The characters of a string type; `None` for values that are no text.
fn string(value: &Any) -> Option<String> {
    let octets = value.value();
    Some(match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            String::from_utf8_lossy(octets).into_owned()
        }
        // T.61 is read as Latin-1 by everybody, because nobody wrote anything else.
        Tag::TeletexString => octets.iter().map(|&octet| char::from(octet)).collect(),
        Tag::BmpString => {
            let units: Vec<u16> = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        _ => return None,
    })
}

fn text(value: &Any) -> String {
    string(value).unwrap_or_else(|| value.value().iter().map(|octet| format!("{octet:02x}")).collect())
}

fn short_name(attribute: ObjectIdentifier) -> Option<&'static str> {
    Some(match attribute {
        oid::COMMON_NAME => "CN",
        oid::SURNAME => "SN",
        oid::SERIAL_NUMBER => "serialNumber",
        oid::COUNTRY => "C",
        oid::LOCALITY => "L",
        oid::ORGANIZATION => "O",
        oid::ORGANIZATIONAL_UNIT => "OU",
        oid::GIVEN_NAME => "GN",
        oid::ORGANIZATION_IDENTIFIER => "organizationIdentifier",
        oid::EMAIL_ADDRESS => "emailAddress",
        _ => return None,
    })
}

/// Attributes in the order of the name, with `, ` between them and special characters escaped
/// as RFC 4514 section 2.4 says.
impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (i, (attribute, value)) in self.attributes().iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            match short_name(*attribute) {
                Some(short) => write!(f, "{short}=")?,
                None => write!(f, "{attribute}=")?,
            }
            for c in value.chars() {
                match c {
                    ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => write!(f, "\\{c}")?,
                    c if c.is_control() => write!(f, "\\{:02x}", c as u32)?,
                    c => write!(f, "{c}")?,
                }
            }
        }
        Ok(())
    }
}

impl core::fmt::Debug for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Name({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(parts: &[(ObjectIdentifier, Tag, &[u8])]) -> Name {
        let rdns: Vec<SetOfVec<AttributeTypeAndValue>> = parts
            .iter()
            .map(|(oid, tag, value)| {
                let mut rdn = SetOfVec::new();
                rdn.insert(AttributeTypeAndValue { oid: *oid, value: Any::new(*tag, *value).unwrap() }).unwrap();
                rdn
            })
            .collect();
        Name(rdns.to_der().unwrap())
    }

    #[test]
    fn one_name_is_one_name_however_it_is_spelled() {
        let cn = oid::COMMON_NAME;
        let usual =
            name(&[(oid::COUNTRY, Tag::PrintableString, b"CZ"), (cn, Tag::Utf8String, "Jan Lhoták".as_bytes())]);
        let wide: Vec<u8> = "Jan Lhot\u{e1}k".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for same in [
            name(&[(oid::COUNTRY, Tag::Utf8String, b"cz"), (cn, Tag::Utf8String, "JAN  LHOTÁK ".as_bytes())]),
            name(&[(oid::COUNTRY, Tag::PrintableString, b"CZ"), (cn, Tag::BmpString, &wide)]),
            name(&[(oid::COUNTRY, Tag::PrintableString, b"CZ"), (cn, Tag::TeletexString, b"Jan Lhot\xe1k")]),
            name(&[(oid::COUNTRY, Tag::PrintableString, b"CZ"), (cn, Tag::Utf8String, "Jan Lhota\u{301}k".as_bytes())]),
        ] {
            assert!(usual.matches(&same) && same.matches(&usual), "{same}");
            assert_ne!(usual, same, "kept and looked up by octets");
        }
        for other in [
            name(&[(oid::COUNTRY, Tag::PrintableString, b"CZ"), (cn, Tag::Utf8String, "Jan Lhotak".as_bytes())]),
            name(&[(cn, Tag::Utf8String, "Jan Lhoták".as_bytes()), (oid::COUNTRY, Tag::PrintableString, b"CZ")]),
            name(&[
                (oid::COUNTRY, Tag::PrintableString, b"CZ"),
                (oid::SURNAME, Tag::Utf8String, "Jan Lhoták".as_bytes()),
            ]),
            name(&[(oid::COUNTRY, Tag::PrintableString, b"CZ")]),
            name(&[(oid::COUNTRY, Tag::PrintableString, b"CZ"), (cn, Tag::OctetString, "Jan Lhoták".as_bytes())]),
            Name::empty(),
        ] {
            assert!(!usual.matches(&other), "{other}");
        }
    }
}
