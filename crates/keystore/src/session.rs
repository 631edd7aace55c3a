//! Modules, their tokens, and what lies on them (PKCS#11 2.40).
//!
//! Objects are found by their public key. The handle of a key that signs is kept for its session, because a search
//! costs a real card dozens of slow calls; it is never kept over a write, nor over an error.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use obnova_crypto::Primitives;
use obnova_lifecycle::port::{KeyStore, KeyStoreError, Pin, PinState, Scheme, StoreInfo};
use obnova_pki::{Certificate, KeyKind, Verifier};

use crate::object::{ec_spki, rsa_spki};
use crate::raw::Raw;

/// A module that was loaded and started.
#[derive(Clone)]
pub(crate) struct Module {
    pub(crate) context: Pkcs11,
    pub(crate) raw: Raw,
}

/// Modules are initialised once per process and never unloaded: some crash when they are. NSS is started for one
/// database, given as `parameters`.
fn module(path: &Path, parameters: Option<&str>) -> Result<Module, KeyStoreError> {
    static LOADED: OnceLock<Mutex<HashMap<PathBuf, Module>>> = OnceLock::new();
    let mut loaded = LOADED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = loaded.get(path) {
        return Ok(known.clone());
    }
    let missing =
        |error: &dyn std::fmt::Display| KeyStoreError::ModuleMissing { detail: format!("{}: {error}", path.display()) };
    let context = Pkcs11::new(path).map_err(|error| missing(&error))?;
    let raw = Raw::of(path).map_err(|error| missing(&error))?;
    let started = match parameters {
        Some(parameters) => raw.initialize_nss(parameters),
        None => context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)),
    };
    match started {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(missing(&error)),
    }
    let module = Module { context, raw };
    loaded.insert(path.to_owned(), module.clone());
    Ok(module)
}

/// What a module sees.
#[derive(Default)]
pub struct Tokens {
    /// Initialised tokens, a login each.
    pub stores: Vec<TokenStore>,
    /// Readers with a card that the module knows, and that nobody initialised yet, or that it cannot read just now.
    pub blank: Vec<String>,
}

/// All tokens that a module sees; a slot that cannot be read costs only itself.
///
/// # Errors
///
/// [`KeyStoreError::ModuleMissing`], or the module's answer to C_GetSlotList.
pub fn tokens(path: &Path) -> Result<Tokens, KeyStoreError> {
    tokens_of(module(path, None)?, None)
}

/// The key database of a browser's profile, by the module of NSS.
///
/// # Errors
///
/// [`KeyStoreError::ModuleMissing`], or the module's answer to C_GetSlotList.
pub fn browser_store(path: &Path, profile: &Path) -> Result<Tokens, KeyStoreError> {
    // The rest of the module's own settings stays out of it: this is one database, nothing more.
    let parameters = format!("configdir='sql:{}' certPrefix='' keyPrefix='' secmod='secmod.db'", profile.display());
    tokens_of(module(path, Some(&parameters))?, Some(profile))
}

/// Whether a token keeps keys for somebody; the other token of NSS only computes.
fn is_store(info: &TokenInfo, profile: Option<&Path>) -> bool {
    info.token_initialized() && (profile.is_none() || !info.write_protected())
}

/// Name of the reader behind a slot.
pub(crate) fn reader_of(module: &Module, slot: Slot) -> Option<String> {
    let name = module.context.get_slot_info(slot).ok()?.slot_description().trim().to_owned();
    (!name.is_empty()).then_some(name)
}

fn tokens_of(module: Module, profile: Option<&Path>) -> Result<Tokens, KeyStoreError> {
    let mut all = Tokens::default();
    let found = &mut all.stores;
    for slot in module.context.get_slots_with_token().map_err(map)? {
        let info = match module.context.get_token_info(slot) {
            Ok(info) if is_store(&info, profile) => info,
            _ => {
                all.blank.extend(reader_of(&module, slot));
                continue;
            }
        };
        let (model, serial) = (info.model().to_owned(), info.serial_number().to_owned());
        let ordinal = found.iter().filter(|other| other.model == model && other.serial == serial).count();
        found.push(TokenStore {
            module: module.clone(),
            model,
            serial,
            ordinal,
            profile: profile.map(Path::to_owned),
            session: None,
            signing: HashMap::new(),
            paired: Vec::new(),
            accepted: None,
        });
    }
    Ok(all)
}

