//! Pre-flight of the whole plan, before the first key is made: certificates, device, middleware, the
//! authority's verdict, the account's login.

use std::path::PathBuf;
use std::time::Duration;

use obnova_crypto::Primitives;
use obnova_keystore::{FileStore, SharedStore, StoreSigner};
use obnova_lifecycle::device::Standing;
use obnova_lifecycle::document::{CertificateName, Directory, Octets, VerdictQuestion, name};
use obnova_lifecycle::issuance::Verdict;
use obnova_lifecycle::plan::{self, Answer, Login, Plan, Presence, Room, Situation, Step, Which};
use obnova_lifecycle::port::{Clock, KeyStore, StoreInfo, StoreKind};
use obnova_lifecycle::successor::Successor;
use obnova_pki::chain::Chain;
use obnova_pki::{Certificate, KeyKind, Kind, cms};
use obnova_remote::{HttpClient, ObnovaAuthority, RemoteError};
use serde::Serialize;

use crate::account::{LoginOutcome, client, login};
use crate::description::AuthorityDescription;
use crate::home::AuthorityRecord;
use crate::inventory::{Inventory, OpenStore};
use crate::journal::{Evidence, ItemPlan};
use crate::journey::PinSource;
use crate::register::{day, register};
use crate::view::kind_name;
use crate::{CertificateView, ClientError, Home};

/// Window for renewal where no directory gives one.
const DEFAULT_WINDOW_DAYS: u32 = 60;

/// What the person asked for.
#[derive(Debug, Clone, Default)]
pub struct RenewOptions {
    /// Only this certificate: kind, or serial number in either notation. `None` means all that are due.
    pub only: Option<String>,
    /// Kind of the new keys; `None` lets the device's ability decide.
    pub key: Option<KeyKind>,
    /// Renew also outside the window.
    pub early: bool,
    /// The PKCS#12 file for a certificate that finds no room on the device; `None` takes one in the home.
    pub file: Option<PathBuf>,
    /// The person agreed in words to lose what only a removed key decrypts.
    pub lose_old_mail: bool,
    /// Another store for the new keys: its name, or a part of its stable name.
    pub onto: Option<String>,
    /// Only certificates of this store (stable name): no other is asked for its PIN.
    pub store: Option<String>,
    /// The person agreed in words that successors lose abilities of their predecessors.
    pub lose_abilities: bool,
}

/// One certificate of the plan.
#[derive(Debug, Clone, Serialize)]
pub struct ItemPreview {
    /// The certificate to be renewed.
    pub certificate: CertificateView,
    /// `issue`, `unasked` where nobody can know, or the code of why it waits or is refused.
    pub verdict: String,
    /// Kind of the new key.
    pub key: String,
    /// Whether the new key is of another kind than the old one.
    pub key_changes: bool,
    /// What the successor will not be able to do, as a code (`loses-CODE`): `encryption`.
    pub loses: Option<&'static str>,
}

/// The plan as screens show it.
#[derive(Debug, Clone, Serialize)]
pub struct PlanView {
    /// The store.
    pub store: String,
    /// Its name for people.
    pub store_name: String,
    /// The authority.
    pub authority: String,
    /// Certificates, in the order in which they are renewed.
    pub items: Vec<ItemPreview>,
    /// Steps, by their names.
    pub steps: Vec<String>,
    /// Who else must act, with the code of why.
    pub must_act: Vec<(String, String)>,
    /// The file for a certificate that finds no room on the device.
    pub file: Option<String>,
    /// Certificates that are removed to make room, archived first.
    pub removed: Vec<CertificateView>,
    /// What opens the account today: `old-certificate`, `new-certificate`, `none`, or `no-account`.
    pub login: String,
}

/// A plan that passed, with what it needs to begin.
pub struct Preflight {
    /// For screens.
    pub view: PlanView,
    pub(crate) planned: Option<Evidence>,
    pub(crate) store: SharedStore,
    pub(crate) onto: Option<SharedStore>,
    pub(crate) authority: AuthorityRecord,
    pub(crate) issuers: Option<Vec<Certificate>>,
}

