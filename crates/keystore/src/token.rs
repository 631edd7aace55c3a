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
use der::asn1::{Any, BitString, ObjectIdentifier, OctetString, Uint, UintRef};
use der::{Decode, Encode, Sequence};
use obnova_crypto::Primitives;
use obnova_lifecycle::port::{KeyStore, KeyStoreError, Pin, PinState, Scheme, StoreInfo, StoreKind};
use obnova_lifecycle::retirement::RemovalPermit;
use obnova_pki::{Certificate, Digest, KeyKind, SignatureAlgorithm, Verifier, oid};

/// Modules are initialised once per process and never unloaded: some crash when they are.
fn module(path: &Path) -> Result<Pkcs11, KeyStoreError> {
    static LOADED: OnceLock<Mutex<HashMap<PathBuf, Pkcs11>>> = OnceLock::new();
    let mut loaded = LOADED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = loaded.get(path) {
        return Ok(known.clone());
    }
    let missing = |error: Error| KeyStoreError::ModuleMissing { detail: format!("{}: {error}", path.display()) };
    let module = Pkcs11::new(path).map_err(missing)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(missing(error)),
    }
    loaded.insert(path.to_owned(), module.clone());
    Ok(module)
}

/// All initialised tokens that a module sees; a slot that cannot be read costs only itself.
///
/// # Errors
///
/// [`KeyStoreError::ModuleMissing`], or the module's answer to C_GetSlotList.
pub fn tokens(path: &Path) -> Result<Vec<TokenStore>, KeyStoreError> {
    let module = module(path)?;
    let mut found = Vec::new();
    for slot in module.get_slots_with_token().map_err(map)? {
        let Ok(info) = module.get_token_info(slot) else { continue };
        if info.token_initialized() {
            found.push(TokenStore {
                module: module.clone(),
                model: info.model().to_owned(),
                serial: info.serial_number().to_owned(),
                session: None,
                signing: HashMap::new(),
            });
        }
    }
    Ok(found)
}

/// One token, found by model and serial number, never by slot or label.
pub struct TokenStore {
    module: Pkcs11,
    model: String,
    serial: String,
    session: Option<Session>,
    /// Keys that signed in this session, by their SubjectPublicKeyInfo.
    signing: HashMap<Vec<u8>, ObjectHandle>,
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

#[derive(Sequence)]
struct RsaPublicKey {
    modulus: Uint,
    exponent: Uint,
}

#[derive(Sequence)]
struct EcdsaValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

fn spki(algorithm: ObjectIdentifier, parameters: Any, key: &[u8]) -> Option<Vec<u8>> {
    spki::SubjectPublicKeyInfoOwned {
        algorithm: spki::AlgorithmIdentifierOwned { oid: algorithm, parameters: Some(parameters) },
        subject_public_key: BitString::from_bytes(key).ok()?,
    }
    .to_der()
    .ok()
}

fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let key = RsaPublicKey { modulus: Uint::new(modulus).ok()?, exponent: Uint::new(exponent).ok()? };
    spki(oid::RSA_ENCRYPTION, Any::null(), &key.to_der().ok()?)
}

fn ec_spki(parameters: &[u8], point: &[u8]) -> Option<Vec<u8>> {
    // CKA_EC_POINT is an OCTET STRING in DER; some modules give the bare point.
    let point = match OctetString::from_der(point) {
        Ok(wrapped) => wrapped.as_bytes().to_vec(),
        Err(_) => point.to_vec(),
    };
    spki(oid::EC_PUBLIC_KEY, Any::from_der(parameters).ok()?, &point)
}

/// DigestInfo of RSASSA-PKCS1-v1_5 (RFC 8017 section 9.2).
fn digest_info(digest: Digest, value: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
    #[derive(Sequence)]
    struct DigestInfo {
        algorithm: spki::AlgorithmIdentifierOwned,
        digest: OctetString,
    }
    let mut algorithm = digest.identifier();
    algorithm.parameters = Some(Any::null());
    OctetString::new(value)
        .and_then(|digest| DigestInfo { algorithm, digest }.to_der())
        .map_err(|error| KeyStoreError::Module { call: "DigestInfo".to_owned(), code: error.to_string() })
}

/// The lengths of a PIN that C_GetTokenInfo gives, when they say something.
fn length(info: &TokenInfo) -> Option<(usize, usize)> {
    let (least, most) = (info.min_pin_length(), info.max_pin_length());
    (most > 0 && least <= most).then_some((least, most))
}

