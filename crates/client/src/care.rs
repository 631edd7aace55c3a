//! Care of a device: what it is, its PINs, its PUK, its name, and its end as what it was. A try is never spent
//! unasked.

use std::time::SystemTime;

use obnova_lifecycle::device::Standing;
use obnova_lifecycle::port::{Census, PinState, StoreInfo, StoreKind};
use obnova_pki::Kind;
use serde::Serialize;

use crate::inventory::{Inventory, OpenStore};
use crate::journey::PinSource;
use crate::register::{day, register};
use crate::{CertificateView, ClientError, Home};

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
    /// The PUK, where there is one that this program can use.
    pub puk: Option<TriesView>,
    /// The tool that unblocks the PIN, where its module has no call for that.
    pub unblocked_with: Option<String>,
}

/// The tool that alone knows the PUK of a device: its module asks an administrator's key for what others ask a PUK.
fn unblocked_with(info: &StoreInfo) -> Option<String> {
    let StoreKind::Token { manufacturer, model, .. } = &info.kind else { return None };
    register().device(manufacturer, model)?.unblock_with.clone()
}

/// Refuses before anything is asked or sent, where a PUK would go to something else than the card's own PUK.
fn check_puk(info: &StoreInfo) -> Result<(), ClientError> {
    match (unblocked_with(info), &info.puk) {
        (Some(tool), _) => Err(ClientError::new("unblock-elsewhere", tool)),
        (None, None) => Err(ClientError::new("no-puk", &info.name)),
        (None, Some(_)) => Ok(()),
    }
}

impl PinView {
    fn of(info: &StoreInfo) -> Self {
        Self {
            store: info.id.clone(),
            name: info.name.clone(),
            pin: (&info.pin).into(),
            puk: if unblocked_with(info).is_some() { None } else { info.puk.as_ref().map(Into::into) },
            unblocked_with: unblocked_with(info),
        }
    }
}

impl OpenStore {
    /// The room of a device: told, believed and counted.
    pub(crate) fn room_view(&self) -> RoomView {
        let entry = match &self.info.kind {
            StoreKind::Token { manufacturer, model, .. } => register().device(manufacturer, model),
            _ => None,
        };
        RoomView {
            free: self.info.free,
            total: self.info.total,
            pairs: self.room.or(entry.and_then(|entry| entry.fits)),
            census: self.store.lock().census().ok(),
        }
    }
}

impl Inventory {
    /// The store that is meant: by a part of its name or of its identifier; without either, the only one there is.
    /// Stores that come with a system or a browser are meant unnamed only where there is nothing else.
    pub(crate) fn meant(&self, wanted: Option<&str>) -> Result<&OpenStore, ClientError> {
        // A stable name in full means only itself, also where it begins like another one.
        if let Some(exact) = self.stores.iter().find(|open| Some(open.info.id.as_str()) == wanted) {
            return Ok(exact);
        }
        let is_own = |open: &OpenStore| !matches!(open.info.kind, StoreKind::Browser | StoreKind::System);
        let has_own = self.stores.iter().any(is_own);
        let is_meant = |open: &&OpenStore| match wanted {
            Some(wanted) => open.is_called(wanted),
            None => is_own(open) || !has_own,
        };
        let mut matching = self.stores.iter().filter(is_meant);
        let names = || self.stores.iter().map(|open| open.info.name.as_str()).collect::<Vec<_>>().join(", ");
        match (matching.next(), matching.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(ClientError::new("choose-store", names())),
            (None, _) => Err(ClientError::new("store-unknown", format!("{}; {}", wanted.unwrap_or_default(), names()))),
        }
    }