/// The authority whose anchors lead to a certificate.
pub(crate) fn authority_of<'a>(
    records: &'a [AuthorityRecord],
    certificate: &Certificate,
    others: &[Certificate],
    clock: &dyn Clock,
) -> Option<&'a AuthorityRecord> {
    // An expired certificate belongs to its authority as well: its own last moment is what counts.
    let at = clock.now().min(certificate.not_after());
    records.iter().find(|record| {
        record
            .anchor_certificates()
            .is_ok_and(|anchors| Chain::check(certificate, others, &anchors, at, &Primitives).is_ok())
    })
}

/// Issuers that a directory offers for building paths.
pub(crate) fn issuers(directory: Option<&Directory>) -> Vec<Certificate> {
    directory
        .iter()
        .flat_map(|directory| &directory.issuers)
        .filter_map(|der| Certificate::from_der(&der.0).ok())
        .collect()
}

/// Refuses middleware that is older than the authority's directory says (the guide's error 622, before a key exists).
pub(crate) fn check_middleware(info: &StoreInfo, directory: Option<&Directory>) -> Result<(), ClientError> {
    let StoreKind::Token { model, library_version, .. } = &info.kind else { return Ok(()) };
    for oldest in directory.iter().flat_map(|directory| &directory.oldest_middleware) {
        if model.starts_with(&oldest.model) && !oldest.is_satisfied_by(library_version) {
            let detail = format!("{model}: {library_version} < {} ({})", oldest.version, oldest.download);
            return Err(ClientError::new("middleware-old", detail));
        }
    }
    Ok(())
}

/// How long before its end a certificate is renewed.
pub(crate) fn window_of(directory: Option<&Directory>) -> Duration {
    let days = directory.map_or(DEFAULT_WINDOW_DAYS, |directory| directory.renewal_window_days);
    Duration::from_secs(u64::from(days) * 86_400)
}

/// Pairs that still fit: as the settings say, or as the device tells its octets; `None` where nobody knows.
pub(crate) fn room_of(open: &OpenStore) -> Option<usize> {
    match (open.room, open.info.free) {
        (Some(pairs), _) => Some(usize::from(pairs)),
        (None, Some(free)) if free < 2_000 => Some(0),
        (None, Some(free)) if free < 8_000 => Some(1),
        (None, Some(_)) => Some(2),
        (None, None) => None,
    }
}

pub(crate) fn presence(
    certificate: Option<&Certificate>,
    window: Duration,
    early: bool,
    clock: &dyn Clock,
) -> Presence {
    let Some(certificate) = certificate else { return Presence::Absent };
    if !certificate.is_valid_at(clock.now()) {
        return Presence::Expired;
    }
    match Successor::check(certificate, false, None, (!early).then_some(window), clock.now()) {
        Ok(_) => Presence::Expiring,
        Err(_) => Presence::Valid,
    }
}

fn profile(certificate: &Certificate) -> &'static str {
    match certificate.kind() {
        Kind::Qualified if certificate.claims_qualified_device() => "qualified-device",
        Kind::Qualified => "qualified",
        _ => "commercial",
    }
}

/// Whether a successor of the qualified certificate may claim the device: it may not after the end of the device's
/// certification, as far as the register knows it.
fn is_certified(info: &StoreInfo, qualified: Option<&Certificate>, clock: &dyn Clock) -> bool {
    let StoreKind::Token { manufacturer, model, .. } = &info.kind else { return true };
    let claims = qualified.is_some_and(Certificate::claims_qualified_device);
    let standing = register().standing(manufacturer, model, &day(clock.now()));
    !(claims && matches!(standing, Standing::Ended { .. }))
}

