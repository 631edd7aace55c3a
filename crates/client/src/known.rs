//! What a journal's evidence says, read together: how far each certificate came, and how screens see it.

use obnova_crypto::Primitives;
use obnova_lifecycle::document::{Octets, RequestState};
use obnova_lifecycle::port::Clock;
use obnova_lifecycle::station::Station;
use obnova_pki::Certificate;
use obnova_remote::{HttpClient, ObnovaAuthority};
use serde::Serialize;

use crate::journal::{Evidence, ItemPlan, Journal};
use crate::{ClientError, Home};

/// The authority's answer that brought the certificate.
#[derive(Clone)]
pub(crate) struct Came {
    pub(crate) certificate: Vec<u8>,
    pub(crate) others: Vec<Certificate>,
    pub(crate) anchors: Vec<Vec<u8>>,
    pub(crate) confirmed: bool,
    pub(crate) id: i64,
    pub(crate) nonce: Vec<u8>,
}

/// What the journal knows of one certificate.
#[derive(Clone, Default)]
pub(crate) struct Known {
    pub(crate) before: Option<Vec<Vec<u8>>>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) request: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) submitted: bool,
    /// What the message says.
    pub(crate) fields: Option<Vec<crate::description::FieldView>>,
    /// The signed message that a person sends, and whom to.
    pub(crate) draft: Option<(std::path::PathBuf, String)>,
    /// Accounts that know the successor by the person's word.
    pub(crate) told: Vec<String>,
    /// certReqId and nonce to ask again with.
    pub(crate) waits: (i64, Option<Vec<u8>>),
    pub(crate) came: Option<Came>,
    pub(crate) confirmation: Option<Vec<u8>>,
    pub(crate) confirmed: bool,
    pub(crate) installed: bool,
    pub(crate) proven: Option<Option<Vec<u8>>>,
    pub(crate) registered: bool,
    pub(crate) rehearsed: bool,
    pub(crate) retired: bool,
    pub(crate) refused: Option<String>,
}

/// Reads the evidence of `count` certificates together.
pub(crate) fn fold(evidence: &[Evidence], count: usize) -> Vec<Known> {
    let mut all = vec![Known::default(); count];
    for record in evidence {
        let item = match record {
            Evidence::Planned { .. } | Evidence::Removed { .. } => continue,
            Evidence::KeyIntent { item, .. }
            | Evidence::Keyed { item, .. }
            | Evidence::Requested { item, .. }
            | Evidence::SendIntent { item }
            | Evidence::Submitted { item }
            | Evidence::Filled { item, .. }
            | Evidence::Drafted { item, .. }
            | Evidence::Told { item, .. }
            | Evidence::Waits { item, .. }
            | Evidence::AskAgain { item }
            | Evidence::Issued { item, .. }
            | Evidence::ConfirmIntent { item, .. }
            | Evidence::Confirmed { item }
            | Evidence::InstallIntent { item }
            | Evidence::Installed { item }
            | Evidence::Proven { item, .. }
            | Evidence::Registered { item }
            | Evidence::Rehearsed { item }
            | Evidence::RetireIntent { item }
            | Evidence::Retired { item }
            | Evidence::Refused { item, .. } => *item,
        };
        let Some(known) = all.get_mut(item) else { continue };
        match record {
            Evidence::KeyIntent { before, .. } => known.before = Some(before.iter().map(|key| key.0.clone()).collect()),
            Evidence::Keyed { public_key, .. } => known.key = Some(public_key.0.clone()),
            Evidence::Requested { message, transaction, .. } => {
                known.request = Some((message.0.clone(), transaction.0.clone()));
            }
            Evidence::Submitted { .. } => known.submitted = true,
            Evidence::Filled { fields, .. } => known.fields = Some(fields.clone()),
            Evidence::Drafted { message, to, .. } => known.draft = Some((message.clone(), to.clone())),
            Evidence::Told { party, .. } => known.told.push(party.clone()),
            Evidence::AskAgain { .. } => {
                known.request = None;
                known.submitted = false;
                known.waits = (0, None);
            }
            Evidence::Waits { nonce, id, .. } => known.waits = (*id, Some(nonce.0.clone())),
            Evidence::Issued { certificate, others, anchors, confirmed, id, nonce, .. } => {
                known.came = Some(Came {
                    certificate: certificate.0.clone(),
                    others: others.iter().filter_map(|der| Certificate::from_der(&der.0).ok()).collect(),
                    anchors: anchors.iter().map(|der| der.0.clone()).collect(),
                    confirmed: *confirmed,
                    id: *id,
                    nonce: nonce.0.clone(),
                });
            }
            Evidence::ConfirmIntent { message, .. } => known.confirmation = Some(message.0.clone()),
            Evidence::Confirmed { .. } => known.confirmed = true,
            Evidence::Installed { .. } => known.installed = true,
            Evidence::Proven { statement, .. } => known.proven = Some(statement.as_ref().map(|s| s.0.clone())),
            Evidence::Registered { .. } => known.registered = true,
            Evidence::Rehearsed { .. } => known.rehearsed = true,
            Evidence::Retired { .. } => known.retired = true,
            Evidence::Refused { why, .. } => known.refused = Some(why.clone()),
            _ => {}
        }
    }
    all
}

