//! Taking over what was begun elsewhere: a key that waits for its certificate, a successor that is installed already,
//! a certificate that came by file, mail or address. From there on it is a journey like any other.

use std::path::Path;

use obnova_crypto::Primitives;
use obnova_keystore::StoreSigner;
use obnova_lifecycle::document::Octets;
use obnova_lifecycle::port::{Clock, StoreKind};
use obnova_lifecycle::successor::same_holder;
use obnova_pki::{Certificate, Digest, KeyKind, Kind, Signer, Verifier};
use obnova_remote::{HttpClient, TlsTrust};
use serde::Serialize;

use crate::description::{AuthorityDescription, ForeignAccount, accounts_for, certificates_in};
use crate::home::AuthorityRecord;
use crate::inventory::{Inventory, OpenStore};
use crate::journal::{Evidence, ItemPlan, Journal};
use crate::journey::PinSource;
use crate::known::{fold, plan_of};
use crate::preflight::authority_of;
use crate::view::kind_name;
use crate::{CertificateView, ClientError, Home};

/// What was taken over.
#[derive(Debug, Clone, Serialize)]
pub struct Adopted {
    /// Name of the journey.
    pub journey: String,
    /// `installed`: the successor is there already; `waiting`: only its key is.
    pub state: &'static str,
    /// The certificate that is followed.
    pub predecessor: CertificateView,
    /// The successor, when it is there.
    pub successor: Option<CertificateView>,
}