/// One login of a token, found by model and serial number, never by slot or label.
pub struct TokenStore {
    pub(crate) module: Module,
    pub(crate) model: String,
    pub(crate) serial: String,
    /// Which of the slots that call themselves by this model and serial number: a device with several PINs shows
    /// itself in several slots.
    pub(crate) ordinal: usize,
    /// The browser's profile, when it is no device.
    pub(crate) profile: Option<PathBuf>,
    pub(crate) session: Option<Session>,
    /// Keys that signed in this session, by their SubjectPublicKeyInfo, and whether each signature wants a login.
    pub(crate) signing: HashMap<Vec<u8>, (ObjectHandle, bool)>,
    /// Private keys that only a challenge could pair, with what it told in this session.
    pub(crate) paired: Vec<(ObjectHandle, Option<Vec<u8>>)>,
    /// The PIN that was accepted, for keys that want it at each signature; wiped with the store.
    pub(crate) accepted: Option<Pin>,
}

/// A certificate object as it stands on the token.
pub(crate) struct CertificateObject {
    pub(crate) object: ObjectHandle,
    /// CKA_VALUE; empty where the token gives none.
    pub(crate) octets: Vec<u8>,
    /// CKA_ID.
    pub(crate) id: Vec<u8>,
    /// CKA_LABEL.
    pub(crate) label: Vec<u8>,
    /// Why it is none whatever its octets say.
    pub(crate) unfit: Option<String>,
}

impl CertificateObject {
    /// The certificate, when it can be read.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        match self.unfit {
            Some(_) => None,
            None => Certificate::from_der(&self.octets).ok(),
        }
    }

    /// Its public key, which needs no understanding of all the rest.
    pub(crate) fn public_key(&self) -> Option<Vec<u8>> {
        match Certificate::read(&self.octets) {
            Ok(certificate) => Some(certificate.public_key().to_vec()),
            Err(unread) => unread.public_key().map(<[u8]>::to_vec),
        }
    }

    /// What a person finds it by.
    pub(crate) fn identity(&self) -> String {
        match self.octets.is_empty() {
            true => Primitives.fingerprint(&[b"object:", self.id.as_slice(), b":", self.label.as_slice()].concat()),
            false => Primitives.fingerprint(&self.octets),
        }
    }
}

/// A private key object with its SubjectPublicKeyInfo and its CKA_ID.
type PrivateKeyObject = (ObjectHandle, Vec<u8>, Vec<u8>);

pub(crate) fn map(error: Error) -> KeyStoreError {
    match error {
        Error::Pkcs11(code, call) => match code {
            RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => {
                KeyStoreError::PinIncorrect { final_try: false }
            }
            RvError::PinLocked => KeyStoreError::PinLocked,
            RvError::UserNotLoggedIn => KeyStoreError::PinNeeded,
            RvError::TokenNotPresent
            | RvError::DeviceRemoved
            | RvError::SessionHandleInvalid
            | RvError::SessionClosed => KeyStoreError::Gone,
            RvError::DeviceMemory => KeyStoreError::Full,
            RvError::FunctionNotSupported => KeyStoreError::NotPossible,
            code => KeyStoreError::Module { call: format!("C_{call:?}"), code: format!("{code:?}") },
        },
        other => KeyStoreError::Module { call: "module".to_owned(), code: other.to_string() },
    }
}

/// The lengths of a PIN that C_GetTokenInfo gives, when they say something.
pub(crate) fn length(info: &TokenInfo) -> Option<(usize, usize)> {
    let (least, most) = (info.min_pin_length(), info.max_pin_length());
    (most > 0 && least <= most).then_some((least, most))
}

