//! One inventory of all stores: those of the settings, and those that this computer has. A store that cannot be
//! read, or whose module hangs or crashes, costs its own line, never the list.

use std::path::PathBuf;
use std::time::SystemTime;

use obnova_crypto::Primitives;
use obnova_keystore::{
    FileStore, HostedStore, Load, ModuleHost, ReadersUnknown, Seen, SharedStore, StoreSigner, discovery,
};
use obnova_lifecycle::port::{Clock, KeyStore, KeyStoreError, StoreInfo, StoreKind};
use obnova_lifecycle::station::{ProofOfUse, challenge_message};
use obnova_lifecycle::successor::same_holder;
use obnova_pki::{Certificate, Kind, Signer};
use obnova_remote::{HttpClient, ObnovaAuthority, TlsTrust};

use crate::account::{LoginOutcome, bind, client, login};
use crate::cards::{CardView, Readers};
use crate::journey::PinSource;
use crate::preflight::{authority_of, issuers};
use crate::settings::StoreSetting;
use crate::view::{CertificateView, StoreView, UnreadView, kind_name};
use crate::{ClientError, Home, register};

/// An opened store with what it said of itself.
pub(crate) struct OpenStore {
    pub(crate) info: StoreInfo,
    pub(crate) store: SharedStore,
    /// Pairs that still fit, when the settings say it.
    pub(crate) room: Option<u8>,
    /// Whether room is held on it before a key is made: the settings or the register say that it can.
    pub(crate) holds_room: bool,
}

impl OpenStore {
    /// What is known of it, with its PIN as it is now: an earlier try may have changed how many are left.
    pub(crate) fn now(&self) -> StoreInfo {
        let mut info = self.info.clone();
        if let Ok(now) = self.store.lock().info() {
            (info.pin, info.puk) = (now.pin, now.puk);
        }
        info
    }

    /// Opens it with the PIN of a person.
    pub(crate) fn unlock(&self, pin: &dyn PinSource) -> Result<(), ClientError> {
        let secret = pin.pin(&self.now())?;
        let done = self.store.lock().unlock(&secret, pin.may_spend_last_try());
        done.map_err(|error| ClientError::at(error, &self.info.name))?;
        pin.opened(&self.info);
        Ok(())
    }

    /// Whether a person means this one by these words.
    pub(crate) fn is_called(&self, words: &str) -> bool {
        self.info.name.to_lowercase().contains(&words.to_lowercase()) || self.info.id.contains(words)
    }

    /// What it is, as a code: `token`, `file`, `browser` or `system`.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.info.kind {
            StoreKind::Token { .. } => "token",
            StoreKind::File => "file",
            StoreKind::Browser => "browser",
            StoreKind::System => "system",
        }
    }
}

/// All stores of the settings.
pub struct Inventory {
    pub(crate) stores: Vec<OpenStore>,
    problems: Vec<StoreView>,
    /// Files that did not open: stable name, name, why.
    closed: Vec<(String, String, ClientError)>,
    cards: Vec<CardView>,
    readers: Readers,
}

/// A module that is asked, with what the settings say of it.
struct Loaded {
    load: Load,
    room: Option<u8>,
    reserve: bool,
    is_named: bool,
}

impl Loaded {
    /// One that this computer has, and the settings do not name.
    fn found(load: Load) -> Self {
        Self { load, room: None, reserve: false, is_named: false }
    }
}

/// A store of a module, as it was found.
struct Found {
    store: HostedStore,
    info: StoreInfo,
    room: Option<u8>,
    /// Whether the settings say that room can be held.
    reserve: bool,
    /// Which module, in the order in which they are asked.
    module: usize,
    /// Whether the settings name the module.
    is_named: bool,
}

impl Found {
    /// How well the module serves this device: named by the person, known to be the device's own, makes keys here.
    fn merit(&self) -> (bool, bool, bool) {
        let is_known = match &self.info.kind {
            StoreKind::Token { manufacturer, model, .. } => {
                // OpenSC reads everybody's cards; the maker's own module knows more of them.
                register::register().device(manufacturer, model).is_some_and(|device| device.middleware != "OpenSC")
            }
            _ => false,
        };
        (self.is_named, is_known, !self.info.key_kinds.is_empty())
    }
}

