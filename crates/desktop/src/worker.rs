//! The one thread that works with devices and authorities, so that the window never waits: what was pressed comes in,
//! pages go out.

use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use obnova_client::{
    AuthorityRecord, Cleanup, CleanupItem, CleanupOptions, ClientError, Clock, Flow, Home, Inventory, JourneyView,
    Outlook, Preflight, RenewOptions, StoreView, SystemClock, notify, removed,
};
use obnova_texts::{Language, Texts};

use crate::page::{Act, Block, Button, Care, Mark, Page, Place, Setting};
use crate::talk::{Ask, CANCELLED, Fields, LOOK, Talk, Tell};
use crate::{cleanup, help, overview, renew};

/// Secrets that were refused: the person may type another one.
const REFUSED: [&str; 5] =
    ["pin-incorrect", "pin-incorrect-last-try", "puk-incorrect", "puk-incorrect-last-try", "password-wrong"];

/// A renewal that was looked at, and not begun yet.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) options: RenewOptions,
    pub(crate) outlook: Option<Outlook>,
    pub(crate) preflight: Option<Preflight>,
}

/// A clean-up that was looked at, and not carried out yet.
pub(crate) struct Surveyed {
    pub(crate) options: CleanupOptions,
    pub(crate) survey: Cleanup,
    pub(crate) items: Vec<CleanupItem>,
}

/// The worker with what it holds between questions.
pub(crate) struct Worker {
    pub(crate) home: Home,
    pub(crate) clock: SystemClock,
    pub(crate) talk: Talk,
    pub(crate) inventory: Option<Inventory>,
    pub(crate) prepared: Prepared,
    pub(crate) surveyed: Option<Surveyed>,
    /// Whether a question to people is technical, and which page of the guide lacks something.
    pub(crate) ticket: (bool, Option<String>),
    /// An authority that is shown and not trusted yet.
    pub(crate) trusting: Option<AuthorityRecord>,
    /// What went wrong last, for a question to people.
    pub(crate) trouble: Option<String>,
    /// What drew the page that is seen, when it only looked.
    at: Act,
    /// The page that is seen, and whether it may be looked at anew by itself.
    pub(crate) seen: Page,
    is_live: bool,
    /// Whether what is seen only was looked at, and is not the result of something done.
    is_look: bool,
    /// Where the person was before the guide.
    before_guide: Option<Act>,
    /// Whether the work of this act has begun, so that it goes on from its journal.
    pub(crate) has_begun: bool,
    readers: Vec<(String, bool)>,
    /// When an authority is asked next whether it has decided, and how long to wait between.
    asks: (Instant, Duration),
    /// Journeys that an authority has decided about, as far as it is known.
    decided: Vec<String>,
}

/// What came of an act: a page, or nothing to be seen.
pub(crate) type Shown = Result<Option<Page>, ClientError>;

