//! One journey: every certificate of a plan walks its own road, station by station; intent is journaled
//! before anything irreversible, and after a crash every check runs again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use obnova_crypto::{Primitives, Secret, SharedSecret};
use obnova_keystore::{FileStore, SharedStore, StoreSigner};
use obnova_lifecycle::acceptance::{Expected, accept};
use obnova_lifecycle::document::{Octets, RequestState};
use obnova_lifecycle::port::{Clock, KeyStore, KeyStoreError, Pin, StoreInfo};
use obnova_lifecycle::retirement::Standing;
use obnova_lifecycle::station::{
    AcceptedAt, Found, FreshKey, Issued, Keyed, ProofOfUse, Proven, ReadBack, Requested, Station, Submitted,
    challenge_message,
};
use obnova_lifecycle::successor::same_holder;
use obnova_pki::cmp::certificate_hash;
use obnova_pki::{Certificate, KeyKind, Kind, Name, Signer, Verifier};
use obnova_remote::cmp::{CmpService, Credential, Outcome, Wish, prepare};
use obnova_remote::{HttpClient, ObnovaAuthority, RemoteError};

use crate::description::{Field, ForeignAccount};
use crate::error::store_named;
use crate::home::{AuthorityRecord, Invitation};
use crate::inventory::Inventory;
use crate::journal::{Evidence, ItemPlan, Journal};
use crate::known::{Came, Known, fold, is_finished, is_removed, plan_of};
use crate::preflight::{Wanted, check_middleware, issuers, key_for};
use crate::settings::BackupSetting;
use crate::transfer::back_up;
use crate::way::{Way, mailed};
use crate::{ClientError, Home, Preflight};

/// How long one run goes on asking an authority that answers nothing but signed polls.
const POLLED: Duration = Duration::from_secs(10);

/// Where PINs and passwords come from; asked once for each store and run.
pub trait PinSource {
    /// The PIN of a store.
    ///
    /// # Errors
    ///
    /// `pin-needed` when nobody can be asked.
    fn pin(&self, store: &StoreInfo) -> Result<Pin, ClientError>;

    /// What was given last opened this store.
    fn opened(&self, _store: &StoreInfo) {}

    /// The PIN of the other device that the person named for the new certificates.
    ///
    /// # Errors
    ///
    /// As [`PinSource::pin`].
    fn pin_of_target(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        self.pin(store)
    }

    /// A password for a file that is about to be made.
    ///
    /// # Errors
    ///
    /// `pin-needed` when nobody can be asked.
    fn new_password(&self, file: &StoreInfo) -> Result<Pin, ClientError>;

    /// A new PIN for a device, or a new password for a file that exists.
    ///
    /// # Errors
    ///
    /// As [`PinSource::new_password`].
    fn new_pin(&self, store: &StoreInfo) -> Result<Pin, ClientError>;

    /// The PUK of a device.
    ///
    /// # Errors
    ///
    /// As [`PinSource::pin`].
    fn puk(&self, store: &StoreInfo) -> Result<Pin, ClientError>;

    /// A new PUK for a device.
    ///
    /// # Errors
    ///
    /// As [`PinSource::new_pin`].
    fn new_puk(&self, store: &StoreInfo) -> Result<Pin, ClientError>;

    /// A field of a message to an authority that nobody here knows; empty when an optional one is left out.
    ///
    /// # Errors
    ///
    /// `field-missing` when nobody can be asked.
    fn field(&self, field: &Field) -> Result<String, ClientError>;

    /// Whether the person allowed the last try to be spent.
    fn may_spend_last_try(&self) -> bool;
}

/// What a screen is told while a journey runs.
pub trait Progress {
    /// A certificate reached a station, and the journal knows it.
    fn station(&mut self, item: usize, kind: &str, station: Station);

    /// Something begins that takes long and must not be interrupted by unplugging.
    fn slow(&mut self, item: usize, kind: &str, what: &'static str);
}

/// How far a run came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// Everything is done.
    Done,
    /// The authority needs time.
    Waiting {
        /// Seconds until asking again makes sense.
        check_after: u64,
        /// Why, as a code or in the authority's words.
        reason: Option<String>,
    },
    /// Everything works; these accounts must be told of the successor by hand before the old one may go.
    Tell(Vec<ForeignAccount>),
    /// At least one certificate was refused; the others are done.
    Refused(String),
    /// The authority issued a certificate that is not taken over here, and why; it is kept with its key. The others are
    /// done.
    NotTaken(String),
}

impl Flow {
    /// Of two journeys, what the person must hear: a refusal before anything else, and what is done last.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == Self::Done || matches!(other, Self::Refused(_) | Self::NotTaken(_)) { other } else { self }
    }
}

/// What an invitation gives: a reference, its secret, and the root that may be trusted.
struct Invited {
    reference: String,
    secret: SharedSecret,
    root_sha256: String,
}

impl Invited {
    fn new(invitation: &Invitation) -> Self {
        Self {
            reference: invitation.reference.clone(),
            secret: SharedSecret::new(&Secret::new(invitation.code.clone())),
            root_sha256: invitation.root_sha256.clone(),
        }
    }
}

/// A second store, where the new keys are made.
struct Onto {
    store: SharedStore,
    unlocked: bool,
    _lock: File,
}