/// One card that several modules see is one device: it is read by the module that serves it best, and by no other.
fn merge_readers(found: Vec<Found>, readers: &Readers) -> Vec<Found> {
    let place =
        |one: &Found| one.info.reader.as_deref().and_then(|name| readers.reader(name)).map(|reader| &reader.name);
    let best = |at: &Found| {
        let here = found.iter().filter(|one| place(one).is_some() && place(one) == place(at));
        // The first of equals.
        here.max_by_key(|one| (one.merit(), std::cmp::Reverse(one.module))).map(|one| one.module)
    };
    let stays: Vec<bool> = found.iter().map(|one| best(one).is_none_or(|module| module == one.module)).collect();
    found.into_iter().zip(stays).filter_map(|(one, stays)| stays.then_some(one)).collect()
}

impl Inventory {
    /// Opens every store of the settings, `extra` ones, and those that this computer has.
    ///
    /// Each module is a process of its own, which this program plays when its first argument is `module-host`.
    ///
    /// # Errors
    ///
    /// `settings-wrong`; `no-store` when nothing is configured and nothing is found.
    pub fn open(home: &Home, extra: &[StoreSetting]) -> Result<Self, ClientError> {
        let mut settings = home.stores()?;
        settings.extend_from_slice(extra);
        let is_told = !settings.is_empty();
        let mut loads: Vec<Loaded> = Vec::new();
        let mut files = Vec::new();
        for setting in settings {
            match setting {
                StoreSetting::Module { path, room, reserve } => {
                    loads.push(Loaded { load: Load::Module(path), room, reserve, is_named: true });
                }
                StoreSetting::File(path) => files.push(path),
            }
        }
        if home.discovers()? {
            let known = discovery::known_modules(register::module_names());
            for path in discovery::p11_kit_modules().into_iter().chain(known) {
                let is_named = |load: &Load| match load {
                    Load::Module(named) => named.canonicalize().is_ok_and(|named| named == path),
                    Load::Browser { .. } | Load::Windows => false,
                };
                if !loads.iter().any(|one| is_named(&one.load)) {
                    loads.push(Loaded::found(Load::Module(path)));
                }
            }
            if let Some(module) = discovery::nss_module() {
                for profile in discovery::browser_profiles() {
                    loads.push(Loaded::found(Load::Browser { module: module.clone(), profile }));
                }
            }
            // Last: what a token's own module shows as well is told there.
            if cfg!(windows) {
                loads.push(Loaded::found(Load::Windows));
            }
        }
        let mut program = std::env::current_exe()?;
        // Where an upgrade has replaced it, the one that runs is still to be had by this name.
        if cfg!(target_os = "linux") && !program.exists() {
            program = PathBuf::from("/proc/self/exe");
        }
        // Modules start side by side: one that is slow keeps no other waiting.
        let (opened, readers): (Vec<Result<Seen, KeyStoreError>>, Readers) = std::thread::scope(|scope| {
            let readers = scope.spawn(Readers::ask);
            let started: Vec<_> = loads
                .iter()
                .map(|one| {
                    let host = ModuleHost::new(&program, one.load.clone());
                    scope.spawn(move || host.look())
                })
                .collect();
            let crashed = || Err(KeyStoreError::Crashed { detail: String::new() });
            let opened = started.into_iter().map(|thread| thread.join().unwrap_or_else(|_| crashed())).collect();
            (opened, readers.join().unwrap_or_default())
        });
        let mut inventory =
            Self { stores: Vec::new(), problems: Vec::new(), closed: Vec::new(), cards: Vec::new(), readers };
        let names = home.given_names()?;
        let (mut all, mut blank) = (Vec::new(), Vec::new());
        for (module, (Loaded { load, room, reserve, is_named }, result)) in loads.into_iter().zip(opened).enumerate() {
            let (name, kind) = match &load {
                Load::Module(path) => (path.display().to_string(), "token"),
                Load::Browser { profile, .. } => (profile.display().to_string(), "browser"),
                Load::Windows => ("Windows".to_owned(), "system"),
            };
            match result {
                Ok((found, unused)) => {
                    blank.extend(unused);
                    for (store, mut info) in found {
                        if let Some(given) = names.get(&info.device) {
                            info.name.clone_from(given);
                        }
                        all.push(Found { store, info, room, reserve, module, is_named });
                    }
                }
                // A module that was only found here, and has no device to speak of, is nobody's concern.
                Err(KeyStoreError::ModuleMissing { .. } | KeyStoreError::Module { .. }) if !is_named => {}
                Err(error) => inventory.problem(&name, kind, &error),
            }
        }
        if home.discovers()? {
            inventory.cards = inventory.readers.unusable(all.iter().map(|one| &one.info), &blank);
        }
        for one in merge_readers(all, &inventory.readers) {
            inventory.add(Box::new(one.store), one.info, one.room, one.reserve);
        }
        for path in files {
            let name = path.display().to_string();
            let mut store = FileStore::new(&path);
            match store.info() {
                Ok(info) => inventory.add(Box::new(store), info, None, false),
                Err(error) => inventory.problem(&name, "file", &error),
            }
        }
        // A device that is named and not inserted now is missing, not unknown.
        let is_empty = inventory.stores.is_empty() && inventory.problems.is_empty() && inventory.cards.is_empty();
        if is_empty && !is_told {
            return Err(ClientError::new("no-store", home.folder().join("obnova.toml").display()));
        }
        Ok(inventory)
    }

