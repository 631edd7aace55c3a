//! PKCS#12 files (RFC 7292): keys and certificates under one password. Read from everybody who writes them, BER and old
//! schemes included; written in DER as OpenSSL 3 does, so that everybody reads them.

use core::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use der::Encode;
use der::asn1::ObjectIdentifier;
use obnova_pki::ber::Node;
use obnova_pki::signature::key_identity;
use obnova_pki::{Certificate, Digest, FormatError, Signer, Verifier, oid};
use zeroize::Zeroizing;

use crate::pbe::{self, Password, PbeError};
use crate::{KeyError, Primitives, Secret, SoftwareKey};

/// Files longer than this are refused, in octets.
const MAX_FILE: usize = 4 << 20;

/// Deepest nesting of bags.
const DEEPEST: usize = 4;

/// Rounds for key and MAC derivation of a file that is written here.
const ITERATIONS: u32 = 100_000;

const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const SAFE_CONTENTS_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.6");
const CRL_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.4");
const SECRET_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.5");
const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");

/// Why a PKCS#12 file was not read or written.
#[derive(Debug)]
pub enum PfxError {
    /// The password is wrong, or the file was changed.
    Password,
    /// Damaged, or protected in a way that is not supported.
    File(String),
    /// A key is of a kind that is not used here.
    Key(KeyError),
    /// Things in the file open with another password than its own, so that one cannot be changed.
    Foreign(String),
}

impl core::fmt::Display for PfxError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Password => f.write_str("the password is wrong, or the file was changed"),
            Self::File(detail) => write!(f, "the file cannot be read: {detail}"),
            Self::Key(error) => write!(f, "a key inside cannot be used: {error}"),
            Self::Foreign(what) => write!(f, "it holds what opens with another password: {what}"),
        }
    }
}

impl std::error::Error for PfxError {}

/// A key of a file with the certificate that belongs to it, if there is one.
pub struct PfxKey {
    /// The key.
    pub key: SoftwareKey,
    /// Its certificate, matched by the public key: of several the one that ends last; the others stand among
    /// [`Pfx::others`].
    pub certificate: Option<Certificate>,
    /// friendlyName.
    pub name: Option<String>,
}

/// A certificate bag that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PfxUnread {
    /// What the bag calls a certificate.
    pub octets: Vec<u8>,
    /// friendlyName.
    pub name: Option<String>,
    /// The key of the file that has the same localKeyID, as SubjectPublicKeyInfo.
    pub key: Option<Vec<u8>>,
}

/// What a PKCS#12 file holds. Whatever is in it that is not understood here is kept, octet for octet, when it is written
/// again.
#[derive(Default)]
pub struct Pfx {
    /// Keys in the order of the file.
    pub keys: Vec<PfxKey>,
    /// Certificates that belong to none of the keys: the path, and others.
    pub others: Vec<Certificate>,
    /// Certificates that cannot be read.
    pub unread: Vec<PfxUnread>,
    /// The bags as they stand in the file, in their order.
    bags: Vec<Bag>,
}

/// How a file that is written proves that it was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PfxMac {
    /// HMAC-SHA-256 by the old derivation: read by everybody.
    #[default]
    Hmac,
    /// PBMAC1 (RFC 9579): read by OpenSSL 3.4 and newer, and few others yet.
    Pbmac1,
}

impl From<PbeError> for PfxError {
    fn from(error: PbeError) -> Self {
        match error {
            PbeError::Wrong => Self::Password,
            PbeError::Unsupported(id) => Self::File(format!("protected by {id}, which is not read here")),
            PbeError::Malformed(error) => Self::File(error.to_string()),
        }
    }
}

impl From<FormatError> for PfxError {
    fn from(error: FormatError) -> Self {
        Self::File(error.to_string())
    }
}

/// A bag as it stands in a file.
#[derive(Clone)]
struct Bag {
    /// SafeBag (RFC 7292 section 4.2), as it came.
    raw: Vec<u8>,
    /// Whether it stood inside encrypted content.
    is_sealed: bool,
    content: Content,
    name: Option<String>,
    local_id: Option<Vec<u8>>,
}