/// What a refused write means. Very few devices say plainly that they are full.
pub(crate) fn map_write(error: Error) -> KeyStoreError {
    match error {
        Error::Pkcs11(code @ (RvError::GeneralError | RvError::DeviceError | RvError::FunctionFailed), call) => {
            KeyStoreError::WriteFailed { call: format!("C_{call:?}"), code: format!("{code:?}") }
        }
        // A module that does not write at all, or wants another PIN for it than the one that was right at the login,
        // leaves that to another tool.
        Error::Pkcs11(
            RvError::UserNotLoggedIn
            | RvError::UserTypeInvalid
            | RvError::FunctionNotSupported
            | RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange,
            _,
        ) => KeyStoreError::ManagedElsewhere,
        other => map(other),
    }
}

/// What cannot be a PIN of this device is never sent to it, nor set: a try is worth more than a question. One that is typed
/// on the device is the device's matter.
pub(crate) fn check_pin(state: &PinState, pin: &Pin) -> Result<(), KeyStoreError> {
    if state.pad {
        return Ok(());
    }
    if !pin.is_plausible() {
        return Err(KeyStoreError::NotAPin);
    }
    match state.length {
        Some((least, most)) if !(least..=most).contains(&pin.expose().len()) => {
            Err(KeyStoreError::PinLength { least, most })
        }
        _ => Ok(()),
    }
}

/// The PIN's state, when a try may be spent.
pub(crate) fn spendable(info: &StoreInfo, last_try: bool) -> Result<PinState, KeyStoreError> {
    if info.pin.locked {
        return Err(KeyStoreError::PinLocked);
    }
    if info.pin.final_try && !last_try {
        return Err(KeyStoreError::PinLastTry);
    }
    Ok(info.pin)
}

/// Free memory, when the device tells something that can be true: NSS says 1 of 1, others more than they have.
pub(crate) fn free(info: &TokenInfo) -> Option<u64> {
    let free = info.free_public_memory()? as u64;
    match info.total_public_memory() {
        Some(total) if total as u64 >= free && total > 1 => Some(free),
        _ => None,
    }
}

pub(crate) fn secret(pin: &Pin) -> AuthPin {
    AuthPin::from(pin.expose().to_owned())
}

/// Moves the keys whose CKA_ID names one public key, and only one, to those that were found.
fn match_by_id(
    nameless: &mut Vec<(ObjectHandle, Vec<u8>)>,
    public: &[(Vec<u8>, Vec<u8>)],
    found: &mut Vec<PrivateKeyObject>,
) {
    nameless.retain(|(object, id)| {
        // By CKA_ID only where it says something.
        if id.is_empty() {
            return true;
        }
        let mut matching = public.iter().filter(|(known, _)| known == id).map(|(_, key)| key);
        let Some(first) = matching.next() else { return true };
        if matching.all(|key| key == first) {
            found.push((*object, first.clone(), id.clone()));
            return false;
        }
        true
    });
}

impl TokenStore {
    pub(crate) fn slot(&self) -> Result<Slot, KeyStoreError> {
        let mut nth = 0;
        for slot in self.module.context.get_slots_with_token().map_err(map)? {
            if let Ok(info) = self.module.context.get_token_info(slot)
                && info.serial_number() == self.serial
                && info.model() == self.model
                && is_store(&info, self.profile.as_deref())
            {
                if nth == self.ordinal {
                    return Ok(slot);
                }
                nth += 1;
            }
        }
        Err(KeyStoreError::Gone)
    }

    /// Whether the device is still there: decided by the list of slots, because no error code tells it reliably.
    pub fn is_there(&self) -> bool {
        self.slot().is_ok()
    }

    /// Forgets what was found of objects: over a write, or after an error, none of it is sure.
    pub(crate) fn forget_objects(&mut self) {
        self.signing.clear();
        self.paired.clear();
    }