    /// Opens the files with their passwords, each for itself: one that does not open costs its own line.
    pub fn open_files(&mut self, pin: &dyn PinSource) {
        for nth in 0..self.stores.len() {
            let open = &self.stores[nth];
            if open.info.kind != StoreKind::File {
                continue;
            }
            if let Err(error) = open.unlock(pin) {
                let (id, name) = (open.info.id.clone(), open.info.name.clone());
                self.closed.push((id, name, error));
            }
        }
    }

    fn problem(&mut self, name: &str, kind: &'static str, error: &KeyStoreError) {
        self.problems.push(StoreView {
            id: name.to_owned(),
            name: name.to_owned(),
            kind,
            device: name.to_owned(),
            model: None,
            problem: Some(format!("{}: {error}", error.code())),
        });
    }

    fn add(&mut self, store: Box<dyn KeyStore>, info: StoreInfo, room: Option<u8>, reserve: bool) {
        // A device that two modules see is one device, read by the module that came first.
        let is_known = |known: &OpenStore| known.info.id == info.id || same_device(&known.info, &info);
        if !self.stores.iter().any(is_known) {
            let known = match &info.kind {
                StoreKind::Token { manufacturer, model, .. } => register::register().device(manufacturer, model),
                _ => None,
            };
            let holds_room = reserve || known.is_some_and(|device| device.reserves);
            self.stores.push(OpenStore { info, store: SharedStore::new(store), room, holds_room });
        }
    }

    /// Cards in readers that nothing here can use.
    pub fn cards(&self) -> &[CardView] {
        &self.cards
    }

    /// Why the system's readers are not known, when they are not.
    pub fn readers_unknown(&self) -> Option<ReadersUnknown> {
        self.readers.unknown
    }

    /// The stores, also those that cannot be read.
    pub fn stores(&self) -> Vec<StoreView> {
        let mut views: Vec<StoreView> = self
            .stores
            .iter()
            .map(|open| {
                let model = match &open.info.kind {
                    StoreKind::Token { model, library_version, .. } => Some(format!("{model} {library_version}")),
                    _ => None,
                };
                StoreView {
                    id: open.info.id.clone(),
                    name: open.info.name.clone(),
                    kind: open.kind(),
                    device: open.info.device.clone(),
                    model,
                    problem: self
                        .closed
                        .iter()
                        .find(|(id, _, _)| *id == open.info.id)
                        .map(|(_, _, error)| format!("{}: {}", error.code, error.detail)),
                }
            })
            .collect();
        views.extend(self.problems.iter().cloned());
        views
    }

    /// Stores that show certificates only after their password.
    pub fn needs_password(&self) -> Vec<(String, SharedStore)> {
        self.stores
            .iter()
            .filter(|open| open.info.kind == StoreKind::File)
            .map(|open| (open.info.id.clone(), open.store.clone()))
            .collect()
    }

    /// Opens a file whose certificates are seen after its password; it stays open for as long as this inventory.
    ///
    /// # Errors
    ///
    /// `store-gone`; the password's.
    pub fn unlock_file(&self, store: &str, pin: &dyn PinSource) -> Result<(), ClientError> {
        self.unlocked(store, pin).map(|_| ())
    }