impl Onto {
    /// The store of a plan that names one, locked against other programs of ours.
    fn of(home: &Home, id: Option<&str>, store: Option<SharedStore>) -> Result<Option<Self>, ClientError> {
        let Some(id) = id else { return Ok(None) };
        let store = store.ok_or_else(|| ClientError::new("store-gone", id))?;
        Ok(Some(Self { store, unlocked: false, _lock: home.lock(id)? }))
    }
}

/// A journey that is under way.
pub struct Journey<'a> {
    pub(crate) home: &'a Home,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) pin: &'a dyn PinSource,
    pub(crate) journal: Journal,
    path: PathBuf,
    pub(crate) items: Vec<ItemPlan>,
    roomy: bool,
    pub(crate) identity: Option<(String, String)>,
    pub(crate) store: SharedStore,
    unlocked: bool,
    pub(crate) authority: AuthorityRecord,
    pub(crate) http: HttpClient,
    invitation: Option<Invited>,
    /// The other store where new keys of this plan are made.
    onto: Option<Onto>,
    /// PKCS#12 files where new keys of this plan live, opened when they are needed.
    files: Vec<(PathBuf, SharedStore)>,
    clear: Vec<Octets>,
    pub(crate) lose_old_mail: bool,
    /// What is decided about copies of new keys in files.
    backup: Option<BackupSetting>,
    /// Issuers that the directory offers, once it was read.
    issuers: Option<Vec<Certificate>>,
    _lock: File,
}

fn octets(bytes: &[u8]) -> Octets {
    Octets(bytes.to_vec())
}

impl<'a> Journey<'a> {
    /// Begins the journey of a plan that passed its pre-flight.
    ///
    /// # Errors
    ///
    /// `renewal-open` when one of the certificates is on its way already; `store-busy`; `no-plan`.
    pub fn begin(
        home: &'a Home,
        preflight: Preflight,
        pin: &'a dyn PinSource,
        clock: &'a dyn Clock,
    ) -> Result<Self, ClientError> {
        let planned = preflight.planned.ok_or_else(|| ClientError::new("no-plan", preflight.view.store.clone()))?;
        let mut journey =
            Self::start(home, planned, (preflight.store, preflight.onto), preflight.authority, None, true, pin, clock)?;
        journey.issuers = preflight.issuers;
        Ok(journey)
    }

    /// Begins the journey to a first certificate, by an invitation.
    ///
    /// # Errors
    ///
    /// As [`Journey::begin`]; `invitation-in-use` when it is on its way already: resume it.
    pub fn enroll(
        home: &'a Home,
        inventory: &Inventory,
        store: &str,
        invitation: &Invitation,
        key: Option<KeyKind>,
        pin: &'a dyn PinSource,
        clock: &'a dyn Clock,
    ) -> Result<Self, ClientError> {
        let open = inventory
            .stores
            .iter()
            .find(|open| open.info.id == store)
            .or_else(|| {
                let mut all = inventory.stores.iter();
                all.find(|open| open.info.id.contains(store) || open.info.name == store)
            })
            .ok_or_else(|| ClientError::new("store-gone", store))?;
        let record = AuthorityRecord {
            name: invitation.authority.trim_start_matches("https://").to_owned(),
            address: Some(invitation.authority.clone()),
            cmp: format!("{}/.well-known/cmp", invitation.authority),
            est: None,
            mail: None,
            signer: None,
            tls_sha256: Some(invitation.tls_sha256.clone()),
            anchors: Vec::new(),
        };
        let http = HttpClient::new(&record.tls_trust(), None)?;
        let directory = ObnovaAuthority { http: &http, address: &invitation.authority }.directory()?;
        check_middleware(&open.info, directory.as_ref())?;
        let products = directory.as_ref().map(|directory| directory.products.as_slice()).unwrap_or_default();
        let base = invitation.profile.strip_suffix("-3y").unwrap_or(&invitation.profile);
        let issued = products.iter().find(|product| product.profile == base).map(|product| product.keys.clone());
        let wanted = Wanted { kind: key, predecessor: None, issued: issued.unwrap_or_default() };
        let key = key_for(&open.info, &wanted, clock)?;
        let kind = if invitation.profile.starts_with("qualified") { "qualified" } else { "commercial" };
        let planned = Evidence::Planned {
            store: open.info.id.clone(),
            authority: record.name.clone(),
            invitation: Some(invitation.reference.clone()),
            items: vec![ItemPlan {
                kind: kind.to_owned(),
                predecessor: None,
                profile: None,
                key: key.to_string(),
                file: None,
                makes_room: false,
                // Nobody knows yet how long it will be: qualified ones with their chains of names come near this.
                held: if open.holds_room { 2_048 } else { 0 },
            }],
            roomy: true,
            identity: None,
            clear: Vec::new(),
            lose_old_mail: false,
            onto: None,
        };
        // The record without anchors only says where to go on; anchors come with the certificate.
        let known = home.authorities()?.into_iter().find(|known| known.name == record.name);
        let record = match known {
            Some(known) => known,
            None => {
                home.remember(&record)?;
                record
            }
        };
        let invited = Some(Invited::new(invitation));
        Self::start(home, planned, (open.store.clone(), None), record, invited, false, pin, clock)
    }

