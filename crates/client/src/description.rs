//! Authorities that are asked by mail: their description as data, the request with every field traced to its source,
//! and the signed message as a draft (RFC 2986, RFC 8551 section 3.5.3, RFC 5322).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use obnova_crypto::Primitives;
use obnova_keystore::{StoreSigner, durable};
use obnova_pki::{Certificate, Kind, Unread, cms, oid};
use serde::{Deserialize, Serialize};

use crate::adopt::mailed_authority;
use crate::inventory::Inventory;
use crate::journey::PinSource;
use crate::{ClientError, Home};

/// An authority that is asked by signed mail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityDescription {
    /// Its name.
    pub name: String,
    /// Parts of the issuer's common name by which its certificates are known.
    pub issuers: Vec<String>,
    /// The mailbox of its registration.
    pub mailbox: String,
    /// Subject of the message.
    pub subject: String,
    /// Day when its pages were read.
    pub read: String,
    /// The pages.
    #[serde(default)]
    pub pages: Vec<String>,
    /// Kinds of keys that it certifies; empty where that is not known.
    #[serde(default)]
    pub keys: Vec<String>,
    /// What the message must say.
    #[serde(default)]
    pub field: Vec<Field>,
    /// Who must be told of a commercial successor.
    #[serde(default)]
    pub account: Vec<ForeignAccount>,
}

/// One field of the message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name for `--field NAME=VALUE`.
    pub key: String,
    /// Its name in the message.
    pub label: String,
    /// Where its value comes from.
    pub source: String,
    /// Whether it may be left out.
    #[serde(default)]
    pub optional: bool,
}

/// An account at a page that is not ours, where a certificate is typed in by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignAccount {
    /// Its name.
    pub name: String,
    /// Its page.
    pub page: String,
    /// The issuer's name as that page spells it.
    pub issuer: String,
}

/// A field with its value, and where that came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldView {
    /// Name for `--field`.
    pub key: String,
    /// Name in the message.
    pub label: String,
    /// Value.
    pub value: String,
    /// `certificate:...`, `request:...`, or `you`.
    pub source: String,
}

/// The draft of a message, written down.
#[derive(Debug, Clone, Serialize)]
pub struct Draft {
    /// The PKCS#10 file (PEM).
    pub request: PathBuf,
    /// The signed message.
    pub message: PathBuf,
    /// Whom it is for.
    pub to: String,
    /// Every field and where it comes from.
    pub fields: Vec<FieldView>,
}

/// Descriptions that the program carries.
const CARRIED: [(&str, &str); 1] = [("postsignum", include_str!("../data/postsignum.toml"))];

impl AuthorityDescription {
    /// A description by its short name, or from a file.
    ///
    /// # Errors
    ///
    /// `description-wrong`, naming the line; `file-error`.
    pub fn load(name: &str) -> Result<Self, ClientError> {
        let wrong = |error: toml::de::Error| ClientError::new("description-wrong", format!("{name}: {error}"));
        if let Some((_, text)) = CARRIED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return toml::from_str(text).map_err(wrong);
        }
        let text = std::fs::read_to_string(name)
            .map_err(|error| ClientError::new("description-wrong", format!("{name}: {error}")))?;
        toml::from_str(&text).map_err(wrong)
    }

    /// The short name of the description that a certificate's issuer belongs to.
    pub fn of(certificate: &Certificate) -> Option<&'static str> {
        let issuer = certificate.issuer().to_string();
        CARRIED.iter().map(|(name, _)| *name).find(|name| {
            Self::load(name).is_ok_and(|known| known.issuers.iter().any(|part| issuer.contains(part.as_str())))
        })
    }

    /// Values of all fields: from the certificate, from the request, or asked for.
    ///
    /// # Errors
    ///
    /// `field-missing`, naming it; `field-wrong` for one that cannot stand in a line.
    pub fn filled(&self, old: &Certificate, ask: &dyn PinSource) -> Result<Vec<FieldView>, ClientError> {
        let mut fields = Vec::new();
        for field in &self.field {
            let from_certificate = field.source.strip_prefix("certificate:").map(|name| attribute(old, name));
            let from_request = field.source.strip_prefix("request:").map(|name| match name {
                // The policy of the certificate that is followed: the successor is of the same kind.
                "policy" => old.policies().first().map(ToString::to_string),
                "file" => Some("zadost.req".to_owned()),
                _ => None,
            });
            let known = from_certificate.or(from_request).flatten().filter(|value| !value.is_empty());
            let (value, source) = match known {
                Some(value) => (value, field.source.clone()),
                None => (ask.field(field)?, "you".to_owned()),
            };
            if value.is_empty() {
                if !field.optional {
                    return Err(ClientError::new("field-missing", format!("{} ({})", field.key, field.label)));
                }
                continue;
            }
            if value.chars().any(char::is_control) || value.len() > 200 {
                return Err(ClientError::new("field-wrong", &field.key));
            }
            fields.push(FieldView { key: field.key.clone(), label: field.label.clone(), value, source });
        }
        Ok(fields)
    }
}