/// What a new key is to follow, and what the authority certifies.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    /// The kind that the person asked for.
    pub(crate) kind: Option<KeyKind>,
    /// The certificate that is followed.
    pub(crate) predecessor: Option<&'a Certificate>,
    /// Kinds that the authority certifies, by their names; empty where it does not say.
    pub(crate) issued: Vec<String>,
}

impl Wanted<'_> {
    fn is_issued(&self, kind: KeyKind) -> bool {
        self.issued.is_empty() || self.issued.contains(&kind.to_string())
    }
}

/// Whether a key is of the family of another, and at least as strong.
fn follows(new: KeyKind, old: KeyKind) -> bool {
    match (new, old) {
        (KeyKind::Rsa(new), KeyKind::Rsa(old)) => new >= old,
        (KeyKind::P256 | KeyKind::P384, KeyKind::P256) | (KeyKind::P384, KeyKind::P384) => true,
        _ => false,
    }
}

/// The kind of the new key: the one asked for; otherwise of the family of the predecessor's and at least as strong; only
/// where the device makes no such key, another that it makes. Always one that the authority certifies, and that still gets
/// certificates today.
pub(crate) fn key_for(info: &StoreInfo, wanted: &Wanted<'_>, clock: &dyn Clock) -> Result<KeyKind, ClientError> {
    if let StoreKind::Token { manufacturer, model, .. } = &info.kind
        && register().device(manufacturer, model).is_some_and(|device| device.managed)
    {
        return Err(ClientError::new("managed-elsewhere", &info.name));
    }
    let today = day(clock.now());
    let ended = |kind: KeyKind| register().ended(kind, &today);
    if let Some(kind) = wanted.kind {
        if !info.key_kinds.contains(&kind) {
            return Err(ClientError::new("key-kind-unsupported", kind));
        }
        if !wanted.is_issued(kind) {
            return Err(ClientError::new("key-kind-not-issued", format!("{kind}: {}", wanted.issued.join(" "))));
        }
        return match ended(kind) {
            Some(end) => Err(ClientError::new("key-size-ended", format!("{kind}, {} ({})", end.last_day, end.source))),
            None => Ok(kind),
        };
    }
    let legal: Vec<KeyKind> = info.key_kinds.iter().copied().filter(|kind| ended(*kind).is_none()).collect();
    let issued = || legal.iter().copied().filter(|kind| wanted.is_issued(*kind));
    let old = wanted.predecessor.and_then(|old| old.key_kind().ok());
    let same = old.and_then(|old| issued().find(|kind| follows(*kind, old)));
    let family = |kind: &KeyKind| matches!((kind, old), (KeyKind::Rsa(_), Some(KeyKind::Rsa(_))));
    same.or_else(|| issued().find(family)).or_else(|| issued().next()).ok_or_else(|| {
        let names: Vec<String> = info.key_kinds.iter().map(ToString::to_string).collect();
        if info.key_kinds.is_empty() {
            ClientError::new("key-kind-unsupported", &info.name)
        } else if legal.is_empty() {
            ClientError::new("device-too-weak", format!("{}: {}", info.name, names.join(" ")))
        } else {
            let detail = format!("{}: {} / {}", info.name, names.join(" "), wanted.issued.join(" "));
            ClientError::new("key-kind-not-issued", detail)
        }
    })
}

/// What a certificate's successor would be able to do no more with a key of this kind.
fn loses(old: &Certificate, new: KeyKind) -> Option<&'static str> {
    // An elliptic-curve key cannot encipher a key (RFC 5480 section 3).
    (old.key_usage().is_some_and(|usage| usage.key_encipherment()) && !matches!(new, KeyKind::Rsa(_)))
        .then_some("encryption")
}