impl Inventory {
    /// Looks for renewals that were begun elsewhere, and makes a journey of each.
    ///
    /// `anchor` is trusted when the stores themselves hold no certificate that the predecessor leads to.
    ///
    /// # Errors
    ///
    /// `nothing-to-adopt`; `anchor-needed` with the address where the issuer's certificate is.
    pub fn adopt(
        &self,
        home: &Home,
        anchor: Option<&Certificate>,
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<Vec<Adopted>, ClientError> {
        let mut adopted = Vec::new();
        let at_hand: Vec<Certificate> = self.certificates().into_iter().map(|(_, found)| found).collect();
        for open in self.stores.iter().filter(|open| !matches!(open.info.kind, StoreKind::Browser | StoreKind::System))
        {
            let _lock = home.lock(&open.info.id)?;
            if open.info.kind == StoreKind::File || !open.store.lock().certificates()?.is_empty() {
                open.unlock(pin)?;
            }
            let mut own = open.store.lock().certificates().unwrap_or_default();
            own.retain(|certificate| certificate.kind() != Kind::Authority);
            let keys = open.store.lock().keys().unwrap_or_default();
            let known = known_keys(home)?;
            // A successor that is installed: a newer certificate of the same holder and kind, with its key.
            for new in own.iter().filter(|new| keys.iter().any(|key| key == new.public_key())) {
                if known.iter().any(|key| key == new.public_key()) {
                    continue;
                }
                let old = own.iter().filter(|old| {
                    old.kind() == new.kind()
                        && same_holder(old.subject(), new.subject())
                        && (old.not_before(), old.not_after()) < (new.not_before(), new.not_after())
                        && old.public_key() != new.public_key()
                        && keys.iter().any(|key| key == old.public_key())
                });
                let Some(old) = old.max_by_key(|old| old.not_after()) else { continue };
                let authority = self.authority_for(home, old, anchor, &at_hand, clock)?;
                adopted.push(begin(home, open, &authority, old, new.public_key(), Some(new), &keys, clock)?);
            }
            // A key that waits: without a certificate, and nobody here knows of it.
            let waiting: Vec<&Vec<u8>> = keys
                .iter()
                .filter(|key| !own.iter().any(|found| found.public_key() == key.as_slice()) && !known.contains(key))
                .collect();
            for key in waiting {
                let Some(old) = expiring(&own, &adopted) else { continue };
                let authority = self.authority_for(home, old, anchor, &at_hand, clock)?;
                adopted.push(begin(home, open, &authority, old, key, None, &keys, clock)?);
            }
        }
        if adopted.is_empty() { Err(ClientError::new("nothing-to-adopt", "-")) } else { Ok(adopted) }
    }

    /// The authority of a certificate: one that is known, or one made from what the stores and the person hold.
    fn authority_for(
        &self,
        home: &Home,
        old: &Certificate,
        anchor: Option<&Certificate>,
        at_hand: &[Certificate],
        clock: &dyn Clock,
    ) -> Result<AuthorityRecord, ClientError> {
        let records = home.authorities()?;
        if let Some(known) = authority_of(&records, old, at_hand, clock) {
            return Ok(known.clone());
        }
        let record = mailed_authority(old, anchor, at_hand)?;
        home.remember(&record)?;
        Ok(record)
    }

    /// Takes certificates from a file, a mail or an address (`http`, `https`), and gives each to the journey that waits for it.
    /// The journeys are walked by [`crate::Journey::resume`].
    ///
    /// # Errors
    ///
    /// `nothing-to-pick-up`; `nobody-waits` when no journey has such a key; what the way there says.
    pub fn pick_up(home: &Home, source: &str, clock: &dyn Clock) -> Result<Vec<CertificateView>, ClientError> {
        let bytes = if source.starts_with("http://") {
            HttpClient::new(&TlsTrust::Roots(Vec::new()), None)?.get(source)?.success()?
        } else if source.starts_with("https://") {
            HttpClient::new(&TlsTrust::System, None)?.get(source)?.success()?
        } else {
            std::fs::read(source).map_err(|error| ClientError::new("file-error", format!("{source}: {error}")))?
        };
        let found = certificates_in(&bytes, Path::new(source))?;
        let mut taken = Vec::new();
        for path in home.journals()? {
            let evidence = Journal::read(&path)?;
            let Some(plan) = plan_of(&evidence) else { continue };
            for (item, known) in fold(&evidence, plan.items.len()).iter().enumerate() {
                let Some(certificate) = found.iter().find(|found| known.key.as_deref() == Some(found.public_key()))
                else {
                    continue;
                };
                taken.push(CertificateView::of(certificate, &plan.store, clock.now()));
                if known.came.is_some() {
                    continue;
                }
                let _lock = home.lock(&plan.store)?;
                let others = found.iter().filter(|other| *other != certificate);
                Journal::open(&path)?.append(issued(item, certificate, others))?;
            }
        }
        if taken.is_empty() { Err(ClientError::new("nobody-waits", source)) } else { Ok(taken) }
    }

    /// What must be typed into foreign accounts about a certificate, and how far that is.
    ///
    /// # Errors
    ///
    /// `journal-error`.
    pub fn accounts(&self, home: &Home, certificate: &Certificate) -> Result<Vec<AccountView>, ClientError> {
        let mut views = Vec::new();
        for account in accounts_for(home, certificate)? {
            views.push(AccountView {
                state: told_state(home, certificate, &account)?,
                account,
                decimal: certificate.serial().decimal(),
                hexadecimal: certificate.serial().hexadecimal(),
            });
        }
        Ok(views)
    }

    /// Writes down that the person says an account knows a certificate.
    ///
    /// # Errors
    ///
    /// `no-such-account`; `nobody-waits` when no journey brought this certificate.
    pub fn told(&self, home: &Home, certificate: &Certificate, party: &str) -> Result<(), ClientError> {
        let accounts = accounts_for(home, certificate)?;
        let account = accounts
            .iter()
            .find(|account| account.name.eq_ignore_ascii_case(party))
            .ok_or_else(|| ClientError::new("no-such-account", party))?;
        for path in home.journals()? {
            let evidence = Journal::read(&path)?;
            let Some(plan) = plan_of(&evidence) else { continue };
            for (item, known) in fold(&evidence, plan.items.len()).iter().enumerate() {
                if known.came.as_ref().is_some_and(|came| came.certificate == certificate.der()) {
                    let _lock = home.lock(&plan.store)?;
                    if !known.told.contains(&account.name) {
                        Journal::open(&path)?.append(Evidence::Told { item, party: account.name.clone() })?;
                    }
                    return Ok(());
                }
            }
        }
        Err(ClientError::new("nobody-waits", certificate.serial()))
    }

    /// Signs a fresh text with a certificate's key; for screens that show that the old certificate works here.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn signer_of(
        &self,
        store: &str,
        certificate: &Certificate,
        pin: &dyn PinSource,
    ) -> Result<impl Signer + use<>, ClientError> {
        let open = self.named(store)?;
        open.unlock(pin)?;
        Ok(StoreSigner::new(open.store.clone(), certificate.public_key())?)
    }
}

/// A foreign account and what it wants to know.
#[derive(Debug, Clone, Serialize)]
pub struct AccountView {
    /// The account.
    #[serde(flatten)]
    pub account: ForeignAccount,
    /// Serial number, decimal.
    pub decimal: String,
    /// Serial number, hexadecimal.
    pub hexadecimal: String,
    /// `not-told`, `said` (by the person) or `confirmed` (by the party).
    pub state: &'static str,
}

fn told_state(home: &Home, certificate: &Certificate, account: &ForeignAccount) -> Result<&'static str, ClientError> {
    for path in home.journals()? {
        let evidence = Journal::read(&path)?;
        let Some(plan) = plan_of(&evidence) else { continue };
        for known in fold(&evidence, plan.items.len()) {
            if known.came.as_ref().is_some_and(|came| came.certificate == certificate.der()) {
                if plan.identity.is_some() && known.rehearsed {
                    return Ok("confirmed");
                }
                if known.told.contains(&account.name) {
                    return Ok("said");
                }
            }
        }
    }
    Ok("not-told")
}