#[derive(Clone)]
enum Content {
    /// A key, encrypted on its own or not; its PKCS#8.
    Key { pkcs8: Zeroizing<Vec<u8>>, is_shrouded: bool },
    /// A certificate, or what is called so.
    Certificate(Vec<u8>),
    /// A secret of another program, encrypted under the same password (as Java does); opened.
    Secret(Zeroizing<Vec<u8>>),
    /// Anything that has no encryption of its own: a revocation list, for example.
    Open,
    /// Anything of which that is not known.
    Closed,
}

impl Bag {
    fn key(&self) -> Option<SoftwareKey> {
        match &self.content {
            Content::Key { pkcs8, .. } => SoftwareKey::from_pkcs8(pkcs8).ok(),
            _ => None,
        }
    }

    /// The same bag under another password.
    fn resealed(&self, password: &Password) -> Result<Self, PfxError> {
        let (kind, value) = match &self.content {
            Content::Key { is_shrouded: false, .. } | Content::Certificate(_) | Content::Open => {
                return Ok(self.clone());
            }
            Content::Key { pkcs8, .. } => {
                let sealed = seal(pkcs8, password)?;
                (SHROUDED_KEY_BAG, sequence(&[&sealed.algorithm, &tlv(0x04, &sealed.octets)]))
            }
            Content::Secret(opened) => {
                let sealed = seal(opened, password)?;
                let info = sequence(&[&sealed.algorithm, &tlv(0x04, &sealed.octets)]);
                let value = sequence(&[&encoded(&SHROUDED_KEY_BAG)?, &tlv(0xA0, &tlv(0x04, &info))]);
                (SECRET_BAG, value)
            }
            Content::Closed => {
                return Err(PfxError::Foreign(
                    self.name.clone().unwrap_or_else(|| "a thing without a name".to_owned()),
                ));
            }
        };
        let node = Node::parse_first(&self.raw)?;
        let attributes = node.children().get(2).map(|attributes| attributes.raw.to_vec()).unwrap_or_default();
        let raw = sequence(&[&encoded(&kind)?, &tlv(0xA0, &value), &attributes]);
        Ok(Self { raw, ..self.clone() })
    }
}

impl Pfx {
    /// A file of these keys and certificates, and nothing else.
    pub fn new(keys: Vec<PfxKey>, others: Vec<Certificate>) -> Self {
        Self { keys, others, ..Self::default() }
    }

    /// Reads a file. What is in it and cannot be read costs only itself.
    ///
    /// # Errors
    ///
    /// [`PfxError`] tells a wrong password from a damaged file.
    pub fn read(bytes: &[u8], password: &Secret) -> Result<Self, PfxError> {
        if bytes.len() > MAX_FILE {
            return Err(PfxError::File("longer than 4 MiB".to_owned()));
        }
        let password = Password::new(password.expose());
        let pfx = Node::parse_first(bytes)?;
        if pfx.child(0, 0x02)?.number()? != 3 {
            return Err(PfxError::File("not version 3".to_owned()));
        }
        let content = data(pfx.child(1, 0x30)?)?;
        let mac = pfx.children().get(2);
        if let Some(mac) = mac
            && !pbe::check_mac(mac, &content, &password)?
        {
            return Err(PfxError::Password);
        }
        let mut reader = Reader { password: &password, is_proven: mac.is_some(), bags: Vec::new() };
        for info in Node::parse_first(&content)?.children() {
            match info.child(0, 0x06)?.oid()? {
                oid::CMS_DATA => reader.contents(&data(info)?, false, 0)?,
                ENCRYPTED_DATA => {
                    let encrypted = info.child(1, 0xA0)?.child(0, 0x30)?.child(1, 0x30)?;
                    let sealed = encrypted
                        .children()
                        .get(2)
                        .filter(|node| node.tag & 0xDF == 0x80)
                        .ok_or_else(|| PfxError::File("no encryptedContent".to_owned()))?
                        .octets();
                    let is_contents = |opened: &[u8]| Node::parse_first(opened).is_ok_and(|node| node.tag == 0x30);
                    let opened = pbe::decrypt(encrypted.child(1, 0x30)?, &sealed, &password, is_contents)?;
                    reader.contents(&opened, true, 0)?;
                }
                other => return Err(PfxError::File(format!("a part of type {other} is not read here"))),
            }
        }
        Ok(Self::put_together(reader.bags))
    }