    /// Certificates of all stores that can be read now, each once, with the name of the store. Authorities that a
    /// browser or the system keeps for its paths are nobody's own, and are left out.
    pub fn certificates(&self) -> Vec<(String, Certificate)> {
        let mut all: Vec<(String, Certificate)> = Vec::new();
        for open in &self.stores {
            let keeps_paths = matches!(open.info.kind, StoreKind::Browser | StoreKind::System);
            for certificate in open.store.lock().certificates().unwrap_or_default() {
                if keeps_paths && certificate.kind() == Kind::Authority {
                    continue;
                }
                if !all.iter().any(|(_, known)| *known == certificate) {
                    all.push((open.info.id.clone(), certificate));
                }
            }
        }
        all
    }

    /// What the stores call certificates and nobody here can read, each once.
    pub fn unread(&self, now: SystemTime) -> Vec<UnreadView> {
        let mut all: Vec<UnreadView> = Vec::new();
        for open in &self.stores {
            for unread in open.store.lock().contents().unwrap_or_default().unread {
                if !all.iter().any(|known| known.identity == unread.identity) {
                    all.push(UnreadView::of(&unread, &open.info.id, now));
                }
            }
        }
        all
    }

    /// Certificates of all stores as screens show them, with the truth about their devices.
    pub fn views(&self, now: SystemTime) -> Vec<CertificateView> {
        let mut views = Vec::new();
        for (store, certificate) in self.certificates() {
            let mut view = CertificateView::of(&certificate, &store, now);
            let info = self.stores.iter().find(|open| open.info.id == store).map(|open| &open.info);
            if let Some((code, until)) = info.and_then(|info| register::truth(&certificate, info, now)) {
                view.device = Some(code);
                view.device_until = Some(until).filter(|until| !until.is_empty());
            }
            views.push(view);
        }
        views.sort_by(|a, b| a.not_after.cmp(&b.not_after));
        views
    }

    /// The certificate that a person means by a kind or a serial number, with its store: of one holder's several of a kind
    /// in one store, the newest.
    ///
    /// # Errors
    ///
    /// `certificate-not-found`; `certificate-ambiguous` with the choices, when several stores or holders are meant: one
    /// person's certificate is never taken for another's.
    pub fn meant_certificate(&self, text: &str, now: SystemTime) -> Result<(String, Certificate), ClientError> {
        let all = self.certificates();
        let is_meant = |certificate: &Certificate| {
            kind_name(certificate.kind()) == text
                || obnova_pki::Serial::candidates(text).is_ok_and(|all| all.contains(certificate.serial()))
        };
        let mut meant: Vec<(String, Certificate)> =
            all.iter().filter(|(_, certificate)| is_meant(certificate)).cloned().collect();
        if kind_name_of(text).is_some() {
            // What has ended, or has its successor here, is not what a person means by a kind while there is another.
            let is_current = |certificate: &Certificate| {
                certificate.is_valid_at(now) && !crate::outlook::is_followed(certificate, &all)
            };
            let current: Vec<(String, Certificate)> =
                meant.iter().filter(|(_, certificate)| is_current(certificate)).cloned().collect();
            if !current.is_empty() {
                meant = current;
            }
        }
        meant.sort_by_key(|(_, certificate)| std::cmp::Reverse(certificate.not_after()));
        let (store, newest) = meant.first().cloned().ok_or_else(|| ClientError::new("certificate-not-found", text))?;
        let is_other = |(place, certificate): &&(String, Certificate)| {
            *certificate != newest
                && (*place != store
                    || !same_holder(certificate.subject(), newest.subject())
                    || kind_name_of(text).is_none())
        };
        if meant.iter().any(|one| is_other(&one)) {
            return Err(ClientError::new("certificate-ambiguous", choices(&meant)));
        }
        Ok((store, newest))
    }

    /// Refuses a kind that would name certificates of several stores or holders. Files are opened for it where they can be.
    pub(crate) fn refuse_ambiguous(&self, kind: &str, pin: &dyn PinSource, now: SystemTime) -> Result<(), ClientError> {
        for open in self.stores.iter().filter(|open| open.info.kind == StoreKind::File) {
            let is_readable = open.store.lock().contents().is_ok();
            if !is_readable {
                let _ = open.unlock(pin);
            }
        }
        match self.meant_certificate(kind, now) {
            Err(error) if error.code == "certificate-ambiguous" => Err(error),
            _ => Ok(()),
        }
    }

    fn unlocked(&self, store: &str, pin: &dyn PinSource) -> Result<SharedStore, ClientError> {
        let open = self
            .stores
            .iter()
            .find(|open| open.info.id == store)
            .ok_or_else(|| ClientError::new("store-gone", store))?;
        open.unlock(pin)?;
        Ok(open.store.clone())
    }