fn ask_verdict(
    authority: &ObnovaAuthority<'_>,
    directory: &Directory,
    certificate: &Certificate,
    store: &SharedStore,
    clock: &dyn Clock,
) -> Result<Verdict, ClientError> {
    let question = VerdictQuestion {
        document: name::VERDICT_QUESTION.to_owned(),
        at: clock.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs(),
        predecessor: CertificateName::of(certificate),
        profile: profile(certificate).to_owned(),
    };
    let document = serde_json::to_vec(&question).map_err(|error| ClientError::new("file-error", error))?;
    let signer = StoreSigner::new(store.clone(), certificate.public_key())?;
    let signed = cms::sign(&document, &[(&signer, certificate)], &[], clock.now(), &Primitives)?;
    match authority.verdict(directory, signed) {
        Ok(answer) => Ok(answer.verdict),
        Err(RemoteError::Status { text, .. }) if text.starts_with("clock-wrong") => {
            Err(ClientError::new("clock-wrong", text))
        }
        Err(error) => Err(error.into()),
    }
}

/// The newest certificate of a kind in one store.
pub(crate) fn newest(certificates: &[Certificate], kind: Kind) -> Option<&Certificate> {
    certificates
        .iter()
        .filter(|certificate| certificate.kind() == kind)
        .max_by_key(|certificate| certificate.not_after())
}

fn kind_of(which: Which) -> &'static str {
    match which {
        Which::Qualified => "qualified",
        Which::Commercial => "commercial",
    }
}

pub(crate) fn is_meant(certificate: &Certificate, only: Option<&str>) -> bool {
    only.is_none_or(|text| {
        text == kind_name(certificate.kind())
            || text == Primitives.fingerprint(certificate.der())
            || obnova_pki::Serial::candidates(text).is_ok_and(|all| all.contains(certificate.serial()))
    })
}

/// An authority with the way to it and its directory.
pub(crate) type Chosen<'a> = (&'a AuthorityRecord, HttpClient, Option<Directory>);

/// The authority that certificates lead to, with the way to it and its directory. The path may need issuers that only the
/// directory has, so each authority is asked in turn; one that does not answer is in nobody's way but its own.
pub(crate) fn choose<'a>(
    records: &'a [AuthorityRecord],
    mine: &[Certificate],
    clock: &dyn Clock,
) -> Result<Option<Chosen<'a>>, ClientError> {
    let mut silent = None;
    for record in records {
        let http = HttpClient::new(&record.tls_trust(), None)?;
        let asked = record.address.as_ref().map(|address| ObnovaAuthority { http: &http, address }.directory());
        let directory = match asked {
            Some(Ok(directory)) => directory,
            Some(Err(error)) => {
                // Where it is the one that is meant, nobody else is asked in its place.
                if mine.iter().any(|c| authority_of(std::slice::from_ref(record), c, mine, clock).is_some()) {
                    return Err(error.into());
                }
                silent.get_or_insert(error);
                continue;
            }
            None => None,
        };
        let others: Vec<Certificate> = issuers(directory.as_ref()).into_iter().chain(mine.iter().cloned()).collect();
        if mine.iter().any(|c| authority_of(std::slice::from_ref(record), c, &others, clock).is_some()) {
            return Ok(Some((record, http, directory)));
        }
    }
    match silent {
        Some(error) => Err(error.into()),
        None => Ok(None),
    }
}

/// Kinds of keys that an authority certifies under a profile, as its directory or description says; empty where neither
/// does.
fn issued_keys(
    record: &AuthorityRecord,
    directory: Option<&Directory>,
    profile: &str,
) -> Result<Vec<String>, ClientError> {
    if let Some(name) = record.mail.as_deref().filter(|name| !name.is_empty()) {
        return Ok(AuthorityDescription::load(name)?.keys);
    }
    let products = directory.map(|directory| directory.products.as_slice()).unwrap_or_default();
    Ok(products
        .iter()
        .find(|product| product.profile == profile)
        .map(|product| product.keys.clone())
        .unwrap_or_default())
}

