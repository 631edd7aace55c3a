//! Keys on a device behind a PKCS#11 module (PKCS#11 2.40).
//!
//! Objects are found by their public key. The handle of a key that signs is kept for its session, because a search
//! costs a real card dozens of slow calls; it is never kept over a write, nor over an error.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use der::Encode;
use obnova_crypto::{Primitives, SoftwareKey};
use obnova_lifecycle::port::{Census, KeyStore, KeyStoreError, Pin, PinState, Scheme, StoreInfo, StoreKind};
use obnova_lifecycle::retirement::RemovalPermit;
use obnova_pki::{Certificate, Digest, KeyKind, SignatureAlgorithm, Signer, Verifier, oid};
use zeroize::Zeroizing;

use crate::object::{Imported, digest_info, ec_spki, ecdsa_value, rsa_spki};
use crate::raw::Raw;

/// Label of the object that holds room on a device.
const RESERVATION: &[u8] = b"obnova reservation";

/// A module that was loaded and started.
#[derive(Clone)]
struct Module {
    context: Pkcs11,
    raw: Raw,
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

/// All initialised tokens that a module sees; a slot that cannot be read costs only itself.
///
/// # Errors
///
/// [`KeyStoreError::ModuleMissing`], or the module's answer to C_GetSlotList.
pub fn tokens(path: &Path) -> Result<Vec<TokenStore>, KeyStoreError> {
    tokens_of(module(path, None)?, None)
}

/// The key database of a browser's profile, by the module of NSS.
///
/// # Errors
///
/// [`KeyStoreError::ModuleMissing`], or the module's answer to C_GetSlotList.
pub fn browser_store(path: &Path, profile: &Path) -> Result<Vec<TokenStore>, KeyStoreError> {
    // The rest of the module's own settings stays out of it: this is one database, nothing more.
    let parameters = format!("configdir='sql:{}' certPrefix='' keyPrefix='' secmod='secmod.db'", profile.display());
    tokens_of(module(path, Some(&parameters))?, Some(profile))
}

/// Whether a token keeps keys for somebody; the other token of NSS only computes.
fn is_store(info: &TokenInfo, profile: Option<&Path>) -> bool {
    info.token_initialized() && (profile.is_none() || !info.write_protected())
}

fn tokens_of(module: Module, profile: Option<&Path>) -> Result<Vec<TokenStore>, KeyStoreError> {
    let mut found: Vec<TokenStore> = Vec::new();
    for slot in module.context.get_slots_with_token().map_err(map)? {
        let Ok(info) = module.context.get_token_info(slot) else { continue };
        if !is_store(&info, profile) {
            continue;
        }
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
            accepted: None,
        });
    }
    Ok(found)
}

/// One login of a token, found by model and serial number, never by slot or label.
pub struct TokenStore {
    module: Module,
    model: String,
    serial: String,
    /// Which of the slots that call themselves by this model and serial number: a device with several PINs shows
    /// itself in several slots.
    ordinal: usize,
    /// The browser's profile, when it is no device.
    profile: Option<PathBuf>,
    session: Option<Session>,
    /// Keys that signed in this session, by their SubjectPublicKeyInfo, and whether each signature wants a login.
    signing: HashMap<Vec<u8>, (ObjectHandle, bool)>,
    /// The PIN that was accepted, for keys that want it at each signature; wiped with the store.
    accepted: Option<Pin>,
}

/// A private key object with its SubjectPublicKeyInfo and its CKA_ID.
type PrivateKeyObject = (ObjectHandle, Vec<u8>, Vec<u8>);

fn map(error: Error) -> KeyStoreError {
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
            code => KeyStoreError::Module { call: format!("C_{call:?}"), code: format!("{code:?}") },
        },
        other => KeyStoreError::Module { call: "module".to_owned(), code: other.to_string() },
    }
}