    /// Signs a fresh challenge with a certificate's key and verifies it by the certificate.
    ///
    /// # Errors
    ///
    /// `proof-failed`, or the store's own error.
    pub fn prove(
        &self,
        store: &str,
        certificate: &Certificate,
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<(), ClientError> {
        let store = self.unlocked(store, pin)?;
        let challenge: [u8; 32] = Primitives.octets();
        let signature = StoreSigner::new(store, certificate.public_key())?.sign(&challenge_message(&challenge))?;
        ProofOfUse::check(certificate, &challenge, &signature, clock.now(), &Primitives)
            .map(|_| ())
            .map_err(|error| ClientError::new("proof-failed", error))
    }

    /// Logs in to the account of the certificate's authority.
    ///
    /// # Errors
    ///
    /// `authority-unknown`, `no-identity`, or what stands in the way of the login.
    pub fn rehearse(
        &self,
        home: &Home,
        store: &str,
        certificate: &Certificate,
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<LoginOutcome, ClientError> {
        let (trust, address) = account_of(home, certificate, clock)?;
        let signer = StoreSigner::new(self.unlocked(store, pin)?, certificate.public_key())?;
        login(&client(&trust, certificate, signer)?, &address)
    }

    /// Adds a certificate to the account that another one opens, by its serial number and issuer: the way for
    /// certificates that no journey of ours brought.
    ///
    /// # Errors
    ///
    /// `login-failed` when the other one does not open it; `identity-refused` in the account's own words.
    pub fn introduce(
        &self,
        home: &Home,
        new: &Certificate,
        (store, opens): (&str, &Certificate),
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<(), ClientError> {
        let (trust, address) = account_of(home, opens, clock)?;
        let signer = StoreSigner::new(self.unlocked(store, pin)?, opens.public_key())?;
        let http = client(&trust, opens, signer)?;
        match login(&http, &address)? {
            LoginOutcome::Opened { .. } => bind(&http, &address, new),
            LoginOutcome::Explained(code) => Err(ClientError::new("login-failed", code)),
        }
    }
}

/// A kind of certificates by its name.
fn kind_name_of(text: &str) -> Option<Kind> {
    [Kind::Qualified, Kind::Commercial, Kind::Authority].into_iter().find(|kind| kind_name(*kind) == text)
}

/// Certificates to choose from, as a person types them.
fn choices(meant: &[(String, Certificate)]) -> String {
    let one = |(store, certificate): &(String, Certificate)| {
        let name = obnova_texts::clean(&certificate.subject().common_name());
        format!("{} ({name}, {store})", certificate.serial().decimal())
    };
    meant.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Whether two modules see the same device: their serial number says so, when it is one.
fn same_device(a: &StoreInfo, b: &StoreInfo) -> bool {
    let serial = |info: &StoreInfo| match &info.kind {
        StoreKind::Token { .. } => info.device.rsplit(':').next().map(str::to_owned),
        _ => None,
    };
    let is_telling = |serial: &String| serial.len() >= 6 && serial.chars().any(|c| c != '0');
    let (mine, other) = (serial(a).filter(is_telling), serial(b).filter(is_telling));
    // Slots of one module that share a serial number are its several logins.
    mine.is_some() && mine == other && a.device != b.device
}

/// Where the account of a certificate's authority is, and whom to trust on the way.
fn account_of(home: &Home, certificate: &Certificate, clock: &dyn Clock) -> Result<(TlsTrust, String), ClientError> {
    let mut silent = None;
    for record in home.authorities()? {
        let Some(address) = &record.address else { continue };
        let http = HttpClient::new(&record.tls_trust(), None)?;
        let directory = match (ObnovaAuthority { http: &http, address }).directory() {
            Ok(Some(directory)) => directory,
            Ok(None) => continue,
            Err(error) => {
                silent.get_or_insert(error);
                continue;
            }
        };
        let others = issuers(Some(&directory));
        if authority_of(std::slice::from_ref(&record), certificate, &others, clock).is_some() {
            let identity = directory.identity.ok_or_else(|| ClientError::new("no-identity", address))?;
            return Ok((record.tls_trust(), identity.login));
        }
    }
    Err(silent.map_or_else(|| ClientError::new("authority-unknown", certificate.issuer().common_name()), Into::into))
}
