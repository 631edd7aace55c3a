//! What somebody calls a certificate and cannot be read as one: kept by its octets, with as much as can be told of it
//! (RFC 5280 section 4.1, read without its rules).

use std::time::SystemTime;

use der::Decode;
use x509_cert::time::Time;

use crate::ber::Node;
use crate::{Certificate, FormatError, Name};

/// Octets that are called a certificate, and why they are none that can be read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    der: Vec<u8>,
    why: FormatError,
    serial: Option<Vec<u8>>,
    subject: Option<Name>,
    public_key: Option<Vec<u8>>,
    not_after: Option<SystemTime>,
}

impl Certificate {
    /// Reads a certificate, and keeps what cannot be read.
    ///
    /// # Errors
    ///
    /// The octets with all that could be told of them.
    pub fn read(bytes: &[u8]) -> Result<Self, Box<Unread>> {
        Self::from_der(bytes).map_err(|why| Box::new(Unread::new(bytes, why)))
    }
}

impl Unread {
    /// Octets that are no certificate here, for this reason.
    pub fn new(bytes: &[u8], why: FormatError) -> Self {
        let mut unread =
            Self { der: bytes.to_vec(), why, serial: None, subject: None, public_key: None, not_after: None };
        unread.look();
        unread
    }

    /// Takes what stands where it should, field by field.
    fn look(&mut self) {
        let der = self.der.clone();
        let Ok(node) = Node::parse_first(&der) else { return };
        let Some(tbs) = node.children().first().filter(|tbs| tbs.tag == 0x30) else { return };
        let fields = tbs.children();
        let fields = if fields.first().is_some_and(|first| first.tag == 0xA0) { &fields[1..] } else { fields };
        if let Some(serial) = fields.first().filter(|field| field.tag == 0x02) {
            self.serial = Some(serial.octets());
        }
        let validity = fields.get(3).map(Node::children).unwrap_or_default();
        self.not_after = validity.get(1).and_then(|end| Time::from_der(end.raw).ok()).map(|end| end.to_system_time());
        self.subject = fields.get(4).and_then(|name| Name::from_der(name.raw).ok());
        // SubjectPublicKeyInfo: an algorithm and a bit string; what they mean need not be known.
        let key = fields.get(5).filter(|key| {
            let parts = key.children();
            key.tag == 0x30 && parts.len() == 2 && parts[0].tag == 0x30 && parts[1].tag == 0x03
        });
        self.public_key = key.map(|key| key.raw.to_vec());
    }

    /// All octets.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The field and the rule that it breaks.
    pub fn why(&self) -> &FormatError {
        &self.why
    }

    /// The octets of serialNumber, however many and of whatever sign.
    pub fn serial(&self) -> Option<&[u8]> {
        self.serial.as_deref()
    }

    /// subject.
    pub fn subject(&self) -> Option<&Name> {
        self.subject.as_ref()
    }

    /// SubjectPublicKeyInfo: needs no understanding of the signature, nor of the key itself.
    pub fn public_key(&self) -> Option<&[u8]> {
        self.public_key.as_deref()
    }

    /// notAfter.
    pub fn not_after(&self) -> Option<SystemTime> {
        self.not_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_can_be_told_is_told() {
        // Nothing at all, and nothing that is one.
        for bytes in [&b""[..], b"0", b"no certificate", &[0x30, 0x00], &[0x30, 0x03, 0x30, 0x01, 0x00]] {
            let unread = Certificate::read(bytes).unwrap_err();
            assert_eq!(unread.der(), bytes);
            assert!(unread.serial().is_none() && unread.public_key().is_none() && unread.not_after().is_none());
        }
    }
}
