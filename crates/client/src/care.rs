//! Care of a device: its PIN is looked at, tried, changed, and unblocked by the PUK. A try is never spent unasked.

use obnova_lifecycle::port::{PinState, StoreInfo};
use serde::Serialize;

use crate::inventory::{Inventory, OpenStore};
use crate::journey::PinSource;
use crate::{ClientError, Home};

/// What a device says of its PIN or PUK.
#[derive(Debug, Clone, Serialize)]
pub struct TriesView {
    /// A wrong one was entered since the last right one.
    pub count_low: bool,
    /// One try is left.
    pub final_try: bool,
    /// No try is left.
    pub locked: bool,
    /// It is typed on the device itself.
    pub pad: bool,
    /// Shortest and longest.
    pub length: Option<(usize, usize)>,
}

impl From<&PinState> for TriesView {
    fn from(state: &PinState) -> Self {
        Self {
            count_low: state.count_low,
            final_try: state.final_try,
            locked: state.locked,
            pad: state.pad,
            length: state.length,
        }
    }
}

/// A store's PIN and PUK, for screens.
#[derive(Debug, Clone, Serialize)]
pub struct PinView {
    /// Stable name of the store.
    pub store: String,
    /// The name that people see.
    pub name: String,
    /// The PIN.
    pub pin: TriesView,
    /// The PUK, where there is one.
    pub puk: Option<TriesView>,
}

impl PinView {
    fn of(info: &StoreInfo) -> Self {
        Self {
            store: info.id.clone(),
            name: info.name.clone(),
            pin: (&info.pin).into(),
            puk: info.puk.as_ref().map(Into::into),
        }
    }
}

impl Inventory {
    /// The store that is meant: by its name or a part of its identifier; without either, the only one there is.
    fn meant(&self, wanted: Option<&str>) -> Result<&OpenStore, ClientError> {
        let mut matching = self
            .stores
            .iter()
            .filter(|open| wanted.is_none_or(|wanted| open.info.name == wanted || open.info.id.contains(wanted)));
        let names = || self.stores.iter().map(|open| open.info.name.as_str()).collect::<Vec<_>>().join(", ");
        match (matching.next(), matching.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(ClientError::new("choose-store", names())),
            (None, _) => Err(ClientError::new("store-gone", wanted.unwrap_or_default())),
        }
    }

    /// The state of a PIN as the device tells it now; nothing is tried.
    ///
    /// # Errors
    ///
    /// `store-gone`, `choose-store`.
    pub fn pin_state(&self, wanted: Option<&str>) -> Result<PinView, ClientError> {
        Ok(PinView::of(&self.meant(wanted)?.store.lock().info()?))
    }

    /// Tries the PIN once.
    ///
    /// # Errors
    ///
    /// `pin-incorrect`, `pin-locked`, `pin-last-try`.
    pub fn verify_pin(&self, wanted: Option<&str>, pin: &dyn PinSource) -> Result<PinView, ClientError> {
        let open = self.meant(wanted)?;
        open.store.lock().unlock(&pin.pin(&open.info)?, pin.may_spend_last_try())?;
        self.pin_state(wanted)
    }

    /// Changes the PIN, or the password of a file.
    ///
    /// # Errors
    ///
    /// As [`Inventory::verify_pin`]; `pin-length` before anything is sent; `pad-only`; `key-waits`; `store-busy`.
    pub fn change_pin(&self, home: &Home, wanted: Option<&str>, pin: &dyn PinSource) -> Result<PinView, ClientError> {
        let open = self.meant(wanted)?;
        let _lock = home.lock(&open.info.id)?;
        let (old, new) = (pin.pin(&open.info)?, pin.new_pin(&open.info)?);
        open.store.lock().change_pin(&old, &new, pin.may_spend_last_try())?;
        self.pin_state(wanted)
    }

    /// Sets a new PIN by the PUK.
    ///
    /// # Errors
    ///
    /// `puk-incorrect`, `puk-locked`, `puk-last-try`, `no-puk`, `pin-length`, `pad-only`, `store-busy`.
    pub fn unblock_pin(&self, home: &Home, wanted: Option<&str>, pin: &dyn PinSource) -> Result<PinView, ClientError> {
        let open = self.meant(wanted)?;
        if open.info.puk.is_none() {
            return Err(ClientError::new("no-puk", &open.info.name));
        }
        let _lock = home.lock(&open.info.id)?;
        let (puk, new) = (pin.puk(&open.info)?, pin.new_pin(&open.info)?);
        open.store.lock().unblock_pin(&puk, &new, pin.may_spend_last_try())?;
        self.pin_state(wanted)
    }
}