impl PlanView {
    /// Whether two plans do the same: the same certificates, at the same place, and the same ones go.
    pub fn is_the_same_work(&self, other: &Self) -> bool {
        let items = |view: &Self| view.items.iter().map(|item| item.certificate.sha256.clone()).collect::<Vec<_>>();
        let removed = |view: &Self| view.removed.iter().map(|view| view.sha256.clone()).collect::<Vec<_>>();
        self.store == other.store
            && self.file == other.file
            && items(self) == items(other)
            && removed(self) == removed(other)
    }

    /// Whether the plan is what everybody expects: nothing is refused, nothing waits, nothing goes elsewhere or is
    /// removed, keys stay in their family, and nobody else must act. Then there is nothing more for a person to decide.
    pub fn is_as_expected(&self) -> bool {
        self.must_act.is_empty()
            && self.file.is_none()
            && self.removed.is_empty()
            && self.items.iter().all(|item| !item.changes_family() && item.loses.is_none())
            && self.items.iter().all(|item| ["issue", "unasked"].contains(&item.verdict.as_str()))
    }
}

impl ItemPreview {
    /// Whether the new key is of another family than the old one; a longer one of the same family is what is expected.
    pub fn changes_family(&self) -> bool {
        self.key.starts_with("RSA-") != self.certificate.key.starts_with("RSA-")
    }
}

impl Preflight {
    /// Whether a journey can begin.
    pub fn is_ready(&self) -> bool {
        self.planned.is_some()
    }

