//! Serial numbers, in both notations that people meet (RFC 5280 section 4.1.2.2).

use core::fmt;

/// A certificate's serial number: positive, at most 20 octets.
///
/// It means something only together with its issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);

/// Why a serial number is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SerialError {
    /// No digit at all.
    Empty,
    /// Negative or zero.
    NotPositive,
    /// More than 20 octets.
    TooLong,
    /// A character that belongs to neither notation.
    Character(char),
}

impl fmt::Display for SerialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("serialNumber: no digits"),
            Self::NotPositive => f.write_str("serialNumber: must be positive (RFC 5280 section 4.1.2.2)"),
            Self::TooLong => f.write_str("serialNumber: longer than 20 octets (RFC 5280 section 4.1.2.2)"),
            Self::Character(c) => write!(f, "serialNumber: unexpected character {c:?}"),
        }
    }
}

impl std::error::Error for SerialError {}

impl Serial {
    /// From big-endian octets of a positive number; leading zeros are dropped.
    ///
    /// # Errors
    ///
    /// [`SerialError`] for zero and for more than 20 octets.
    pub fn from_be_octets(octets: &[u8]) -> Result<Self, SerialError> {
        let start = octets.iter().position(|&byte| byte != 0).ok_or(SerialError::NotPositive)?;
        let octets = &octets[start..];
        // The DER form of a number whose top bit is set needs one more octet.
        let der_length = octets.len() + usize::from(octets[0] & 0x80 != 0);
        if der_length > 20 {
            return Err(SerialError::TooLong);
        }
        Ok(Self(octets.to_vec()))
    }

    /// From the contents octets of a DER INTEGER (two's complement).
    ///
    /// # Errors
    ///
    /// [`SerialError`] for negative numbers, zero and more than 20 octets.
    pub fn from_integer(contents: &[u8]) -> Result<Self, SerialError> {
        if contents.first().is_some_and(|byte| byte & 0x80 != 0) {
            return Err(SerialError::NotPositive);
        }
        Self::from_be_octets(contents)
    }

    /// Big-endian octets without leading zeros.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }

    /// Contents octets of the DER INTEGER.
    pub fn to_integer(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.0.len() + 1);
        if self.0[0] & 0x80 != 0 {
            octets.push(0);
        }
        octets.extend_from_slice(&self.0);
        octets
    }

    /// Every number that a typed text can mean, the decimal reading first.
    ///
    /// Spaces, colons and hyphens are dropped. `0x` in front, or a letter, means hexadecimal only;
    /// digits alone can be read both ways, and the caller finds out which one exists.
    ///
    /// # Errors
    ///
    /// [`SerialError`] when no reading is possible.
    pub fn candidates(text: &str) -> Result<Vec<Self>, SerialError> {
        let text = text.trim();
        if text.starts_with('-') {
            return Err(SerialError::NotPositive);
        }
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | ':' | '-' | '\u{a0}' | '\t')).collect();
        let (digits, marked) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(rest) => (rest, true),
            None => (digits.as_str(), false),
        };
        if digits.is_empty() {
            return Err(SerialError::Empty);
        }
        if let Some(c) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(SerialError::Character(c));
        }
        if digits.len() > 256 {
            return Err(SerialError::TooLong);
        }
        let hexadecimal = Self::from_digits(digits, 16);
        if marked || digits.chars().any(|c| !c.is_ascii_digit()) {
            return hexadecimal.map(|serial| vec![serial]);
        }
        let decimal = Self::from_digits(digits, 10);
        match (decimal, hexadecimal) {
            (Ok(a), Ok(b)) if a == b => Ok(vec![a]),
            (Ok(a), Ok(b)) => Ok(vec![a, b]),
            (Ok(a), Err(_)) | (Err(_), Ok(a)) => Ok(vec![a]),
            (Err(error), Err(_)) => Err(error),
        }
    }

    fn from_digits(digits: &str, base: u32) -> Result<Self, SerialError> {
        let mut octets: Vec<u8> = Vec::new();
        for c in digits.chars() {
            let mut carry = c.to_digit(base).ok_or(SerialError::Character(c))?;
            for octet in octets.iter_mut().rev() {
                let value = u32::from(*octet) * base + carry;
                *octet = (value & 0xff) as u8;
                carry = value >> 8;
            }
            if carry > 0 {
                octets.insert(0, carry as u8);
            }
            if octets.len() > 20 {
                return Err(SerialError::TooLong);
            }
        }
        Self::from_be_octets(&octets)
    }

    /// Decimal digits.
    pub fn decimal(&self) -> String {
        let mut digits: Vec<u8> = vec![0];
        for &octet in &self.0 {
            let mut carry = u32::from(octet);
            for digit in digits.iter_mut() {
                let value = u32::from(*digit) * 256 + carry;
                *digit = (value % 10) as u8;
                carry = value / 10;
            }
            while carry > 0 {
                digits.push((carry % 10) as u8);
                carry /= 10;
            }
        }
        digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
    }

    /// Hexadecimal digits in pairs, lower case, without separators.
    pub fn hexadecimal(&self) -> String {
        self.0.iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{})", self.decimal(), self.hexadecimal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_notations_of_the_same_number() {
        // The pair that a published PostSignum certificate carries.
        let serial = Serial::from_be_octets(&[0x01, 0x58, 0xd4, 0x67]).unwrap();
        assert_eq!(serial.decimal(), "22598759");
        assert_eq!(serial.hexadecimal(), "0158d467");
        for text in ["22598759", "0158D467", "01:58:d4:67", "0x158d467", "22 598 759", "00022598759", "1 58 d4 67"] {
            assert!(Serial::candidates(text).unwrap().contains(&serial), "{text}");
        }
    }

    #[test]
    fn digits_alone_can_be_read_both_ways() {
        let both = Serial::candidates("10").unwrap();
        assert_eq!(both.iter().map(Serial::decimal).collect::<Vec<_>>(), ["10", "16"]);
    }

    #[test]
    fn refused_with_the_rule() {
        check("", SerialError::Empty);
        check("  :: ", SerialError::Empty);
        check("-5", SerialError::NotPositive);
        check("0", SerialError::NotPositive);
        check("12g4", SerialError::Character('g'));
        check("0xffffffffffffffffffffffffffffffffffffffff", SerialError::TooLong);
        check(&"9".repeat(300), SerialError::TooLong);
        assert_eq!(Serial::from_integer(&[0x80]), Err(SerialError::NotPositive));
    }

    #[track_caller]
    fn check(text: &str, error: SerialError) {
        assert_eq!(Serial::candidates(text), Err(error));
    }

    #[test]
    fn round_trip_of_every_length() {
        for length in 1..=19 {
            let octets: Vec<u8> = (0..length).map(|i: u8| 0x81u8.wrapping_add(i.wrapping_mul(37)) | 1).collect();
            let serial = Serial::from_be_octets(&octets).unwrap();
            assert!(Serial::candidates(&serial.decimal()).unwrap().contains(&serial));
            assert_eq!(
                Serial::candidates(&format!("0x{}", serial.hexadecimal())).unwrap(),
                [serial.clone()].as_slice()
            );
            assert_eq!(Serial::from_integer(&serial.to_integer()).unwrap(), serial);
        }
    }
}
