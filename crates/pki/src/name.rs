//! Distinguished names (RFC 5280 section 4.1.2.4), kept as the bytes they came in.

use der::asn1::{Any, Ia5StringRef, ObjectIdentifier, PrintableStringRef, SetOfVec, Utf8StringRef};
use der::{Encode, Tag, Tagged};
use x509_cert::attr::AttributeTypeAndValue;

use crate::{FormatError, decode, oid};

/// A distinguished name. Two names are the same when their DER is the same
/// (stricter than RFC 5280 section 7.1; see `docs/departures.md`).
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

fn text(value: &Any) -> String {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString => {
            String::from_utf8_lossy(value.value()).into_owned()
        }
        Tag::BmpString => {
            let units: Vec<u16> =
                value.value().chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        _ => value.value().iter().map(|octet| format!("{octet:02x}")).collect(),
    }
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
