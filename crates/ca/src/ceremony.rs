//! The first start: keys and certificates of the root, the two issuing authorities and the services.

use std::path::Path;
use std::time::{Duration, SystemTime};

use obnova_crypto::{Primitives, Secret, SoftwareKey, open_private_key, seal_private_key};
use obnova_keystore::durable;
use obnova_pki::certificate::{key_identifier, sign};
use obnova_pki::{Certificate, KeyKind, Name, Serial, Signer, oid, pem};
use obnova_serve::ServeError;

use crate::profile::{House, HouseKind, IssuerSide, house};

const DAY: u64 = 86_400;

/// What the operator chooses at the first start.
#[derive(Debug, Clone)]
pub struct CeremonyOptions {
    /// Name of the organisation that runs the authority.
    pub organisation: String,
    /// Put in front of every common name; `DEMO ` in demonstrations.
    pub prefix: String,
    /// Kind of the issuing keys.
    pub issuer_key: KeyKind,
    /// Base address written into certificates.
    pub published_at: String,
    /// The time that the certificates start from.
    pub now: SystemTime,
}

/// A fresh serial number: octet 0x01 and 64 random bits, so always positive and 18 hexadecimal digits.
pub(crate) fn fresh_serial() -> Serial {
    let mut octets = [1; 9];
    octets[1..].copy_from_slice(&Primitives.octets::<8>());
    #[allow(clippy::expect_used, reason = "nine octets that begin with 1 are always a serial number")]
    Serial::from_be_octets(&octets).expect("a positive number of nine octets")
}

struct Issuer<'a> {
    key: &'a SoftwareKey,
    certificate: Option<&'a Certificate>,
    id: &'a str,
}

#[allow(clippy::too_many_arguments, reason = "a ceremony names everything")]
fn make(
    kind: HouseKind,
    subject: &Name,
    hosts: &[String],
    key: &SoftwareKey,
    issuer: &Issuer<'_>,
    term: Duration,
    published_at: &str,
    now: SystemTime,
) -> Result<Certificate, ServeError> {
    let wrong = |error: obnova_pki::FormatError| ServeError::new(subject, error);
    let issuer_id = key_identifier(issuer.key.public_key(), &Primitives).map_err(wrong)?;
    let side = IssuerSide {
        name: issuer.certificate.map_or(subject, Certificate::subject),
        id: issuer.id,
        key_identifier: &issuer_id,
        algorithm: issuer.key.algorithm(),
        published_at,
    };
    let house_certificate = House { kind, subject, hosts, public_key: key.public_key(), serial: fresh_serial(), term };
    let tbs = house(&house_certificate, &side, now, &Primitives).and_then(|tbs| tbs.to_der()).map_err(wrong)?;
    sign(&tbs, issuer.key).map_err(|error| ServeError::new(subject, error))
}

fn generate(kind: KeyKind) -> Result<SoftwareKey, ServeError> {
    SoftwareKey::generate(kind).map_err(|error| ServeError::new("making a key", error))
}

fn write_key(folder: &Path, name: &str, key: &SoftwareKey, passphrase: &Secret) -> Result<(), ServeError> {
    let sealed = seal_private_key(key, passphrase).map_err(|error| ServeError::new(name, error))?;
    let path = folder.join("keys").join(format!("{name}.key"));
    durable::replace(&path, &sealed).map_err(|error| ServeError::new(path.display(), error))
}

fn write_certificate(folder: &Path, name: &str, certificate: &Certificate) -> Result<(), ServeError> {
    let text = pem::block("CERTIFICATE", certificate.der()).map_err(|error| ServeError::new(name, error))?;
    let path = folder.join("certificates").join(format!("{name}.crt"));
    durable::replace(&path, text.as_bytes()).map_err(|error| ServeError::new(path.display(), error))
}

/// Reads a private key of the house.
pub(crate) fn read_key(folder: &Path, name: &str, passphrase: &Secret) -> Result<SoftwareKey, ServeError> {
    let path = folder.join("keys").join(format!("{name}.key"));
    let sealed = std::fs::read(&path).map_err(|error| ServeError::new(path.display(), error))?;
    open_private_key(&sealed, passphrase).map_err(|error| ServeError::new(path.display(), error))
}

/// Reads a certificate of the house.
pub(crate) fn read_certificate(folder: &Path, name: &str) -> Result<Certificate, ServeError> {
    let path = folder.join("certificates").join(format!("{name}.crt"));
    let bytes = std::fs::read(&path).map_err(|error| ServeError::new(path.display(), error))?;
    Certificate::from_any_form(&bytes).map_err(|error| ServeError::new(path.display(), error))
}

