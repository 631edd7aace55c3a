//! What the rules need from the world: a clock, and a place where keys live.

use std::time::SystemTime;

use obnova_pki::signature::key_identity;
use obnova_pki::{Certificate, FormatError, KeyKind, SignatureAlgorithm, Unread};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::document::Octets;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// A PIN or password: wiped when it goes, never shown.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// Takes a text over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this can be a PIN or a password at all: not empty, and nothing in it that a keyboard does not make, as the
    /// byte order mark of an editor.
    pub fn is_plausible(&self) -> bool {
        !self.0.is_empty()
            && !self.0.chars().any(|c| c.is_control() || matches!(c, '\u{FEFF}' | '\u{FFFE}' | '\u{FFFD}'))
    }
}

/// Kinds of keys as their names, `RSA-3072` or `P-256`, in what is written down or sent.
mod kind_name {
    use obnova_pki::KeyKind;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(kind: &KeyKind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(kind)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyKind, D::Error> {
        let text = String::deserialize(deserializer)?;
        KeyKind::from_name(&text).ok_or_else(|| serde::de::Error::custom("no such kind of key"))
    }
}

/// A list of them.
mod kind_names {
    use obnova_pki::KeyKind;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(kinds: &[KeyKind], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(kinds.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<KeyKind>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Ok(names.iter().filter_map(|name| KeyKind::from_name(name)).collect())
    }
}

/// Why a key store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyStoreError {
    /// Nobody gave the PIN yet.
    PinNeeded,
    /// The PIN was wrong.
    PinIncorrect {
        /// Whether the next wrong one blocks it, as far as the device says.
        final_try: bool,
    },
    /// The PIN is blocked; only the PUK helps now.
    PinLocked,
    /// One try is left and nobody allowed it to be spent.
    PinLastTry,
    /// The PUK was wrong.
    PukIncorrect {
        /// Whether the next wrong one blocks it for ever, as far as the device says.
        final_try: bool,
    },
    /// The PUK is blocked: the device can only be replaced, or initialised where it allows that.
    PukLocked,
    /// One try of the PUK is left and nobody allowed it to be spent.
    PukLastTry,
    /// There is no PUK here.
    NoPuk,
    /// The new PIN is shorter or longer than the device wants; nothing was sent.
    PinLength {
        /// Shortest.
        least: usize,
        /// Longest.
        most: usize,
    },
    /// What was given cannot be a PIN (nothing, or characters that nobody types); nothing was sent.
    NotAPin,
    /// A key waits for its certificate under the old password.
    KeyWaits,
    /// The device was pulled out, or the file is gone.
    Gone,
    /// There is no room for one more object.
    Full,
    /// The key is not here.
    KeyMissing,
    /// The certificate's key is not here, so it must not be written.
    NotOurKey,
    /// What was written is not what is read back.
    NotStored,
    /// The device signed with another key than the one that it shows.
    AnotherKey,
    /// This kind of key cannot be made here.
    KeyKindUnsupported(#[serde(with = "kind_name")] KeyKind),
    /// Keys and certificates of this device are written under another login than the holder's: it is managed elsewhere.
    ManagedElsewhere,
    /// This store cannot do that at all.
    NotPossible,
    /// The key cannot leave this store: that is what such stores are for.
    NotExportable,
    /// The device refused to write with a code that many devices give when they are full.
    WriteFailed {
        /// Name of the PKCS#11 function.
        call: String,
        /// Its return value.
        code: String,
    },
    /// The module did not answer in time; its process was ended, and the next call begins anew.
    Silent {
        /// What it was asked.
        call: String,
    },
    /// The process of the module ended in the middle of a call.
    Crashed {
        /// What is known of it.
        detail: String,
    },
    /// The device answered with a code that has no meaning here.
    Module {
        /// Name of the PKCS#11 function.
        call: String,
        /// Its return value, by the name that the standard gives it.
        code: String,
    },
    /// A certificate that cannot be read may belong to the key, so the key stays.
    Claimed {
        /// What the certificates are found by.
        detail: String,
    },
    /// The store holds things that open with another password than its own, so that cannot be changed.
    HoldsOthers {
        /// What they are.
        detail: String,
    },
    /// The file could not be read or written.
    File {
        /// What was done to which file, and what the system said.
        detail: String,
    },
    /// The module could not be loaded.
    ModuleMissing {
        /// Its path, and what the loader said.
        detail: String,
    },
}

impl KeyStoreError {
    /// Stable code of the message that says what happened and what to do.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PinNeeded => "pin-needed",
            Self::PinIncorrect { .. } => "pin-incorrect",
            Self::PinLocked => "pin-locked",
            Self::PinLastTry => "pin-last-try",
            Self::PukIncorrect { .. } => "puk-incorrect",
            Self::PukLocked => "puk-locked",
            Self::PukLastTry => "puk-last-try",
            Self::NoPuk => "no-puk",
            Self::PinLength { .. } => "pin-length",
            Self::NotAPin => "not-a-pin",
            Self::KeyWaits => "key-waits",
            Self::Gone => "store-gone",
            Self::Full => "store-full",
            Self::KeyMissing => "key-missing",
            Self::NotOurKey => "not-our-key",
            Self::NotStored => "not-stored",
            Self::AnotherKey => "another-key",
            Self::KeyKindUnsupported(_) => "key-kind-unsupported",
            Self::ManagedElsewhere => "managed-elsewhere",
            Self::NotPossible => "not-possible-here",
            Self::NotExportable => "not-exportable",
            Self::WriteFailed { .. } => "write-failed",
            Self::Silent { .. } => "module-silent",
            Self::Crashed { .. } => "module-crashed",
            Self::Module { .. } => "module-error",
            Self::Claimed { .. } => "stays-claimed",
            Self::HoldsOthers { .. } => "holds-others",
            Self::File { .. } => "file-error",
            Self::ModuleMissing { .. } => "module-missing",
        }
    }
}