impl Known {
    pub(crate) fn station(&self) -> Station {
        if self.retired {
            Station::Retired
        } else if self.rehearsed {
            Station::Registered
        } else if self.proven.is_some() {
            Station::Proven
        } else if self.installed {
            Station::Installed
        } else if self.confirmed {
            Station::Confirmed
        } else if self.came.is_some() {
            Station::Issued
        } else if self.submitted {
            Station::Submitted
        } else if self.request.is_some() {
            Station::Requested
        } else if self.key.is_some() {
            Station::Keyed
        } else {
            Station::Found
        }
    }
}

/// One certificate of a journey, for screens.
#[derive(Debug, Clone, Serialize)]
pub struct ItemView {
    /// `qualified` or `commercial`.
    pub kind: String,
    /// Name of the station.
    pub station: String,
    /// The successor, when it came: serial numbers and end.
    pub successor: Option<crate::CertificateView>,
    /// transactionID, hexadecimal.
    pub receipt: Option<String>,
    /// Why it was refused.
    pub refused: Option<String>,
    /// Whether that was decided here, after the authority issued it: certificate and key are kept.
    pub not_taken: bool,
    /// Whether the identity space took it.
    pub registered: bool,
    /// The signed message that a person sends.
    pub draft: Option<String>,
    /// Accounts that know it by the person's word.
    pub told: Vec<String>,
}

/// A journey, for screens.
#[derive(Debug, Clone, Serialize)]
pub struct JourneyView {
    /// Name of its journal.
    pub id: String,
    /// The store.
    pub store: String,
    /// The other device that its new certificates come to.
    pub onto: Option<String>,
    /// The authority.
    pub authority: String,
    /// Whether nothing is left to do.
    pub finished: bool,
    /// Its certificates.
    pub items: Vec<ItemView>,
}

/// The plan that a journal began with.
pub(crate) struct Plan {
    pub(crate) store: String,
    pub(crate) authority: String,
    pub(crate) items: Vec<ItemPlan>,
    pub(crate) roomy: bool,
    pub(crate) identity: Option<(String, String)>,
    pub(crate) invitation: Option<String>,
    pub(crate) clear: Vec<Octets>,
    pub(crate) lose_old_mail: bool,
    pub(crate) onto: Option<String>,
}

/// The plan, when the first record is one.
pub(crate) fn plan_of(evidence: &[Evidence]) -> Option<Plan> {
    match evidence.first()? {
        Evidence::Planned { store, authority, invitation, items, roomy, identity, clear, lose_old_mail, onto } => {
            Some(Plan {
                store: store.clone(),
                authority: authority.clone(),
                items: items.clone(),
                roomy: *roomy,
                identity: identity.clone(),
                invitation: invitation.clone(),
                clear: clear.clone(),
                lose_old_mail: *lose_old_mail,
                onto: onto.clone(),
            })
        }
        _ => None,
    }
}