    /// Forgets the session, so that the next call begins anew: after the device was pulled and came back.
    pub fn forget(&mut self) {
        self.signing.clear();
        self.paired.clear();
        self.session = None;
        self.accepted = None;
    }

    pub(crate) fn session(&mut self) -> Result<&Session, KeyStoreError> {
        if self.session.is_none() {
            let slot = self.slot()?;
            self.session = Some(self.module.context.open_rw_session(slot).map_err(map)?);
        }
        self.session.as_ref().ok_or(KeyStoreError::Gone)
    }

    /// What a refused PIN means: some modules go on saying "incorrect" for one that is locked, and the flag tells
    /// the truth.
    pub(crate) fn refused_pin(&mut self, error: Error) -> KeyStoreError {
        match map(error) {
            KeyStoreError::PinIncorrect { .. } => match self.info() {
                Ok(after) if after.pin.locked => KeyStoreError::PinLocked,
                Ok(after) => KeyStoreError::PinIncorrect { final_try: after.pin.final_try },
                Err(error) => error,
            },
            other => other,
        }
    }

    pub(crate) fn find(&mut self, template: &[Attribute]) -> Result<Vec<ObjectHandle>, KeyStoreError> {
        self.session()?.find_objects(template).map_err(map)
    }

    pub(crate) fn read(
        &mut self,
        object: ObjectHandle,
        wanted: &[AttributeType],
    ) -> Result<Vec<Attribute>, KeyStoreError> {
        self.session()?.get_attributes(object, wanted).map_err(map)
    }

    /// SubjectPublicKeyInfo of a public or private key object, as far as the object itself tells.
    pub(crate) fn public_key_of(&mut self, object: ObjectHandle) -> Result<(Option<Vec<u8>>, Vec<u8>), KeyStoreError> {
        let attributes = self.read(object, &[AttributeType::KeyType, AttributeType::Id])?;
        let mut id = Vec::new();
        let mut kind = None;
        for attribute in attributes {
            match attribute {
                Attribute::Id(value) => id = value,
                Attribute::KeyType(value) => kind = Some(value),
                _ => {}
            }
        }
        let wanted: &[AttributeType] = match kind {
            Some(KeyType::RSA) => &[AttributeType::Modulus, AttributeType::PublicExponent],
            Some(KeyType::EC) => &[AttributeType::EcParams, AttributeType::EcPoint],
            _ => return Ok((None, id)),
        };
        let (mut first, mut second) = (None, None);
        // A private key may refuse these; its public half is asked next.
        for attribute in self.read(object, wanted).unwrap_or_default() {
            match attribute {
                Attribute::Modulus(value) | Attribute::EcParams(value) => first = Some(value),
                Attribute::PublicExponent(value) | Attribute::EcPoint(value) => second = Some(value),
                _ => {}
            }
        }
        let key = match (first, second) {
            (Some(a), Some(b)) if !a.is_empty() && !b.is_empty() => {
                if kind == Some(KeyType::RSA) {
                    rsa_spki(&a, &b)
                } else {
                    ec_spki(&a, &b)
                }
            }
            _ => None,
        };
        Ok((key, id))
    }

