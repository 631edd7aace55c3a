//! Clean-up in two phases: first what may go and what must stay, each with its reason; then, when the person agreed,
//! the removal itself, archived before and measured after. Keys and certificates go as pairs.

use std::path::{Path, PathBuf};

use obnova_crypto::Primitives;
use obnova_keystore::{SharedStore, durable};
use obnova_lifecycle::port::{Census, Clock, KeyStoreError, StoreInfo, StoreKind, StoredUnread};
use obnova_lifecycle::retirement::{Doomed, MustStay, OrphanStanding, RemovalPermit, Standing, permit, permit_orphan};
use obnova_pki::signature::key_identity;
use obnova_pki::{Certificate, KeyKind, Kind, Serial};
use serde::{Deserialize, Serialize};

use crate::inventory::{Inventory, OpenStore};
use crate::journal::{Evidence, Journal};
use crate::journey::PinSource;
use crate::known::{fold, plan_of};
use crate::view::UnreadView;
use crate::{CertificateView, ClientError, Home};

/// What the person said about the clean-up.
#[derive(Debug, Clone, Default)]
pub struct CleanupOptions {
    /// Only this store: a part of its stable name, or its name.
    pub store: Option<String>,
    /// The person agreed in words to lose what only a removed key decrypts.
    pub lose_old_mail: bool,
    /// Fingerprints (beginnings of them) of orphan keys, for which the person typed that no certificate can come.
    pub given_up: Vec<String>,
    /// What unreadable certificates are found by (beginnings of it), of which the person said that they belong to none of
    /// the keys that may go.
    pub unrelated: Vec<String>,
}

/// One thing that a store holds, and what becomes of it.
#[derive(Debug, Clone, Serialize)]
pub struct CleanupItem {
    /// Stable name of the store.
    pub store: String,
    /// The certificate; absent for a key without one.
    pub certificate: Option<CertificateView>,
    /// SHA-256 of the public key.
    pub key_sha256: String,
    /// Kind of the key.
    pub key: String,
    /// Whether it may go.
    pub may_go: bool,
    /// Why, as a code: `goes-...` or `stays-...`.
    pub why: &'static str,
    /// The journey that a waiting key belongs to.
    pub journey: Option<String>,
    /// How many times the key is stored; copies go together.
    pub copies: usize,
    /// The unreadable certificate that this is about.
    pub unread: Option<UnreadView>,
    /// Unreadable certificates that may belong to the key, by what they are found by.
    pub claimed_by: Vec<String>,
}

/// What was removed.
#[derive(Debug, Clone, Serialize)]
pub struct Cleaned {
    /// Stable name of the store.
    pub store: String,
    /// Serial number in hexadecimal; absent for a key without a certificate.
    pub serial: Option<String>,
    /// SHA-256 of the certificate, by which it is written back.
    pub sha256: Option<String>,
    /// SHA-256 of the public key.
    pub key_sha256: String,
    /// The public part in the archive.
    pub archive: Option<PathBuf>,
}

/// A store before and after.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Stable name of the store.
    pub store: String,
    /// Counted before.
    pub before: Census,
    /// Counted after.
    pub after: Census,
}

/// The record of a removal, beside the archived certificate.
#[derive(Serialize, Deserialize)]
struct Removed {
    store: String,
    key_sha256: String,
    /// `intended` before the device was told, `done` after, `restored` when its public part was written back.
    state: String,
}

struct Entry {
    item: CleanupItem,
    permit: Option<RemovalPermit>,
}

struct Surveyed {
    info: StoreInfo,
    store: SharedStore,
    entries: Vec<Entry>,
    _lock: std::fs::File,
}

/// What a look at the stores found; nothing is changed yet.
pub struct Cleanup {
    stores: Vec<Surveyed>,
    /// All stores at hand: successors may be on any of them.
    at_hand: Vec<SharedStore>,
    lose_old_mail: bool,
}