/// Whether a certificate was removed to make room.
pub(crate) fn is_removed(evidence: &[Evidence], certificate: &Certificate) -> bool {
    let wanted = Primitives.fingerprint(certificate.der());
    evidence.iter().any(|record| matches!(record, Evidence::Removed { sha256 } if *sha256 == wanted))
}

/// Whether nothing is left to do: a successor is followed to the retirement of its predecessor, a first
/// certificate to its proof.
pub(crate) fn is_finished(items: &[ItemPlan], evidence: &[Evidence]) -> bool {
    items.iter().zip(fold(evidence, items.len())).all(|(item, known)| {
        let Some(predecessor) = &item.predecessor else { return known.refused.is_some() || known.proven.is_some() };
        let gone = || Certificate::from_der(&predecessor.0).is_ok_and(|predecessor| is_removed(evidence, &predecessor));
        known.refused.is_some() || (known.retired && (!item.makes_room || gone()))
    })
}

impl JourneyView {
    /// Journeys that wait for their authority no longer: it has decided. Asked by the receipts, without a device; an
    /// authority that does not answer says nothing, and those in `known` are not asked about again.
    ///
    /// # Errors
    ///
    /// `journal-error`.
    pub fn decided(home: &Home, clock: &dyn Clock, known: &[String]) -> Result<Vec<Self>, ClientError> {
        let records = home.authorities()?;
        let mut all = Self::all(home, clock)?;
        all.retain(|journey| !journey.finished && !known.contains(&journey.id));
        all.retain(|journey| {
            let waiting = journey.items.iter().filter(|item| item.successor.is_none() && item.refused.is_none());
            let receipts: Vec<Vec<u8>> = waiting.filter_map(|item| hex::decode(item.receipt.as_ref()?).ok()).collect();
            let record = records.iter().find(|record| record.name == journey.authority);
            let (Some(record), false) = (record, receipts.is_empty()) else { return false };
            let (Some(address), Ok(http)) = (&record.address, HttpClient::new(&record.tls_trust(), None)) else {
                return false;
            };
            let authority = ObnovaAuthority { http: &http, address };
            let Ok(Some(directory)) = authority.directory() else { return false };
            receipts.iter().any(|receipt| {
                let state = authority.status(&directory, receipt).map(|status| status.state);
                state.is_ok_and(|state| !matches!(state, RequestState::Waiting | RequestState::Other))
            })
        });
        Ok(all)
    }

    /// All journeys of a home, the oldest first, without opening a store.
    ///
    /// # Errors
    ///
    /// `journal-error`.
    pub fn all(home: &Home, clock: &dyn Clock) -> Result<Vec<Self>, ClientError> {
        let mut views = Vec::new();
        for path in home.journals()? {
            let evidence = Journal::read(&path)?;
            // A journal that was cut before its first record has done nothing.
            let Some(plan) = plan_of(&evidence) else { continue };
            let known = fold(&evidence, plan.items.len());
            views.push(JourneyView {
                id: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                finished: is_finished(&plan.items, &evidence),
                items: plan
                    .items
                    .iter()
                    .zip(&known)
                    .map(|(item, known)| ItemView {
                        kind: item.kind.clone(),
                        station: known.station().name().to_owned(),
                        successor: known
                            .came
                            .as_ref()
                            .and_then(|came| Certificate::from_der(&came.certificate).ok())
                            .map(|certificate| {
                                let file = item.file.as_ref().map(|path| format!("file:{}", path.display()));
                                let store = file.or_else(|| plan.onto.clone()).unwrap_or_else(|| plan.store.clone());
                                crate::CertificateView::of(&certificate, &store, clock.now())
                            }),
                        receipt: known.request.as_ref().map(|(_, id)| hex::encode(id)),
                        refused: known.refused.clone(),
                        not_taken: known.refused.is_some() && known.came.is_some(),
                        registered: known.registered,
                        draft: known.draft.as_ref().map(|(path, _)| path.display().to_string()),
                        told: known.told.clone(),
                    })
                    .collect(),
                store: plan.store,
                onto: plan.onto,
                authority: plan.authority,
            });
        }
        Ok(views)
    }
}