/// Everything that an authority must know before it is asked by mail; made before any key.
pub struct Mailed {
    /// The authority.
    pub description: AuthorityDescription,
    /// What the message will say, each field with its source.
    pub fields: Vec<FieldView>,
}

impl Mailed {
    /// Finds the description of a certificate's authority (or takes the one of this name), fills in every field, and
    /// remembers the authority.
    ///
    /// # Errors
    ///
    /// `description-needed`; `anchor-needed`; as [`AuthorityDescription::filled`].
    pub fn prepare(
        home: &Home,
        inventory: &Inventory,
        old: &Certificate,
        (name, anchor): (Option<&str>, Option<&Certificate>),
        ask: &dyn PinSource,
    ) -> Result<Self, ClientError> {
        let name = name
            .or_else(|| AuthorityDescription::of(old))
            .ok_or_else(|| ClientError::new("description-needed", old.issuer().common_name()))?;
        let description = AuthorityDescription::load(name)?;
        let at_hand: Vec<Certificate> = inventory.certificates().into_iter().map(|(_, found)| found).collect();
        let mut record = mailed_authority(old, anchor, &at_hand)?;
        let fields = description.filled(old, ask)?;
        (record.name, record.mail) = (format!("{} ({name})", description.name), Some(name.to_owned()));
        home.remember(&record)?;
        Ok(Self { description, fields })
    }

    /// What the person answered, so that nothing is asked twice.
    pub fn answers(&self) -> GivenFields {
        let answers = self.fields.iter().filter(|field| field.source == "you");
        GivenFields(answers.map(|field| (field.key.clone(), field.value.clone())).collect())
    }
}

fn attribute(certificate: &Certificate, name: &str) -> Option<String> {
    match name {
        "O" => certificate.subject().attribute(oid::ORGANIZATION),
        "CN" => Some(certificate.subject().common_name()),
        "serialNumber" => certificate.subject().attribute(oid::SERIAL_NUMBER),
        "email" => certificate.email(),
        _ => None,
    }
}

/// Base64 in lines of 76 (RFC 2045 section 6.8).
pub(crate) fn base64_lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut out = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(76));
        out.push_str(line);
        out.push_str("\r\n");
        rest = tail;
    }
    out
}

/// A header's words, which may be Czech (RFC 2047).
fn header_words(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    // An encoded word takes 75 characters at most, so long texts become several.
    let mut words = Vec::new();
    let mut part = String::new();
    for character in text.chars() {
        if part.len() + character.len_utf8() > 42 {
            words.push(std::mem::take(&mut part));
        }
        part.push(character);
    }
    words.push(part);
    let encoded: Vec<String> = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
    encoded.join("\r\n ")
}

/// Writes the request and the signed message into the home.
///
/// # Errors
///
/// `no-mail-address` when the current certificate names none; `file-error`; the key's own.
pub(crate) fn draft(
    home: &Home,
    journey: &str,
    description: &AuthorityDescription,
    fields: &[FieldView],
    (signer, old): (&StoreSigner, &Certificate),
    request: &[u8],
    at: SystemTime,
) -> Result<Draft, ClientError> {
    let folder = home.folder().join("requests");
    std::fs::create_dir_all(&folder)?;
    let file = |ending: &str| folder.join(format!("{journey}.{ending}"));
    let pem = obnova_pki::pem::block("CERTIFICATE REQUEST", request)
        .map_err(|error| ClientError::new("file-error", error))?;
    let from = old.email().ok_or_else(|| ClientError::new("no-mail-address", old.serial()))?;
    let mut words = String::new();
    for field in fields {
        words.push_str(&format!("{}: {}\r\n", field.label, field.value));
    }
    let inner = format!(
        "Content-Type: multipart/mixed; boundary=\"obnova-parts\"\r\n\r\n\
         --obnova-parts\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\
         --obnova-parts\r\nContent-Type: application/pkcs10; name=\"zadost.req\"\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"zadost.req\"\r\n\r\n{}\
         --obnova-parts--\r\n",
        base64_lines(words.as_bytes()),
        base64_lines(pem.as_bytes()),
    );
    let signature = cms::sign_detached(inner.as_bytes(), &[(signer, old)], &[], at, &Primitives)?;
    let micalg = match obnova_pki::Signer::algorithm(signer).digest() {
        obnova_pki::Digest::Sha384 => "sha-384",
        obnova_pki::Digest::Sha512 => "sha-512",
        _ => "sha-256",
    };
    let date = jiff::Timestamp::try_from(at)
        .ok()
        .and_then(|at| jiff::fmt::rfc2822::to_string(&at.to_zoned(jiff::tz::TimeZone::UTC)).ok())
        .unwrap_or_default();
    let id = hex::encode(Primitives.octets::<12>());
    let message = format!(
        "From: {from}\r\nTo: {}\r\nSubject: {}\r\nDate: {date}\r\nMessage-ID: <{id}@obnova.invalid>\r\nX-Unsent: 1\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; \
         micalg={micalg}; boundary=\"obnova-signed\"\r\n\r\n--obnova-signed\r\n{inner}\r\n--obnova-signed\r\n\
         Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n{}--obnova-signed--\r\n",
        description.mailbox,
        header_words(&description.subject),
        base64_lines(&signature),
    );
    let (request_file, message_file) = (file("req"), file("eml"));
    durable::replace(&request_file, pem.as_bytes())?;
    durable::replace(&message_file, message.as_bytes())?;
    Ok(Draft { request: request_file, message: message_file, to: description.mailbox.clone(), fields: fields.to_vec() })
}