/// A new PIN is measured before anything is sent; devices that type it themselves are not asked.
fn check_new(state: &PinState, new: &Pin) -> Result<(), KeyStoreError> {
    if state.pad {
        return Err(KeyStoreError::PadOnly);
    }
    match state.length {
        Some((least, most)) if !(least..=most).contains(&new.expose().len()) => {
            Err(KeyStoreError::PinLength { least, most })
        }
        _ => Ok(()),
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
        for slot in self.module.get_slots_with_token().map_err(map)? {
            if let Ok(info) = self.module.get_token_info(slot)
                && info.serial_number() == self.serial
                && info.model() == self.model
                && info.token_initialized()
            {
                return Ok(slot);
            }
        }
        Err(KeyStoreError::Gone)
    }

    fn session(&mut self) -> Result<&Session, KeyStoreError> {
        if self.session.is_none() {
            let slot = self.slot()?;
            self.session = Some(self.module.open_rw_session(slot).map_err(map)?);
        }
        self.session.as_ref().ok_or(KeyStoreError::Gone)
    }

    /// The PIN's state, when a try may be spent.
    fn spendable(&mut self, last_try: bool) -> Result<PinState, KeyStoreError> {
        let state = self.info()?.pin;
        if state.locked {
            return Err(KeyStoreError::PinLocked);
        }
        if state.final_try && !last_try {
            return Err(KeyStoreError::PinLastTry);
        }
        Ok(state)
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

    fn sign_by(&mut self, object: ObjectHandle, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        let session = self.session()?;
        match scheme {
            Scheme::RsaPssSha256 => {
                let parameters =
                    PkcsPssParams { hash_alg: MechanismType::SHA256, mgf: PkcsMgfType::MGF1_SHA256, s_len: 32.into() };
                session.sign(&Mechanism::Sha256RsaPkcsPss(parameters), object, message).map_err(map)
            }
            Scheme::Plain(algorithm) => {
                let digest = algorithm.digest();
                let value = Primitives.digest(digest, message);
                match algorithm {
                    SignatureAlgorithm::RsaSha256 | SignatureAlgorithm::RsaSha384 | SignatureAlgorithm::RsaSha512 => {
                        session.sign(&Mechanism::RsaPkcs, object, &digest_info(digest, &value)?).map_err(map)
                    }
                    SignatureAlgorithm::EcdsaSha256
                    | SignatureAlgorithm::EcdsaSha384
                    | SignatureAlgorithm::EcdsaSha512 => {
                        let raw = session.sign(&Mechanism::Ecdsa, object, &value).map_err(map)?;
                        let (r, s) = raw.split_at(raw.len() / 2);
                        UintRef::new(r).and_then(|r| EcdsaValue { r, s: UintRef::new(s)? }.to_der()).map_err(|error| {
                            KeyStoreError::Module { call: "C_Sign".to_owned(), code: format!("not r and s: {error}") }
                        })
                    }
                }
            }
        }
    }

    fn key_kinds(&self, slot: Slot) -> Vec<KeyKind> {
        let mechanisms = self.module.get_mechanism_list(slot).unwrap_or_default();
        let mut kinds = Vec::new();
        if mechanisms.contains(&MechanismType::ECC_KEY_PAIR_GEN) && mechanisms.contains(&MechanismType::ECDSA) {
            kinds.extend([KeyKind::P256, KeyKind::P384]);
        }
        if mechanisms.contains(&MechanismType::RSA_PKCS_KEY_PAIR_GEN) {
            let most = self
                .module
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
        let info = self.module.get_token_info(slot).map_err(map)?;
        let library_version =
            self.module.get_library_info().map(|info| info.library_version().to_string()).unwrap_or_default();
        Ok(StoreInfo {
            id: format!("token:{}:{}", self.model, self.serial),
            name: info.label().to_owned(),
            kind: StoreKind::Token {
                manufacturer: info.manufacturer_id().to_owned(),
                model: self.model.clone(),
                library_version,
            },
            pin: PinState {
                count_low: info.user_pin_count_low(),
                final_try: info.user_pin_final_try(),
                locked: info.user_pin_locked(),
                pad: info.protected_authentication_path(),
                length: length(&info),
            },
            puk: Some(PinState {
                count_low: info.so_pin_count_low(),
                final_try: info.so_pin_final_try(),
                locked: info.so_pin_locked(),
                pad: info.protected_authentication_path(),
                length: length(&info),
            }),
            free: info.free_public_memory().map(|free| free as u64),
            key_kinds: self.key_kinds(slot),
        })
    }

    fn unlock(&mut self, pin: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        let state = self.spendable(last_try)?;
        let typed = secret(pin);
        let typed = (!state.pad).then_some(&typed);
        match self.session()?.login(UserType::User, typed) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(error) => Err(self.refused_pin(error)),
        }
    }

    fn change_pin(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        check_new(&self.spendable(last_try)?, new)?;
        let (old, new) = (secret(old), secret(new));
        match self.session()?.set_pin(&old, &new) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.refused_pin(error)),
        }
    }

    fn unblock_pin(&mut self, puk: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        let state = self.info()?.puk.ok_or(KeyStoreError::NoPuk)?;
        check_new(&state, new)?;
        if state.locked {
            return Err(KeyStoreError::PukLocked);
        }
        if state.final_try && !last_try {
            return Err(KeyStoreError::PukLastTry);
        }
        let (typed, new) = (secret(puk), secret(new));
        // The SO and the user cannot be logged in at the same time, and it is the whole device that is logged in.
        let _ = self.session()?.logout();
        if let Err(error) = self.session()?.login(UserType::So, Some(&typed)) {
            return Err(match map(error) {
                KeyStoreError::PinIncorrect { .. } | KeyStoreError::PinLocked => {
                    let after = self.info()?.puk.unwrap_or_default();
                    if after.locked {
                        KeyStoreError::PukLocked
                    } else {
                        KeyStoreError::PukIncorrect { final_try: after.final_try }
                    }
                }
                other => other,
            });
        }
        let set = self.session()?.init_pin(&new).map_err(map);
        let _ = self.session()?.logout();
        set
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
        let (public_object, _) =
            self.session()?.generate_key_pair(&mechanism, &public, &private).map_err(|error| match error {
                Error::Pkcs11(RvError::KeySizeRange | RvError::MechanismInvalid | RvError::CurveNotSupported, _) => {
                    KeyStoreError::KeyKindUnsupported(kind)
                }
                error => map(error),
            })?;
        self.public_key_of(public_object)?.0.ok_or(KeyStoreError::NotStored)
    }

    fn sign(&mut self, public_key: &[u8], scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        let object = match self.signing.get(public_key) {
            Some(known) => *known,
            None => {
                let (object, _) = self.private_key(public_key)?;
                self.signing.insert(public_key.to_vec(), object);
                object
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
        if !self.certificates()?.contains(certificate) {
            let mut serial = vec![0x02, certificate.serial().to_integer().len() as u8];
            serial.extend_from_slice(&certificate.serial().to_integer());
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
                    Attribute::SerialNumber(serial),
                    Attribute::Value(certificate.der().to_vec()),
                ])
                .map_err(map)?;
        }
        // The answer of C_CreateObject is not believed: some tokens say yes and store nothing.
        if self.certificates()?.contains(certificate) { Ok(()) } else { Err(KeyStoreError::NotStored) }
    }

    fn remove(&mut self, permit: &RemovalPermit) -> Result<(), KeyStoreError> {
        self.signing.clear();
        let certificate = permit.certificate();
        let objects = self.certificate_objects()?;
        let shared =
            objects.iter().any(|(other, _, _)| other != certificate && other.public_key() == certificate.public_key());
        if !shared {
            // The certificate goes last: a removal that was cut short finds its keys again by it.
            for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
                let doomed: Vec<ObjectHandle> = if class == ObjectClass::PRIVATE_KEY {
                    let all = self.private_keys()?;
                    all.into_iter().filter(|(_, key, _)| key == certificate.public_key()).map(|(o, _, _)| o).collect()
                } else {
                    let mut matching = Vec::new();
                    for object in self.find(&[Attribute::Class(class)])? {
                        if self.public_key_of(object)?.0.as_deref() == Some(certificate.public_key()) {
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
                    self.session()?.destroy_object(object).map_err(map)?;
                }
            }
        }
        for (stored, _, object) in objects {
            if stored == *certificate {
                self.session()?.destroy_object(object).map_err(map)?;
            }
        }
        Ok(())
    }
}