    fn put_together(bags: Vec<Bag>) -> Self {
        let mut pfx = Self::default();
        let mut certificates: Vec<Certificate> = Vec::new();
        for bag in &bags {
            if let Some(key) = bag.key() {
                if !pfx.keys.iter().any(|known| known.key.public_key() == key.public_key()) {
                    pfx.keys.push(PfxKey { key, certificate: None, name: bag.name.clone() });
                }
            } else if let Content::Certificate(der) = &bag.content {
                match Certificate::from_der(der) {
                    Ok(certificate) if certificates.contains(&certificate) => {}
                    Ok(certificate) => certificates.push(certificate),
                    Err(_) => {
                        let same = |one: &&Bag| bag.local_id.is_some() && one.local_id == bag.local_id;
                        let mut beside: Vec<Vec<u8>> = bags
                            .iter()
                            .filter(same)
                            .filter_map(Bag::key)
                            .map(|key| key.public_key().to_vec())
                            .collect();
                        beside.dedup();
                        // Two keys under one mark: it tells nothing.
                        let key = beside.pop().filter(|_| beside.is_empty());
                        pfx.unread.push(PfxUnread { octets: der.clone(), name: bag.name.clone(), key });
                    }
                }
            }
        }
        for entry in &mut pfx.keys {
            let identity = key_identity(entry.key.public_key());
            let newest = certificates
                .iter()
                .enumerate()
                .filter(|(_, certificate)| key_identity(certificate.public_key()) == identity)
                .max_by_key(|(_, certificate)| certificate.not_after())
                .map(|(place, _)| place);
            entry.certificate = newest.map(|place| certificates.remove(place));
        }
        pfx.others = certificates;
        pfx.bags = bags;
        pfx
    }

    /// Bags that are neither a key nor a certificate that can be read.
    pub fn foreign(&self) -> usize {
        let is_known = |bag: &Bag| bag.key().is_some() || matches!(bag.content, Content::Certificate(_));
        self.bags.iter().filter(|bag| !is_known(bag)).count()
    }

    /// Prepares the file for another password: what has an encryption of its own is sealed anew.
    ///
    /// # Errors
    ///
    /// [`PfxError::Foreign`] for what the old password does not open; nothing was changed.
    pub fn reseal(&mut self, new: &Secret) -> Result<(), PfxError> {
        let password = Password::new(new.expose());
        self.bags = self.bags.iter().map(|bag| bag.resealed(&password)).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Whether a bag of the file still belongs to it.
    fn stays(&self, bag: &Bag) -> bool {
        match (&bag.content, bag.key()) {
            (_, Some(key)) => self.keys.iter().any(|entry| entry.key.public_key() == key.public_key()),
            (Content::Certificate(der), None) => match Certificate::from_der(der) {
                Ok(_) => self.certificates().any(|certificate| certificate.der() == der),
                Err(_) => self.unread.iter().any(|unread| unread.octets == *der),
            },
            _ => true,
        }
    }

    /// All certificates that can be read.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.keys.iter().filter_map(|entry| entry.certificate.as_ref()).chain(&self.others)
    }

    /// Writes a file: PBES2 with AES-256 and HMAC-SHA-256, as OpenSSL 3 does by default.
    ///
    /// # Errors
    ///
    /// [`PfxError::File`] when a part cannot be encoded.
    pub fn write(&self, password: &Secret) -> Result<Vec<u8>, PfxError> {
        self.write_with(password, PfxMac::Hmac)
    }

    /// The same with a choice of the MAC. Under another password than the file was read with, everything that has an
    /// encryption of its own is sealed anew ([`Pfx::reseal`]).
    ///
    /// # Errors
    ///
    /// As [`Pfx::write`], and as [`Pfx::reseal`].
    pub fn write_with(&self, password: &Secret, mac: PfxMac) -> Result<Vec<u8>, PfxError> {
        let closed = |bags: &[Bag]| bags.iter().filter(|bag| matches!(bag.content, Content::Closed)).count();
        let (file, back) = self.written(&self.bags, password, mac)?;
        if closed(&back) == closed(&self.bags) {
            return Ok(file);
        }
        let secret = Password::new(password.expose());
        let bags: Vec<Bag> = self.bags.iter().map(|bag| bag.resealed(&secret)).collect::<Result<_, _>>()?;
        self.written(&bags, password, mac).map(|(file, _)| file)
    }