/// Accounts that must be told of a certificate: of its authority's description, and of the settings.
///
/// # Errors
///
/// `settings-wrong`.
pub(crate) fn accounts_for(home: &Home, certificate: &Certificate) -> Result<Vec<ForeignAccount>, ClientError> {
    if certificate.kind() != Kind::Commercial {
        return Ok(Vec::new());
    }
    let mut accounts = home.accounts()?;
    if let Some(description) =
        AuthorityDescription::of(certificate).and_then(|name| AuthorityDescription::load(name).ok())
    {
        for account in description.account {
            if !accounts.iter().any(|known| known.name == account.name) {
                accounts.push(account);
            }
        }
    }
    Ok(accounts)
}

/// Answers that were given beforehand, by name.
#[derive(Debug, Clone, Default)]
pub struct GivenFields(pub BTreeMap<String, String>);

impl GivenFields {
    /// Reads `NAME=VALUE` pairs.
    ///
    /// # Errors
    ///
    /// `field-wrong` for one without `=`.
    pub fn parse(pairs: &[String]) -> Result<Self, ClientError> {
        let mut fields = BTreeMap::new();
        for pair in pairs {
            let (name, value) = pair.split_once('=').ok_or_else(|| ClientError::new("field-wrong", pair))?;
            fields.insert(name.trim().to_owned(), value.trim().to_owned());
        }
        Ok(Self(fields))
    }
}

/// Reads certificates from whatever a person has: DER, PEM, PKCS#7, or a mail with one of these in it.
///
/// # Errors
///
/// `nothing-to-pick-up` when there is none; `certificate-unread` when there is one that cannot be read.
pub(crate) fn certificates_in(bytes: &[u8], name: &Path) -> Result<Vec<Certificate>, ClientError> {
    let mut found = in_one(bytes);
    if found.is_empty()
        && let Some(mail) = mail_parser::MessageParser::default().parse(bytes)
    {
        for part in &mail.parts {
            found.extend(in_one(part.contents()));
        }
    }
    let (mut read, mut unread) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Ok(certificate) => read.push(certificate),
            Err(one) => unread.push(one.why().to_string()),
        }
    }
    match (read.is_empty(), unread.first()) {
        (false, _) => Ok(read),
        // A certificate that cannot be read is not nothing.
        (true, Some(why)) => Err(ClientError::new("certificate-unread", format!("{}: {why}", name.display()))),
        (true, None) => Err(ClientError::new("nothing-to-pick-up", name.display())),
    }
}

/// Certificates, and what is called so and cannot be read.
fn in_one(bytes: &[u8]) -> Vec<Result<Certificate, Box<Unread>>> {
    let pems = obnova_pki::pem::certificates(bytes).unwrap_or_default();
    if !pems.is_empty() {
        return pems.iter().map(|der| Certificate::read(der)).collect();
    }
    match Certificate::read(bytes) {
        Ok(certificate) => return vec![Ok(certificate)],
        // As long as it has the shape of one.
        Err(unread) if unread.public_key().is_some() => return vec![Err(unread)],
        Err(_) => {}
    }
    if let Ok(certificates) = cms::certificates_only(bytes) {
        return certificates;
    }
    // Base64 without its lines, as some services answer.
    let text: Vec<u8> = bytes.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    match STANDARD.decode(&text) {
        Ok(der) if !der.is_empty() && der != bytes => match Certificate::read(&der) {
            Ok(certificate) => vec![Ok(certificate)],
            Err(unread) if unread.public_key().is_some() => vec![Err(unread)],
            Err(_) => cms::certificates_only(&der).unwrap_or_default(),
        },
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_sound() {
        for (name, _) in CARRIED {
            let description = AuthorityDescription::load(name).unwrap();
            assert!(description.field.iter().all(|field| {
                field.source == "ask"
                    || field.source.starts_with("certificate:")
                    || ["request:policy", "request:file"].contains(&field.source.as_str())
            }));
            assert!(description.mailbox.contains('@'));
        }
        assert_eq!(AuthorityDescription::load("/no/such").unwrap_err().code, "description-wrong");
    }

    #[test]
    fn czech_headers_are_encoded_in_short_words() {
        let encoded = header_words("Žádost o vydání následného certifikátu, prosím co nejdříve");
        assert!(encoded.is_ascii());
        assert!(encoded.lines().all(|line| line.trim().len() <= 75), "{encoded}");
    }

    #[test]
    fn noise_holds_no_certificate() {
        for noise in [&b""[..], b"hello", &[0x30, 0x80], b"From: a@b\r\n\r\ntext"] {
            assert_eq!(certificates_in(noise, Path::new("x")).unwrap_err().code, "nothing-to-pick-up");
        }
    }
}
