//! What is next for each certificate, and what a renewal would be: both as far as they are seen without a PIN.

use obnova_crypto::Primitives;
use obnova_lifecycle::document::Directory;
use obnova_lifecycle::plan::Presence;
use obnova_lifecycle::port::{Clock, StoreKind};
use obnova_lifecycle::successor::same_holder;
use obnova_pki::{Certificate, KeyKind, Kind};
use serde::Serialize;

use crate::description::AuthorityDescription;
use crate::home::AuthorityRecord;
use crate::inventory::{Inventory, OpenStore};
use crate::journal::{Journal, successions};
use crate::known::{is_finished, plan_of};
use crate::preflight::{check_middleware, choose, is_meant, newest, presence, room_of, window_of};
use crate::remind::REMINDED;
use crate::{CertificateView, ClientError, Home, JourneyView, RoomView};

/// A certificate with what is next for it.
#[derive(Debug, Clone, Serialize)]
pub struct Next {
    /// The certificate.
    pub view: CertificateView,
    /// Code of what is next (`next-CODE`): `renew` now, `under-way`, `tell` an account of it by hand, `followed` by a newer one that is at hand,
    /// `ended`, `good`, or why nothing can come of it (`authority`, `self-made`, `key-kind`).
    pub next: &'static str,
}

impl Next {
    /// Whether something should be done now.
    pub fn is_due(&self) -> bool {
        self.next == "renew"
    }
}

/// Certificates whose successors are on their way, by journals.
fn under_way(home: &Home) -> Result<Vec<Vec<u8>>, ClientError> {
    let mut all = Vec::new();
    for path in home.journals()? {
        let evidence = Journal::read(&path)?;
        let Some(plan) = plan_of(&evidence) else { continue };
        if !is_finished(&plan.items, &evidence) {
            all.extend(plan.items.into_iter().filter_map(|item| item.predecessor).map(|der| der.0));
        }
    }
    Ok(all)
}

/// Certificates whose successors were brought and work, by journals: also where those are on a device that is away, or in
/// a file that is closed.
fn succeeded(home: &Home) -> Result<Vec<Vec<u8>>, ClientError> {
    let mut all = Vec::new();
    for path in home.journals()? {
        let followed = successions(&Journal::read(&path)?);
        all.extend(followed.into_iter().filter(|one| one.retired).map(|one| one.predecessor));
    }
    Ok(all)
}

/// Whether a newer certificate of the same kind and holder is at hand.
pub(crate) fn is_followed(certificate: &Certificate, all: &[(String, Certificate)]) -> bool {
    all.iter().any(|(_, other)| {
        other.kind() == certificate.kind()
            && same_holder(other.subject(), certificate.subject())
            && other.issuer() == certificate.issuer()
            && other.not_after() > certificate.not_after()
    })
}

/// What a renewal would be, before any PIN.
#[derive(Debug, Clone, Serialize)]
pub struct Outlook {
    /// Stable name of the store.
    pub store: String,
    /// Its name for people.
    pub store_name: String,
    /// `token`, `file`, `browser` or `system`.
    pub store_kind: &'static str,
    /// The authority, by its name.
    pub authority: String,
    /// How it is asked (`way-CODE`): `asked` when it answers beforehand, `unasked` when it does not, `mail`.
    pub way: &'static str,
    /// What would be renewed, in this order.
    pub certificates: Vec<CertificateView>,
    /// The room of the device.
    pub room: Option<RoomView>,
    /// Whether what comes fits (`fits-CODE`): `yes`, `some`, `no`, `unknown`.
    pub fits: &'static str,
    /// From how many minutes to how many the device may work on the keys.
    pub minutes: (u32, u32),
}

impl Inventory {
    /// A certificate by the SHA-256 of its bytes, with its store.
    ///
    /// # Errors
    ///
    /// `certificate-not-found`.
    pub fn certificate(&self, sha256: &str) -> Result<(String, Certificate), ClientError> {
        self.certificates()
            .into_iter()
            .find(|(_, certificate)| Primitives.fingerprint(certificate.der()) == sha256)
            .ok_or_else(|| ClientError::new("certificate-not-found", sha256))
    }

    /// Every certificate at hand with what is next for it: those that want something first, those that only rest last, and
    /// among equals the one that ends first.
    ///
    /// # Errors
    ///
    /// `journal-error`.
    pub fn nexts(&self, home: &Home, clock: &dyn Clock) -> Result<Vec<Next>, ClientError> {
        let all = self.certificates();
        let (on_the_way, have_successors) = (under_way(home)?, succeeded(home)?);
        let journeys = JourneyView::all(home, clock)?;
        let open = journeys.iter().filter(|journey| !journey.finished).flat_map(|journey| &journey.items);
        let brought: Vec<String> =
            open.filter_map(|item| item.successor.as_ref()).map(|view| view.sha256.clone()).collect();
        let mut untold = Vec::new();
        for (_, certificate) in all.iter().filter(|(_, found)| brought.contains(&Primitives.fingerprint(found.der()))) {
            if self.accounts(home, certificate)?.iter().any(|account| account.state == "not-told") {
                untold.push(Primitives.fingerprint(certificate.der()));
            }
        }
        let next_of = |view: &CertificateView| -> &'static str {
            let found = all.iter().find(|(_, found)| Primitives.fingerprint(found.der()) == view.sha256);
            let Some((_, certificate)) = found else { return "good" };
            match view.unfit {
                Some("expired") if is_followed(certificate, &all) => "followed",
                Some("expired") => "ended",
                Some(code) => code,
                None if on_the_way.iter().any(|der| der == certificate.der()) => "under-way",
                None if is_followed(certificate, &all) => "followed",
                None if have_successors.iter().any(|der| der == certificate.der()) => "followed",
                None if view.days_left <= REMINDED[0] => "renew",
                None if untold.contains(&view.sha256) => "tell",
                None => "good",
            }
        };
        let views = self.views(clock.now());
        let mut nexts: Vec<Next> = views.into_iter().map(|view| Next { next: next_of(&view), view }).collect();
        let rank = |next: &str| match next {
            "renew" | "under-way" | "tell" => 0,
            "good" => 1,
            "followed" => 3,
            _ => 2,
        };
        nexts.sort_by_key(|next| rank(next.next));
        Ok(nexts)
    }

    /// Files whose certificates are seen only after their password: stable name and the name that people see.
    pub fn locked_files(&self) -> Vec<(String, String)> {
        let files = self.stores.iter().filter(|open| open.info.kind == StoreKind::File);
        files
            .filter(|open| open.store.lock().certificates().is_err())
            .map(|open| (open.info.id.clone(), open.info.name.clone()))
            .collect()
    }
}