    /// The file of these bags and of what came to them, and its bags as they are read back.
    fn written(&self, bags: &[Bag], password: &Secret, mac: PfxMac) -> Result<(Vec<u8>, Vec<Bag>), PfxError> {
        let secret = password;
        let password = Password::new(password.expose());
        let kept: Vec<&Bag> = bags.iter().filter(|bag| self.stays(bag)).collect();
        let (mut keys, mut certificates) = (Vec::new(), Vec::new());
        for bag in &kept {
            if bag.is_sealed { certificates.push(bag.raw.clone()) } else { keys.push(bag.raw.clone()) }
        }
        let has =
            |der: &[u8]| kept.iter().any(|bag| matches!(&bag.content, Content::Certificate(known) if known == der));
        for entry in &self.keys {
            let bag = kept.iter().find(|bag| bag.key().is_some_and(|key| key.public_key() == entry.key.public_key()));
            let own_id = || Primitives.digest(Digest::Sha1, entry.key.public_key());
            // Programs pair a key and its certificate by this mark, so a new one takes over what the key has.
            let id = bag.and_then(|bag| bag.local_id.clone()).unwrap_or_else(own_id);
            let own_name = entry.certificate.as_ref().map(|certificate| certificate.subject().common_name());
            let name = entry.name.clone().or(own_name).unwrap_or_else(|| "obnova".to_owned());
            let marks = attributes(&name, Some(&id))?;
            if bag.is_none() {
                let sealed = seal(entry.key.pkcs8(), &password)?;
                let shrouded = sequence(&[&sealed.algorithm, &tlv(0x04, &sealed.octets)]);
                keys.push(sequence(&[&encoded(&SHROUDED_KEY_BAG)?, &tlv(0xA0, &shrouded), &marks]));
            }
            if let Some(certificate) = &entry.certificate
                && !has(certificate.der())
            {
                certificates.push(certificate_bag(certificate, &marks)?);
            }
        }
        for certificate in self.others.iter().filter(|certificate| !has(certificate.der())) {
            let name = format!("{} {}", certificate.subject().common_name(), certificate.serial().hexadecimal());
            certificates.push(certificate_bag(certificate, &attributes(&name, None)?)?);
        }
        let mut written: Vec<Vec<u8>> = keys.iter().chain(&certificates).cloned().collect();
        let joined = |bags: &[Vec<u8>]| tlv(0x30, &bags.concat());
        let mut parts = Vec::new();
        if !certificates.is_empty() {
            let sealed = seal(&joined(&certificates), &password)?;
            let inner = sequence(&[&encoded(&oid::CMS_DATA)?, &sealed.algorithm, &tlv(0x80, &sealed.octets)]);
            let encrypted = sequence(&[&encoded(&0u8)?, &inner]);
            parts.push(sequence(&[&encoded(&ENCRYPTED_DATA)?, &tlv(0xA0, &encrypted)]));
        }
        if !keys.is_empty() {
            parts.push(sequence(&[&encoded(&oid::CMS_DATA)?, &tlv(0xA0, &tlv(0x04, &joined(&keys)))]));
        }
        let content = joined(&parts);
        let safe = sequence(&[&encoded(&oid::CMS_DATA)?, &tlv(0xA0, &tlv(0x04, &content))]);
        let file = sequence(&[&encoded(&3u8)?, &safe, &mac_data(&content, &password, mac)?]);
        // What cannot be read again, bag by bag, never takes the place of what can.
        let bags = Self::read(&file, secret)?.bags;
        let mut back: Vec<&[u8]> = bags.iter().map(|bag| bag.raw.as_slice()).collect();
        written.sort();
        back.sort_unstable();
        if written != back {
            return Err(PfxError::File("what was written is not what is read back".to_owned()));
        }
        Ok((file, bags))
    }
}

/// Reads the bags of a file.
struct Reader<'a> {
    password: &'a Password,
    /// Whether the MAC showed that the password is right: then what does not open is another's, and no sign of a wrong one.
    is_proven: bool,
    bags: Vec<Bag>,
}

