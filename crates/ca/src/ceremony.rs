//! Ceremonies: at the first start keys and certificates of the root, the two issuing authorities and the services; later
//! what the root signed is signed anew, before it ends.

use std::path::Path;
use std::time::{Duration, SystemTime};

use obnova_crypto::{Primitives, Secret, SoftwareKey, open_private_key, seal_private_key};
use obnova_keystore::durable;
use obnova_pki::certificate::{key_identifier, sign};
use obnova_pki::crl::{self, Crl, Revoked};
use obnova_pki::{Certificate, KeyKind, Name, Serial, Signer, oid, pem};
use obnova_serve::ServeError;

use crate::profile::{House, HouseKind, IssuerSide, house};

const DAY: u64 = 86_400;

/// Years of an issuing authority and of the reply signer; of the root's list, days: it says every year anew that nothing
/// was revoked.
const ISSUING_YEARS: u64 = 10;
const REPLY_YEARS: u64 = 5;
const ROOT_LIST_DAYS: u64 = 365;

/// How long before its end something of the house is announced.
pub const ANNOUNCED: Duration = Duration::from_secs(90 * DAY);

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
    public_key: &[u8],
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
    let house_certificate = House { kind, subject, hosts, public_key, serial: fresh_serial(), term };
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
    let root = make(HouseKind::Root, &root_name, &[], root_key.public_key(), &self_issuer, years(20), base, now)?;
    let by_root = Issuer { key: &root_key, certificate: Some(&root), id: "root" };
    for (id, title) in [("qualified", "obnova Qualified CA"), ("commercial", "obnova Public CA")] {
        let key = generate(options.issuer_key)?;
        let subject = name(options, title)?;
        let certificate =
            make(HouseKind::Issuing, &subject, &[], key.public_key(), &by_root, years(ISSUING_YEARS), base, now)?;
        write_key(folder, id, &key, passphrase)?;
        write_certificate(folder, id, &certificate)?;
    }
    let reply_key = generate(KeyKind::P256)?;
    let subject = name(options, "obnova CMP Reply Signer")?;
    let reply =
        make(HouseKind::ReplySigner, &subject, &[], reply_key.public_key(), &by_root, years(REPLY_YEARS), base, now)?;
    write_key(folder, "reply", &reply_key, passphrase)?;
    write_certificate(folder, "reply", &reply)?;
    let service_name = name(options, "obnova Service Root")?;
    let service_key = generate(KeyKind::P256)?;
    let self_issuer = Issuer { key: &service_key, certificate: None, id: "service" };
    let service =
        make(HouseKind::Root, &service_name, &[], service_key.public_key(), &self_issuer, years(10), base, now)?;
    write_key(folder, "service", &service_key, passphrase)?;
    write_certificate(folder, "service", &service)?;
    write_key(folder, "root", &root_key, passphrase)?;
    // The root's key goes to a safe place, so its list must last until the next ceremony.
    write_root_list(folder, &root, &root_key, (1, now), &[])?;
    // The root's certificate comes last: as long as it is missing, the ceremony can be repeated.
    write_certificate(folder, "root", &root)
}

fn write_root_list(
    folder: &Path,
    root: &Certificate,
    root_key: &SoftwareKey,
    (number, now): (u64, SystemTime),
    revoked: &[Revoked],
) -> Result<SystemTime, ServeError> {
    let root_id = key_identifier(root_key.public_key(), &Primitives).map_err(|error| ServeError::new("root", error))?;
    let until = now + Duration::from_secs(ROOT_LIST_DAYS * DAY);
    let list = crl::sign(root.subject(), &root_id, number, now, until, revoked, root_key)
        .map_err(|error| ServeError::new("list of the root", error))?;
    let path = folder.join("certificates").join("root.crl");
    durable::replace(&path, &list).map_err(|error| ServeError::new(path.display(), error))?;
    Ok(until)
}

fn root_list(folder: &Path, root: &Certificate) -> Result<Crl, ServeError> {
    let path = folder.join("certificates").join("root.crl");
    let bytes = std::fs::read(&path).map_err(|error| ServeError::new(path.display(), error))?;
    Crl::from_der(&bytes, root, &Primitives).map_err(|error| ServeError::new(path.display(), error))
}