/// How the authority of these certificates is asked.
fn way(
    records: &[AuthorityRecord],
    mine: &[Certificate],
    clock: &dyn Clock,
) -> Result<(String, &'static str, Option<Directory>), ClientError> {
    let by_mail = || mine.iter().find_map(AuthorityDescription::of);
    let chosen = match records.is_empty() {
        true => None,
        // Who is asked by mail does not wait for another authority that does not answer.
        false => match choose(records, mine, clock) {
            Err(_) if by_mail().is_some() => None,
            chosen => chosen?,
        },
    };
    match (chosen, by_mail()) {
        (Some((record, _, directory)), _) if record.mail.is_none() => {
            let way = if directory.is_some() { "asked" } else { "unasked" };
            Ok((record.name.clone(), way, directory))
        }
        (_, Some(name)) => Ok((AuthorityDescription::load(name)?.name, "mail", None)),
        (Some((record, ..)), None) => Ok((record.name.clone(), "mail", None)),
        (None, None) if records.is_empty() => Err(ClientError::new("no-authority", mine[0].issuer().common_name())),
        (None, None) => Err(ClientError::new("authority-unknown", mine[0].issuer().common_name())),
    }
}

impl Outlook {
    /// What a renewal of everything that is due would be, or of one certificate (kind, serial number, or SHA-256) even
    /// before it is due. Nothing is changed, and no PIN is needed; the authority's directory is read.
    ///
    /// # Errors
    ///
    /// `nothing-to-renew`; `no-authority`, `authority-unknown`; `middleware-old`, before any PIN and any key; what the
    /// way to the authority says.
    pub fn of(home: &Home, inventory: &Inventory, only: Option<&str>, clock: &dyn Clock) -> Result<Self, ClientError> {
        let (records, have_successors) = (home.authorities()?, succeeded(home)?);
        let is_open = |certificate: &Certificate| !have_successors.iter().any(|der| der == certificate.der());
        for open in &inventory.stores {
            let Ok(certificates) = open.store.lock().certificates() else { continue };
            let mine: Vec<Certificate> = certificates
                .into_iter()
                .filter(|c| c.kind() != Kind::Authority && is_meant(c, only))
                .filter(is_open)
                .collect();
            let is_due = |certificate: &&Certificate| {
                presence(Some(certificate), window_of(None), only.is_some(), clock) == Presence::Expiring
            };
            // The window of a directory is known only after the way to it; what surely is not due needs no way.
            if !mine.iter().any(|certificate| is_due(&certificate)) {
                continue;
            }
            match Self::of_store(open, &mine, only.is_some(), &records, clock) {
                // Here an old one only rests; another store may have one that is due.
                Err(error) if error.code == "nothing-to-renew" => {}
                other => return other,
            }
        }
        Err(ClientError::new("nothing-to-renew", only.unwrap_or("all")))
    }

    fn of_store(
        open: &OpenStore,
        mine: &[Certificate],
        early: bool,
        records: &[AuthorityRecord],
        clock: &dyn Clock,
    ) -> Result<Self, ClientError> {
        let (authority, way, directory) = way(records, mine, clock)?;
        check_middleware(&open.info, directory.as_ref())?;
        let window = window_of(directory.as_ref());
        let due =
            |kind| newest(mine, kind).filter(|found| presence(Some(found), window, early, clock) == Presence::Expiring);
        let certificates: Vec<CertificateView> = [due(Kind::Qualified), due(Kind::Commercial)]
            .into_iter()
            .flatten()
            .map(|certificate| CertificateView::of(certificate, &open.info.id, clock.now()))
            .collect();
        if certificates.is_empty() {
            return Err(ClientError::new("nothing-to-renew", &open.info.name));
        }
        let is_token = matches!(open.info.kind, StoreKind::Token { .. });
        let count = u32::try_from(certificates.len()).unwrap_or(1);
        let is_slow = is_token && matches!(open.info.key_kinds.first(), Some(KeyKind::Rsa(_)));
        Ok(Self {
            store: open.info.id.clone(),
            store_name: open.info.name.clone(),
            store_kind: open.kind(),
            authority,
            way,
            fits: match (is_token, room_of(open), certificates.len()) {
                (false, ..) => "yes",
                (true, Some(pairs), count) if pairs >= count => "yes",
                (true, Some(0), _) => "no",
                (true, Some(_), _) => "some",
                (true, None, _) => "unknown",
            },
            room: is_token.then(|| open.room_view()),
            certificates,
            // iSignum says up to five minutes for a key on a device.
            minutes: if is_slow { (count, 5 * count) } else { (1, 2) },
        })
    }
}