    /// Private keys with their SubjectPublicKeyInfo and CKA_ID; matched by the key itself, then its public
    /// half, then the certificate, by CKA_ID; what is still without a match signs a challenge. Each of these is done
    /// only when a key is still without a match: a real card answers slowly.
    pub(crate) fn private_keys(&mut self) -> Result<Vec<PrivateKeyObject>, KeyStoreError> {
        let mut found = Vec::new();
        let mut nameless = Vec::new();
        for object in self.find(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])? {
            match self.public_key_of(object)? {
                (Some(key), id) => found.push((object, key, id)),
                (None, id) => nameless.push((object, id)),
            }
        }
        if nameless.is_empty() {
            return Ok(found);
        }
        let mut public = Vec::new();
        for object in self.find(&[Attribute::Class(ObjectClass::PUBLIC_KEY)])? {
            if let (Some(key), id) = self.public_key_of(object)? {
                public.push((id, key));
            }
        }
        match_by_id(&mut nameless, &public, &mut found);
        if !nameless.is_empty() {
            for object in self.certificate_objects()? {
                if let Some(key) = object.public_key() {
                    public.push((object.id.clone(), key.to_vec()));
                }
            }
            match_by_id(&mut nameless, &public, &mut found);
        }
        for (object, id) in nameless {
            if let Some(key) = self.paired(object, &public, &found) {
                found.push((object, key, id));
            }
        }
        Ok(found)
    }

    /// The public key, among those at hand that have no private key yet, by which a challenge of this private key
    /// verifies. A key that signs only with a further PIN is not asked.
    fn paired(
        &mut self,
        object: ObjectHandle,
        public: &[(Vec<u8>, Vec<u8>)],
        found: &[PrivateKeyObject],
    ) -> Option<Vec<u8>> {
        if let Some((_, known)) = self.paired.iter().find(|(paired, _)| *paired == object) {
            return known.clone();
        }
        let is_free = |key: &&Vec<u8>| !found.iter().any(|(_, other, _)| other == *key);
        let mut candidates: Vec<&Vec<u8>> = public.iter().map(|(_, key)| key).filter(is_free).collect();
        candidates.dedup();
        let key = candidates.into_iter().find(|key| self.signs_for(object, key)).cloned();
        self.paired.push((object, key.clone()));
        key
    }

    /// Whether a private key object signs a fresh challenge that verifies by this public key.
    pub(crate) fn signs_for(&mut self, object: ObjectHandle, public_key: &[u8]) -> bool {
        let Ok(kind) = KeyKind::of(public_key) else { return false };
        let told = self.read(object, &[AttributeType::KeyType]).unwrap_or_default();
        let fits = match told.first() {
            Some(Attribute::KeyType(KeyType::RSA)) => matches!(kind, KeyKind::Rsa(_)),
            Some(Attribute::KeyType(KeyType::EC)) => matches!(kind, KeyKind::P256 | KeyKind::P384),
            _ => false,
        };
        if !fits || self.accepted.is_none() || self.wants_login(object) {
            return false;
        }
        let challenge = Primitives.octets::<32>();
        let algorithm = kind.signature_algorithm();
        let signature = self.sign_by((object, false), Scheme::Plain(algorithm), &challenge);
        signature.is_ok_and(|signature| Primitives.verify(public_key, algorithm, &challenge, &signature).is_ok())
    }

    /// Whatever the token calls a certificate, in its order; also of other types than X.509.
    pub(crate) fn certificate_objects(&mut self) -> Result<Vec<CertificateObject>, KeyStoreError> {
        let wanted = [AttributeType::CertificateType, AttributeType::Value, AttributeType::Id, AttributeType::Label];
        let mut found = Vec::new();
        for object in self.find(&[Attribute::Class(ObjectClass::CERTIFICATE)])? {
            let mut read =
                CertificateObject { object, octets: Vec::new(), id: Vec::new(), label: Vec::new(), unfit: None };
            for attribute in self.read(object, &wanted)? {
                match attribute {
                    Attribute::Value(bytes) => read.octets = bytes,
                    Attribute::Id(bytes) => read.id = bytes,
                    Attribute::Label(bytes) => read.label = bytes,
                    Attribute::CertificateType(kind) if kind != CertificateType::X_509 => {
                        read.unfit = Some(format!("CKA_CERTIFICATE_TYPE: {kind}, not X.509"));
                    }
                    _ => {}
                }
            }
            found.push(read);
        }
        Ok(found)
    }

    pub(crate) fn private_key(&mut self, public_key: &[u8]) -> Result<(ObjectHandle, Vec<u8>), KeyStoreError> {
        self.private_keys()?
            .into_iter()
            .find(|(_, key, _)| key == public_key)
            .map(|(object, _, id)| (object, id))
            .ok_or(KeyStoreError::KeyMissing)
    }
}