/// What the journals prove about the successor of a certificate, when that is still at hand.
pub(crate) fn standing_of(
    home: &Home,
    certificate: &Certificate,
    at_hand: &[Certificate],
    (decryption_waived, consequence_typed): (bool, bool),
) -> Result<Standing, ClientError> {
    let mut standing = Standing {
        successor_proven: false,
        successor_registered: false,
        registration_said: false,
        consequence_typed,
        decryption_waived,
    };
    for path in home.journals()? {
        for followed in crate::journal::successions(&Journal::read(&path)?) {
            // A successor that was proven once and is nowhere to be seen now proves nothing.
            let is_there = at_hand.iter().any(|found| Some(found.der()) == followed.successor.as_deref());
            if followed.predecessor == certificate.der() && is_there {
                standing.successor_proven |= followed.proven;
                standing.successor_registered |= followed.retired;
                standing.registration_said |= followed.said;
            }
        }
    }
    Ok(standing)
}

/// What the journals know of a key without a certificate, and the journey that it belongs to.
fn orphan_standing(home: &Home, key: &[u8]) -> Result<(OrphanStanding, Option<String>), ClientError> {
    let mut standing =
        OrphanStanding { request_open: false, request_closed: false, loss_typed: false, certificate_issued: false };
    let mut journey = None;
    for path in home.journals()? {
        let evidence = Journal::read(&path)?;
        let Some(plan) = plan_of(&evidence) else { continue };
        for known in fold(&evidence, plan.items.len()) {
            if known.key.as_deref() != Some(key) {
                continue;
            }
            journey = Some(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
            standing.request_closed |= known.refused.is_some();
            // What was refused here after it was issued is no refusal of the authority's: the certificate exists.
            standing.certificate_issued |= known.refused.is_some() && known.came.is_some();
            standing.request_open |= known.refused.is_none() && !known.installed;
        }
        // A key may have been made by a journey that was cut before it could note it.
        let cut = evidence.iter().any(|record| match record {
            Evidence::KeyIntent { item, before } => {
                let noted = evidence.iter().any(|other| matches!(other, Evidence::Keyed { item: i, .. } if i == item));
                !noted && !before.iter().any(|old| old.0 == key)
            }
            _ => false,
        });
        if cut && journey.is_none() {
            journey = Some(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
            standing.request_open = true;
        }
    }
    Ok((standing, journey))
}

impl Cleanup {
    /// Looks at the stores and decides for each certificate and each key. A PIN is asked for, because keys without
    /// a certificate are seen only after a login; nothing is changed.
    ///
    /// # Errors
    ///
    /// The PIN's, the journal's and the store's own.
    pub fn survey(
        home: &Home,
        inventory: &Inventory,
        options: &CleanupOptions,
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<Self, ClientError> {
        let wanted: Vec<&OpenStore> = match &options.store {
            // A stable name in full means only itself.
            Some(id) if inventory.stores.iter().any(|open| open.info.id == *id) => {
                inventory.stores.iter().filter(|open| open.info.id == *id).collect()
            }
            _ => inventory.stores.iter().filter(|open| is_wanted(open, options)).collect(),
        };
        if wanted.is_empty() {
            return Err(ClientError::new("store-unknown", options.store.as_deref().unwrap_or("-")));
        }
        let mut locks = Vec::new();
        for open in &wanted {
            locks.push(home.lock(&open.info.id)?);
            open.unlock(pin)?;
        }
        let all: Vec<SharedStore> = inventory.stores.iter().map(|open| open.store.clone()).collect();
        let at_hand = seen_now(&all);
        let mut stores = Vec::new();
        for (open, lock) in wanted.into_iter().zip(locks) {
            let contents = open.store.lock().contents()?;
            let keys = open.store.lock().keys()?;
            let is_excluded = |identity: &String| {
                options.unrelated.iter().any(|said| said.len() >= 8 && identity.starts_with(&said.to_lowercase()))
            };
            let unrelated: Vec<String> =
                contents.unread.iter().map(|one| one.identity.clone()).filter(is_excluded).collect();
            let mut entries = Vec::new();
            let decide = |decided: Result<RemovalPermit, MustStay>, key: &[u8]| {
                let claimed_by: Vec<String> =
                    contents.claims(key, &unrelated).iter().map(|one| one.identity.clone()).collect();
                let decided = decided.and_then(|permit| permit.beside(unrelated.clone()).unless_claimed(&contents));
                (decided, claimed_by)
            };
            let copies = |key: &[u8]| keys.iter().filter(|known| known.as_slice() == key).count();
            for certificate in contents.certificates.iter().filter(|one| one.kind() != Kind::Authority) {
                let standing = standing_of(home, certificate, &at_hand, (options.lose_old_mail, false))?;
                let (decided, claimed_by) =
                    decide(permit(certificate, &standing, clock.now()), certificate.public_key());
                let superseded = standing.successor_proven && standing.successor_registered;
                let why = match &decided {
                    Ok(_) if superseded => "goes-superseded",
                    Ok(_) => "goes-expired",
                    Err(stays) => stays.code(),
                };
                entries.push(Entry {
                    item: CleanupItem {
                        store: open.info.id.clone(),
                        certificate: Some(CertificateView::of(certificate, &open.info.id, clock.now())),
                        key_sha256: Primitives.fingerprint(certificate.public_key()),
                        key: kind_of(certificate.public_key()),
                        may_go: decided.is_ok(),
                        why,
                        journey: None,
                        copies: copies(certificate.public_key()),
                        unread: None,
                        claimed_by,
                    },
                    permit: decided.ok(),
                });
            }
            let mut told: Vec<&Vec<u8>> = Vec::new();
            for key in &keys {
                let identity = key_identity(key);
                let has_certificate =
                    contents.certificates.iter().any(|found| key_identity(found.public_key()) == identity);
                if has_certificate || told.contains(&key) {
                    continue;
                }
                told.push(key);
                let (mut standing, journey) = orphan_standing(home, key)?;
                let fingerprint = Primitives.fingerprint(key);
                standing.loss_typed = options
                    .given_up
                    .iter()
                    .any(|given| given.len() >= 8 && fingerprint.starts_with(&given.to_lowercase()));
                let (decided, claimed_by) = decide(permit_orphan(key, &standing, clock.now()), key);
                let why = match &decided {
                    Ok(_) if standing.request_closed && !standing.certificate_issued => "goes-refused",
                    Ok(_) => "goes-given-up",
                    // A certificate that names this very key makes it no orphan at all.
                    Err(_) if !claimed_by.is_empty() => MustStay::Claimed.code(),
                    Err(stays) => stays.code(),
                };
                entries.push(Entry {
                    item: CleanupItem {
                        store: open.info.id.clone(),
                        certificate: None,
                        key_sha256: fingerprint,
                        key: kind_of(key),
                        may_go: decided.is_ok(),
                        why,
                        journey,
                        copies: copies(key),
                        unread: None,
                        claimed_by,
                    },
                    permit: decided.ok(),
                });
            }
            for unread in &contents.unread {
                entries.push(Entry { item: stays_unread(unread, &open.info.id, clock), permit: None });
            }
            stores.push(Surveyed { info: open.info.clone(), store: open.store.clone(), entries, _lock: lock });
        }
        Ok(Self { stores, at_hand: all, lose_old_mail: options.lose_old_mail })
    }

    /// Everything that was found, what may go first.
    pub fn items(&self) -> Vec<CleanupItem> {
        let mut items: Vec<CleanupItem> =
            self.stores.iter().flat_map(|store| &store.entries).map(|entry| entry.item.clone()).collect();
        items.sort_by_key(|item| !item.may_go);
        items
    }

    /// Removes everything that may go. What was removed before an error is told with it in the archive. A person may
    /// have thought for hours, while another program changed what is there: each certificate is judged anew, by what is
    /// at hand now, just before it goes.
    ///
    /// # Errors
    ///
    /// `stays-...` where nothing may go any longer; the store's own. What is gone is gone, and the same call
    /// again goes on.
    pub fn carry_out(self, home: &Home, clock: &dyn Clock) -> Result<(Vec<Cleaned>, Vec<Measured>), ClientError> {
        let (mut cleaned, mut measured) = (Vec::new(), Vec::new());
        let (mut gone, mut stays): (Vec<Certificate>, Option<ClientError>) = (Vec::new(), None);
        for surveyed in self.stores {
            let permits: Vec<RemovalPermit> = surveyed.entries.into_iter().filter_map(|entry| entry.permit).collect();
            if permits.is_empty() {
                continue;
            }
            let before = surveyed.store.lock().census()?;
            for permit_then in permits {
                let permit_now = match permit_then.certificate() {
                    Some(certificate) => {
                        let mut at_hand = seen_now(&self.at_hand);
                        // What went a moment ago, by the same right, was a successor still.
                        at_hand.extend(gone.iter().cloned());
                        let standing = standing_of(home, certificate, &at_hand, (self.lose_old_mail, false))?;
                        match permit(certificate, &standing, clock.now()) {
                            Ok(permit) => permit.beside(permit_then.unrelated().to_vec()),
                            Err(why) => {
                                stays.get_or_insert_with(|| ClientError::new(why.code(), certificate.serial()));
                                continue;
                            }
                        }
                    }
                    None => permit_then,
                };
                gone.extend(permit_now.certificate().cloned());
                cleaned.push(remove(home, &surveyed.info.id, &surveyed.store, &permit_now)?);
            }
            let after = surveyed.store.lock().census()?;
            measured.push(Measured { store: surveyed.info.id, before, after });
        }
        match stays {
            Some(error) if cleaned.is_empty() => Err(error),
            _ => Ok((cleaned, measured)),
        }
    }
}

/// What cannot be read is shown, and never removed.
fn stays_unread(unread: &StoredUnread, store: &str, clock: &dyn Clock) -> CleanupItem {
    let view = UnreadView::of(unread, store, clock.now());
    CleanupItem {
        store: store.to_owned(),
        certificate: None,
        key_sha256: unread.key.as_ref().map(|key| Primitives.fingerprint(key)).unwrap_or_default(),
        key: unread.key.as_ref().map(|key| kind_of(key)).unwrap_or_default(),
        may_go: false,
        why: MustStay::Unread.code(),
        journey: None,
        copies: 0,
        unread: Some(view),
        claimed_by: Vec::new(),
    }
}

/// Certificates that are seen now.
fn seen_now(stores: &[SharedStore]) -> Vec<Certificate> {
    stores.iter().flat_map(|store| store.lock().certificates().unwrap_or_default()).collect()
}

/// What may go from the devices, as far as it is seen without a PIN: the answer to an error near a write. Counted anew.
///
/// # Errors
///
/// The journal's own.
pub fn may_go(
    home: &Home,
    inventory: &Inventory,
    clock: &dyn Clock,
) -> Result<Vec<(String, Census, Vec<CleanupItem>)>, ClientError> {
    let at_hand: Vec<Certificate> = inventory.certificates().into_iter().map(|(_, found)| found).collect();
    let mut devices = Vec::new();
    for open in inventory.stores.iter().filter(|open| matches!(open.info.kind, StoreKind::Token { .. })) {
        let (census, contents) = {
            let mut store = open.store.lock();
            match (store.census(), store.contents()) {
                (Ok(census), Ok(contents)) => (census, contents),
                // A device that is away has nothing to say.
                _ => continue,
            }
        };
        let mut items = Vec::new();
        for certificate in contents.certificates.iter().filter(|one| one.kind() != Kind::Authority) {
            let standing = standing_of(home, certificate, &at_hand, (false, false))?;
            let decided = permit(certificate, &standing, clock.now());
            let decided = decided.and_then(|permit| permit.unless_claimed(&contents));
            items.push(CleanupItem {
                store: open.info.id.clone(),
                certificate: Some(CertificateView::of(certificate, &open.info.id, clock.now())),
                key_sha256: Primitives.fingerprint(certificate.public_key()),
                key: kind_of(certificate.public_key()),
                may_go: decided.is_ok(),
                why: match &decided {
                    Ok(_) if standing.successor_proven => "goes-superseded",
                    Ok(_) => "goes-expired",
                    Err(stays) => stays.code(),
                },
                journey: None,
                copies: 1,
                unread: None,
                claimed_by: Vec::new(),
            });
        }
        items.extend(contents.unread.iter().map(|unread| stays_unread(unread, &open.info.id, clock)));
        devices.push((open.info.name.clone(), census, items));
    }
    Ok(devices)
}

fn is_wanted(open: &OpenStore, options: &CleanupOptions) -> bool {
    match &options.store {
        Some(wanted) => open.is_called(wanted),
        // A browser's database has room enough: it is cleaned only when it is named.
        None => !matches!(open.info.kind, StoreKind::Browser | StoreKind::System),
    }
}

fn kind_of(key: &[u8]) -> String {
    KeyKind::of(key).map(|kind| kind.to_string()).unwrap_or_default()
}

/// Writes down how far a removal is.
fn note(place: &Path, removed: &Removed) -> Result<(), ClientError> {
    let bytes = serde_json::to_vec_pretty(removed).map_err(|error| ClientError::new("file-error", error))?;
    durable::replace(place, &bytes)
        .map_err(|error| ClientError::new("file-error", format!("{}: {error}", place.display())))
}

/// Removes one thing by its permission; the public part is archived, and the intent written down, before.
pub(crate) fn remove(
    home: &Home,
    store_id: &str,
    store: &SharedStore,
    permit: &RemovalPermit,
) -> Result<Cleaned, ClientError> {
    let key_sha256 = Primitives.fingerprint(permit.public_key());
    let archive = match permit.doomed() {
        Doomed::Certificate(certificate) => Some(home.archive(certificate)?),
        Doomed::Orphan(_) => None,
    };
    let place = match &archive {
        Some(archive) => archive.with_extension("removed.json"),
        None => home.archive_folder().join(format!("key-{}.removed.json", &key_sha256[..16])),
    };
    let mut removed =
        Removed { store: store_id.to_owned(), key_sha256: key_sha256.clone(), state: "intended".to_owned() };
    note(&place, &removed)?;
    store.lock().remove(permit)?;
    removed.state = "done".to_owned();
    note(&place, &removed)?;
    let serial = permit.certificate().map(|certificate| certificate.serial().hexadecimal());
    let sha256 = permit.certificate().map(|certificate| Primitives.fingerprint(certificate.der()));
    Ok(Cleaned { store: store_id.to_owned(), serial, sha256, key_sha256, archive })
}

/// Certificates that were removed and whose public part can be written back, with the store that each came from.
///
/// # Errors
///
/// `file-error`.
pub fn removed(home: &Home, clock: &dyn Clock) -> Result<Vec<CertificateView>, ClientError> {
    let mut views = Vec::new();
    for path in archived(home)? {
        let Ok(certificate) = Certificate::from_any_form(&std::fs::read(&path)?) else { continue };
        let Ok(record) = std::fs::read(path.with_extension("removed.json")) else { continue };
        if let Ok(removed) = serde_json::from_slice::<Removed>(&record)
            && removed.state == "done"
        {
            views.push(CertificateView::of(&certificate, &removed.store, clock.now()));
        }
    }
    Ok(views)
}

/// Writes the public part of a removed certificate back to the store that it came from. The key stays gone. The certificate
/// is named by its serial number or by its SHA-256.
///
/// # Errors
///
/// `not-archived` when no such certificate was removed; `store-gone`; the store's own.
pub fn restore(
    home: &Home,
    inventory: &Inventory,
    named: &str,
    pin: &dyn PinSource,
) -> Result<(Certificate, String), ClientError> {
    let wanted = match named.len() {
        // No serial number is that long (RFC 5280, 4.1.2.2).
        64 => Vec::new(),
        _ => Serial::candidates(named).map_err(|error| ClientError::new("serial-wrong", error))?,
    };
    for path in archived(home)? {
        let bytes = std::fs::read(&path)?;
        let Ok(certificate) = Certificate::from_any_form(&bytes) else { continue };
        if !wanted.contains(certificate.serial()) && Primitives.fingerprint(certificate.der()) != named {
            continue;
        }
        let Ok(record) = std::fs::read(path.with_extension("removed.json")) else { continue };
        let mut removed: Removed = serde_json::from_slice(&record)
            .map_err(|error| ClientError::new("file-error", format!("{}: {error}", path.display())))?;
        let open = inventory
            .stores
            .iter()
            .find(|open| open.info.id == removed.store)
            .ok_or_else(|| ClientError::new("store-gone", &removed.store))?;
        let _lock = home.lock(&open.info.id)?;
        open.unlock(pin)?;
        open.store.lock().deposit(&certificate)?;
        removed.state = "restored".to_owned();
        note(&path.with_extension("removed.json"), &removed)?;
        return Ok((certificate, removed.store));
    }
    Err(ClientError::new("not-archived", named))
}

fn archived(home: &Home) -> Result<Vec<PathBuf>, ClientError> {
    let is_certificate = |path: &Path| path.extension().is_some_and(|ending| ending == "crt");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(home.archive_folder())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_certificate(path))
        .collect();
    paths.sort();
    Ok(paths)
}

/// A removal of one certificate that the rules permit, and nobody has carried out yet.
pub struct Removal {
    permit: RemovalPermit,
    certificate: Certificate,
    store: SharedStore,
    store_id: String,
    _lock: std::fs::File,
}

impl Removal {
    /// Looks for the certificate in all stores and at what the journals prove about its successor; changes nothing.
    /// `typed` is the number that a person typed to say that they know what they lose, should an account not know the
    /// successor after all.
    ///
    /// # Errors
    ///
    /// `stays-...` with the missing step, when the certificate must stay; `certificate-not-found`, and
    /// `certificate-ambiguous` when the number names several.
    pub fn check(
        home: &Home,
        inventory: &Inventory,
        serial: &str,
        (decryption_waived, typed): (bool, Option<&str>),
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<Self, ClientError> {
        let wanted = Serial::candidates(serial).map_err(|error| ClientError::new("serial-wrong", error))?;
        let mut all = Vec::new();
        for open in &inventory.stores {
            // A token shows its certificates without a PIN, and gets one only when the certificate is on it.
            if open.info.kind == StoreKind::File {
                open.unlock(pin)?;
            }
            match open.store.lock().certificates() {
                Ok(certificates) => all.extend(certificates.into_iter().map(|found| (open, found))),
                Err(KeyStoreError::PinNeeded) => {}
                Err(error) => return Err(error.into()),
            };
        }
        let mut matching = all.iter().filter(|(_, certificate)| wanted.contains(certificate.serial()));
        let (open, certificate) = matching.next().ok_or_else(|| ClientError::new("certificate-not-found", serial))?;
        if matching.any(|(_, other)| other != certificate) {
            return Err(ClientError::new("certificate-ambiguous", serial));
        }
        let lock = home.lock(&open.info.id)?;
        let at_hand: Vec<Certificate> = all.iter().map(|(_, found)| found.clone()).collect();
        let typed = typed.and_then(|typed| Serial::candidates(typed).ok()).unwrap_or_default();
        let consequence_typed = typed.contains(certificate.serial());
        let standing = standing_of(home, certificate, &at_hand, (decryption_waived, consequence_typed))?;
        let permit = permit(certificate, &standing, clock.now())
            .map_err(|stays| ClientError::new(stays.code(), certificate.serial()))?;
        if open.info.kind != StoreKind::File {
            open.unlock(pin)?;
        }
        Ok(Self {
            permit,
            certificate: certificate.clone(),
            store: open.store.clone(),
            store_id: open.info.id.clone(),
            _lock: lock,
        })
    }

    /// The certificate as screens show it before they ask.
    pub fn view(&self, clock: &dyn Clock) -> CertificateView {
        CertificateView::of(&self.certificate, &self.store_id, clock.now())
    }

    /// Removes the certificate with its key; its public part goes to the archive first.
    ///
    /// # Errors
    ///
    /// The store's own error.
    pub fn carry_out(self, home: &Home) -> Result<Cleaned, ClientError> {
        remove(home, &self.store_id, &self.store, &self.permit)
    }
}