/// The lengths of a PIN that C_GetTokenInfo gives, when they say something.
fn length(info: &TokenInfo) -> Option<(usize, usize)> {
    let (least, most) = (info.min_pin_length(), info.max_pin_length());
    (most > 0 && least <= most).then_some((least, most))
}

/// What a refused write means. Very few devices say plainly that they are full.
fn map_write(error: Error) -> KeyStoreError {
    match error {
        Error::Pkcs11(code @ (RvError::GeneralError | RvError::DeviceError | RvError::FunctionFailed), call) => {
            KeyStoreError::WriteFailed { call: format!("C_{call:?}"), code: format!("{code:?}") }
        }
        Error::Pkcs11(RvError::UserNotLoggedIn | RvError::UserTypeInvalid, _) => KeyStoreError::ManagedElsewhere,
        other => map(other),
    }
}

/// A new PIN is measured before anything is sent; one that is typed on the device is the device's matter.
fn check_new(state: &PinState, new: &Pin) -> Result<(), KeyStoreError> {
    match state.length {
        Some((least, most)) if !state.pad && !(least..=most).contains(&new.expose().len()) => {
            Err(KeyStoreError::PinLength { least, most })
        }
        _ => Ok(()),
    }
}

/// The PIN's state, when a try may be spent.
fn spendable(info: &StoreInfo, last_try: bool) -> Result<PinState, KeyStoreError> {
    if info.pin.locked {
        return Err(KeyStoreError::PinLocked);
    }
    if info.pin.final_try && !last_try {
        return Err(KeyStoreError::PinLastTry);
    }
    Ok(info.pin)
}

/// Free memory, when the device tells something that can be true: NSS says 1 of 1, others more than they have.
fn free(info: &TokenInfo) -> Option<u64> {
    let free = info.free_public_memory()? as u64;
    match info.total_public_memory() {
        Some(total) if total as u64 >= free && total > 1 => Some(free),
        _ => None,
    }
}

fn secret(pin: &Pin) -> AuthPin {
    AuthPin::from(pin.expose().to_owned())
}