impl Reader<'_> {
    /// Reads SafeContents (RFC 7292 section 4.2).
    fn contents(&mut self, bytes: &[u8], is_sealed: bool, depth: usize) -> Result<(), PfxError> {
        if depth > DEEPEST {
            return Err(PfxError::File("bags inside bags inside bags".to_owned()));
        }
        for bag in Node::parse_first(bytes)?.children() {
            let kind = bag.child(0, 0x06)?.oid()?;
            let value =
                bag.child(1, 0xA0)?.children().first().ok_or_else(|| PfxError::File("an empty bag".to_owned()))?;
            let content = match kind {
                SAFE_CONTENTS_BAG => {
                    self.contents(value.raw, is_sealed, depth + 1)?;
                    continue;
                }
                KEY_BAG => Content::Key { pkcs8: Zeroizing::new(value.raw.to_vec()), is_shrouded: false },
                SHROUDED_KEY_BAG => match self.open(value)? {
                    Some(opened) => Content::Key { pkcs8: opened, is_shrouded: true },
                    None => Content::Closed,
                },
                CERTIFICATE_BAG if value.child(0, 0x06)?.oid()? == X509_CERTIFICATE => {
                    let octets = value.child(1, 0xA0)?.children().first();
                    Content::Certificate(octets.map(Node::octets).unwrap_or_default())
                }
                CERTIFICATE_BAG | CRL_BAG => Content::Open,
                SECRET_BAG => self.secret(value)?.map_or(Content::Closed, Content::Secret),
                _ => Content::Closed,
            };
            let (name, local_id) = (name_of(bag), local_id_of(bag));
            self.bags.push(Bag { raw: bag.raw.to_vec(), is_sealed, content, name, local_id });
        }
        Ok(())
    }

    /// Opens an EncryptedPrivateKeyInfo; `None` for one that another password opens.
    fn open(&self, info: &Node<'_>) -> Result<Option<Zeroizing<Vec<u8>>>, PfxError> {
        let sealed = info
            .children()
            .get(1)
            .filter(|node| node.tag & 0xDF == 0x04)
            .ok_or_else(|| PfxError::File("no encryptedData".to_owned()))?
            .octets();
        let algorithm = info.child(0, 0x30)?;
        let is_key = |opened: &[u8]| SoftwareKey::from_pkcs8(trimmed(opened)).is_ok();
        // The password may be right, and the key of a kind that is not used here.
        let is_any = |opened: &[u8]| Node::parse_first(opened).is_ok_and(|node| node.tag == 0x30);
        let opened = match pbe::decrypt(algorithm, &sealed, self.password, is_key) {
            Err(PbeError::Wrong) => pbe::decrypt(algorithm, &sealed, self.password, is_any),
            other => other,
        };
        match opened {
            Ok(opened) => Ok(Some(Zeroizing::new(trimmed(&opened).to_vec()))),
            Err(PbeError::Wrong | PbeError::Unsupported(_)) if self.is_proven => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A secret as Java keeps it: an EncryptedPrivateKeyInfo under the type of a shrouded key; `None` for all others.
    fn secret(&self, value: &Node<'_>) -> Result<Option<Zeroizing<Vec<u8>>>, PfxError> {
        if value.child(0, 0x06)?.oid()? != SHROUDED_KEY_BAG {
            return Ok(None);
        }
        let Some(octets) = value.child(1, 0xA0)?.children().first().map(Node::octets) else { return Ok(None) };
        match Node::parse_first(&octets) {
            Ok(info) => self.open(&info),
            Err(_) => Ok(None),
        }
    }
}

/// The octets of a ContentInfo of type data.
fn data(info: &Node<'_>) -> Result<Vec<u8>, PfxError> {
    let id = info.child(0, 0x06)?.oid()?;
    if id != oid::CMS_DATA {
        return Err(PfxError::File(format!("a content of type {id} is not read here")));
    }
    let content = info.child(1, 0xA0)?;
    match content.children().first() {
        Some(octets) if octets.tag & 0xDF == 0x04 => Ok(octets.octets()),
        _ => Err(PfxError::File("no octets in the content".to_owned())),
    }
}

/// The first element of some octets, without what a careless writer left behind it.
fn trimmed(bytes: &[u8]) -> &[u8] {
    Node::parse_first(bytes).map_or(bytes, |node| &bytes[..node.raw.len()])
}

/// The value of an attribute of a bag.
fn attribute(bag: &Node<'_>, wanted: ObjectIdentifier) -> Option<Vec<u8>> {
    let attributes = bag.children().get(2)?;
    let found = attributes
        .children()
        .iter()
        .find(|attribute| attribute.child(0, 0x06).and_then(Node::oid).is_ok_and(|id| id == wanted))?;
    Some(found.child(1, 0x31).ok()?.children().first()?.octets())
}

/// localKeyID of a bag.
fn local_id_of(bag: &Node<'_>) -> Option<Vec<u8>> {
    attribute(bag, LOCAL_KEY_ID)
}

/// friendlyName of a bag.
fn name_of(bag: &Node<'_>) -> Option<String> {
    let octets = attribute(bag, FRIENDLY_NAME)?;
    let units: Vec<u16> = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

struct Sealed {
    algorithm: Vec<u8>,
    octets: Vec<u8>,
}

fn rounds() -> NonZeroU32 {
    NonZeroU32::new(ITERATIONS).unwrap_or(NonZeroU32::MIN)
}

/// AES-256 under PBKDF2 with HMAC-SHA-256, and the AlgorithmIdentifier that says so.
fn seal(plain: &[u8], password: &Password) -> Result<Sealed, PfxError> {
    let failed = |_: aws_lc_rs::error::Unspecified| PfxError::File("it could not be encrypted".to_owned());
    let salt: [u8; 16] = Primitives.octets();
    let vector: [u8; 16] = Primitives.octets();
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds(), &salt, password.utf8(), key.as_mut_slice());
    let cipher = UnboundCipherKey::new(&AES_256, key.as_slice()).map_err(failed)?;
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).map_err(failed)?;
    let mut octets = plain.to_vec();
    cipher.less_safe_encrypt(&mut octets, EncryptionContext::Iv128(FixedLength::from(vector))).map_err(failed)?;
    let encryption = sequence(&[&encoded(&pbe::AES_256_CBC)?, &tlv(0x04, &vector)]);
    let parameters = sequence(&[&derivation(&salt, None)?, &encryption]);
    Ok(Sealed { algorithm: sequence(&[&encoded(&pbe::PBES2)?, &parameters]), octets })
}

