//! What a help desk would ask for: program, stores, PIN, middleware, certificates, authorities, clock, journeys.
//! Nothing here needs a PIN, and nothing is changed.

use std::time::{Duration, SystemTime};

use obnova_keystore::ReadersUnknown;
use obnova_lifecycle::port::{Clock, StoreInfo, StoreKind};
use obnova_pki::Kind;
use obnova_remote::{HttpClient, ObnovaAuthority};
use serde::Serialize;

use crate::inventory::Inventory;
use crate::preflight::check_middleware;
use crate::view::{UnreadView, expiry_days, kind_name};
use crate::{AuthorityRecord, CertificateView, ClientError, Home, JourneyView, StoreSetting};

/// A clock that differs by more is told: signed questions and logins begin to fail.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(120);

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Good,
    /// Works, and wants attention.
    Notice,
    /// Stands in the way.
    Bad,
}

/// What a finding says in the language of a person, where its detail alone would not do.
#[derive(Debug, Clone, Default)]
pub enum Told {
    /// The detail is a name, which is the same in every language.
    #[default]
    Name,
    /// There is none.
    Nothing,
    /// Seconds that the clock is off.
    Off(u64),
    /// A certificate.
    Certificate(Box<CertificateView>),
    /// A journey, by its certificates: kind and station.
    Journey(Vec<(String, String)>),
    /// A store, by its name and what it is.
    Store(String),
    /// A certificate that cannot be read.
    Unread(Box<UnreadView>),
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What: the key of its name (`doctor-CHECK`).
    pub check: &'static str,
    /// How it is.
    pub health: Health,
    /// What was found, in the words of machines.
    pub detail: String,
    /// The same for people, whose language the screen knows.
    #[serde(skip)]
    pub told: Told,
    /// Code of the message that says what to do (`error-CODE`), when something is to be done.
    pub advice: Option<String>,
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &'static str, health: Health, detail: impl core::fmt::Display, advice: Option<&str>) {
        let detail = detail.to_string();
        self.0.push(Finding { check, health, detail, told: Told::Name, advice: advice.map(str::to_owned) });
    }

    /// What the last one says to people.
    fn told(&mut self, told: Told) {
        if let Some(last) = self.0.last_mut() {
            last.told = told;
        }
    }

    fn failed(&mut self, check: &'static str, subject: &str, error: &ClientError) {
        self.add(check, Health::Bad, format!("{subject}: {}", error.detail), Some(&error.code));
    }
}

/// Looks at everything; what cannot be looked at is a finding itself.
pub fn examine(home: &Home, extra: &[StoreSetting], clock: &dyn Clock) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    let system = format!("obnova {}, {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    findings.add("program", Health::Good, system, None);
    match home.is_writable() {
        Ok(()) => findings.add("home", Health::Good, home.folder().display(), None),
        Err(error) => findings.failed("home", &home.folder().display().to_string(), &error),
    }
    let inventory = match Inventory::open(home, extra) {
        Ok(inventory) => Some(inventory),
        Err(error) => {
            findings.failed("stores", "obnova.toml", &error);
            None
        }
    };
    let records = match home.authorities() {
        Ok(records) => records,
        Err(error) => {
            findings.failed("authority", "authorities", &error);
            Vec::new()
        }
    };
    if records.is_empty() {
        findings.add("authority", Health::Notice, "-", Some("no-authority"));
        findings.told(Told::Nothing);
    }
    for record in &records {
        authority(&mut findings, record, inventory.as_ref(), clock);
    }
    if let Some(inventory) = &inventory {
        stores(&mut findings, inventory, clock);
        cards(&mut findings, inventory);
    }
    match JourneyView::all(home, clock) {
        Ok(journeys) => {
            for journey in journeys {
                let stations: Vec<String> =
                    journey.items.iter().map(|item| format!("{}: {}", item.kind, item.station)).collect();
                let (health, advice) =
                    if journey.finished { (Health::Good, None) } else { (Health::Notice, Some("renewal-open")) };
                findings.add("journey", health, format!("{} {}", journey.id, stations.join(", ")), advice);
                findings.told(Told::Journey(journey.items.into_iter().map(|item| (item.kind, item.station)).collect()));
            }
        }
        Err(error) => findings.failed("journey", "journeys", &error),
    }
    findings.0
}