impl core::fmt::Display for KeyStoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Module { call, code } | Self::WriteFailed { call, code } => write!(f, "{call}: {code}"),
            Self::Silent { call } => f.write_str(call),
            Self::File { detail }
            | Self::ModuleMissing { detail }
            | Self::Crashed { detail }
            | Self::Claimed { detail }
            | Self::HoldsOthers { detail } => f.write_str(detail),
            Self::PinLength { least, most } => write!(f, "{least} - {most}"),
            Self::KeyKindUnsupported(kind) => write!(f, "{}: {kind}", self.code()),
            other => f.write_str(other.code()),
        }
    }
}

impl std::error::Error for KeyStoreError {}

/// State of the PIN, as far as the device tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PinState {
    /// A wrong PIN was entered since the last right one.
    pub count_low: bool,
    /// One try is left.
    pub final_try: bool,
    /// No try is left.
    pub locked: bool,
    /// The PIN is typed on the device itself.
    pub pad: bool,
    /// Shortest and longest, as the device wants it; `None` when it does not say.
    pub length: Option<(usize, usize)>,
}

/// What a store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// A token behind a PKCS#11 module.
    Token {
        /// manufacturerID of the token.
        manufacturer: String,
        /// model of the token.
        model: String,
        /// Version of the module's library, `major.minor`.
        library_version: String,
    },
    /// A PKCS#12 file.
    File,
    /// A certificate database of Firefox, Thunderbird or Chromium (NSS).
    Browser,
    /// The certificate store of the system, with its keys.
    System,
}

