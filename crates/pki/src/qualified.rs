//! Statements of qualified certificates (RFC 3739 section 3.2.6, ETSI EN 319 412-5).

use der::Sequence;
use der::asn1::{Any, Ia5String, ObjectIdentifier, PrintableString};

use crate::{FormatError, decode, encode, oid};

#[derive(Clone, Debug, Sequence)]
struct Statement {
    id: ObjectIdentifier,
    #[asn1(optional = "true")]
    info: Option<Any>,
}

#[derive(Clone, Debug, Sequence)]
struct Location {
    url: Ia5String,
    language: PrintableString,
}

fn has(value: &[u8], wanted: ObjectIdentifier) -> bool {
    decode::<Vec<Statement>>("qcStatements", value)
        .is_ok_and(|statements| statements.iter().any(|statement| statement.id == wanted))
}

pub(crate) fn claims_compliance(value: &[u8]) -> bool {
    has(value, oid::QC_COMPLIANCE)
}

pub(crate) fn claims_device(value: &[u8]) -> bool {
    has(value, oid::QC_SSCD)
}

/// The extension's value for a person's certificate for electronic signatures.
///
/// `disclosures` are addresses of the disclosure statement with the two-letter language of each;
/// EN 319 412-5 section 4.3.4 wants one in English and https.
///
/// # Errors
///
/// [`FormatError`] when an address is not IA5 or a language not PrintableString.
pub fn statements(on_device: bool, disclosures: &[(&str, &str)]) -> Result<Vec<u8>, FormatError> {
    const FIELD: &str = "qcStatements";
    let wrong = |error: der::Error| FormatError::new(FIELD, error.to_string());
    let mut all = vec![Statement { id: oid::QC_COMPLIANCE, info: None }];
    if on_device {
        all.push(Statement { id: oid::QC_SSCD, info: None });
    }
    let locations = disclosures
        .iter()
        .map(|(url, language)| Ok(Location { url: Ia5String::new(url)?, language: PrintableString::new(language)? }))
        .collect::<Result<Vec<_>, der::Error>>()
        .map_err(wrong)?;
    all.push(Statement { id: oid::QC_PDS, info: Some(Any::encode_from(&locations).map_err(wrong)?) });
    all.push(Statement { id: oid::QC_TYPE, info: Some(Any::encode_from(&vec![oid::QCT_ESIGN]).map_err(wrong)?) });
    encode(FIELD, &all)
}