    #[allow(clippy::too_many_arguments, reason = "private; both ways of beginning meet here")]
    fn start(
        home: &'a Home,
        planned: Evidence,
        (store, onto): (SharedStore, Option<SharedStore>),
        authority: AuthorityRecord,
        invitation: Option<Invited>,
        unlocked: bool,
        pin: &'a dyn PinSource,
        clock: &'a dyn Clock,
    ) -> Result<Self, ClientError> {
        let plan = plan_of(std::slice::from_ref(&planned)).ok_or_else(|| ClientError::new("no-plan", ""))?;
        let lock = home.lock(&plan.store)?;
        let onto = Onto::of(home, plan.onto.as_deref(), onto)?;
        for path in home.journals()? {
            let evidence = Journal::read(&path)?;
            let Some(other) = plan_of(&evidence) else { continue };
            let known = fold(&evidence, other.items.len());
            let open = !is_finished(&other.items, &evidence);
            let same_invitation = plan.invitation.is_some() && plan.invitation == other.invitation;
            let same_predecessor = other.items.iter().zip(&known).any(|(item, known)| {
                item.predecessor.is_some()
                    && known.refused.is_none()
                    && plan.items.iter().any(|mine| mine.predecessor == item.predecessor)
            });
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            // No second key for the same predecessor while one waits for its certificate, nor after it came.
            if open && (same_predecessor || same_invitation) {
                let code = if same_invitation { "invitation-in-use" } else { "renewal-open" };
                return Err(ClientError::new(code, name));
            }
            if same_predecessor {
                return Err(ClientError::new("already-renewed", name));
            }
        }
        let path = home.new_journal(clock.now());
        let mut journal = Journal::open(&path)?;
        journal.append(planned)?;
        let http = HttpClient::new(&authority.tls_trust(), None)?;
        Ok(Self {
            home,
            clock,
            pin,
            journal,
            path,
            items: plan.items,
            roomy: plan.roomy,
            identity: plan.identity,
            store,
            unlocked,
            authority,
            http,
            invitation,
            onto,
            files: Vec::new(),
            clear: plan.clear,
            lose_old_mail: plan.lose_old_mail,
            backup: home.backup()?,
            issuers: None,
            _lock: lock,
        })
    }

    /// Takes up a journey where its journal left it.
    ///
    /// # Errors
    ///
    /// `store-gone`, `authority-unknown`, `invitation-needed`, `journal-error`.
    pub fn resume(
        home: &'a Home,
        path: &Path,
        inventory: &Inventory,
        invitation: Option<&Invitation>,
        pin: &'a dyn PinSource,
        clock: &'a dyn Clock,
    ) -> Result<Self, ClientError> {
        let evidence = Journal::read(path)?;
        let plan = plan_of(&evidence).ok_or_else(|| ClientError::new("no-plan", path.display()))?;
        let lock = home.lock(&plan.store)?;
        let stores: Vec<(String, SharedStore)> =
            inventory.stores.iter().map(|open| (open.info.id.clone(), open.store.clone())).collect();
        let store = store_named(&stores, &plan.store)?;
        let onto = plan.onto.as_deref().map(|id| store_named(&stores, id)).transpose()?;
        let onto = Onto::of(home, plan.onto.as_deref(), onto)?;
        let authority = home
            .authorities()?
            .into_iter()
            .find(|record| record.name == plan.authority)
            .ok_or_else(|| ClientError::new("authority-unknown", &plan.authority))?;
        let invitation = match (&plan.invitation, invitation) {
            (None, _) => None,
            (Some(reference), Some(given)) if *reference == given.reference => Some(Invited::new(given)),
            (Some(reference), _) => return Err(ClientError::new("invitation-needed", reference)),
        };
        let http = HttpClient::new(&authority.tls_trust(), None)?;
        Ok(Self {
            home,
            clock,
            pin,
            journal: Journal::open(path)?,
            path: path.to_owned(),
            items: plan.items,
            roomy: plan.roomy,
            identity: plan.identity,
            store,
            unlocked: false,
            authority,
            http,
            invitation,
            onto,
            files: Vec::new(),
            clear: plan.clear,
            lose_old_mail: plan.lose_old_mail,
            backup: home.backup()?,
            issuers: None,
            _lock: lock,
        })
    }

