//! Textual encoding (RFC 7468), for files that people carry.

use der::pem;

use crate::{FormatError, MAX_DOCUMENT};

/// All certificates of a PEM file, in their order; none when the bytes are not PEM at all.
///
/// # Errors
///
/// [`FormatError`] when a CERTIFICATE block is damaged or the file is longer than 1 MiB.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, FormatError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    if bytes.len() > MAX_DOCUMENT {
        return Err(FormatError::new("PEM", "longer than 1 MiB"));
    }
    let Ok(mut rest) = core::str::from_utf8(bytes) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    while let Some(start) = rest.find(BEGIN) {
        let block = &rest[start..];
        let end = block.find(END).ok_or_else(|| FormatError::new("PEM", "a CERTIFICATE block has no end"))?;
        let text = block[..end + END.len()].replace('\r', "") + "\n";
        let (_, der) = pem::decode_vec(text.as_bytes()).map_err(|error| FormatError::new("PEM", error.to_string()))?;
        found.push(der);
        rest = &block[end + END.len()..];
    }
    Ok(found)
}

/// One PEM block.
///
/// # Errors
///
/// [`FormatError`] for a label that RFC 7468 does not allow.
pub fn block(label: &str, der: &[u8]) -> Result<String, FormatError> {
    pem::encode_string(label, pem::LineEnding::LF, der).map_err(|error| FormatError::new("PEM", error.to_string()))
}
