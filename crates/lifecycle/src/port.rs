//! What the rules need from the world: a clock, and a place where keys live.

use std::time::SystemTime;

use obnova_pki::{Certificate, KeyKind, SignatureAlgorithm};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

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
            Self::File { detail } | Self::ModuleMissing { detail } | Self::Crashed { detail } => f.write_str(detail),
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
    /// Certificates.
    pub certificates: usize,
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

/// A place where keys live. It carries plain data only, so that its owner may be a thread or a process.
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
    /// [`KeyStoreError::PinIncorrect`], [`KeyStoreError::PinLocked`], [`KeyStoreError::PinLastTry`].
    fn unlock(&mut self, pin: &Pin, last_try: bool) -> Result<(), KeyStoreError>;

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

    /// Certificates of the store; a token shows them without a PIN.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`].
    fn certificates(&mut self) -> Result<Vec<Certificate>, KeyStoreError>;

    /// Public keys of the private keys here. Needs [`KeyStore::unlock`].
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

    /// Replaces the PUK. The old one is sent once; the last try only when `last_try` allows it.
    ///
    /// # Errors
    ///
    /// As [`KeyStore::unblock_pin`].
    fn change_puk(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError>;

    /// Empties the whole device for ever, names it and sets a new PIN. Whoever calls this has let the person type the
    /// device's name and seen the list of what is lost.
    ///
    /// # Errors
    ///
    /// As [`KeyStore::unblock_pin`]; [`KeyStoreError::NotPossible`].
    fn initialise(&mut self, puk: &Pin, name: &str, new: &Pin, last_try: bool) -> Result<(), KeyStoreError>;

    /// Removes a certificate with its key pair, or an orphan key. Removing it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`].
    fn remove(&mut self, permit: &crate::retirement::RemovalPermit) -> Result<(), KeyStoreError>;
}
