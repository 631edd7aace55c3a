//! Removing an old pair from its store, when the rules allow it.

use std::path::PathBuf;

use obnova_keystore::SharedStore;
use obnova_lifecycle::port::{Clock, KeyStoreError, StoreKind};
use obnova_lifecycle::retirement::{RemovalPermit, Standing, permit};
use obnova_pki::Certificate;

use crate::inventory::Inventory;
use crate::journey::PinSource;
use crate::{CertificateView, ClientError, Home};

/// A removal that the rules permit, and nobody has carried out yet.
pub struct Removal {
    permit: RemovalPermit,
    store: SharedStore,
    store_id: String,
    archive: PathBuf,
    _lock: std::fs::File,
}

/// What was removed, and where its public part is.
#[derive(Debug, Clone)]
pub struct Retired {
    /// The certificate.
    pub certificate: Certificate,
    /// Its copy in the archive.
    pub archive: PathBuf,
}

impl Removal {
    /// Looks for the certificate in all stores and at what the journals prove about its successor; changes nothing
    /// but the archive, which gets its public part.
    ///
    /// # Errors
    ///
    /// `stays-...` with the missing step, when the certificate must stay; `certificate-not-found`, and
    /// `certificate-ambiguous` when the number names several.
    pub fn check(
        home: &Home,
        inventory: &Inventory,
        serial: &str,
        decryption_waived: bool,
        pin: &dyn PinSource,
        clock: &dyn Clock,
    ) -> Result<Self, ClientError> {
        let wanted = obnova_pki::Serial::candidates(serial).map_err(|error| ClientError::new("serial-wrong", error))?;
        let mut all = Vec::new();
        for open in &inventory.stores {
            // A token shows its certificates without a PIN, and gets one only when the certificate is on it.
            if open.info.kind == StoreKind::File {
                open.store.lock().unlock(&pin.pin(&open.info)?, pin.may_spend_last_try())?;
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
        let mut standing = Standing { successor_proven: false, successor_registered: false, decryption_waived };
        for path in home.journals()? {
            for followed in crate::journal::successions(&crate::Journal::read(&path)?) {
                // A successor that was proven once and is nowhere to be seen now proves nothing.
                let is_there = all.iter().any(|(_, found)| Some(found.der()) == followed.successor.as_deref());
                if followed.predecessor == certificate.der() && is_there {
                    standing.successor_proven |= followed.proven;
                    standing.successor_registered |= followed.retired;
                }
            }
        }
        let permit = permit(certificate, &standing, clock.now())
            .map_err(|stays| ClientError::new(stays.code(), certificate.serial()))?;
        if open.info.kind != StoreKind::File {
            open.store.lock().unlock(&pin.pin(&open.info)?, pin.may_spend_last_try())?;
        }
        let archive = home.archive(certificate)?;
        Ok(Self { permit, store: open.store.clone(), store_id: open.info.id.clone(), archive, _lock: lock })
    }

    /// The certificate as screens show it before they ask.
    pub fn view(&self, clock: &dyn Clock) -> CertificateView {
        CertificateView::of(self.permit.certificate(), &self.store_id, clock.now())
    }

    /// Removes the certificate with its key.
    ///
    /// # Errors
    ///
    /// The store's own error.
    pub fn carry_out(self) -> Result<Retired, ClientError> {
        self.store.lock().remove(&self.permit)?;
        Ok(Retired { certificate: self.permit.certificate().clone(), archive: self.archive })
    }
}