/// A store as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreInfo {
    /// Stable name: `token:MODEL:SERIAL`, `file:PATH` or `nss:PATH`. Never a slot number, never a label. Where one
    /// device has several logins, `/2` and so on tells them apart.
    pub id: String,
    /// The device that several stores with logins of their own belong to; the same as `id` for all others.
    pub device: String,
    /// The name that people see.
    pub name: String,
    /// Token or file.
    pub kind: StoreKind,
    /// The reader that it lies in, by the name that the system and the module give it; `None` where there is none.
    pub reader: Option<String>,
    /// State of the PIN.
    pub pin: PinState,
    /// State of the PUK (PKCS#11: the SO PIN); `None` where there is none.
    pub puk: Option<PinState>,
    /// Free memory in octets; `None` when the device does not say.
    pub free: Option<u64>,
    /// Total memory in octets; `None` when the device does not say.
    pub total: Option<u64>,
    /// Whether a login is needed at all before keys are used.
    pub needs_login: bool,
    /// Kinds of keys that can be made here, the preferred first.
    #[serde(with = "kind_names")]
    pub key_kinds: Vec<KeyKind>,
}

/// What a store holds, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Census {
    /// Certificate objects, also those that cannot be read.
    pub certificates: usize,
    /// How many of them cannot be read.
    #[serde(default)]
    pub unread: usize,
    /// Octets of all certificates.
    pub certificate_octets: u64,
    /// Private keys, as far as they are seen without a login.
    pub private_keys: usize,
    /// Public keys.
    pub public_keys: usize,
    /// Other objects of data.
    pub data: usize,
    /// Free memory in octets, when the device tells.
    pub free: Option<u64>,
}

/// How a message is to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// By the plain algorithm.
    Plain(SignatureAlgorithm),
    /// RSASSA-PSS with SHA-256 and a salt of 32 octets, for TLS 1.3.
    RsaPssSha256,
}

/// A certificate object as a store holds it, read or not: plain data on its way between processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its octets; empty where the store gives none.
    pub octets: Octets,
    /// What it is found by: SHA-256 of its octets, or of its CKA_ID and label where it has none; hexadecimal.
    pub identity: String,
    /// CKA_LABEL or friendlyName.
    pub label: String,
    /// The key of this store that it belongs to by its identifier (CKA_ID, localKeyID), as SubjectPublicKeyInfo.
    pub key: Option<Octets>,
    /// Why it is no certificate whatever its octets say, for example another CKA_CERTIFICATE_TYPE.
    pub unfit: Option<String>,
}

/// A certificate object that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUnread {
    /// As much as can be told of it.
    pub certificate: Unread,
    /// What it is found by ([`Held::identity`]).
    pub identity: String,
    /// CKA_LABEL or friendlyName.
    pub label: String,
    /// The key that it belongs to: its own subjectPublicKeyInfo, or the store's key of the same identifier; `None` where
    /// neither tells.
    pub key: Option<Vec<u8>>,
}

/// What a store calls certificates: those that can be read, and all others.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Certificates.
    pub certificates: Vec<Certificate>,
    /// Objects that are called certificates and cannot be read.
    pub unread: Vec<StoredUnread>,
}

impl Contents {
    /// Sorts objects into those that can be read and the others.
    pub fn of(held: Vec<Held>) -> Self {
        let mut contents = Self::default();
        for one in held {
            let read = match one.unfit {
                Some(why) => Err(Box::new(Unread::new(&one.octets.0, FormatError::new("certificate", why)))),
                None => Certificate::read(&one.octets.0),
            };
            match read {
                Ok(certificate) => contents.certificates.push(certificate),
                Err(unread) => {
                    let key = unread.public_key().map(<[u8]>::to_vec).or(one.key.map(|key| key.0));
                    let (identity, label) = (one.identity, one.label);
                    contents.unread.push(StoredUnread { certificate: *unread, identity, label, key });
                }
            }
        }
        contents
    }

    /// Unreadable objects that may be the certificate of a key: those that name it, and those that name none. As long as
    /// there is one, the key is no orphan. `excluded` are identities of objects of which the person said that they are not.
    pub fn claims<'a>(&'a self, public_key: &[u8], excluded: &[String]) -> Vec<&'a StoredUnread> {
        let identity = key_identity(public_key);
        let may_be = |one: &&StoredUnread| one.key.as_ref().is_none_or(|key| key_identity(key) == identity);
        self.unread.iter().filter(|one| !excluded.contains(&one.identity)).filter(may_be).collect()
    }
}