    /// Looks at everything that the plan depends on. The PIN is asked for once.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when something stands in the way that is no matter of the plan: no certificate, no key,
    /// a wrong PIN, an authority that does not answer, old middleware.
    pub fn renew(
        home: &Home,
        inventory: &Inventory,
        options: &RenewOptions,
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<Self, ClientError> {
        if let (Some(kind @ ("qualified" | "commercial")), None) = (options.only.as_deref(), &options.store) {
            // A kind is a name for one certificate only where there is one.
            inventory.refuse_ambiguous(kind, pin, clock.now())?;
        }
        let records = home.authorities()?;
        if records.is_empty() {
            return Err(ClientError::new("no-authority", home.folder().display()));
        }
        let mut failure = ClientError::new("nothing-to-renew", options.only.as_deref().unwrap_or("all"));
        let mut idle = None;
        for open in &inventory.stores {
            if options.store.as_ref().is_some_and(|wanted| *wanted != open.info.id) {
                continue;
            }
            if open.info.kind == StoreKind::File {
                open.unlock(pin)?;
            }
            let certificates = match open.store.lock().certificates() {
                Ok(certificates) => certificates,
                Err(error) => {
                    failure = error.into();
                    continue;
                }
            };
            let mine: Vec<Certificate> = certificates
                .iter()
                .filter(|c| c.kind() != Kind::Authority && is_meant(c, options.only.as_deref()))
                .cloned()
                .collect();
            if mine.is_empty() {
                continue;
            }
            let target = options.onto.as_deref().map(|wanted| inventory.meant(Some(wanted))).transpose()?;
            let target = target.filter(|target| target.info.id != open.info.id);
            let found = Self::of_store(home, (open, target), &mine, &records, options, pin, clock)?;
            // Where nothing is due, another store may have something.
            if !found.view.items.is_empty() || !found.view.must_act.is_empty() {
                return Ok(found);
            }
            idle.get_or_insert(found);
        }
        idle.ok_or(failure)
    }

    fn of_store(
        home: &Home,
        (open, target): (&OpenStore, Option<&OpenStore>),
        mine: &[Certificate],
        records: &[AuthorityRecord],
        options: &RenewOptions,
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<Self, ClientError> {
        let (info, store) = (&open.info, &open.store);
        // Where the new keys are made: what they need is asked of that store.
        let place = target.unwrap_or(open);
        let (record, http, directory) = choose(records, mine, clock)?
            .ok_or_else(|| ClientError::new("authority-unknown", mine[0].issuer().common_name()))?;
        check_middleware(info, directory.as_ref())?;
        check_middleware(&place.info, directory.as_ref())?;
        if info.kind != StoreKind::File {
            open.unlock(pin)?;
        }
        let keys = store.lock().keys()?;
        let window = window_of(directory.as_ref());
        let (qualified, commercial) = (newest(mine, Kind::Qualified), newest(mine, Kind::Commercial));
        let situation_of = |certificate: Option<&Certificate>| presence(certificate, window, options.early, clock);
        let mut items = Vec::new();
        let mut plans = Vec::new();
        let mut answer = Answer::Issue;
        let mut refused = Vec::new();
        let mut lost = false;
        for certificate in [qualified, commercial].into_iter().flatten() {
            if situation_of(Some(certificate)) != Presence::Expiring {
                continue;
            }
            if !keys.iter().any(|key| key == certificate.public_key()) {
                return Err(ClientError::new("key-missing", certificate.serial()));
            }
            let is_asked = directory.is_some() && record.address.is_some();
            let verdict = match (&directory, &record.address) {
                (Some(directory), Some(address)) => {
                    let authority = ObnovaAuthority { http: &http, address };
                    ask_verdict(&authority, directory, certificate, store, clock)?
                }
                _ => Verdict::Issue,
            };
            let code = match verdict {
                Verdict::Issue if is_asked => "issue",
                // An authority that is not ours says nothing beforehand; one that is newer says something else.
                Verdict::Issue | Verdict::Other => "unasked",
                Verdict::Wait(reason) => {
                    answer = Answer::Wait;
                    reason.code()
                }
                Verdict::Refuse(reason) => reason.code(),
            };
            let view = CertificateView::of(certificate, &info.id, clock.now());
            let preview = |key: String, loses| ItemPreview {
                key_changes: key != view.key,
                certificate: view.clone(),
                verdict: code.to_owned(),
                key,
                loses,
            };
            if let Verdict::Refuse(reason) = verdict {
                items.push(preview(view.key.clone(), None));
                // One that is refused leaves the other complete.
                refused.push((certificate.kind(), reason));
                continue;
            }
            let issued = issued_keys(record, directory.as_ref(), profile(certificate))?;
            let wanted = Wanted { kind: options.key, predecessor: Some(certificate), issued };
            let (key, file) = match key_for(&place.info, &wanted, clock) {
                Ok(key) => (key, None),
                // What the device cannot make may live in a file, when the person says so and nothing forbids it.
                Err(_) if options.file.is_some() && certificate.kind() == Kind::Commercial => {
                    let file = options.file.clone().unwrap_or_default();
                    (key_for(&FileStore::new(&file).info()?, &wanted, clock)?, Some(file))
                }
                Err(error) => return Err(error),
            };
            let loses = loses(certificate, key);
            lost |= loses.is_some();
            items.push(preview(key.to_string(), loses));
            // A successor is about as long as its predecessor.
            let held = if place.holds_room && file.is_none() { certificate.der().len() + 256 } else { 0 };
            plans.push(ItemPlan {
                kind: kind_name(certificate.kind()).to_owned(),
                predecessor: Some(Octets(certificate.der().to_vec())),
                profile: directory.is_some().then(|| profile(certificate).to_owned()),
                key: key.to_string(),
                file,
                makes_room: false,
                held,
            });
        }
        let identity = directory.as_ref().and_then(|directory| directory.identity.clone());
        let opened = match (&identity, commercial) {
            (Some(identity), Some(certificate)) if situation_of(Some(certificate)) == Presence::Expiring => {
                let signer = StoreSigner::new(store.clone(), certificate.public_key())?;
                let http = client(&record.tls_trust(), certificate, signer)?;
                Some(login(&http, &identity.login)?)
            }
            _ => None,
        };
        let (login, login_name) = match opened {
            Some(LoginOutcome::Opened { .. }) => (Login::OldCertificate, "old-certificate"),
            Some(LoginOutcome::Explained(_)) => (Login::None, "none"),
            // Without an identity space there is no account to lock anybody out of.
            None => (Login::NewCertificate, "no-account"),
        };
        let asked_for = |certificate: Option<&Certificate>| match certificate {
            Some(found) if refused.iter().any(|(kind, _)| *kind == found.kind()) => Presence::Valid,
            other => situation_of(other),
        };
        let situation = Situation {
            // A device that does not say is believed until it refuses; then the certificate waits in the journal.
            room: match room_of(place) {
                Some(0) => Room::None,
                Some(1) => Room::OnePair,
                _ => Room::TwoPairs,
            },
            qualified: asked_for(qualified),
            commercial: asked_for(commercial),
            login,
            device_certified: is_certified(&place.info, qualified, clock),
            answer,
        };
        let Plan { steps, must_act } = plan::plan(&situation);
        let view = PlanView {
            store: info.id.clone(),
            store_name: info.name.clone(),
            authority: record.name.clone(),
            items,
            steps: steps.iter().map(|step| format!("{step:?}")).collect(),
            must_act: must_act
                .iter()
                .map(|must| {
                    let who = serde_json::to_value(must.who).ok().and_then(|v| v.as_str().map(str::to_owned));
                    (who.unwrap_or_default(), must.why.to_owned())
                })
                .collect(),
            file: None,
            removed: Vec::new(),
            login: login_name.to_owned(),
        };
        let mut view = view;
        view.file = plans.iter().find_map(|item| item.file.as_ref()).map(|file| file.display().to_string());
        for (_, reason) in &refused {
            let who = serde_json::to_value(reason.who()).ok().and_then(|v| v.as_str().map(str::to_owned));
            view.must_act.push((who.unwrap_or_default(), "authority-refuses".to_owned()));
        }
        let old = |which: Which| if which == Which::Qualified { qualified } else { commercial };
        let mut clear = Vec::new();
        let mut may_begin = true;
        if lost && !options.lose_abilities {
            view.must_act.push(("holder".to_owned(), "agree-to-lose-abilities".to_owned()));
            may_begin = false;
        }
        for step in &steps {
            match step {
                Step::ObtainOnFile(which) => {
                    let name = format!("{}.p12", kind_of(*which));
                    let file = options.file.clone().unwrap_or_else(|| home.folder().join(name));
                    view.file = Some(file.display().to_string());
                    for item in plans.iter_mut().filter(|item| item.kind == kind_of(*which)) {
                        item.file = Some(file.clone());
                        item.held = 0;
                    }
                    // What waits for its place on the device comes after what lives in the file.
                    plans.sort_by_key(|item| item.file.is_none());
                }
                Step::Remove(which) => {
                    let Some(certificate) = old(*which) else { continue };
                    view.removed.push(CertificateView::of(certificate, &info.id, clock.now()));
                    if certificate.key_decrypts() && !options.lose_old_mail {
                        view.must_act.push(("holder".to_owned(), "agree-to-lose-old-mail".to_owned()));
                        may_begin = false;
                    }
                    match plans.iter_mut().find(|item| item.kind == kind_of(*which)) {
                        Some(item) => item.makes_room = true,
                        None => clear.push(Octets(certificate.der().to_vec())),
                    }
                }
                _ => {}
            }
        }
        let planned = (!steps.is_empty() && !plans.is_empty() && may_begin).then(|| Evidence::Planned {
            store: info.id.clone(),
            authority: record.name.clone(),
            invitation: None,
            items: plans,
            roomy: situation.room == Room::TwoPairs,
            // Also where no login works today: then the journey waits for the local administrator, and the old
            // certificate stays until the account knows the new one.
            identity: identity.map(|identity| (identity.audience, identity.login)),
            clear,
            lose_old_mail: options.lose_old_mail,
            onto: target.map(|target| target.info.id.clone()),
        });
        let issuers = directory.as_ref().map(|directory| issuers(Some(directory)));
        let onto = target.map(|target| target.store.clone());
        Ok(Self { view, planned, store: store.clone(), onto, authority: record.clone(), issuers })
    }
}