fn name(options: &CeremonyOptions, common_name: &str) -> Result<Name, ServeError> {
    let common_name = format!("{}{common_name}", options.prefix);
    Name::from_attributes(&[
        (oid::COUNTRY, "CZ"),
        (oid::ORGANIZATION, &options.organisation),
        (oid::COMMON_NAME, &common_name),
    ])
    .map_err(|error| ServeError::new(common_name, error))
}

/// Makes all keys and certificates in `folder`.
///
/// # Errors
///
/// [`ServeError`] when the folder holds an authority already, or something cannot be written.
pub fn initialise(folder: &Path, options: &CeremonyOptions, passphrase: &Secret) -> Result<(), ServeError> {
    if folder.join("certificates").join("root.crt").exists() {
        return Err(ServeError::new(folder.display(), "there is an authority already; nothing was changed"));
    }
    for sub in ["keys", "certificates"] {
        std::fs::create_dir_all(folder.join(sub))?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.join("keys"), std::fs::Permissions::from_mode(0o700))?;
    }
    let years = |count: u64| Duration::from_secs(count * 365 * DAY);
    let base = options.published_at.as_str();
    let now = options.now;
    let root_name = name(options, "obnova Root CA")?;
    let root_key = generate(KeyKind::P384)?;
    let self_issuer = Issuer { key: &root_key, certificate: None, id: "root" };
    let root = make(HouseKind::Root, &root_name, &[], &root_key, &self_issuer, years(20), base, now)?;
    let by_root = Issuer { key: &root_key, certificate: Some(&root), id: "root" };
    for (id, title) in [("qualified", "obnova Qualified CA"), ("commercial", "obnova Public CA")] {
        let key = generate(options.issuer_key)?;
        let subject = name(options, title)?;
        let certificate = make(HouseKind::Issuing, &subject, &[], &key, &by_root, years(10), base, now)?;
        write_key(folder, id, &key, passphrase)?;
        write_certificate(folder, id, &certificate)?;
    }
    let reply_key = generate(KeyKind::P256)?;
    let subject = name(options, "obnova CMP Reply Signer")?;
    let reply = make(HouseKind::ReplySigner, &subject, &[], &reply_key, &by_root, years(5), base, now)?;
    write_key(folder, "reply", &reply_key, passphrase)?;
    write_certificate(folder, "reply", &reply)?;
    let service_name = name(options, "obnova Service Root")?;
    let service_key = generate(KeyKind::P256)?;
    let self_issuer = Issuer { key: &service_key, certificate: None, id: "service" };
    let service = make(HouseKind::Root, &service_name, &[], &service_key, &self_issuer, years(10), base, now)?;
    write_key(folder, "service", &service_key, passphrase)?;
    write_certificate(folder, "service", &service)?;
    write_key(folder, "root", &root_key, passphrase)?;
    // The root's key goes to a safe place, so its list must last until the next ceremony.
    let root_id = key_identifier(root_key.public_key(), &Primitives).map_err(|error| ServeError::new("root", error))?;
    let list = obnova_pki::crl::sign(root.subject(), &root_id, 1, now, now + years(2), &[], &root_key)
        .map_err(|error| ServeError::new("list of the root", error))?;
    let path = folder.join("certificates").join("root.crl");
    durable::replace(&path, &list).map_err(|error| ServeError::new(path.display(), error))?;
    // The root's certificate comes last: as long as it is missing, the ceremony can be repeated.
    write_certificate(folder, "root", &root)
}

/// Chain in DER, the own certificate first, and the key in PKCS#8.
pub type TlsIdentity = (Vec<Vec<u8>>, obnova_crypto::Zeroizing<Vec<u8>>);

/// Chain and PKCS#8 key of a TLS certificate for `hosts`, made anew at every start by the service root.
///
/// # Errors
///
/// [`ServeError`] when the service root cannot be read.
pub fn tls_identity(folder: &Path, hosts: &[String], passphrase: &Secret) -> Result<TlsIdentity, ServeError> {
    let service_key = read_key(folder, "service", passphrase)?;
    let service = read_certificate(folder, "service")?;
    let key = generate(KeyKind::P256)?;
    let host = hosts.first().map_or("localhost", String::as_str);
    let subject = Name::from_attributes(&[(oid::COMMON_NAME, host)]).map_err(|error| ServeError::new(host, error))?;
    let issuer = Issuer { key: &service_key, certificate: Some(&service), id: "service" };
    // Browsers and rustls look at the real time, also where a demonstration sets the clock back.
    let now = SystemTime::now();
    let certificate =
        make(HouseKind::Tls, &subject, hosts, &key, &issuer, Duration::from_secs(397 * DAY), "http://localhost", now)?;
    let chain = vec![certificate.der().to_vec(), service.der().to_vec()];
    Ok((chain, obnova_crypto::Zeroizing::new(key.pkcs8().to_vec())))
}
