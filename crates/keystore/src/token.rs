//! A token as a store of keys (PKCS#11 2.40): logins, signatures, and every kind of write, each read back.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use der::Encode;
use obnova_crypto::{Primitives, SoftwareKey};
use obnova_lifecycle::document::Octets;
use obnova_lifecycle::port::{
    Census, Contents, Custody, Held, KeyStore, KeyStoreError, Pin, PinCare, PinState, Room, Scheme, StoreInfo,
    StoreKind,
};
use obnova_lifecycle::retirement::RemovalPermit;
use obnova_pki::signature::key_identity;
use obnova_pki::{Certificate, Digest, KeyKind, SignatureAlgorithm, Signer, Verifier, oid};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

use crate::object::{Imported, digest_info, ecdsa_value};
use crate::session::{
    CertificateObject, TokenStore, check_pin, free, length, map, map_write, reader_of, secret, spendable,
};

/// Label of the object that holds room on a device.
const RESERVATION: &[u8] = b"obnova reservation";

impl TokenStore {
    pub(crate) fn sign_by(
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
    pub(crate) fn wants_login(&mut self, object: ObjectHandle) -> bool {
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
        // The lengths that a device tells are those of PINs; a PUK may be longer.
        if !state.pad && !puk.is_plausible() {
            return Err(KeyStoreError::NotAPin);
        }
        // The SO and the user cannot be logged in at the same time, and it is the whole device that is logged in.
        self.forget_objects();
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
            // There is no such login here: OpenSC says so of PIV cards by a general error.
            KeyStoreError::Module { .. } => KeyStoreError::NotPossible,
            other => other,
        }
    }

    /// Writes a certificate object and reads it back.
    fn write_certificate(&mut self, certificate: &Certificate, id: Vec<u8>) -> Result<(), KeyStoreError> {
        if self.has(certificate)? {
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
        if self.has(certificate)? { Ok(()) } else { Err(KeyStoreError::NotStored) }
    }

    /// Whether a certificate is on the token, by its octets.
    fn has(&mut self, certificate: &Certificate) -> Result<bool, KeyStoreError> {
        Ok(self.certificate_objects()?.iter().any(|object| object.octets == certificate.der()))
    }

    /// Makes a pair of keys by these templates.
    fn make_pair(
        &mut self,
        mechanism: &Mechanism<'_>,
        public: &[Attribute],
        private: &[Attribute],
    ) -> Result<(ObjectHandle, ObjectHandle), Error> {
        let slot_gone = || Error::Pkcs11(RvError::TokenNotPresent, cryptoki::context::Function::GenerateKeyPair);
        let session = self.session().map_err(|_| slot_gone())?;
        session.generate_key_pair(mechanism, public, private)
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
            reader: if self.profile.is_some() { None } else { reader_of(&self.module, slot) },
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
        check_pin(&state, pin)?;
        let typed = secret(pin);
        let typed = (!state.pad).then_some(&typed);
        let mut login = self.session()?.login(UserType::User, typed);
        if let Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) = login {
            let is_the_same = self.accepted.as_ref().is_some_and(|known| known.expose() == pin.expose());
            if state.pad || is_the_same {
                return Ok(());
            }
            // A PIN that nobody checked is not said to be right.
            self.forget_objects();
            self.session()?.logout().map_err(map)?;
            login = self.session()?.login(UserType::User, typed);
        }
        match login {
            Ok(()) => {
                self.accepted = (!state.pad).then(|| pin.clone());
                Ok(())
            }
            Err(error) => {
                self.accepted = None;
                Err(self.refused_pin(error))
            }
        }
    }

    fn keys(&mut self) -> Result<Vec<Vec<u8>>, KeyStoreError> {
        Ok(self.private_keys()?.into_iter().map(|(_, key, _)| key).collect())
    }