/// PBKDF2's AlgorithmIdentifier.
fn derivation(salt: &[u8], length: Option<u8>) -> Result<Vec<u8>, PfxError> {
    let function = sequence(&[&encoded(&pbe::HMAC_SHA256)?, &[0x05, 0x00]]);
    let length = length.map(|length| encoded(&length)).transpose()?.unwrap_or_default();
    let parameters = sequence(&[&tlv(0x04, salt), &encoded(&ITERATIONS)?, &length, &function]);
    Ok(sequence(&[&encoded(&pbe::PBKDF2)?, &parameters]))
}

/// MacData (RFC 7292 section 4; RFC 9579 section 5).
fn mac_data(content: &[u8], password: &Password, mac: PfxMac) -> Result<Vec<u8>, PfxError> {
    let salt: [u8; 16] = Primitives.octets();
    match mac {
        PfxMac::Hmac => {
            let tag = pbe::old_mac(password, &salt, rounds(), content);
            let algorithm = sequence(&[&encoded(&oid::SHA256)?, &[0x05, 0x00]]);
            let info = sequence(&[&algorithm, &tlv(0x04, &tag)]);
            Ok(sequence(&[&info, &tlv(0x04, &salt), &encoded(&ITERATIONS)?]))
        }
        PfxMac::Pbmac1 => {
            let tag = pbe::new_mac(password, &salt, rounds(), content);
            let function = sequence(&[&encoded(&pbe::HMAC_SHA256)?, &[0x05, 0x00]]);
            let parameters = sequence(&[&derivation(&salt, Some(32))?, &function]);
            let algorithm = sequence(&[&encoded(&pbe::PBMAC1)?, &parameters]);
            let info = sequence(&[&algorithm, &tlv(0x04, &tag)]);
            // The salt and rounds outside say nothing any more, but must stand there.
            Ok(sequence(&[&info, &tlv(0x04, b"NOT USED"), &encoded(&1u8)?]))
        }
    }
}