    /// Name of the journal.
    pub fn id(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(crate) fn known(&self, item: usize) -> Known {
        fold(self.journal.evidence(), self.items.len()).swap_remove(item)
    }

    /// Where the new key of an item lives.
    pub(crate) fn place(&self, item: usize) -> SharedStore {
        let file = self.items[item].file.as_ref();
        let opened = file.and_then(|file| self.files.iter().find(|(path, _)| path == file));
        match (opened, &self.onto) {
            (Some((_, store)), _) => store.clone(),
            (None, Some(onto)) => onto.store.clone(),
            (None, None) => self.store.clone(),
        }
    }

    /// Opens the file of an item, and makes the settings know it, so that lists show what comes into it.
    fn open_file(&mut self, item: usize) -> Result<(), ClientError> {
        let Some(path) = self.items[item].file.clone() else { return Ok(()) };
        if self.files.iter().any(|(known, _)| *known == path) {
            return Ok(());
        }
        let mut store = FileStore::new(&path);
        let info = store.info()?;
        let password = if store.is_new() { self.pin.new_password(&info)? } else { self.pin.pin(&info)? };
        store.unlock(&password, false).map_err(|error| ClientError::at(error, &info.name))?;
        self.home.add_file(&path)?;
        self.files.push((path, SharedStore::new(Box::new(store))));
        Ok(())
    }

    pub(crate) fn unlock(&mut self, item: usize) -> Result<(), ClientError> {
        self.open_file(item)?;
        if !self.unlocked {
            let info = self.store.lock().info()?;
            let pin = self.pin.pin(&info)?;
            let done = self.store.lock().unlock(&pin, self.pin.may_spend_last_try());
            done.map_err(|error| ClientError::at(error, &info.name))?;
            self.unlocked = true;
        }
        if let Some(onto) = &mut self.onto
            && !onto.unlocked
        {
            let info = onto.store.lock().info()?;
            let pin = self.pin.pin_of_target(&info)?;
            let done = onto.store.lock().unlock(&pin, self.pin.may_spend_last_try());
            done.map_err(|error| ClientError::at(error, &info.name))?;
            onto.unlocked = true;
        }
        Ok(())
    }

    fn predecessor(&self, item: usize) -> Result<Option<Certificate>, ClientError> {
        self.items[item]
            .predecessor
            .as_ref()
            .map(|der| Certificate::from_der(&der.0).map_err(|error| ClientError::new("journal-error", error)))
            .transpose()
    }

    /// Walks as far as it can.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; everything reached so far is in the journal, and the same call goes on from there.
    pub fn run(&mut self, progress: &mut dyn Progress) -> Result<Flow, ClientError> {
        self.clear_expired()?;
        let mut waiting = None;
        let mut refused = None;
        let mut failed = None;
        let mut untold: Vec<ForeignAccount> = Vec::new();
        for item in 0..self.items.len() {
            let reached = match self.obtain(item, progress) {
                Ok(reached) => reached,
                // What the authority could not do for one certificate stops no other. Anything about the device
                // or the disk stops all: a refused PIN is not sent again, and a full device gets no second key.
                Err(error) if self.roomy && error.code.starts_with("authority-") => {
                    failed.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            match reached {
                Reached::Proven(_) => {
                    // No account knows the qualified one, so its predecessor goes out of use at once. Where the
                    // device is full, each certificate is brought to its end, and what it followed makes room for
                    // the next one.
                    let at_once = self.items[item].kind == "qualified" || !self.roomy;
                    if at_once && !self.known(item).retired {
                        untold.extend(self.hand_over(item, progress)?);
                    }
                    self.make_room(item)?;
                }
                Reached::Waiting { check_after, reason } => {
                    waiting = Some(Flow::Waiting { check_after, reason });
                    // Where only one pair fits, the next key is not made before this one is safe.
                    if !self.roomy {
                        break;
                    }
                }
                Reached::Refused(why) => refused = Some(Flow::Refused(why)),
                Reached::NotTaken(why) => refused = Some(Flow::NotTaken(why)),
            }
        }
        for item in 0..self.items.len() {
            let known = self.known(item);
            if known.proven.is_some()
                && known.refused.is_none()
                && !known.retired
                && self.items[item].predecessor.is_some()
            {
                untold.extend(self.hand_over(item, progress)?);
            }
        }
        untold.dedup();
        let told = if untold.is_empty() { Flow::Done } else { Flow::Tell(untold) };
        match failed {
            Some(error) => Err(error),
            None => Ok(waiting.or(refused).unwrap_or(told)),
        }
    }

    /// Asks anew, with the same keys, for whatever was sent and never decided: for authorities that lost a request.
    /// Nothing is sent yet; [`Journey::run`] does that.
    ///
    /// # Errors
    ///
    /// `journal-error`.
    pub fn ask_again(&mut self) -> Result<(), ClientError> {
        for item in 0..self.items.len() {
            let known = self.known(item);
            if let Way::Mail(_) = self.authority.way() {
                continue;
            }
            // Our own authority never loses one, and would refuse the same key twice.
            if known.submitted && known.came.is_none() && known.refused.is_none() && self.authority.address.is_none() {
                self.journal.append(Evidence::AskAgain { item })?;
            }
        }
        Ok(())
    }

    /// Removes the expired certificates that the plan gave up for room.
    fn clear_expired(&mut self) -> Result<(), ClientError> {
        for der in self.clear.clone() {
            let certificate =
                Certificate::from_der(&der.0).map_err(|error| ClientError::new("journal-error", error))?;
            if !is_removed(self.journal.evidence(), &certificate) {
                self.unlock(0)?;
                let standing = Standing {
                    successor_proven: false,
                    successor_registered: false,
                    registration_said: false,
                    consequence_typed: false,
                    decryption_waived: self.lose_old_mail,
                };
                self.remove(&certificate, &standing)?;
            }
        }
        Ok(())
    }

    /// Decides about copies of new keys in files, over what the settings say.
    pub fn decide_backup(&mut self, setting: BackupSetting) {
        self.backup = Some(setting);
    }

    /// The file that the new key of an item lives in, when it is no device.
    fn file_of(&self, item: usize) -> Result<Option<PathBuf>, ClientError> {
        let info = self.place(item).lock().info()?;
        Ok(info.id.strip_prefix("file:").map(PathBuf::from))
    }

    /// A key in a file goes with its disk: before one is made, somebody must have decided about its copy.
    fn demand_backup(&self, item: usize) -> Result<(), ClientError> {
        if self.known(item).key.is_none()
            && self.backup.is_none()
            && let Some(file) = self.file_of(item)?
        {
            return Err(ClientError::new("backup-undecided", file.display()));
        }
        Ok(())
    }

    /// Copies the file of a new key to its second place, compared and tried.
    fn back_up(&self, item: usize) -> Result<(), ClientError> {
        if let (Some(BackupSetting::To(folder)), Some(file)) = (&self.backup, self.file_of(item)?) {
            let info = self.place(item).lock().info()?;
            back_up(&file, folder, &self.pin.pin(&info)?)?;
        }
        Ok(())
    }

    /// From `Found` to `Proven`.
    fn obtain(&mut self, item: usize, progress: &mut dyn Progress) -> Result<Reached, ClientError> {
        let kind = self.items[item].kind.clone();
        let known = self.known(item);
        if let Some(why) = known.refused {
            return Ok(if known.came.is_some() { Reached::NotTaken(why) } else { Reached::Refused(why) });
        }
        if known.submitted
            && known.came.is_none()
            && let Some(waiting) = self.still_waiting(&known)?
        {
            return Ok(waiting);
        }
        self.unlock(item)?;
        let found = Found { predecessor: self.predecessor(item)? };
        progress.station(item, &kind, Station::Found);
        self.fill_fields(item)?;
        self.demand_backup(item)?;
        let keyed = self.make_key(item, found, progress)?;
        if !self.known(item).submitted {
            self.back_up(item)?;
        }
        progress.station(item, &kind, Station::Keyed);
        let requested = self.make_request(item, keyed)?;
        progress.station(item, &kind, Station::Requested);
        let submitted = match self.submit(item, requested)? {
            Sent::Submitted(submitted) => submitted,
            Sent::Refused(why) => return Ok(Reached::Refused(why)),
        };
        progress.station(item, &kind, Station::Submitted);
        let issued = match self.collect(item, *submitted)? {
            Collected::Issued(issued) => issued,
            Collected::Waiting { check_after, reason } => return Ok(Reached::Waiting { check_after, reason }),
            Collected::Refused(why) => return Ok(Reached::Refused(why)),
        };
        progress.station(item, &kind, Station::Issued);
        let accepted = match self.accept(item, *issued)? {
            Ok(accepted) => accepted,
            Err(why) => return Ok(Reached::NotTaken(why)),
        };
        progress.station(item, &kind, Station::Accepted);
        self.confirm(item, &accepted)?;
        let confirmed = accepted.confirmed();
        progress.station(item, &kind, Station::Confirmed);
        if !self.known(item).installed {
            progress.slow(item, &kind, "installing");
            self.journal.append(Evidence::InstallIntent { item })?;
            if self.items[item].held > 0 {
                self.hold_room(item, None)?;
            }
            self.place(item).lock().install(confirmed.certificate())?;
        }
        let (certificates, keys) = {
            let place = self.place(item);
            let mut store = place.lock();
            (store.certificates()?, store.keys()?)
        };
        let read_back = ReadBack::check(confirmed.certificate(), &certificates, &keys)
            .ok_or_else(|| ClientError::new("not-stored", confirmed.certificate().serial()))?;
        if !self.known(item).installed {
            self.back_up(item)?;
            self.journal.append(Evidence::Installed { item })?;
        }
        let installed = confirmed.installed(read_back);
        progress.station(item, &kind, Station::Installed);
        let challenge: [u8; 32] = Primitives.octets();
        let signer = StoreSigner::new(self.place(item), installed.certificate().public_key())?;
        let signature = signer.sign(&challenge_message(&challenge))?;
        let proof = ProofOfUse::check(installed.certificate(), &challenge, &signature, self.clock.now(), &Primitives)
            .map_err(|error| ClientError::new("proof-failed", error))?;
        let proven = installed.proven(proof);
        if self.known(item).proven.is_none() {
            let statement = self.statement(item, &proven)?;
            self.journal.append(Evidence::Proven { item, statement: statement.map(Octets) })?;
        }
        progress.station(item, &kind, Station::Proven);
        Ok(Reached::Proven(Box::new(proven)))
    }

    /// Asks by the receipt, without the token; `None` when it is time to use the token.
    fn still_waiting(&self, known: &Known) -> Result<Option<Reached>, ClientError> {
        if let Way::Mail(_) = self.authority.way() {
            // Only a person can bring what comes by mail.
            return Ok(Some(Reached::Waiting { check_after: 86_400, reason: Some("request-mailed".to_owned()) }));
        }
        let (Some(address), Some((_, transaction))) = (&self.authority.address, &known.request) else {
            return Ok(None);
        };
        let authority = ObnovaAuthority { http: &self.http, address };
        let Some(directory) = authority.directory()? else { return Ok(None) };
        let status = authority.status(&directory, transaction)?;
        // What this version does not know is waited for: a decision is never guessed.
        Ok(matches!(status.state, RequestState::Waiting | RequestState::Other).then(|| Reached::Waiting {
            check_after: 60,
            reason: status.reason.map(|reason| reason.code().to_owned()),
        }))
    }

    fn make_key(&mut self, item: usize, found: Found, progress: &mut dyn Progress) -> Result<Keyed, ClientError> {
        let known = self.known(item);
        let before = match known.before {
            Some(before) => before,
            None => {
                let before = self.place(item).lock().keys()?;
                let noted = before.iter().map(|key| octets(key)).collect();
                self.journal.append(Evidence::KeyIntent { item, before: noted })?;
                before
            }
        };
        let key = match known.key {
            Some(key) => key,
            None => {
                // A crash may have come between the making of the key and the note about it: then it is there.
                let now = self.place(item).lock().keys()?;
                let claimed = self.claimed_keys(item)?;
                let wanted = &self.items[item].key;
                let orphan = now.into_iter().find(|key| {
                    let fits = KeyKind::of(key).is_ok_and(|kind| kind.to_string() == *wanted);
                    fits && !before.contains(key) && !claimed.contains(key)
                });
                let key = match orphan {
                    Some(key) => key,
                    None => {
                        let plan = &self.items[item];
                        let wanted = KeyKind::from_name(&plan.key)
                            .ok_or_else(|| ClientError::new("journal-error", &plan.key))?;
                        progress.slow(item, &plan.kind, "making-key");
                        // A device that is full says so now, and not when the certificate is paid for.
                        self.hold_room(item, Some(item))?;
                        self.place(item).lock().generate(wanted, &format!("obnova {}", plan.kind))?
                    }
                };
                self.journal.append(Evidence::Keyed { item, public_key: octets(&key) })?;
                key
            }
        };
        let after = self.place(item).lock().keys()?;
        let fresh = FreshKey::check(&before, &after, &key)
            .map_err(|error| ClientError::new("new-key-lost", format!("{error:?}")))?;
        Ok(found.keyed(fresh))
    }

    /// Holds room for the certificates that are still to come to the place of this item: those whose keys are there,
    /// and that of `next`. Holding it again changes nothing; nothing is held where nothing was planned.
    fn hold_room(&self, item: usize, next: Option<usize>) -> Result<(), ClientError> {
        if self.items.iter().all(|plan| plan.held == 0) {
            return Ok(());
        }
        let is_awaited = |other: &usize| {
            let known = self.known(*other);
            let is_begun = known.key.is_some() && known.refused.is_none() && !known.installed;
            next == Some(*other) || (is_begun && *other != item)
        };
        let octets = (0..self.items.len()).filter(is_awaited).map(|other| self.items[other].held).sum();
        match self.place(item).lock().reserve(octets) {
            // One that holds nothing is believed until it refuses.
            Ok(()) | Err(KeyStoreError::NotPossible | KeyStoreError::ManagedElsewhere) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Keys that are spoken for: by a certificate, or by any journey that noted them.
    fn claimed_keys(&self, item: usize) -> Result<Vec<Vec<u8>>, ClientError> {
        let mut claimed: Vec<Vec<u8>> =
            self.place(item).lock().certificates()?.iter().map(|found| found.public_key().to_vec()).collect();
        for path in self.home.journals()? {
            for record in Journal::read(&path)? {
                if let Evidence::Keyed { public_key, .. } = record {
                    claimed.push(public_key.0);
                }
            }
        }
        Ok(claimed)
    }

    pub(crate) fn old_signer(&self, item: usize) -> Result<Option<(StoreSigner, Certificate)>, ClientError> {
        match self.predecessor(item)? {
            None => Ok(None),
            Some(certificate) => {
                let signer = StoreSigner::new(self.store.clone(), certificate.public_key())?;
                Ok(Some((signer, certificate)))
            }
        }
    }

    fn with_credential<T>(
        &self,
        item: usize,
        work: impl FnOnce(&Credential<'_>) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        match (self.old_signer(item)?, &self.invitation) {
            (Some((signer, certificate)), _) => work(&Credential::Holder(&signer, &certificate)),
            (None, Some(invited)) => work(&Credential::Invited(&invited.reference, &invited.secret)),
            (None, None) => Err(ClientError::new("invitation-needed", self.id())),
        }
    }

    /// Asks the CMP service of the authority.
    fn ask<T>(
        &self,
        item: usize,
        anchors: &[Certificate],
        question: impl FnOnce(&CmpService<'_>, &Credential<'_>) -> Result<T, RemoteError>,
    ) -> Result<T, ClientError> {
        let predecessor = self.predecessor(item)?;
        let signer = self.authority.signer.as_ref().map(|der| Certificate::from_der(&der.0)).transpose();
        let signer = signer.map_err(|error| ClientError::new("authority-record-damaged", error))?;
        let service = CmpService {
            http: &self.http,
            address: &self.authority.cmp,
            anchors,
            predecessor: predecessor.as_ref(),
            signer: signer.as_ref(),
        };
        self.with_credential(item, |credential| Ok(question(&service, credential)?))
    }

    fn make_request(&mut self, item: usize, keyed: Keyed) -> Result<Requested, ClientError> {
        if let Some((message, _)) = self.known(item).request {
            return Ok(keyed.requested(message));
        }
        if self.authority.way() != Way::Cmp {
            return self.plain_request(item, keyed);
        }
        let signer = StoreSigner::new(self.place(item), keyed.key.public_key())?;
        let predecessor = keyed.found.predecessor.clone();
        // A first certificate names nobody: the office knows whom it invited.
        let nobody = Name::from_attributes(&[(obnova_pki::oid::COMMON_NAME, "invited")])
            .map_err(|error| ClientError::new("signing-failed", error))?;
        let wish = Wish {
            subject: predecessor.as_ref().map_or(&nobody, Certificate::subject),
            predecessor: predecessor.as_ref(),
            profile: self.items[item].profile.as_deref(),
            implicit_confirm: false,
        };
        let now = self.clock.now();
        let prepared = self.with_credential(item, |credential| Ok(prepare(&wish, &signer, credential, now)?))?;
        self.journal.append(Evidence::Requested {
            item,
            message: octets(&prepared.message),
            transaction: octets(&prepared.transaction_id),
        })?;
        Ok(keyed.requested(prepared.message))
    }

    fn refuse(&mut self, item: usize, why: String) -> Result<String, ClientError> {
        self.journal.append(Evidence::Refused { item, why: why.clone() })?;
        // Room for what will not come is given back; a device that is out just now keeps it until the next renewal.
        let _ = self.hold_room(item, None);
        Ok(why)
    }

    fn note_outcome(&mut self, item: usize, outcome: Outcome) -> Result<Option<Collected>, ClientError> {
        match outcome {
            Outcome::Issued { certificate, others, anchors, confirmed, id, nonce } => {
                self.journal.append(Evidence::Issued {
                    item,
                    certificate: Octets(certificate),
                    others: others.iter().map(|certificate| octets(certificate.der())).collect(),
                    anchors: anchors.into_iter().map(Octets).collect(),
                    confirmed,
                    id,
                    nonce: Octets(nonce),
                })?;
                Ok(None)
            }
            Outcome::Waiting { check_after, reason, nonce, id } => {
                self.journal.append(Evidence::Waits { item, nonce: Octets(nonce), id })?;
                Ok(Some(Collected::Waiting { check_after, reason }))
            }
            Outcome::Refused(why) => Ok(Some(Collected::Refused(self.refuse(item, why)?))),
        }
    }

    fn submit(&mut self, item: usize, requested: Requested) -> Result<Sent, ClientError> {
        let known = self.known(item);
        let transaction = known.request.map(|(_, id)| id).unwrap_or_default();
        if !known.submitted && known.came.is_none() {
            self.journal.append(Evidence::SendIntent { item })?;
            let anchors = self.authority.anchor_certificates()?;
            let now = self.clock.now();
            let authority = self.authority.clone();
            let outcome = match authority.way() {
                Way::Est(address) => self.reenroll(item, address, &requested.message)?,
                Way::Mail(name) => self.draft_mail(item, name, &requested.message)?,
                Way::Cmp => {
                    self.ask(item, &anchors, |service, credential| service.submit(&requested.message, credential, now))?
                }
            };
            // The certificate first: a crash between the two sends the same bytes again and gets it again.
            let noted = self.note_outcome(item, outcome)?;
            self.journal.append(Evidence::Submitted { item })?;
            if let Some(Collected::Refused(why)) = noted {
                return Ok(Sent::Refused(why));
            }
        }
        Ok(Sent::Submitted(Box::new(requested.submitted(transaction))))
    }

    fn collect(&mut self, item: usize, submitted: Submitted) -> Result<Collected, ClientError> {
        let begun = Instant::now();
        while self.known(item).came.is_none() {
            let known = self.known(item);
            let anchors = self.authority.anchor_certificates()?;
            let now = self.clock.now();
            let recipient = self.predecessor(item)?.map_or_else(Name::empty, |old| old.issuer().clone());
            let waits = (known.waits.0, known.waits.1.as_deref());
            let outcome = match self.authority.way() {
                // EST asks again by the same request (RFC 7030 section 4.2.3).
                Way::Est(address) => self.reenroll(item, address, &submitted.requested.message)?,
                Way::Mail(_) => mailed(),
                Way::Cmp => self.ask(item, &anchors, |service, credential| {
                    service.poll(&submitted.receipt, waits, &recipient, credential, now)
                })?,
            };
            match self.note_outcome(item, outcome)? {
                // Where nothing but signed polls tells how it stands, a short wait is waited out: some authorities
                // know a transaction only as long as its connection.
                Some(Collected::Waiting { check_after, .. })
                    if self.authority.address.is_none()
                        && begun.elapsed() + Duration::from_secs(check_after) < POLLED =>
                {
                    std::thread::sleep(Duration::from_secs(check_after));
                }
                Some(other) => return Ok(other),
                None => {}
            }
        }
        let came = self.known(item).came.ok_or_else(|| ClientError::new("journal-error", "issued"))?;
        Ok(Collected::Issued(Box::new(submitted.issued(came.certificate))))
    }

    /// The subject that the certificate must have. An authority that is asked by hand may number its certificates in
    /// the subject: there it must be the same holder.
    fn expected_subject(&self, issued: &Issued) -> Option<Name> {
        let old = issued.submitted.requested.keyed.found.predecessor.as_ref()?;
        let named = Certificate::from_der(&issued.bytes).ok();
        let is_numbered = matches!(self.authority.way(), Way::Mail(_))
            && named.is_some_and(|new| same_holder(old.subject(), new.subject()));
        (!is_numbered).then(|| old.subject().clone())
    }

    /// Checks the certificate; one that fails is refused towards the authority as well.
    fn accept(&mut self, item: usize, issued: Issued) -> Result<Result<AcceptedAt, String>, ClientError> {
        let known = self.known(item);
        let came = known.came.ok_or_else(|| ClientError::new("journal-error", "issued"))?;
        let mut anchors = self.authority.anchor_certificates()?;
        if anchors.is_empty() {
            anchors = self.first_trust(&came)?;
        }
        let expected = Expected {
            public_key: issued.submitted.requested.keyed.key.public_key().to_vec(),
            subject: self.expected_subject(&issued),
            kind: Some(if self.items[item].kind == "qualified" { Kind::Qualified } else { Kind::Commercial }),
        };
        let mut others = came.others.clone();
        if self.issuers.is_none()
            && let Some(address) = &self.authority.address
            && let Ok(directory) = (ObnovaAuthority { http: &self.http, address }).directory()
        {
            self.issuers = Some(issuers(directory.as_ref()));
        }
        others.extend(self.issuers.iter().flatten().cloned());
        match accept(&issued.bytes, &expected, &others, &anchors, self.clock.now(), &Primitives) {
            Ok(accepted) => Ok(Ok(issued.accepted(accepted))),
            // A clock that is wrong by a day must not throw a good certificate away.
            Err(refusal) if refusal.code() == "certificate-not-valid-now" => {
                Err(ClientError::new("certificate-not-valid-now", refusal))
            }
            // What was confirmed or installed is never rejected afterwards: the authority would revoke it.
            Err(refusal) if known.confirmation.is_some() || known.confirmed || known.installed => {
                Err(ClientError::new(refusal.code(), refusal))
            }
            Err(refusal) => {
                let words = format!("{}: {refusal}", refusal.code());
                // It exists, whatever is wrong with it: its octets are kept, and so is its key.
                self.home.keep(&came.certificate)?;
                if !came.confirmed {
                    self.reject(item, &came, &issued.submitted.receipt, &anchors, &words)?;
                }
                Ok(Err(self.refuse(item, words)?))
            }
        }
    }

    /// Tells the authority that its certificate is not taken over, also when it could not even be read (RFC 9810 section
    /// 5.2.1: the rejection is sent).
    fn reject(
        &self,
        item: usize,
        came: &Came,
        transaction: &[u8],
        anchors: &[Certificate],
        words: &str,
    ) -> Result<(), ClientError> {
        let now = self.clock.now();
        let read = Certificate::from_der(&came.certificate);
        let hash = match &read {
            Ok(certificate) => certificate_hash(certificate, &Primitives),
            Err(_) => Primitives.digest(obnova_pki::Digest::Sha256, &came.certificate),
        };
        let recipient = match (&read, self.predecessor(item)?) {
            (Ok(certificate), _) => certificate.issuer().clone(),
            (Err(_), Some(old)) => old.issuer().clone(),
            (Err(_), None) => Name::empty(),
        };
        let message = self.with_credential(item, |credential| {
            let outcome = (came.id, came.nonce.as_slice());
            Ok(CmpService::prepare_confirmation((hash, recipient), outcome, transaction, Some(words), credential, now)?)
        })?;
        match self.ask(item, anchors, |service, credential| service.confirm(&message, credential, now)) {
            // It has heard of it.
            Err(error) if error.code == "authority-refused" => Ok(()),
            other => other,
        }
    }

    /// The anchor of a first certificate: only the root that the invitation's pin names, and only under its
    /// secret. It is remembered for the next time.
    fn first_trust(&mut self, came: &Came) -> Result<Vec<Certificate>, ClientError> {
        let invited = self.invitation.as_ref().ok_or_else(|| ClientError::new("no-anchor", &self.authority.name))?;
        let pinned = came
            .anchors
            .iter()
            .find(|der| Primitives.fingerprint(der).eq_ignore_ascii_case(&invited.root_sha256))
            .ok_or_else(|| ClientError::new("root-differs", &invited.root_sha256))?;
        let root = Certificate::from_der(pinned).map_err(|error| ClientError::new("root-differs", error))?;
        self.authority.anchors.push(octets(root.der()));
        self.home.remember(&self.authority)?;
        Ok(vec![root])
    }

    fn confirm(&mut self, item: usize, accepted: &AcceptedAt) -> Result<(), ClientError> {
        let known = self.known(item);
        if known.confirmed {
            return Ok(());
        }
        let came = known.came.ok_or_else(|| ClientError::new("journal-error", "issued"))?;
        if !came.confirmed {
            let now = self.clock.now();
            let message = match known.confirmation {
                Some(message) => message,
                None => {
                    let transaction = accepted.issued.submitted.receipt.clone();
                    let certificate = accepted.accepted.certificate().clone();
                    let message = self.with_credential(item, |credential| {
                        let answered = (came.id, came.nonce.as_slice());
                        let named = (certificate_hash(&certificate, &Primitives), certificate.issuer().clone());
                        Ok(CmpService::prepare_confirmation(named, answered, &transaction, None, credential, now)?)
                    })?;
                    self.journal.append(Evidence::ConfirmIntent { item, message: octets(&message) })?;
                    message
                }
            };
            let anchors = self.authority.anchor_certificates()?;
            self.ask(item, &anchors, |service, credential| service.confirm(&message, credential, now))?;
        }
        self.journal.append(Evidence::Confirmed { item })?;
        Ok(())
    }
}

enum Reached {
    Proven(#[allow(dead_code, reason = "the proof is what this variant stands for")] Box<Proven>),
    Waiting { check_after: u64, reason: Option<String> },
    Refused(String),
    NotTaken(String),
}

enum Sent {
    Submitted(Box<Submitted>),
    Refused(String),
}

enum Collected {
    Issued(Box<Issued>),
    Waiting { check_after: u64, reason: Option<String> },
    Refused(String),
}