    fn generate(&mut self, kind: KeyKind, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        self.forget_objects();
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
                public.push(Attribute::ModulusBits(cryptoki_sys::CK_ULONG::from(bits).into()));
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
        let is_template = |made: &Result<(ObjectHandle, ObjectHandle), Error>| {
            matches!(
                made,
                Err(Error::Pkcs11(
                    RvError::AttributeTypeInvalid
                        | RvError::AttributeValueInvalid
                        | RvError::AttributeReadOnly
                        | RvError::TemplateInconsistent
                        | RvError::ArgumentsBad,
                    _
                ))
            )
        };
        let mut made = self.make_pair(&mechanism, &public, &private);
        if is_template(&made) {
            // Once more with the least that means the same: some cards take nothing else.
            public.retain(|attribute| !matches!(attribute, Attribute::Verify(_) | Attribute::Private(_)));
            private.retain(|attribute| !matches!(attribute, Attribute::Extractable(_) | Attribute::Decrypt(_)));
            made = self.make_pair(&mechanism, &public, &private);
        }
        // Never without an identifier of our own: a card that chooses the place itself may choose that of a key in use.
        let is_offered = is_template(&made) && self.slot().is_ok_and(|slot| self.key_kinds(slot).contains(&kind));
        let (object, private) = made.map_err(|error| match error {
            // It makes such keys, and refuses the identifier, which there is the name of a place: who knows its places
            // is the tool of whoever manages it.
            _ if is_offered => KeyStoreError::ManagedElsewhere,
            Error::Pkcs11(
                RvError::KeySizeRange
                | RvError::MechanismInvalid
                | RvError::MechanismParamInvalid
                | RvError::CurveNotSupported
                | RvError::DomainParamsInvalid
                | RvError::ArgumentsBad
                | RvError::AttributeValueInvalid
                | RvError::FunctionNotSupported,
                _,
            ) => KeyStoreError::KeyKindUnsupported(kind),
            error => map_write(error),
        })?;
        // A key that would go with the session is none, and a request for it would be lost.
        if !matches!(self.read(private, &[AttributeType::Token]).as_deref(), Ok([Attribute::Token(true)])) {
            return Err(KeyStoreError::NotStored);
        }
        // Some modules make something else than they were asked for, or tell a key that is none.
        match self.public_key_of(object)?.0 {
            Some(key) if KeyKind::of(&key) == Ok(kind) => Ok(key),
            Some(_) => {
                Err(KeyStoreError::WriteFailed { call: "C_GenerateKeyPair".to_owned(), code: "another key".to_owned() })
            }
            None => Err(KeyStoreError::NotStored),
        }
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
        let signature = self.sign_by(object, scheme, message).and_then(|signature| {
            // Some modules derive the key that they show from the certificate beside it, which may be another's.
            match scheme {
                Scheme::Plain(algorithm) if Primitives.verify(public_key, algorithm, message, &signature).is_err() => {
                    Err(KeyStoreError::AnotherKey)
                }
                _ => Ok(signature),
            }
        });
        if signature.is_err() {
            self.forget_objects();
        }
        signature
    }

    fn install(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        self.forget_objects();
        let (_, id) = self.private_key(certificate.public_key()).map_err(|error| match error {
            KeyStoreError::KeyMissing => KeyStoreError::NotOurKey,
            other => other,
        })?;
        self.write_certificate(certificate, id)
    }

    fn held(&mut self) -> Result<Vec<Held>, KeyStoreError> {
        let objects = self.certificate_objects()?;
        let mut by_id: Option<BTreeMap<Vec<u8>, Option<Octets>>> = None;
        let mut held = Vec::new();
        for object in objects {
            let mut key = None;
            if object.certificate().is_none() && object.public_key().is_none() && !object.id.is_empty() {
                // Its identifier tells whose it is, where the public half lies beside it.
                if by_id.is_none() {
                    by_id = Some(self.public_ids()?);
                }
                key = by_id.iter().find_map(|known| known.get(&object.id).cloned().flatten());
            }
            held.push(Held {
                identity: object.identity(),
                label: String::from_utf8_lossy(&object.label).into_owned(),
                octets: Octets(object.octets),
                unfit: object.unfit,
                key,
            });
        }
        Ok(held)
    }

    fn remove(&mut self, permit: &RemovalPermit) -> Result<(), KeyStoreError> {
        self.forget_objects();
        let objects = self.certificate_objects()?;
        let certificate = permit.certificate();
        let is_meant = |object: &CertificateObject| certificate.is_some_and(|one| one.der() == object.octets);
        // Keys that another certificate needs stay; so do those of an "orphan" that has one after all.
        let needed = objects.iter().any(|other| {
            let key = other.certificate().map(|certificate| certificate.public_key().to_vec());
            !is_meant(other) && key.is_some_and(|key| key_identity(&key) == key_identity(permit.public_key()))
        });
        if !needed {
            let copies = self.copies(permit.public_key())?;
            if copies.is_empty() && !objects.iter().any(is_meant) {
                // It is gone already.
                return Ok(());
            }
            // No key goes while a certificate that cannot be read may be its own.
            let contents = Contents::of(self.held()?);
            let claims = contents.claims(permit.public_key(), permit.unrelated());
            if !claims.is_empty() {
                let detail: Vec<&str> = claims.iter().map(|one| &one.identity[..16]).collect();
                return Err(KeyStoreError::Claimed { detail: detail.join(", ") });
            }
            // The certificate goes last: a removal that was cut short finds its keys again by it.
            for object in copies {
                self.session()?.destroy_object(object).map_err(map_write)?;
            }
        }
        for object in objects.iter().filter(|object| is_meant(object)) {
            self.session()?.destroy_object(object.object).map_err(map_write)?;
        }
        Ok(())
    }

