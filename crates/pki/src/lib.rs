//! Formats of the public-key infrastructure: bytes to types and back.
//!
//! Nothing here reads a clock, a file or a network, and nothing here computes: signatures, digests
//! and randomness come through [`Signer`], [`Verifier`] and [`Random`].

pub mod ber;
pub mod certificate;
pub mod chain;
pub mod cmp;
pub mod cms;
mod constraints;
pub mod crl;
pub mod crmf;
pub mod name;
pub mod oid;
pub mod pem;
pub mod policy;
pub mod qualified;
pub mod request;
pub mod serial;
pub mod signature;
pub mod status;
pub mod unread;

pub use certificate::{Certificate, Kind};
pub use name::Name;
pub use request::Request;
pub use serial::Serial;
pub use signature::{Digest, KeyKind, Random, SignError, SignatureAlgorithm, Signer, Verifier};
pub use unread::Unread;

/// Largest document that any decoder here looks at, in octets.
///
/// A certificate is a few kilobytes and a CMP message with its chain a few tens; anything larger
/// is refused before it is parsed.
pub const MAX_DOCUMENT: usize = 1 << 20;

/// Why bytes are not what they should be: which field, and which rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// The field, named as its standard names it.
    pub field: &'static str,
    /// The rule that is broken, or the decoder's own words.
    pub rule: String,
}

impl FormatError {
    /// An error about `field`.
    pub fn new(field: &'static str, rule: impl Into<String>) -> Self {
        Self { field, rule: rule.into() }
    }
}

impl core::fmt::Display for FormatError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.field, self.rule)
    }
}

impl std::error::Error for FormatError {}

/// Decodes exactly one DER value of at most [`MAX_DOCUMENT`] octets.
///
/// # Errors
///
/// [`FormatError`] with `field` when it is too long, is not DER, or something follows it.
pub fn decode<'a, T: der::Decode<'a>>(field: &'static str, bytes: &'a [u8]) -> Result<T, FormatError> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(FormatError::new(field, "longer than 1 MiB"));
    }
    T::from_der(bytes).map_err(|error| FormatError::new(field, error.to_string()))
}

/// Encodes a value whose parts were checked when it was made.
///
/// # Errors
///
/// [`FormatError`] with `field` when a part is outside what DER can hold (longer than 256 MiB).
pub fn encode(field: &'static str, value: &impl der::Encode) -> Result<Vec<u8>, FormatError> {
    value.to_der().map_err(|error| FormatError::new(field, error.to_string()))
}