    /// The state of a PIN as the device tells it now; nothing is tried.
    ///
    /// # Errors
    ///
    /// `store-unknown`, `choose-store`.
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
        open.unlock(pin)?;
        self.pin_state(wanted)
    }

    /// Changes the PIN, or the password of a file.
    ///
    /// # Errors
    ///
    /// As [`Inventory::verify_pin`]; `pin-length` before anything is sent; `key-waits`; `store-busy`.
    pub fn change_pin(&self, home: &Home, wanted: Option<&str>, pin: &dyn PinSource) -> Result<PinView, ClientError> {
        let open = self.meant(wanted)?;
        let _lock = home.lock(&open.info.id)?;
        let (old, new) = (pin.pin(&open.now())?, pin.new_pin(&open.info)?);
        open.store.lock().change_pin(&old, &new, pin.may_spend_last_try())?;
        self.pin_state(wanted)
    }

    /// Sets a new PIN by the PUK.
    ///
    /// # Errors
    ///
    /// `puk-incorrect`, `puk-locked`, `puk-last-try`, `no-puk`, `unblock-elsewhere`, `pin-length`, `store-busy`.
    pub fn unblock_pin(&self, home: &Home, wanted: Option<&str>, pin: &dyn PinSource) -> Result<PinView, ClientError> {
        let open = self.meant(wanted)?;
        check_puk(&open.info)?;
        let _lock = home.lock(&open.info.id)?;
        let (puk, new) = (pin.puk(&open.now())?, pin.new_pin(&open.info)?);
        open.store.lock().unblock_pin(&puk, &new, pin.may_spend_last_try())?;
        self.pin_state(wanted)
    }

    /// Replaces the PUK.
    ///
    /// # Errors
    ///
    /// As [`Inventory::unblock_pin`].
    pub fn change_puk(&self, home: &Home, wanted: Option<&str>, pin: &dyn PinSource) -> Result<PinView, ClientError> {
        let open = self.meant(wanted)?;
        check_puk(&open.info)?;
        let _lock = home.lock(&open.info.id)?;
        let (old, new) = (pin.puk(&open.now())?, pin.new_puk(&open.info)?);
        open.store.lock().change_puk(&old, &new, pin.may_spend_last_try())?;
        self.pin_state(wanted)
    }

    /// The devices at hand, each with its logins; nothing is tried and no PIN is needed.
    pub fn devices(&self, now: SystemTime) -> Vec<DeviceView> {
        let mut devices: Vec<DeviceView> = Vec::new();
        for open in &self.stores {
            let StoreKind::Token { manufacturer, model, library_version } = &open.info.kind else { continue };
            let login = PinView::of(&open.info);
            if let Some(known) = devices.iter_mut().find(|known| known.device == open.info.device) {
                known.logins.push(login);
                continue;
            }
            let entry = register().device(manufacturer, model);
            let (standing, until) = match register().standing(manufacturer, model, &day(now)) {
                Standing::Qualified { until } => ("qualified", Some(until)),
                Standing::Ended { until } => ("ended", Some(until)),
                Standing::Perhaps { until } => ("perhaps", Some(until)),
                Standing::Unknown => ("unknown", None),
            };
            devices.push(DeviceView {
                device: open.info.device.clone(),
                name: open.info.name.clone(),
                manufacturer: manufacturer.clone(),
                model: model.clone(),
                library_version: library_version.clone(),
                known_as: entry.map(|entry| entry.name.clone()),
                standing,
                until,
                source: entry.map(|entry| entry.source.clone()),
                keys: open.info.key_kinds.iter().map(ToString::to_string).collect(),
                room: open.room_view(),
                logins: vec![login],
            });
        }
        devices
    }

    /// What is lost when a device is emptied: its certificates, as far as they are seen without a PIN.
    ///
    /// # Errors
    ///
    /// `store-unknown`, `choose-store`, `not-possible-here` for anything but a device.
    pub fn what_is_lost(&self, wanted: Option<&str>, now: SystemTime) -> Result<Vec<CertificateView>, ClientError> {
        let open = self.meant(wanted)?;
        if !matches!(open.info.kind, StoreKind::Token { .. }) {
            return Err(ClientError::new("not-possible-here", &open.info.name));
        }
        let mut lost = Vec::new();
        for login in self.logins_of(open) {
            let certificates = login.store.lock().certificates()?;
            let own = certificates.iter().filter(|certificate| certificate.kind() != Kind::Authority);
            lost.extend(own.map(|certificate| CertificateView::of(certificate, &login.info.id, now)));
        }
        Ok(lost)
    }

    /// All logins of the device that a store is on: what empties one of them may empty them all.
    fn logins_of<'a>(&'a self, open: &'a OpenStore) -> impl Iterator<Item = &'a OpenStore> {
        self.stores.iter().filter(|other| other.info.device == open.info.device)
    }

    /// Empties a device for ever and begins it anew under `name`. `typed` is what the person typed: the name that
    /// the device has now. Public parts are archived first.
    ///
    /// # Errors
    ///
    /// `name-not-typed`; `renewal-open` while a certificate for a key on it is on the way; the PUK's.
    pub fn initialise(
        &self,
        home: &Home,
        wanted: Option<&str>,
        (typed, name): (&str, &str),
        pin: &dyn PinSource,
    ) -> Result<(), ClientError> {
        let open = self.meant(wanted)?;
        if typed != open.info.name {
            return Err(ClientError::new("name-not-typed", &open.info.name));
        }
        if matches!(open.info.kind, StoreKind::Token { .. }) {
            check_puk(&open.info)?;
        }
        let logins: Vec<&OpenStore> = self.logins_of(open).collect();
        let _locks = logins.iter().map(|login| home.lock(&login.info.id)).collect::<Result<Vec<_>, _>>()?;
        for journey in crate::JourneyView::all(home, &crate::SystemClock::default())? {
            // A key that waits for its certificate is lost like all others, and what was asked for with it; so is what
            // a certificate that is renewed from here or to here still opens.
            let is_here = |id: &String| logins.iter().any(|login| login.info.id == *id);
            if !journey.finished && (is_here(&journey.store) || journey.onto.as_ref().is_some_and(is_here)) {
                return Err(ClientError::new("renewal-open", journey.id));
            }
        }
        for login in &logins {
            for certificate in login.store.lock().certificates()? {
                home.archive(&certificate)?;
            }
        }
        let (puk, new) = (pin.puk(&open.now())?, pin.new_pin(&open.info)?);
        open.store.lock().initialise(&puk, name, &new, pin.may_spend_last_try())?;
        Ok(())
    }

    /// Gives a device a name in this program; the device itself keeps its own.
    ///
    /// # Errors
    ///
    /// `store-unknown`, `choose-store`, `settings-wrong`.
    pub fn rename(&self, home: &Home, wanted: Option<&str>, name: &str) -> Result<String, ClientError> {
        let open = self.meant(wanted)?;
        home.name_device(&open.info.device, name)?;
        Ok(open.info.device.clone())
    }
}