    fn pin_care(&mut self) -> Option<&mut dyn PinCare> {
        Some(self)
    }

    fn custody(&mut self) -> Option<&mut dyn Custody> {
        Some(self)
    }

    fn room(&mut self) -> Option<&mut dyn Room> {
        Some(self)
    }
}

impl TokenStore {
    /// CKA_ID and key of every public and private key object that tells its key.
    fn public_ids(&mut self) -> Result<BTreeMap<Vec<u8>, Option<Octets>>, KeyStoreError> {
        let mut known = BTreeMap::new();
        for class in [ObjectClass::PUBLIC_KEY, ObjectClass::PRIVATE_KEY] {
            for object in self.find(&[Attribute::Class(class)])? {
                if let (Some(key), id) = self.public_key_of(object)? {
                    // Two keys under one identifier: it tells nothing.
                    let same = known.entry(id).or_insert_with(|| Some(Octets(key.clone())));
                    if same.as_ref().is_some_and(|one| one.0 != key) {
                        *same = None;
                    }
                }
            }
        }
        Ok(known)
    }

    /// All objects of one pair of keys, the private ones first. Where there are several private ones, each must tell the
    /// key itself or sign for it: what is only called like a copy is none.
    fn copies(&mut self, public_key: &[u8]) -> Result<Vec<ObjectHandle>, KeyStoreError> {
        let all = self.private_keys()?;
        let mut private: Vec<ObjectHandle> =
            all.into_iter().filter(|(_, key, _)| key == public_key).map(|(object, _, _)| object).collect();
        if private.len() > 1 {
            for object in &private {
                let tells = self.public_key_of(*object)?.0.as_deref() == Some(public_key);
                if !tells && !self.signs_for(*object, public_key) {
                    return Err(KeyStoreError::Module {
                        call: "C_DestroyObject".to_owned(),
                        code: "more than one key matches, and which is a copy cannot be proven".to_owned(),
                    });
                }
            }
        }
        for object in self.find(&[Attribute::Class(ObjectClass::PUBLIC_KEY)])? {
            if self.public_key_of(object)?.0.as_deref() == Some(public_key) {
                private.push(object);
            }
        }
        Ok(private)
    }
}

impl PinCare for TokenStore {
    fn change_pin(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        let state = spendable(&self.info()?, last_try)?;
        check_pin(&state, old)?;
        check_pin(&state, new)?;
        let raw = self.module.raw.clone();
        let (typed, new) = (secret(old), secret(new));
        let session = self.session()?;
        let changed = if state.pad { raw.set_pin_on_pad(session.handle()) } else { session.set_pin(&typed, &new) };
        self.accepted = None;
        changed.map_err(|error| self.refused_pin(error))
    }

    fn unblock_pin(&mut self, puk: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        let state = self.info()?.puk.ok_or(KeyStoreError::NoPuk)?;
        check_pin(&state, new)?;
        let new = secret(new);
        self.as_officer(puk, last_try, |store| {
            let raw = store.module.raw.clone();
            let session = store.session()?;
            if state.pad { raw.init_pin_on_pad(session.handle()) } else { session.init_pin(&new) }.map_err(map)
        })
    }

    fn change_puk(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        let state = self.info()?.puk.ok_or(KeyStoreError::NoPuk)?;
        check_pin(&state, new)?;
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
        check_pin(&state, new)?;
        if !state.pad && !puk.is_plausible() {
            return Err(KeyStoreError::NotAPin);
        }
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
}

impl Custody for TokenStore {
    fn deposit(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        self.forget_objects();
        let id = match self.private_key(certificate.public_key()) {
            Ok((_, id)) => id,
            Err(_) => Primitives.digest(Digest::Sha1, certificate.public_key()),
        };
        self.write_certificate(certificate, id)
    }

    fn import(&mut self, pkcs8: &Zeroizing<Vec<u8>>, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        self.forget_objects();
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
        // A device that derives the public half itself refuses to be told it; one that is full takes the private half
        // back, which is what this call made and nothing else.
        if let Err(error) = self.session()?.create_object(&objects.public).map_err(map_write)
            && matches!(error, KeyStoreError::Full | KeyStoreError::WriteFailed { .. })
        {
            self.session()?.destroy_object(private).map_err(map)?;
            return Err(error);
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
}

impl Room for TokenStore {
    fn census(&mut self) -> Result<Census, KeyStoreError> {
        let objects = self.certificate_objects()?;
        let mut census = Census {
            certificates: objects.len(),
            unread: objects.iter().filter(|object| object.certificate().is_none()).count(),
            certificate_octets: objects.iter().map(|object| object.octets.len() as u64).sum(),
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
}