fn authority(findings: &mut Findings, record: &AuthorityRecord, inventory: Option<&Inventory>, clock: &dyn Clock) {
    let Some(address) = &record.address else {
        // A foreign authority has no directory to ask for.
        return findings.add("authority", Health::Good, &record.name, None);
    };
    let asked = || {
        let http = HttpClient::new(&record.tls_trust(), None)?;
        let directory = ObnovaAuthority { http: &http, address }.directory()?;
        Ok::<_, ClientError>((directory, http.date()))
    };
    let (directory, date) = match asked() {
        Ok(answer) => answer,
        Err(error) => return findings.failed("authority", &record.name, &error),
    };
    findings.add("authority", Health::Good, &record.name, None);
    if let Some(theirs) = date {
        let ours: SystemTime = clock.now();
        let off = ours.duration_since(theirs).or_else(|_| theirs.duration_since(ours)).unwrap_or_default();
        let (health, advice) =
            if off > CLOCK_TOLERANCE { (Health::Bad, Some("clock-wrong")) } else { (Health::Good, None) };
        findings.add("clock", health, format!("{} s", off.as_secs()), advice);
        findings.told(Told::Off(off.as_secs()));
    }
    for open in inventory.iter().flat_map(|inventory| &inventory.stores) {
        if let Err(error) = check_middleware(&open.info, directory.as_ref()) {
            findings.failed("middleware", &open.info.name, &error);
        }
    }
}

fn cards(findings: &mut Findings, inventory: &Inventory) {
    for card in inventory.cards() {
        let name = card.card.clone().unwrap_or_else(|| card.atr.clone());
        let advice = if card.state == "blank" { "card-blank" } else { "card-unseen" };
        findings.add("card", Health::Bad, format!("{name}, {}", card.reader), Some(advice));
    }
    // A computer that reads no devices needs no readers, and a device that is read has one.
    let has_token = inventory.stores.iter().any(|open| matches!(open.info.kind, StoreKind::Token { .. }));
    match inventory.readers_unknown() {
        Some(ReadersUnknown::NoService) if !has_token => {
            findings.add("readers", Health::Notice, "-", Some("readers-no-service"));
            findings.told(Told::Nothing);
        }
        Some(ReadersUnknown::NoLibrary) if !has_token => {
            findings.add("readers", Health::Notice, "-", Some("readers-no-library"));
            findings.told(Told::Nothing);
        }
        _ => {}
    }
}

fn stores(findings: &mut Findings, inventory: &Inventory, clock: &dyn Clock) {
    for view in inventory.stores() {
        if let Some(problem) = view.problem {
            let code = problem.split(':').next().unwrap_or_default().to_owned();
            findings.add("store", Health::Bad, format!("{}: {problem}", view.id), Some(&code));
        }
    }
    for unread in inventory.unread(clock.now()) {
        let detail = format!("{} {}: {}", unread.store, unread.number(), unread.why);
        findings.add("certificate", Health::Notice, detail, Some("certificate-unread"));
        findings.told(Told::Unread(Box::new(unread)));
    }
    for open in &inventory.stores {
        findings.add("store", Health::Good, described(&open.info), None);
        findings.told(Told::Store(named(&open.info)));
        let pin = &open.info.pin;
        if pin.locked {
            findings.add("pin", Health::Bad, &open.info.name, Some("pin-locked"));
        } else if pin.final_try {
            findings.add("pin", Health::Bad, &open.info.name, Some("pin-last-try"));
        } else if pin.count_low {
            findings.add("pin", Health::Notice, &open.info.name, Some("pin-count-low"));
        }
        // A file shows its certificates only after its password: then there is nothing to say of them here.
        for certificate in open.store.lock().certificates().unwrap_or_default() {
            if certificate.kind() == Kind::Authority {
                continue;
            }
            let left = expiry_days(&certificate, clock.now());
            let health = if left < 0 { Health::Notice } else { Health::Good };
            let detail =
                format!("{} 0x{}: {left} d", kind_name(certificate.kind()), certificate.serial().hexadecimal());
            findings.add("certificate", health, detail, None);
            let view = CertificateView::of(&certificate, &open.info.id, clock.now());
            findings.told(Told::Certificate(Box::new(view)));
        }
    }
}

fn named(info: &StoreInfo) -> String {
    match &info.kind {
        StoreKind::Token { manufacturer, model, .. } => format!("{} ({manufacturer} {model})", info.name),
        StoreKind::File | StoreKind::Browser | StoreKind::System => info.name.clone(),
    }
}

fn described(info: &StoreInfo) -> String {
    let kinds: Vec<String> = info.key_kinds.iter().map(ToString::to_string).collect();
    match &info.kind {
        StoreKind::Token { manufacturer, model, library_version } => {
            let free = info.free.map_or_else(|| "?".to_owned(), |free| free.to_string());
            format!("{} ({manufacturer} {model}, {library_version}; free {free}; {})", info.name, kinds.join(" "))
        }
        StoreKind::File | StoreKind::Browser | StoreKind::System => format!("{} ({})", info.name, kinds.join(" ")),
    }
}