/// How much room a device has, and how that is known.
#[derive(Debug, Clone, Serialize)]
pub struct RoomView {
    /// Free octets, when the device itself tells.
    pub free: Option<u64>,
    /// All octets, when the device itself tells.
    pub total: Option<u64>,
    /// Pairs that are believed to fit: from the settings, or from the register.
    pub pairs: Option<u8>,
    /// Counted, as far as it is seen without a PIN.
    pub census: Option<Census>,
}

/// A device with its logins, for screens.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceView {
    /// Stable name.
    pub device: String,
    /// The name that people see.
    pub name: String,
    /// What it says of itself.
    pub manufacturer: String,
    /// What it says of itself.
    pub model: String,
    /// Version of the module's library.
    pub library_version: String,
    /// The register's name for it.
    pub known_as: Option<String>,
    /// What may be said of its certification (`standing-CODE`): `qualified`, `ended`, `perhaps`, `unknown`.
    pub standing: &'static str,
    /// The last day of it.
    pub until: Option<String>,
    /// Where that is known from.
    pub source: Option<String>,
    /// Kinds of keys that it makes.
    pub keys: Vec<String>,
    /// Its room.
    pub room: RoomView,
    /// Its logins: some devices have several PINs.
    pub logins: Vec<PinView>,
}
