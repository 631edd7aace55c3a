//! Removing an old pair from its store, when the rules allow it.

use obnova_keystore::SharedStore;
use obnova_lifecycle::port::{Clock, KeyStoreError, StoreKind};
use obnova_lifecycle::retirement::{Standing, permit};
use obnova_pki::Certificate;

use crate::inventory::Inventory;
use crate::journey::PinSource;
use crate::{ClientError, Home};

/// What was removed, and where its public part is.
#[derive(Debug, Clone)]
pub struct Retired {
    /// The certificate.
    pub certificate: Certificate,
    /// Its copy in the archive.
    pub archive: std::path::PathBuf,
}

/// Removes a certificate with its key from its store; the public part is archived first.
///
/// # Errors
///
/// `stays-...` with the missing step, when the certificate must stay.
pub fn retire(
    home: &Home,
    inventory: &Inventory,
    serial: &str,
    decryption_waived: bool,
    pin: &dyn PinSource,
    clock: &dyn Clock,
) -> Result<Retired, ClientError> {
    let wanted = obnova_pki::Serial::candidates(serial).map_err(|error| ClientError::new("serial-wrong", error))?;
    for open in &inventory.stores {
        // A token shows its certificates without a PIN, and gets one only when the certificate is on it.
        let is_file = open.info.kind == StoreKind::File;
        if is_file {
            open.store.lock().unlock(&pin.pin(&open.info)?, pin.may_spend_last_try())?;
        }
        let certificates = match open.store.lock().certificates() {
            Ok(certificates) => certificates,
            Err(KeyStoreError::PinNeeded) => continue,
            Err(error) => return Err(error.into()),
        };
        if let Some(found) = certificates.iter().find(|certificate| wanted.contains(certificate.serial())) {
            if !is_file {
                open.store.lock().unlock(&pin.pin(&open.info)?, pin.may_spend_last_try())?;
            }
            let _lock = home.lock(&open.info.id)?;
            return remove(home, &open.store, found, decryption_waived, clock);
        }
    }
    Err(ClientError::new("certificate-not-found", serial))
}

fn remove(
    home: &Home,
    store: &SharedStore,
    certificate: &Certificate,
    decryption_waived: bool,
    clock: &dyn Clock,
) -> Result<Retired, ClientError> {
    let mut standing =
        Standing { successor_proven: false, successor_registered: false, is_login: false, decryption_waived };
    // What the journals prove about a successor of this very certificate.
    for path in home.journals()? {
        for (predecessor, proven, retired) in crate::journal::successions(&crate::Journal::read(&path)?) {
            if predecessor == certificate.der() {
                standing.successor_proven |= proven;
                standing.successor_registered |= retired;
            }
        }
    }
    let permit = permit(certificate, &standing, clock.now())
        .map_err(|stays| ClientError::new(stays.code(), certificate.serial()))?;
    let archive = home.archive(certificate)?;
    store.lock().remove(&permit)?;
    Ok(Retired { certificate: certificate.clone(), archive })
}