/// The record of an authority that is asked by mail, or not at all: its anchors are what the predecessor leads to.
///
/// # Errors
///
/// `anchor-needed` with the address where the issuer's certificate is.
pub(crate) fn mailed_authority(
    old: &Certificate,
    anchor: Option<&Certificate>,
    at_hand: &[Certificate],
) -> Result<AuthorityRecord, ClientError> {
    let issues = |candidate: &&Certificate| {
        candidate.subject() == old.issuer() && old.verify_by(candidate.public_key(), &Primitives).is_ok()
    };
    let mut anchors: Vec<Octets> =
        at_hand.iter().filter(issues).map(|certificate| Octets(certificate.der().to_vec())).collect();
    anchors.extend(anchor.map(|anchor| Octets(anchor.der().to_vec())));
    if anchors.is_empty() {
        let place = old.issuer_addresses().first().cloned().unwrap_or_else(|| old.issuer().common_name());
        return Err(ClientError::new("anchor-needed", place));
    }
    let description = AuthorityDescription::of(old);
    Ok(AuthorityRecord {
        name: description.map_or_else(|| old.issuer().common_name(), str::to_owned),
        address: None,
        cmp: String::new(),
        est: None,
        mail: Some(description.unwrap_or_default().to_owned()),
        signer: None,
        tls_sha256: None,
        anchors,
    })
}

/// Keys that any journal knows.
fn known_keys(home: &Home) -> Result<Vec<Vec<u8>>, ClientError> {
    let mut keys = Vec::new();
    for path in home.journals()? {
        for record in Journal::read(&path)? {
            if let Evidence::Keyed { public_key, .. } = record {
                keys.push(public_key.0);
            }
        }
    }
    Ok(keys)
}

/// The certificate that a waiting key most likely follows: the one that ends first, and is not followed yet.
fn expiring<'a>(own: &'a [Certificate], adopted: &[Adopted]) -> Option<&'a Certificate> {
    own.iter()
        .filter(|old| {
            let serial = old.serial().hexadecimal();
            !adopted.iter().any(|done| done.predecessor.hexadecimal == serial)
        })
        .min_by_key(|old| old.not_after())
}

fn issued<'a>(item: usize, certificate: &Certificate, others: impl Iterator<Item = &'a Certificate>) -> Evidence {
    Evidence::Issued {
        item,
        certificate: Octets(certificate.der().to_vec()),
        others: others.map(|other| Octets(other.der().to_vec())).collect(),
        anchors: Vec::new(),
        confirmed: true,
        id: 0,
        nonce: Octets::default(),
    }
}

/// Writes the journal of a renewal that others began: everything that is known to have happened.
#[allow(clippy::too_many_arguments, reason = "private; all of it is what was found on one device")]
fn begin(
    home: &Home,
    open: &OpenStore,
    authority: &AuthorityRecord,
    old: &Certificate,
    key: &[u8],
    new: Option<&Certificate>,
    keys: &[Vec<u8>],
    clock: &dyn Clock,
) -> Result<Adopted, ClientError> {
    let path = home.new_journal(clock.now());
    let mut journal = Journal::open(&path)?;
    let octets = |bytes: &[u8]| Octets(bytes.to_vec());
    let kind = KeyKind::of(key).map_err(|error| ClientError::new("key-kind-unsupported", error))?;
    journal.append(Evidence::Planned {
        store: open.info.id.clone(),
        authority: authority.name.clone(),
        invitation: None,
        items: vec![ItemPlan {
            kind: kind_name(old.kind()).to_owned(),
            predecessor: Some(octets(old.der())),
            profile: None,
            key: kind.to_string(),
            file: None,
            makes_room: false,
            held: 0,
        }],
        roomy: true,
        identity: None,
        clear: Vec::new(),
        lose_old_mail: false,
        onto: None,
    })?;
    let before = keys.iter().filter(|known| known.as_slice() != key).map(|known| octets(known)).collect();
    journal.append(Evidence::KeyIntent { item: 0, before })?;
    journal.append(Evidence::Keyed { item: 0, public_key: octets(key) })?;
    let transaction = Octets(Primitives.digest(Digest::Sha256, key));
    journal.append(Evidence::Requested { item: 0, message: Octets::default(), transaction })?;
    journal.append(Evidence::SendIntent { item: 0 })?;
    journal.append(Evidence::Submitted { item: 0 })?;
    if let Some(new) = new {
        journal.append(issued(0, new, std::iter::empty()))?;
    }
    let view = |certificate: &Certificate| CertificateView::of(certificate, &open.info.id, clock.now());
    Ok(Adopted {
        journey: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        state: if new.is_some() { "installed" } else { "waiting" },
        predecessor: view(old),
        successor: new.map(view),
    })
}