/// Begins to work; ends when nobody asks any more.
pub(crate) fn run(folder: &Path, days_back: u64, talk: Talk) {
    let home = loop {
        match Home::open(folder) {
            Ok(home) => break home,
            // Whatever is pressed tries again.
            Err(error) => {
                let mut page = Page::of(talk.texts(), Place::Overview);
                page.blocks.push(help::notice(talk.texts(), &error));
                page.buttons.push(Button::new(talk.texts(), "window-refresh", Act::Refresh(Place::Overview)).first());
                talk.tell(Tell::Page(page));
                if talk.asked.recv().is_err() {
                    return;
                }
            }
        }
    };
    let mut worker = Worker {
        home,
        clock: SystemClock { behind: Duration::from_secs(days_back * 86_400) },
        talk,
        inventory: None,
        prepared: Prepared::default(),
        surveyed: None,
        ticket: (true, None),
        trusting: None,
        trouble: None,
        at: Act::Go(Place::Overview),
        seen: Page::default(),
        is_live: true,
        is_look: true,
        before_guide: None,
        has_begun: false,
        readers: obnova_client::readers_now(),
        asks: (Instant::now(), Duration::from_secs(60)),
        decided: Vec::new(),
    };
    worker.style();
    worker.answer(Act::Refresh(Place::Overview), Fields::new());
    loop {
        match worker.talk.asked.recv_timeout(LOOK) {
            Ok(Ask::Act(act, fields)) => worker.answer(act, fields),
            Ok(Ask::Back) => worker.back(),
            Ok(Ask::Again) => worker.again(),
            // Nothing was asked for.
            Ok(Ask::Entered(_)) => {}
            Err(RecvTimeoutError::Timeout) => worker.idle(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Whether an act only looks, so that it may be done again by itself.
fn only_looks(act: &Act) -> bool {
    matches!(
        act,
        Act::Go(_)
            | Act::Look(_)
            | Act::Certificate(_)
            | Act::PickUp
            | Act::AskInvitation
            | Act::Doctor
            | Act::Ticket
            | Act::Technical(_)
            | Act::Errors
            | Act::Guide(_)
            | Act::Missing(_)
            | Act::About
            | Act::Care(Care::AskName | Care::AskImport | Care::AskExport | Care::AskErase, _)
    )
}

/// The place that an act belongs to.
fn place_of(act: &Act) -> Place {
    match act {
        Act::Go(place) | Act::Refresh(place) => *place,
        Act::Care(..) => Place::Devices,
        Act::Doctor
        | Act::Ticket
        | Act::Technical(_)
        | Act::WriteTicket(_)
        | Act::Errors
        | Act::Guide(_)
        | Act::Missing(_)
        | Act::About => Place::Help,
        _ => Place::Overview,
    }
}

impl Worker {
    pub(crate) fn texts(&self) -> Texts {
        self.talk.texts()
    }

    /// Does what was pressed, and shows what came of it.
    fn answer(&mut self, act: Act, fields: Fields) {
        let mut next = Some((act, fields));
        while let Some((act, fields)) = next.take() {
            self.talk.busy(busy_with(&act));
            self.talk.why(why(&act).map(|key| self.texts().get(key, &[])).unwrap_or_default());
            self.has_begun = false;
            let shown = self.insist(&act, &fields);
            if !self.keeps_secret() {
                // A plan that cannot begin holds its device open.
                self.prepared.preflight = None;
                self.close();
            }
            match shown {
                // A file or a page was opened elsewhere; here everything stays as it is.
                Ok(None) => self.talk.tell(Tell::Page(self.seen.clone())),
                Ok(Some(page)) => {
                    let place = page.place.unwrap_or(Place::Overview);
                    self.is_live = self.is_place(&page);
                    self.is_look = self.is_live || only_looks(&act);
                    if !matches!(act, Act::Guide(_)) {
                        self.before_guide = None;
                    } else if !matches!(self.at, Act::Guide(_)) && self.is_look {
                        self.before_guide = Some(self.at.clone());
                    }
                    self.at = if only_looks(&act) { act } else { Act::Go(place) };
                    self.tell_page(page);
                }
                Err(error) if error.code == CANCELLED => {
                    self.give_up();
                    next = self.talk.pending();
                    if next.is_none() {
                        self.redraw(None, &Fields::new());
                    }
                }
                // What could not be opened elsewhere is no reason to leave the page that it stands on.
                Err(error) if matches!(act, Act::Show(_)) => {
                    let mut page = self.seen.clone();
                    page.above(help::notice(self.texts(), &error));
                    self.talk.tell(Tell::Page(page));
                }
                Err(error) => {
                    self.give_up();
                    // Where something went wrong with a device, it is looked at anew.
                    self.inventory = None;
                    if matches!(act, Act::Agree | Act::Begin | Act::BeginAndLose | Act::Look(_)) {
                        self.at = Act::Go(Place::Overview);
                    }
                    self.redraw(Some(&error), &fields);
                }
            }
        }
    }

    /// Whether a page is a place and nothing more: then it may be looked at anew by itself. What was told above it, and the
    /// end of some work, stay until the person has seen them.
    fn is_place(&self, page: &Page) -> bool {
        let is_told = matches!(page.blocks.first(), Some(Block::Notice(_)));
        !is_told && page.place.is_some_and(|place| page.title == self.texts().get(place.key(), &[]))
    }

    fn tell_page(&mut self, page: Page) {
        self.seen = page.clone();
        self.talk.tell(Tell::Page(page));
    }

    /// Whether what is seen goes on with a secret that was typed: a plan that may begin, or a clean-up that may be changed
    /// or carried out.
    fn keeps_secret(&self) -> bool {
        let plan = self.prepared.preflight.as_ref().is_some_and(|found| {
            found.is_ready() || found.view.must_act.iter().any(|(_, why)| why.starts_with("agree-to-lose-"))
        });
        let survey = self.surveyed.as_ref().is_some_and(|surveyed| {
            let is_open =
                |item: &CleanupItem| ["stays-decrypts", "stays-unknown-request", "stays-issued"].contains(&item.why);
            surveyed.items.iter().any(|item| item.may_go || is_open(item))
        });
        plan || survey
    }

    /// Whatever was prepared is forgotten, with its secrets.
    pub(crate) fn give_up(&mut self) {
        self.prepared = Prepared::default();
        self.close();
    }

    /// Secrets are forgotten, and a device that was opened with one is closed.
    fn close(&mut self) {
        self.surveyed = None;
        self.talk.forget();
        if self.talk.has_opened() {
            self.inventory = None;
        }
    }

    /// The same again as long as a refused secret that a person typed is the only trouble; the last try only after an
    /// explicit word.
    fn insist(&mut self, act: &Act, fields: &Fields) -> Shown {
        let mut act = act.clone();
        loop {
            match self.perform(&act, fields) {
                Err(error) if REFUSED.contains(&error.code.as_str()) => {
                    let (text, _) = help::trouble(self.texts(), &error);
                    if !self.talk.refused(text) {
                        return Err(error);
                    }
                }
                Err(error) if ["pin-last-try", "puk-last-try"].contains(&error.code.as_str()) => {
                    self.talk.allow_last_try()?;
                }
                other => return other,
            }
            // What has begun is in its journal, and goes on from there.
            if self.has_begun {
                act = Act::Resume;
            }
        }
    }

    /// Shows the page again that was seen, with an error above it, and with what was typed into it.
    fn redraw(&mut self, trouble: Option<&ClientError>, fields: &Fields) {
        let at = self.at.clone();
        let mut shown = self.perform(&at, &Fields::new());
        if shown.is_err() || matches!(shown, Ok(None)) {
            self.at = Act::Go(place_of(&at));
            let at = self.at.clone();
            shown = self.perform(&at, &Fields::new());
        }
        let texts = self.texts();
        let mut page = match shown {
            Ok(Some(page)) => page,
            Ok(None) => Page::of(texts, Place::Overview),
            // The first trouble is the one that is told.
            Err(error) => {
                let mut page = Page::of(texts, place_of(&at));
                if trouble.is_none() {
                    page.blocks.push(help::notice(texts, &error));
                }
                page
            }
        };
        refill(&mut page, fields);
        if let Some(error) = trouble {
            let (text, code) = help::trouble(texts, error);
            self.trouble = Some(format!("{code} {text}"));
            page.above(help::notice(texts, error));
        }
        self.is_live = self.is_place(&page);
        self.is_look = true;
        self.tell_page(page);
    }

    fn back(&mut self) {
        self.give_up();
        if let Some(act) = self.before_guide.take().filter(|_| matches!(self.at, Act::Guide(_))) {
            return self.answer(act, Fields::new());
        }
        let place = place_of(&self.at);
        // From a page below a place to the place, from a place to the first screen.
        let to = if self.at == Act::Go(place) { Place::Overview } else { place };
        self.answer(Act::Go(to), Fields::new());
    }

    fn again(&mut self) {
        if !self.is_look {
            // How something ended is not done again to be seen.
            return self.talk.tell(Tell::Page(self.seen.clone()));
        }
        self.give_up();
        self.inventory = None;
        self.redraw(None, &Fields::new());
    }

    /// When nobody asks: devices that come and go, authorities that decide.
    fn idle(&mut self) {
        let now = obnova_client::readers_now();
        if now != self.readers {
            self.readers = now;
            if self.is_live && matches!(self.at, Act::Go(Place::Overview | Place::Devices)) {
                return self.again();
            }
            self.inventory = None;
        }
        if Instant::now() < self.asks.0 {
            return;
        }
        self.asks.0 = Instant::now() + self.asks.1;
        let Ok(decided) = JourneyView::decided(&self.home, &self.clock, &self.decided) else { return };
        if !decided.is_empty() {
            self.decided.extend(decided.into_iter().map(|journey| journey.id));
            let (title, text) = (self.texts().get("remind-title", &[]), self.texts().get("remind-decided", &[]));
            // The system may show it for seconds before it says so.
            std::thread::spawn(move || notify(&title, &text));
            if self.is_live && self.at == Act::Go(Place::Overview) {
                self.redraw(None, &Fields::new());
            }
        }
    }

    /// How the window looks and speaks, by the settings.
    pub(crate) fn style(&self) {
        let setting = self.home.window().unwrap_or_default();
        if let Some(language) = Language::from_tag(&setting.language).filter(|_| !setting.language.is_empty()) {
            self.talk.speak(Texts::new(language));
        }
        self.talk.tell(Tell::Style { texts: self.texts(), look: setting.look, text: setting.text });
    }

    /// All stores, looked at once and kept until something changes.
    pub(crate) fn look(&mut self) -> Result<&Inventory, ClientError> {
        if self.inventory.is_none() {
            self.inventory = Some(Inventory::open(&self.home, &[])?);
        }
        self.inventory.as_ref().ok_or_else(|| ClientError::new("no-store", self.home.folder().display()))
    }

    /// The stores; none where there is nothing yet, which is no trouble.
    pub(crate) fn stores(&mut self) -> Result<Vec<StoreView>, ClientError> {
        match self.look() {
            Ok(inventory) => Ok(inventory.stores()),
            Err(error) if error.code == "no-store" => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The name of a store for people.
    pub(crate) fn name_of(&mut self, store: &str) -> Result<String, ClientError> {
        Ok(overview::place_of(&self.stores()?, store))
    }

    fn overview(&mut self) -> Result<Page, ClientError> {
        let open = self.open_journeys()?;
        let (home, clock, decided) = (self.home.clone(), self.clock, self.decided.clone());
        let seen = match self.look() {
            Ok(inventory) => overview::Overview {
                certificates: inventory.nexts(&home, &clock)?,
                stores: inventory.stores(),
                cards: inventory.cards().to_vec(),
                locked: inventory.locked_files(),
                unread: inventory.unread(clock.now()),
                open,
                decided,
            },
            Err(error) if error.code == "no-store" => {
                overview::Overview { open, decided, ..overview::Overview::default() }
            }
            Err(error) => return Err(error),
        };
        Ok(overview::page(self.texts(), &seen))
    }

    pub(crate) fn open_journeys(&self) -> Result<Vec<JourneyView>, ClientError> {
        let mut all = JourneyView::all(&self.home, &self.clock)?;
        all.retain(|journey| !journey.finished);
        Ok(all)
    }

    /// A place, looked at.
    fn place(&mut self, place: Place) -> Result<Page, ClientError> {
        match place {
            Place::Overview => self.overview(),
            Place::Devices => self.devices(),
            Place::Cleanup => {
                let stores = self.stores()?;
                Ok(cleanup::start(self.texts(), &stores, &removed(&self.home, &self.clock)?))
            }
            Place::Backup => self.backup(None),
            Place::Account => self.account(),
            Place::Help => Ok(help::page(self.texts())),
            Place::Settings => self.settings(),
        }
    }

    /// Does one thing.
    pub(crate) fn perform(&mut self, act: &Act, fields: &Fields) -> Shown {
        // What goes on with a plan or a clean-up keeps it, with its secrets; anything else drops both.
        let goes_on = match act {
            Act::AskRemove | Act::Remove | Act::LoseMail(_) | Act::GiveUp(_) => self.surveyed.is_some(),
            Act::Agree | Act::Begin | Act::BeginAndLose => self.prepared.preflight.is_some(),
            // A page that is opened elsewhere changes nothing here.
            Act::Show(_) | Act::Copy(_) => true,
            _ => false,
        };
        if !goes_on && (self.surveyed.take().is_some() || self.prepared.preflight.take().is_some()) {
            self.talk.forget();
        }
        let texts = self.texts();
        match act {
            Act::Go(place) => {
                if *place == Place::Devices {
                    // What a device says of its PIN and room changes with what was done to it.
                    self.inventory = None;
                }
                self.place(*place).map(Some)
            }
            Act::Refresh(place) => {
                self.inventory = None;
                self.place(*place).map(Some)
            }
            Act::Open(store) => {
                self.look()?;
                if let Some(inventory) = &self.inventory {
                    inventory.unlock_file(store, &self.talk)?;
                }
                self.overview().map(Some)
            }
            Act::Look(only) => self.outlook(only.as_deref()).map(Some),
            Act::Agree => self.agree(),
            Act::Begin => self.begin().map(Some),
            Act::BeginAndLose => {
                let shown = self.prepared.preflight.as_ref().map(|found| found.view.clone());
                // Only what this plan told is agreed to.
                let told =
                    |code: &str| shown.as_ref().is_some_and(|view| view.must_act.iter().any(|(_, why)| why == code));
                self.prepared.options.lose_old_mail |= told("agree-to-lose-old-mail");
                self.prepared.options.lose_abilities |= told("agree-to-lose-abilities");
                let now = self.prepare()?;
                // What begins is what was read and agreed to; anything else is shown first.
                let is_ready = self.prepared.preflight.as_ref().is_some_and(Preflight::is_ready);
                match shown.is_some_and(|shown| shown.is_the_same_work(&now)) {
                    true => self.begin().map(Some),
                    false => Ok(Some(renew::plan(texts, &now, is_ready))),
                }
            }
            Act::Resume => self.resume(false, None).map(Some),
            Act::AskAgain => self.resume(true, None).map(Some),
            Act::Adopt => self.adopt(fields).map(Some),
            Act::AskInvitation => self.ask_invitation().map(Some),
            Act::Enroll(store) => self.enroll(store, fields).map(Some),
            Act::PickUp => Ok(Some(renew::pick_up(texts))),
            Act::Take => self.take(fields).map(Some),
            Act::Show(what) => obnova_client::open_with_system(what).map(|()| None),
            // The window itself has the clipboard.
            Act::Copy(_) => Ok(None),
            Act::Certificate(sha256) => self.certificate(sha256, None).map(Some),
            Act::Prove(sha256) => self.prove(sha256).map(Some),
            Act::Care(care, store) => self.care(*care, store, fields).map(Some),
            Act::Survey(store) => {
                let options = CleanupOptions { store: store.clone(), ..CleanupOptions::default() };
                self.survey(options).map(Some)
            }
            Act::LoseMail(loses) => {
                let mut options = self.surveyed.take().map(|surveyed| surveyed.options).unwrap_or_default();
                options.lose_old_mail = *loses;
                self.survey(options).map(Some)
            }
            Act::GiveUp(fingerprint) => self.give_up_key(fingerprint, fields).map(Some),
            Act::AskRemove => {
                let stores = self.stores()?;
                Ok(self.surveyed.as_ref().map(|surveyed| cleanup::ask(texts, &surveyed.items, &stores)))
            }
            Act::Remove => self.remove().map(Some),
            Act::Restore(sha256) => self.restore(sha256).map(Some),
            Act::BackUp(store) => self.back_up(store, fields).map(Some),
            Act::Rehearse(sha256) => self.rehearse(sha256).map(Some),
            Act::Told(sha256, account) => self.told(sha256, account).map(Some),
            Act::Chain => self.chain().map(Some),
            Act::Doctor => self.doctor(None).map(Some),
            Act::Mend => {
                let mended = obnova_client::mend(&self.home)?;
                self.doctor(Some(&mended)).map(Some)
            }
            Act::Ticket | Act::Technical(_) | Act::Missing(_) => {
                let mut page = self.ask_people(act)?;
                refill(&mut page, fields);
                Ok(Some(page))
            }
            Act::WriteTicket(as_message) => self.write_ticket(*as_message, fields).map(Some),
            Act::Administrator => self.administrator().map(Some),
            Act::Guide(nth) => Ok(Some(help::guide_page(texts, *nth))),
            Act::Errors => Ok(Some(help::errors(texts, fields.get("code").map_or("", String::as_str)))),
            Act::About => Ok(Some(help::about(texts))),
            Act::Set(Setting::Remind(true)) if self.seen.place != Some(Place::Settings) => {
                self.set(&Setting::Remind(true), fields)?;
                let mut page = self.seen.clone();
                page.forget(act);
                Ok(Some(self.well(page, "window-reminded", &[])))
            }
            Act::Set(setting) => self.set(setting, fields).map(Some),
        }
    }

    /// A page with a good word above it.
    pub(crate) fn well(&self, mut page: Page, key: &str, words: &[(&str, &str)]) -> Page {
        page.notice(Mark::Good, self.texts().get(key, words), "");
        page
    }

    /// Asks again later whether an authority has decided.
    pub(crate) fn ask_later(&mut self, flow: &Flow) {
        self.decided.clear();
        if let Flow::Waiting { check_after, .. } = flow {
            let pause = Duration::from_secs((*check_after).clamp(2, 300));
            self.asks = (Instant::now() + pause, pause);
        }
    }

    /// A path as a person typed it: `~` is the home folder, quotes around it are not part of it.
    pub(crate) fn path(fields: &Fields, name: &str) -> Result<PathBuf, ClientError> {
        let typed = fields.get(name).map_or("", String::as_str).trim().trim_matches('"');
        if typed.is_empty() {
            return Err(ClientError::new("path-missing", name));
        }
        let home = || std::env::var_os(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from);
        let path = match (typed.strip_prefix("~/"), home()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(typed),
        };
        Ok(std::path::absolute(path)?)
    }
}

/// What was typed into the fields of a page stays in them.
fn refill(page: &mut Page, fields: &Fields) {
    for block in &mut page.blocks {
        if let Block::Field(field) = block
            && let Some(typed) = fields.get(field.name)
        {
            field.value.clone_from(typed);
        }
    }
}

/// What a secret is asked for by an act, in the words of its button; `None` where the act says nothing more.
fn why(act: &Act) -> Option<&'static str> {
    Some(match act {
        Act::Look(_) | Act::Agree | Act::Begin | Act::BeginAndLose => "window-renew",
        Act::Resume | Act::AskAgain => "window-resume",
        Act::Adopt => "window-adopt",
        Act::Take => "window-take",
        Act::Enroll(_) => "window-enroll",
        Act::Prove(_) => "window-prove",
        Act::Rehearse(_) => "window-rehearse",
        Act::Survey(_) | Act::LoseMail(_) | Act::GiveUp(_) => "window-survey",
        Act::Remove => "window-remove",
        Act::Restore(_) => "window-restore",
        Act::BackUp(_) => "window-backup-go",
        Act::Chain => "window-chain",
        Act::Care(Care::Verify, _) => "window-verify",
        Act::Care(Care::ChangePin, _) => "window-change-pin",
        Act::Care(Care::ChangePuk, _) => "window-change-puk",
        Act::Care(Care::Import, _) => "window-import",
        Act::Care(Care::Export, _) => "window-export",
        Act::Care(Care::Erase, _) => "window-erase",
        _ => return None,
    })
}

/// What is said while an act runs.
fn busy_with(act: &Act) -> &'static str {
    match act {
        Act::Go(_) | Act::Refresh(_) | Act::Look(_) | Act::Doctor => "window-looking",
        Act::Agree => "window-asking",
        _ => "window-working",
    }
}