/// Moves the keys whose CKA_ID names one public key, and only one, to those that were found.
fn match_by_id(
    nameless: &mut Vec<(ObjectHandle, Vec<u8>)>,
    public: &[(Vec<u8>, Vec<u8>)],
    found: &mut Vec<PrivateKeyObject>,
) {
    nameless.retain(|(object, id)| {
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
    fn slot(&self) -> Result<Slot, KeyStoreError> {
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

    /// Forgets the session, so that the next call begins anew: after the device was pulled and came back.
    pub fn forget(&mut self) {
        self.signing.clear();
        self.session = None;
        self.accepted = None;
    }

    fn session(&mut self) -> Result<&Session, KeyStoreError> {
        if self.session.is_none() {
            let slot = self.slot()?;
            self.session = Some(self.module.context.open_rw_session(slot).map_err(map)?);
        }
        self.session.as_ref().ok_or(KeyStoreError::Gone)
    }

    /// What a refused PIN means: some modules go on saying "incorrect" for one that is locked, and the flag tells
    /// the truth.
    fn refused_pin(&mut self, error: Error) -> KeyStoreError {
        match map(error) {
            KeyStoreError::PinIncorrect { .. } => match self.info() {
                Ok(after) if after.pin.locked => KeyStoreError::PinLocked,
                Ok(after) => KeyStoreError::PinIncorrect { final_try: after.pin.final_try },
                Err(error) => error,
            },
            other => other,
        }
    }

    fn find(&mut self, template: &[Attribute]) -> Result<Vec<ObjectHandle>, KeyStoreError> {
        self.session()?.find_objects(template).map_err(map)
    }

    fn read(&mut self, object: ObjectHandle, wanted: &[AttributeType]) -> Result<Vec<Attribute>, KeyStoreError> {
        self.session()?.get_attributes(object, wanted).map_err(map)
    }

    /// SubjectPublicKeyInfo of a public or private key object, as far as the object itself tells.
    fn public_key_of(&mut self, object: ObjectHandle) -> Result<(Option<Vec<u8>>, Vec<u8>), KeyStoreError> {
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
    /// half, then the certificate, by CKA_ID. Each of these is read only when a key is still without a match:
    /// a real card answers slowly.
    fn private_keys(&mut self) -> Result<Vec<PrivateKeyObject>, KeyStoreError> {
        let mut found = Vec::new();
        let mut nameless = Vec::new();
        for object in self.find(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])? {
            match self.public_key_of(object)? {
                (Some(key), id) => found.push((object, key, id)),
                // By CKA_ID only where it says something.
                (None, id) if !id.is_empty() => nameless.push((object, id)),
                (None, _) => {}
            }
        }
        if !nameless.is_empty() {
            let mut public = Vec::new();
            for object in self.find(&[Attribute::Class(ObjectClass::PUBLIC_KEY)])? {
                if let (Some(key), id) = self.public_key_of(object)? {
                    public.push((id, key));
                }
            }
            match_by_id(&mut nameless, &public, &mut found);
        }
        if !nameless.is_empty() {
            let certificates = self.certificate_objects()?;
            let public: Vec<(Vec<u8>, Vec<u8>)> =
                certificates.into_iter().map(|(found, id, _)| (id, found.public_key().to_vec())).collect();
            match_by_id(&mut nameless, &public, &mut found);
        }
        Ok(found)
    }

    fn certificate_objects(&mut self) -> Result<Vec<(Certificate, Vec<u8>, ObjectHandle)>, KeyStoreError> {
        let mut found = Vec::new();
        for object in self
            .find(&[Attribute::Class(ObjectClass::CERTIFICATE), Attribute::CertificateType(CertificateType::X_509)])?
        {
            let (mut value, mut id) = (None, Vec::new());
            for attribute in self.read(object, &[AttributeType::Value, AttributeType::Id])? {
                match attribute {
                    Attribute::Value(bytes) => value = Some(bytes),
                    Attribute::Id(bytes) => id = bytes,
                    _ => {}
                }
            }
            // A broken certificate costs its own line, never the list.
            if let Some(Ok(certificate)) = value.map(|bytes| Certificate::from_der(&bytes)) {
                found.push((certificate, id, object));
            }
        }
        Ok(found)
    }

    fn private_key(&mut self, public_key: &[u8]) -> Result<(ObjectHandle, Vec<u8>), KeyStoreError> {
        self.private_keys()?
            .into_iter()
            .find(|(_, key, _)| key == public_key)
            .map(|(object, _, id)| (object, id))
            .ok_or(KeyStoreError::KeyMissing)
    }

    fn sign_by(
        &mut self,
        (object, each_time): (ObjectHandle, bool),
        scheme: Scheme,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyStoreError> {
        let (mechanism, data) = match scheme {
            Scheme::RsaPssSha256 => {
                let parameters =
                    PkcsPssParams { hash_alg: MechanismType::SHA256, mgf: PkcsMgfType::MGF1_SHA256, s_len: 32.into() };
                (Mechanism::RsaPkcsPss(parameters), Primitives.digest(Digest::Sha256, message))
            }
            Scheme::Plain(algorithm) => {
                let digest = algorithm.digest();
                let value = Primitives.digest(digest, message);
                match algorithm {
                    SignatureAlgorithm::RsaSha256 | SignatureAlgorithm::RsaSha384 | SignatureAlgorithm::RsaSha512 => {
                        (Mechanism::RsaPkcs, digest_info(digest, &value)?)
                    }
                    SignatureAlgorithm::EcdsaSha256
                    | SignatureAlgorithm::EcdsaSha384
                    | SignatureAlgorithm::EcdsaSha512 => (Mechanism::Ecdsa, value),
                }
            }
        };
        let pin = self.accepted.as_ref().map(secret);
        let raw = self.module.raw.clone();
        let session = self.session()?;
        session.sign_init(&mechanism, object).map_err(map)?;
        if each_time {
            // Nothing may stand between this login and the signature.
            session.login(UserType::ContextSpecific, pin.as_ref()).map_err(map)?;
        }
        let signature = raw.sign(session.handle(), &data).map_err(map)?;
        if matches!(mechanism, Mechanism::Ecdsa) { ecdsa_value(&signature) } else { Ok(signature) }
    }

    /// Whether each signature of a key wants the PIN once more.
    fn wants_login(&mut self, object: ObjectHandle) -> bool {
        let told = self.read(object, &[AttributeType::AlwaysAuthenticate]).unwrap_or_default();
        matches!(told.first(), Some(Attribute::AlwaysAuthenticate(true)))
    }

    /// Logs the security officer in for as long as `work` takes. The PUK is sent once.
    fn as_officer(
        &mut self,
        puk: &Pin,
        last_try: bool,
        work: impl FnOnce(&mut Self) -> Result<(), KeyStoreError>,
    ) -> Result<(), KeyStoreError> {
        let state = self.info()?.puk.ok_or(KeyStoreError::NoPuk)?;
        if state.locked {
            return Err(KeyStoreError::PukLocked);
        }
        if state.final_try && !last_try {
            return Err(KeyStoreError::PukLastTry);
        }
        // The SO and the user cannot be logged in at the same time, and it is the whole device that is logged in.
        self.signing.clear();
        let _ = self.session()?.logout();
        let typed = secret(puk);
        let typed = (!state.pad).then_some(&typed);
        if let Err(error) = self.session()?.login(UserType::So, typed) {
            return Err(self.refused_puk(error));
        }
        let done = work(self);
        let _ = self.session()?.logout();
        done
    }

    /// What a refused PUK means.
    fn refused_puk(&mut self, error: Error) -> KeyStoreError {
        match map(error) {
            KeyStoreError::PinIncorrect { .. } | KeyStoreError::PinLocked => {
                let after = self.info().ok().and_then(|info| info.puk).unwrap_or_default();
                if after.locked {
                    KeyStoreError::PukLocked
                } else {
                    KeyStoreError::PukIncorrect { final_try: after.final_try }
                }
            }
            other => other,
        }
    }

    /// Writes a certificate object and reads it back.
    fn write_certificate(&mut self, certificate: &Certificate, id: Vec<u8>) -> Result<(), KeyStoreError> {
        if self.certificates()?.contains(certificate) {
            return Ok(());
        }
        let serial = certificate.serial().to_integer();
        let mut encoded = vec![0x02, u8::try_from(serial.len()).unwrap_or(0)];
        encoded.extend_from_slice(&serial);
        self.session()?
            .create_object(&[
                Attribute::Class(ObjectClass::CERTIFICATE),
                Attribute::CertificateType(CertificateType::X_509),
                Attribute::Token(true),
                Attribute::Private(false),
                Attribute::Id(id),
                Attribute::Label(certificate.subject().common_name().into_bytes()),
                Attribute::Subject(certificate.subject().der().to_vec()),
                Attribute::Issuer(certificate.issuer().der().to_vec()),
                Attribute::SerialNumber(encoded),
                Attribute::Value(certificate.der().to_vec()),
            ])
            .map_err(map_write)?;
        // The answer of C_CreateObject is not believed: some tokens say yes and store nothing.
        if self.certificates()?.contains(certificate) { Ok(()) } else { Err(KeyStoreError::NotStored) }
    }

    /// Makes a pair of keys by these templates.
    fn make_pair(
        &mut self,
        mechanism: &Mechanism<'_>,
        public: &[Attribute],
        private: &[Attribute],
    ) -> Result<ObjectHandle, Error> {
        let slot_gone = || Error::Pkcs11(RvError::TokenNotPresent, cryptoki::context::Function::GenerateKeyPair);
        let session = self.session().map_err(|_| slot_gone())?;
        session.generate_key_pair(mechanism, public, private).map(|(public, _)| public)
    }

    fn key_kinds(&self, slot: Slot) -> Vec<KeyKind> {
        let mechanisms = self.module.context.get_mechanism_list(slot).unwrap_or_default();
        let mut kinds = Vec::new();
        if mechanisms.contains(&MechanismType::ECC_KEY_PAIR_GEN) && mechanisms.contains(&MechanismType::ECDSA) {
            kinds.extend([KeyKind::P256, KeyKind::P384]);
        }
        if mechanisms.contains(&MechanismType::RSA_PKCS_KEY_PAIR_GEN) {
            let most = self
                .module
                .context
                .get_mechanism_info(slot, MechanismType::RSA_PKCS_KEY_PAIR_GEN)
                .map_or(2048, |info| info.max_key_size());
            kinds.extend([3072u32, 4096, 2048].into_iter().filter(|&bits| bits as usize <= most).map(KeyKind::Rsa));
        }
        kinds
    }
}

impl KeyStore for TokenStore {
    fn info(&mut self) -> Result<StoreInfo, KeyStoreError> {
        let slot = self.slot()?;
        let info = self.module.context.get_token_info(slot).map_err(map)?;
        let library_version =
            self.module.context.get_library_info().map(|info| info.library_version().to_string()).unwrap_or_default();
        let device = match &self.profile {
            Some(profile) => format!("nss:{}", profile.display()),
            None => format!("token:{}:{}", self.model, self.serial),
        };
        let tries = |count_low, final_try, locked| PinState {
            count_low,
            final_try,
            locked,
            pad: info.protected_authentication_path(),
            length: length(&info),
        };
        Ok(StoreInfo {
            id: if self.ordinal == 0 { device.clone() } else { format!("{device}/{}", self.ordinal + 1) },
            device,
            name: match &self.profile {
                Some(profile) => profile.display().to_string(),
                None => info.label().to_owned(),
            },
            kind: match &self.profile {
                Some(_) => StoreKind::Browser,
                None => StoreKind::Token {
                    manufacturer: info.manufacturer_id().to_owned(),
                    model: self.model.clone(),
                    library_version,
                },
            },
            pin: tries(info.user_pin_count_low(), info.user_pin_final_try(), info.user_pin_locked()),
            puk: self
                .profile
                .is_none()
                .then(|| tries(info.so_pin_count_low(), info.so_pin_final_try(), info.so_pin_locked())),
            free: free(&info),
            total: info.total_public_memory().map(|total| total as u64),
            needs_login: info.login_required(),
            key_kinds: self.key_kinds(slot),
        })
    }

    fn unlock(&mut self, pin: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        let info = self.info()?;
        if !info.needs_login {
            return Ok(());
        }
        let state = spendable(&info, last_try)?;
        let typed = secret(pin);
        let typed = (!state.pad).then_some(&typed);
        match self.session()?.login(UserType::User, typed) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                self.accepted = (!state.pad).then(|| pin.clone());
                Ok(())
            }
            Err(error) => Err(self.refused_pin(error)),
        }
    }

    fn change_pin(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        let state = spendable(&self.info()?, last_try)?;
        check_new(&state, new)?;
        let raw = self.module.raw.clone();
        let (typed, new) = (secret(old), secret(new));
        let session = self.session()?;
        let changed = if state.pad { raw.set_pin_on_pad(session.handle()) } else { session.set_pin(&typed, &new) };
        self.accepted = None;
        changed.map_err(|error| self.refused_pin(error))
    }

    fn unblock_pin(&mut self, puk: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        let state = self.info()?.puk.ok_or(KeyStoreError::NoPuk)?;
        check_new(&state, new)?;
        let new = secret(new);
        self.as_officer(puk, last_try, |store| {
            let raw = store.module.raw.clone();
            let session = store.session()?;
            if state.pad { raw.init_pin_on_pad(session.handle()) } else { session.init_pin(&new) }.map_err(map)
        })
    }

    fn change_puk(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        let state = self.info()?.puk.ok_or(KeyStoreError::NoPuk)?;
        check_new(&state, new)?;
        let (typed, new) = (secret(old), secret(new));
        self.as_officer(old, last_try, |store| {
            let raw = store.module.raw.clone();
            let session = store.session()?;
            if state.pad { raw.set_pin_on_pad(session.handle()) } else { session.set_pin(&typed, &new) }.map_err(map)
        })
    }

    fn initialise(&mut self, puk: &Pin, name: &str, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        let info = self.info()?;
        let state = info.puk.ok_or(KeyStoreError::NotPossible)?;
        if state.locked {
            return Err(KeyStoreError::PukLocked);
        }
        if state.final_try && !last_try {
            return Err(KeyStoreError::PukLastTry);
        }
        check_new(&state, new)?;
        let slot = self.slot()?;
        // No session may be open (PKCS#11 2.40 section 5.5, C_InitToken).
        self.forget();
        if let Err(error) = self.module.context.init_token(slot, &secret(puk), name) {
            return Err(match error {
                Error::Pkcs11(RvError::FunctionNotSupported, _) => KeyStoreError::NotPossible,
                error => self.refused_puk(error),
            });
        }
        // Some devices take a new serial number with their new life.
        let info = self.module.context.get_token_info(slot).map_err(map)?;
        self.serial = info.serial_number().to_owned();
        self.unblock_pin(puk, new, last_try)
    }

    fn certificates(&mut self) -> Result<Vec<Certificate>, KeyStoreError> {
        Ok(self.certificate_objects()?.into_iter().map(|(certificate, _, _)| certificate).collect())
    }

    fn keys(&mut self) -> Result<Vec<Vec<u8>>, KeyStoreError> {
        Ok(self.private_keys()?.into_iter().map(|(_, key, _)| key).collect())
    }

    fn generate(&mut self, kind: KeyKind, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        self.signing.clear();
        let id = Primitives.octets::<20>().to_vec();
        let label = label.as_bytes().to_vec();
        let mut public = vec![
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::Id(id.clone()),
            Attribute::Label(label.clone()),
        ];
        let mechanism = match kind {
            KeyKind::Rsa(bits) => {
                public.push(Attribute::ModulusBits((bits as u64).into()));
                public.push(Attribute::PublicExponent(vec![1, 0, 1]));
                Mechanism::RsaPkcsKeyPairGen
            }
            KeyKind::P256 | KeyKind::P384 => {
                let curve = if kind == KeyKind::P256 { oid::P256 } else { oid::P384 };
                public.push(Attribute::EcParams(curve.to_der().unwrap_or_default()));
                Mechanism::EccKeyPairGen
            }
        };
        let mut private = vec![
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Id(id),
            Attribute::Label(label),
        ];
        if matches!(kind, KeyKind::Rsa(_)) {
            private.push(Attribute::Decrypt(true));
        }
        let mut made = self.make_pair(&mechanism, &public, &private);
        if let Err(Error::Pkcs11(
            RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::AttributeReadOnly
            | RvError::TemplateInconsistent,
            _,
        )) = made
        {
            // Once more with the least that means the same: some cards take nothing else.
            public.retain(|attribute| !matches!(attribute, Attribute::Verify(_) | Attribute::Private(_)));
            private.retain(|attribute| !matches!(attribute, Attribute::Extractable(_) | Attribute::Decrypt(_)));
            made = self.make_pair(&mechanism, &public, &private);
        }
        let object = made.map_err(|error| match error {
            Error::Pkcs11(
                RvError::KeySizeRange
                | RvError::MechanismInvalid
                | RvError::MechanismParamInvalid
                | RvError::CurveNotSupported
                | RvError::AttributeValueInvalid
                | RvError::FunctionNotSupported,
                _,
            ) => KeyStoreError::KeyKindUnsupported(kind),
            error => map_write(error),
        })?;
        self.public_key_of(object)?.0.ok_or(KeyStoreError::NotStored)
    }

    fn sign(&mut self, public_key: &[u8], scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        let object = match self.signing.get(public_key) {
            Some(known) => *known,
            None => {
                let (object, _) = self.private_key(public_key)?;
                let known = (object, self.wants_login(object));
                self.signing.insert(public_key.to_vec(), known);
                known
            }
        };
        let signature = self.sign_by(object, scheme, message);
        if signature.is_err() {
            self.signing.clear();
        }
        signature
    }

    fn install(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        self.signing.clear();
        let (_, id) = self.private_key(certificate.public_key()).map_err(|error| match error {
            KeyStoreError::KeyMissing => KeyStoreError::NotOurKey,
            other => other,
        })?;
        self.write_certificate(certificate, id)
    }

    fn deposit(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        self.signing.clear();
        let id = match self.private_key(certificate.public_key()) {
            Ok((_, id)) => id,
            Err(_) => Primitives.digest(Digest::Sha1, certificate.public_key()),
        };
        self.write_certificate(certificate, id)
    }

    fn import(&mut self, pkcs8: &Zeroizing<Vec<u8>>, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        self.signing.clear();
        let wrong = |why: &dyn std::fmt::Display| KeyStoreError::Module {
            call: "PrivateKeyInfo".to_owned(),
            code: why.to_string(),
        };
        let public_key =
            SoftwareKey::from_pkcs8(pkcs8).map(|key| key.public_key().to_vec()).map_err(|error| wrong(&error))?;
        if self.keys()?.contains(&public_key) {
            return Ok(public_key);
        }
        let id = Primitives.octets::<20>();
        let objects = Imported::of(pkcs8, &public_key, &id, label).map_err(|error| wrong(&error))?;
        let kind = KeyKind::of(&public_key).map_err(|error| wrong(&error))?;
        let refused = |error| match error {
            Error::Pkcs11(
                RvError::KeySizeRange
                | RvError::TemplateInconsistent
                | RvError::AttributeValueInvalid
                | RvError::AttributeTypeInvalid
                | RvError::FunctionNotSupported,
                _,
            ) => KeyStoreError::KeyKindUnsupported(kind),
            error => map_write(error),
        };
        let private = self.session()?.create_object(&objects.private).map_err(refused)?;
        // A device that derives the public half itself refuses to be told it.
        if let Err(error) = self.session()?.create_object(&objects.public)
            && matches!(map_write(error), KeyStoreError::Full)
        {
            // Only what this call made is taken back.
            self.session()?.destroy_object(private).map_err(map)?;
            return Err(KeyStoreError::Full);
        }
        if self.keys()?.contains(&public_key) { Ok(public_key) } else { Err(KeyStoreError::NotStored) }
    }

    fn export(&mut self, public_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        // A device never gives a key out, and is never asked to.
        if self.profile.is_none() {
            return Err(KeyStoreError::NotExportable);
        }
        let (object, _) = self.private_key(public_key)?;
        // NSS shows no key in the clear, but wraps it under one that it is given for this.
        let wrapping = Zeroizing::new(Primitives.octets::<32>());
        let vector = Primitives.octets::<16>();
        let session = self.session()?;
        let helper = session
            .create_object(&[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::Token(false),
                Attribute::Wrap(true),
                Attribute::Encrypt(true),
                Attribute::Value(wrapping.to_vec()),
            ])
            .map_err(map)?;
        let wrapped = session.wrap_key(&Mechanism::AesCbcPad(vector), helper, object);
        let _ = session.destroy_object(helper);
        let wrapped = match wrapped {
            Ok(wrapped) => wrapped,
            Err(Error::Pkcs11(RvError::KeyUnextractable | RvError::KeyNotWrappable, _)) => {
                return Err(KeyStoreError::NotExportable);
            }
            Err(error) => return Err(map(error)),
        };
        // What comes back is as long as was guessed before; the key ends at one of the last blocks.
        let blocks = wrapped.len() / 16;
        let opened = (blocks.saturating_sub(4)..=blocks).rev().find_map(|blocks| {
            let key = obnova_crypto::aes_cbc_decrypt(&wrapping, vector, wrapped[..blocks * 16].to_vec())?;
            let is_it = SoftwareKey::from_pkcs8(&key).is_ok_and(|read| read.public_key() == public_key);
            is_it.then_some(key)
        });
        opened.ok_or(KeyStoreError::NotExportable)
    }

    fn census(&mut self) -> Result<Census, KeyStoreError> {
        let certificates = self.certificate_objects()?;
        let mut census = Census {
            certificates: certificates.len(),
            certificate_octets: certificates.iter().map(|(found, _, _)| found.der().len() as u64).sum(),
            free: self.info()?.free,
            ..Census::default()
        };
        for (class, count) in [
            (ObjectClass::PRIVATE_KEY, &mut census.private_keys),
            (ObjectClass::PUBLIC_KEY, &mut census.public_keys),
            (ObjectClass::DATA, &mut census.data),
        ] {
            *count = self.find(&[Attribute::Class(class)])?.len();
        }
        Ok(census)
    }

    fn reserve(&mut self, octets: usize) -> Result<(), KeyStoreError> {
        let held = [Attribute::Class(ObjectClass::DATA), Attribute::Label(RESERVATION.to_vec())];
        for object in self.find(&held)? {
            self.session()?.destroy_object(object).map_err(map_write)?;
        }
        if octets == 0 {
            return Ok(());
        }
        let mut wanted = held.to_vec();
        wanted.extend([Attribute::Token(true), Attribute::Private(false), Attribute::Value(vec![0; octets])]);
        self.session()?.create_object(&wanted).map_err(|error| match error {
            Error::Pkcs11(
                RvError::TemplateInconsistent
                | RvError::AttributeTypeInvalid
                | RvError::AttributeValueInvalid
                | RvError::FunctionNotSupported,
                _,
            ) => KeyStoreError::NotPossible,
            error => map_write(error),
        })?;
        if self.find(&held)?.is_empty() { Err(KeyStoreError::NotStored) } else { Ok(()) }
    }

    fn remove(&mut self, permit: &RemovalPermit) -> Result<(), KeyStoreError> {
        self.signing.clear();
        let objects = self.certificate_objects()?;
        let certificate = permit.certificate();
        // Keys that another certificate needs stay; so do those of an "orphan" that has one after all.
        let needed =
            objects.iter().any(|(other, _, _)| Some(other) != certificate && other.public_key() == permit.public_key());
        if !needed {
            // The certificate goes last: a removal that was cut short finds its keys again by it.
            for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
                let doomed: Vec<ObjectHandle> = if class == ObjectClass::PRIVATE_KEY {
                    let all = self.private_keys()?;
                    all.into_iter().filter(|(_, key, _)| key == permit.public_key()).map(|(o, _, _)| o).collect()
                } else {
                    let mut matching = Vec::new();
                    for object in self.find(&[Attribute::Class(class)])? {
                        if self.public_key_of(object)?.0.as_deref() == Some(permit.public_key()) {
                            matching.push(object);
                        }
                    }
                    matching
                };
                if doomed.len() > 1 {
                    // Two objects for one key: which of them is meant cannot be known, so neither goes.
                    return Err(KeyStoreError::Module {
                        call: "C_DestroyObject".to_owned(),
                        code: "more than one key matches".to_owned(),
                    });
                }
                for object in doomed {
                    self.session()?.destroy_object(object).map_err(map_write)?;
                }
            }
        }
        for (stored, _, object) in objects {
            if Some(&stored) == certificate {
                self.session()?.destroy_object(object).map_err(map_write)?;
            }
        }
        Ok(())
    }
}