/// A place where keys live. It carries plain data only, so that its owner may be a thread or a process. What a store can do
/// besides stands in capabilities: [`PinCare`], [`Custody`], [`Room`].
///
/// Keys are named by their SubjectPublicKeyInfo in DER. Every call may block for minutes.
pub trait KeyStore: Send {
    /// What the store is, read anew.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`].
    fn info(&mut self) -> Result<StoreInfo, KeyStoreError>;

    /// Opens the store for the use of its keys. A PIN is sent once; the last try only when `last_try` allows it.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::PinIncorrect`], [`KeyStoreError::PinLocked`], [`KeyStoreError::PinLastTry`];
    /// [`KeyStoreError::PinLength`] for what cannot be a PIN: it is not sent.
    fn unlock(&mut self, pin: &Pin, last_try: bool) -> Result<(), KeyStoreError>;

    /// Whatever the store calls a certificate, as it stands there; a token shows it without a PIN.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`].
    fn held(&mut self) -> Result<Vec<Held>, KeyStoreError>;

    /// Public keys of the private keys here; a key that is stored twice is told twice. Needs [`KeyStore::unlock`].
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`].
    fn keys(&mut self) -> Result<Vec<Vec<u8>>, KeyStoreError>;

    /// Makes a key that cannot be exported where the store is a device, and gives its public key.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Full`], [`KeyStoreError::KeyKindUnsupported`].
    fn generate(&mut self, kind: KeyKind, label: &str) -> Result<Vec<u8>, KeyStoreError>;

    /// Signs the whole message; ECDSA as DER.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::KeyMissing`].
    fn sign(&mut self, public_key: &[u8], scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, KeyStoreError>;

    /// Writes a certificate beside its key and reads it back. Writing it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::NotOurKey`], [`KeyStoreError::Full`], [`KeyStoreError::NotStored`].
    fn install(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError>;

    /// Removes a certificate with its key pair, or an orphan key, with all copies of them. Removing it again changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Claimed`] while an unreadable certificate may belong to the key.
    fn remove(&mut self, permit: &crate::retirement::RemovalPermit) -> Result<(), KeyStoreError>;

    /// Care of its PIN, where there is one to care for.
    fn pin_care(&mut self) -> Option<&mut dyn PinCare> {
        None
    }

    /// Keys and certificates from and for elsewhere, where that is possible.
    fn custody(&mut self) -> Option<&mut dyn Custody> {
        None
    }

    /// Its room, where that can be told.
    fn room(&mut self) -> Option<&mut dyn Room> {
        None
    }
}

/// Changing what opens a store.
pub trait PinCare {
    /// Replaces the PIN, or the password of a file. The old one is sent once; the last try only when `last_try`
    /// allows it.
    ///
    /// # Errors
    ///
    /// As [`KeyStore::unlock`]; [`KeyStoreError::PinLength`] before anything is sent;
    /// [`KeyStoreError::KeyWaits`].
    fn change_pin(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError>;

    /// Sets a new PIN by the PUK, also when the PIN is locked. The PUK is sent once.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::PukIncorrect`], [`KeyStoreError::PukLocked`], [`KeyStoreError::PukLastTry`],
    /// [`KeyStoreError::NoPuk`], [`KeyStoreError::PinLength`].
    fn unblock_pin(&mut self, puk: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError>;

    /// Replaces the PUK. The old one is sent once; the last try only when `last_try` allows it.
    ///
    /// # Errors
    ///
    /// As [`PinCare::unblock_pin`].
    fn change_puk(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError>;

    /// Empties the whole device for ever, names it and sets a new PIN. Whoever calls this has let the person type the
    /// device's name and seen the list of what is lost.
    ///
    /// # Errors
    ///
    /// As [`PinCare::unblock_pin`]; [`KeyStoreError::NotPossible`].
    fn initialise(&mut self, puk: &Pin, name: &str, new: &Pin, last_try: bool) -> Result<(), KeyStoreError>;
}

/// Keys and certificates that were not made here, or are needed elsewhere.
pub trait Custody {
    /// Writes a certificate that needs no key here: one of an authority, or the public part of one that was removed.
    /// Writing it again changes nothing.
    ///
    /// # Errors
    ///
    /// As [`KeyStore::install`], but for [`KeyStoreError::NotOurKey`].
    fn deposit(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError>;

    /// Takes a key from outside (PKCS#8 in DER) and gives its public key. Such a key was not made on the device.
    /// Importing it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Full`], [`KeyStoreError::KeyKindUnsupported`], [`KeyStoreError::NotStored`].
    fn import(&mut self, pkcs8: &Zeroizing<Vec<u8>>, label: &str) -> Result<Vec<u8>, KeyStoreError>;

    /// Gives a key out, as PKCS#8 in DER. Only stores in software can.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::NotExportable`], [`KeyStoreError::KeyMissing`].
    fn export(&mut self, public_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError>;
}

/// How much is here, and room for what is still to come.
pub trait Room {
    /// Counts what is here.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`].
    fn census(&mut self) -> Result<Census, KeyStoreError>;

    /// Holds room for what will be written later, by an object of this many octets; zero gives the room back.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Full`]; [`KeyStoreError::NotPossible`] where nothing can be held.
    fn reserve(&mut self, octets: usize) -> Result<(), KeyStoreError>;
}

/// The capabilities as plain calls: where a store lacks one, [`KeyStoreError::NotPossible`].
#[allow(clippy::missing_errors_doc, reason = "each is documented at its capability")]
impl dyn KeyStore + '_ {
    /// Certificates, and objects that are called so and cannot be read.
    pub fn contents(&mut self) -> Result<Contents, KeyStoreError> {
        self.held().map(Contents::of)
    }

    /// Certificates that can be read; see [`Contents`] for the others.
    pub fn certificates(&mut self) -> Result<Vec<Certificate>, KeyStoreError> {
        self.contents().map(|contents| contents.certificates)
    }

    /// [`PinCare::change_pin`].
    pub fn change_pin(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        self.pin_care().ok_or(KeyStoreError::NotPossible)?.change_pin(old, new, last_try)
    }

    /// [`PinCare::unblock_pin`].
    pub fn unblock_pin(&mut self, puk: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        self.pin_care().ok_or(KeyStoreError::NoPuk)?.unblock_pin(puk, new, last_try)
    }

    /// [`PinCare::change_puk`].
    pub fn change_puk(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        self.pin_care().ok_or(KeyStoreError::NoPuk)?.change_puk(old, new, last_try)
    }

    /// [`PinCare::initialise`].
    pub fn initialise(&mut self, puk: &Pin, name: &str, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        self.pin_care().ok_or(KeyStoreError::NotPossible)?.initialise(puk, name, new, last_try)
    }

    /// [`Custody::deposit`].
    pub fn deposit(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        self.custody().ok_or(KeyStoreError::NotPossible)?.deposit(certificate)
    }

    /// [`Custody::import`].
    pub fn import(&mut self, pkcs8: &Zeroizing<Vec<u8>>, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        self.custody().ok_or(KeyStoreError::NotPossible)?.import(pkcs8, label)
    }

    /// [`Custody::export`].
    pub fn export(&mut self, public_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        self.custody().ok_or(KeyStoreError::NotExportable)?.export(public_key)
    }

    /// [`Room::census`].
    pub fn census(&mut self) -> Result<Census, KeyStoreError> {
        self.room().ok_or(KeyStoreError::NotPossible)?.census()
    }

    /// [`Room::reserve`].
    pub fn reserve(&mut self, octets: usize) -> Result<(), KeyStoreError> {
        self.room().ok_or(KeyStoreError::NotPossible)?.reserve(octets)
    }
}