fn certificate_bag(certificate: &Certificate, marks: &[u8]) -> Result<Vec<u8>, PfxError> {
    let inner = sequence(&[&encoded(&X509_CERTIFICATE)?, &tlv(0xA0, &tlv(0x04, certificate.der()))]);
    Ok(sequence(&[&encoded(&CERTIFICATE_BAG)?, &tlv(0xA0, &inner), marks]))
}

/// friendlyName, by which people find the key in other programs, and localKeyId, by which programs pair it.
fn attributes(name: &str, id: Option<&[u8]>) -> Result<Vec<u8>, PfxError> {
    let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let one = |id: &ObjectIdentifier, value: &[u8]| -> Result<Vec<u8>, PfxError> {
        Ok(sequence(&[&encoded(id)?, &tlv(0x31, value)]))
    };
    let mut all = vec![one(&FRIENDLY_NAME, &tlv(0x1E, &wide))?];
    if let Some(id) = id {
        all.push(one(&LOCAL_KEY_ID, &tlv(0x04, id))?);
    }
    // SET OF is sorted in DER.
    all.sort();
    Ok(tlv(0x31, &all.concat()))
}

fn encoded(value: &impl Encode) -> Result<Vec<u8>, PfxError> {
    value.to_der().map_err(|error| PfxError::File(error.to_string()))
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// One element in DER.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap_or(0));
    } else {
        let octets = length.to_be_bytes();
        let first = octets.iter().position(|octet| *octet != 0).unwrap_or(0);
        out.push(0x80 | u8::try_from(octets.len() - first).unwrap_or(0));
        out.extend_from_slice(&octets[first..]);
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use obnova_pki::KeyKind;

    fn file(password: &str, mac: PfxMac) -> Vec<u8> {
        let key = SoftwareKey::generate(KeyKind::P256).unwrap();
        let pfx = Pfx::new(vec![PfxKey { key, certificate: None, name: Some("Klíč 😀".to_owned()) }], vec![]);
        pfx.write_with(&Secret::new(password.to_owned()), mac).unwrap()
    }

    fn open(bytes: &[u8], password: &str) -> Result<Pfx, PfxError> {
        Pfx::read(bytes, &Secret::new(password.to_owned()))
    }

    #[test]
    fn any_password_comes_back() {
        for password in ["", "a", "Žluťoučký kůň", "heslo😀1", &"x".repeat(300)] {
            for mac in [PfxMac::Hmac, PfxMac::Pbmac1] {
                let bytes = file(password, mac);
                let back = open(&bytes, password).unwrap();
                assert_eq!(back.keys[0].name.as_deref(), Some("Klíč 😀"));
                assert!(matches!(open(&bytes, "another"), Err(PfxError::Password)));
            }
        }
        // A second opinion on what is written.
        let bytes = file("heslo", PfxMac::Hmac);
        assert_eq!(p12_keystore::Pkcs12Archive::from_pkcs12(&bytes, "heslo").unwrap().keys.len(), 1);
    }

    #[test]
    fn a_changed_file_is_never_taken() {
        let bytes = file("heslo", PfxMac::Hmac);
        for at in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x41;
            // The outer shell has a few octets that say nothing; whatever still opens must be the same key.
            if let Ok(read) = open(&changed, "heslo") {
                assert_eq!(read.keys.len(), 1, "at {at}");
            }
        }
        for length in 0..bytes.len() {
            assert!(open(&bytes[..length], "heslo").is_err());
        }
    }

    #[test]
    fn rounds_are_bounded_before_anything_is_computed() {
        let bytes = file("heslo", PfxMac::Hmac);
        let count = ITERATIONS.to_be_bytes();
        let at = bytes.windows(3).rposition(|window| window == &count[1..]).unwrap();
        let mut changed = bytes.clone();
        changed[at..at + 3].copy_from_slice(&[0x7F, 0xFF, 0xFF]);
        assert!(matches!(open(&changed, "heslo"), Err(PfxError::File(_))), "8 million are too many");
        let zero = [&bytes[..at], &[0, 0, 0], &bytes[at + 3..]].concat();
        assert!(matches!(open(&zero, "heslo"), Err(PfxError::File(_))));
    }
}
