//! Certificates of authorities where browsers look for them: without the issuing one a browser offers no certificate for
//! a login (RFC 8446 section 4.2.4). Nothing is trusted by this: a database keeps them as members of paths only.

use obnova_lifecycle::port::{KeyStoreError, StoreKind};
use obnova_pki::Certificate;
use obnova_remote::{HttpClient, ObnovaAuthority};
use serde::Serialize;

use crate::inventory::Inventory;
use crate::journey::PinSource;
use crate::preflight::issuers;
use crate::{ClientError, Home};

/// What a store got.
#[derive(Debug, Clone, Serialize)]
pub struct ChainPlaced {
    /// Stable name of the store.
    pub store: String,
    /// The name that people see.
    pub name: String,
    /// Names of the authorities whose certificates are there now.
    pub authorities: Vec<String>,
    /// How many of them were there before.
    pub were_there: usize,
}

/// Certificates of the authorities that the home knows: their anchors, and the issuers that they name.
fn authorities(home: &Home) -> Result<Vec<Certificate>, ClientError> {
    let mut all: Vec<Certificate> = Vec::new();
    for record in home.authorities()? {
        let mut known = record.anchor_certificates()?;
        if let Some(address) = &record.address {
            let http = HttpClient::new(&record.tls_trust(), None)?;
            // One that does not answer costs its own issuers only; its anchors are here.
            let directory = ObnovaAuthority { http: &http, address }.directory().unwrap_or_default();
            known.extend(issuers(directory.as_ref()));
        }
        for certificate in known {
            if !all.contains(&certificate) {
                all.push(certificate);
            }
        }
    }
    Ok(all)
}

impl Inventory {
    /// Puts the certificates of all known authorities into the store that is named, or into those of all browsers and
    /// of the system. Doing it again changes nothing.
    ///
    /// # Errors
    ///
    /// `no-authority`; `no-browser` when there is none and no store is named; `store-unknown`, `choose-store`; the
    /// store's own.
    pub fn place_chain(
        &self,
        home: &Home,
        wanted: Option<&str>,
        pin: &dyn PinSource,
    ) -> Result<Vec<ChainPlaced>, ClientError> {
        let chain = authorities(home)?;
        if chain.is_empty() {
            return Err(ClientError::new("no-authority", home.folder().display()));
        }
        let named = wanted.map(|wanted| self.meant(Some(wanted))).transpose()?;
        let looks = |kind: &StoreKind| matches!(kind, StoreKind::Browser | StoreKind::System);
        let targets = self.stores.iter().filter(|open| match named {
            Some(named) => named.info.id == open.info.id,
            None => looks(&open.info.kind),
        });
        let mut placed = Vec::new();
        for open in targets {
            let _lock = home.lock(&open.info.id)?;
            let mut store = open.store.lock();
            let there = store.certificates().unwrap_or_default();
            for certificate in &chain {
                match store.deposit(certificate) {
                    Err(KeyStoreError::PinNeeded) => {
                        store.unlock(&pin.pin(&open.info)?, pin.may_spend_last_try())?;
                        store.deposit(certificate)?;
                    }
                    other => other?,
                }
            }
            placed.push(ChainPlaced {
                store: open.info.id.clone(),
                name: open.info.name.clone(),
                authorities: chain.iter().map(|certificate| certificate.subject().common_name()).collect(),
                were_there: chain.iter().filter(|certificate| there.contains(certificate)).count(),
            });
        }
        if placed.is_empty() { Err(ClientError::new("no-browser", "")) } else { Ok(placed) }
    }
}