/// Something of the house, and when it ends.
#[derive(Debug, Clone)]
pub struct End {
    /// Its file in the folder `certificates`.
    pub file: String,
    /// Its last moment.
    pub at: SystemTime,
    /// Whether [`renew`] gives it a new end; the roots themselves are for a new [`initialise`].
    pub is_renewed: bool,
}

impl End {
    /// The day of its end (UTC).
    pub fn day(&self) -> String {
        jiff::Timestamp::try_from(self.at).map(|at| at.to_string().chars().take(10).collect()).unwrap_or_default()
    }
}

/// The ends of everything that a person made in a ceremony, in a fixed order.
///
/// # Errors
///
/// [`ServeError`] for a file that is missing or cannot be read.
pub fn ends(folder: &Path) -> Result<Vec<End>, ServeError> {
    let root = read_certificate(folder, "root")?;
    let mut ends = Vec::new();
    // A list without an end is no list of ours; it is due at once.
    let at = root_list(folder, &root)?.next_update().unwrap_or(SystemTime::UNIX_EPOCH);
    ends.push(End { file: "root.crl".to_owned(), at, is_renewed: true });
    for (id, is_renewed) in
        [("qualified", true), ("commercial", true), ("reply", true), ("service", false), ("root", false)]
    {
        let at = read_certificate(folder, id)?.not_after();
        ends.push(End { file: format!("{id}.crt"), at, is_renewed });
    }
    Ok(ends)
}

/// Signs anew what the root signed and what ends within [`ANNOUNCED`], or all of it: names and keys stay, so whatever was
/// issued before stays valid. Needs no database and no network. What was there before is kept beside it; the call may be
/// repeated. `root_key` is where the root's key lies, when it is not in the folder.
///
/// # Errors
///
/// [`ServeError`]: the root's key is missing, is another one, or has another passphrase; the root itself ends.
pub fn renew(
    folder: &Path,
    root_key: Option<&Path>,
    is_all: bool,
    published_at: &str,
    now: SystemTime,
    passphrase: &Secret,
) -> Result<Vec<End>, ServeError> {
    let root = read_certificate(folder, "root")?;
    let path = root_key.map_or_else(|| folder.join("keys").join("root.key"), Path::to_path_buf);
    let sealed = std::fs::read(&path).map_err(|error| {
        ServeError::new(path.display(), format!("{error}: give the root's key with --root-key, from where it is kept"))
    })?;
    let key = open_private_key(&sealed, passphrase).map_err(|error| ServeError::new(path.display(), error))?;
    if key.public_key() != root.public_key() {
        return Err(ServeError::new(path.display(), "this is not the key of the root; nothing was changed"));
    }
    let left = root.not_after().duration_since(now).unwrap_or_default();
    if left.is_zero() {
        return Err(ServeError::new("root.crt", "the root itself has ended; nothing was changed"));
    }
    let by_root = Issuer { key: &key, certificate: Some(&root), id: "root" };
    let mut renewed = Vec::new();
    for end in ends(folder)?.into_iter().filter(|end| end.is_renewed && (is_all || end.at <= now + ANNOUNCED)) {
        let at = match end.file.strip_suffix(".crt") {
            Some(id) => {
                let old = read_certificate(folder, id)?;
                let (kind, years) = match id {
                    "reply" => (HouseKind::ReplySigner, REPLY_YEARS),
                    _ => (HouseKind::Issuing, ISSUING_YEARS),
                };
                // Nothing outlives its issuer.
                let term = Duration::from_secs(years * 365 * DAY).min(left);
                let new = make(kind, old.subject(), &[], old.public_key(), &by_root, term, published_at, now)?;
                write_certificate(folder, &format!("{id}-{}", old.serial().hexadecimal()), &old)?;
                write_certificate(folder, id, &new)?;
                new.not_after()
            }
            None => {
                let old = root_list(folder, &root)?;
                // Numbers grow (RFC 5280 section 5.2.3), also after a list that somebody restored.
                let number = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
                write_root_list(folder, &root, &key, (number, now), old.revoked())?
            }
        };
        renewed.push(End { at, ..end });
    }
    Ok(renewed)
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
    let certificate = make(
        HouseKind::Tls,
        &subject,
        hosts,
        key.public_key(),
        &issuer,
        Duration::from_secs(397 * DAY),
        "http://localhost",
        now,
    )?;
    let chain = vec![certificate.der().to_vec(), service.der().to_vec()];
    Ok((chain, obnova_crypto::Zeroizing::new(key.pkcs8().to_vec())))
}
