//! The one thread that works with devices and authorities, so that the window never waits: questions in, answers out.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use obnova_client::{
    CertificateView, ClientError, Clock, Field, Flow, Home, Inventory, Journey, JourneyView, Pin, PinSource, Preflight,
    Progress, RenewOptions, Station, SystemClock,
};
use obnova_lifecycle::port::StoreInfo;
use obnova_texts::Texts;

use crate::rows;
use crate::{Card, Screen, Step, Success};

/// How often readers are looked at: a card that comes or goes is seen without a click.
const LOOK: Duration = Duration::from_secs(2);

/// What the window asks for.
pub(crate) enum Ask {
    /// Everything anew, in this language.
    Refresh(Texts),
    /// The way of a renewal: first the PIN.
    Renew,
    /// To go on with what was begun.
    Resume,
    /// The PIN that was typed; empty where it is typed on the device.
    Entered(Pin),
    /// The plan is agreed to.
    Begin,
    /// Back to the first screen: whatever was prepared is forgotten.
    Back,
}

/// What the window is told.
pub(crate) enum Tell {
    Busy(String),
    Listed { cards: Vec<Card>, notices: Vec<String>, can_renew: bool, can_resume: bool },
    AskPin { device: String, tries: String, pad: bool },
    Plan(Vec<String>),
    Work(Vec<Step>),
    Warning(String),
    Ended { text: String, successes: Vec<Success> },
    Trouble { text: String, detail: String, screen: Screen },
}

/// What the PIN is for.
#[derive(Clone)]
enum Purpose {
    Renew,
    Resume(String),
}

/// The PIN that was typed, for as long as it is needed; wiped with it.
struct Typed(RefCell<Option<Pin>>);

impl Typed {
    fn given(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        if store.pin.pad || !store.needs_login {
            return Ok(Pin::new(String::new()));
        }
        self.0.borrow().clone().ok_or_else(|| ClientError::new("pin-needed", &store.name))
    }
}

impl PinSource for Typed {
    fn pin(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        self.given(store)
    }

    fn new_password(&self, file: &StoreInfo) -> Result<Pin, ClientError> {
        Err(ClientError::new("pin-needed", &file.name))
    }

    fn new_pin(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        Err(ClientError::new("pin-needed", &store.name))
    }

    fn puk(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        Err(ClientError::new("pin-needed", &store.name))
    }

    fn new_puk(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        Err(ClientError::new("pin-needed", &store.name))
    }

    fn field(&self, field: &Field) -> Result<String, ClientError> {
        Err(ClientError::new("field-missing", &field.key))
    }

    fn may_spend_last_try(&self) -> bool {
        false
    }
}

/// Tells the window how far the work is.
struct Told<'a> {
    tell: &'a (dyn Fn(Tell) + Send),
    texts: Texts,
    kinds: Vec<String>,
    reached: Vec<Option<Station>>,
}

impl Told<'_> {
    fn show(&self) {
        (self.tell)(Tell::Work(rows::steps(self.texts, &self.kinds, &self.reached)));
    }
}

impl Progress for Told<'_> {
    fn station(&mut self, item: usize, kind: &str, station: Station) {
        if self.kinds.len() <= item {
            self.kinds.resize(item + 1, kind.to_owned());
            self.reached.resize(item + 1, None);
        }
        self.reached[item] = Some(station);
        self.show();
        (self.tell)(Tell::Warning(String::new()));
    }

    fn slow(&mut self, _item: usize, _kind: &str, what: &'static str) {
        (self.tell)(Tell::Warning(self.texts.get(&format!("slow-{what}"), &[])));
    }
}

/// The worker with what it holds between questions.
pub(crate) struct Worker {
    pub(crate) home: PathBuf,
    pub(crate) days_back: u64,
    pub(crate) texts: Texts,
    pub(crate) tell: Box<dyn Fn(Tell) + Send>,
}

impl Worker {
    /// Answers until nobody asks any more.
    pub(crate) fn run(mut self, asked: &Receiver<Ask>) {
        let home = match Home::open(&self.home) {
            Ok(home) => home,
            Err(error) => return self.trouble(&error, Screen::Overview),
        };
        let clock = SystemClock { behind: Duration::from_secs(self.days_back * 86_400) };
        let typed = Typed(RefCell::new(None));
        let mut inventory = self.look(&home, &clock);
        let mut purpose = None;
        let mut prepared: Option<Preflight> = None;
        let mut readers = obnova_client::readers_now();
        loop {
            let ask = match asked.recv_timeout(LOOK) {
                Ok(ask) => ask,
                Err(RecvTimeoutError::Timeout) => {
                    let now = obnova_client::readers_now();
                    if purpose.is_none() && now != readers {
                        inventory = self.look(&home, &clock);
                    }
                    readers = now;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            match ask {
                Ask::Refresh(texts) => {
                    self.texts = texts;
                    inventory = self.look(&home, &clock);
                }
                Ask::Back => {
                    (purpose, prepared) = (None, None);
                    typed.0.borrow_mut().take();
                    inventory = self.look(&home, &clock);
                }
                Ask::Renew => {
                    purpose = Some(Purpose::Renew);
                    self.ask_pin(inventory.as_ref(), &due_store(inventory.as_ref(), &clock));
                }
                Ask::Resume => match open_journey(&home, &clock) {
                    Ok(Some(journey)) => {
                        purpose = Some(Purpose::Resume(journey.id));
                        self.ask_pin(inventory.as_ref(), &journey.store);
                    }
                    Ok(None) => inventory = self.look(&home, &clock),
                    Err(error) => self.trouble(&error, Screen::Overview),
                },
                Ask::Entered(pin) => {
                    *typed.0.borrow_mut() = Some(pin);
                    let Some(inventory) = &inventory else { continue };
                    match purpose.clone() {
                        Some(Purpose::Renew) => {
                            self.busy("window-asking");
                            match Preflight::renew(&home, inventory, &RenewOptions::default(), &typed, &clock) {
                                Ok(found) => {
                                    self.plan(&found);
                                    prepared = Some(found);
                                }
                                Err(error) => self.pin_again(inventory, &error),
                            }
                        }
                        Some(Purpose::Resume(id)) => {
                            let path = home.folder().join("journeys").join(format!("{id}.journal"));
                            let journey = Journey::resume(&home, &path, inventory, None, &typed, &clock);
                            self.walk(journey, &home, &clock);
                        }
                        None => {}
                    }
                }
                Ask::Begin => {
                    let Some(preflight) = prepared.take() else { continue };
                    if !preflight.is_ready() {
                        let why = preflight.view.must_act.first().map(|(_, why)| why.clone()).unwrap_or_default();
                        self.trouble(&ClientError::new("nobody-made-a-key", why), Screen::Plan);
                        continue;
                    }
                    let journey = Journey::begin(&home, preflight, &typed, &clock);
                    self.walk(journey, &home, &clock);
                }
            }
        }
    }

    fn busy(&self, key: &str) {
        (self.tell)(Tell::Busy(self.texts.get(key, &[])));
    }

    fn trouble(&self, error: &ClientError, screen: Screen) {
        let (text, detail) = rows::trouble(self.texts, error);
        (self.tell)(Tell::Trouble { text, detail, screen });
    }

    /// A refusal before anything was made: of the PIN it is told beside the field, with the tries read anew.
    fn pin_again(&self, inventory: &Inventory, error: &ClientError) {
        let store = error.code.starts_with("pin-").then(|| due_store(Some(inventory), &SystemClock::default()));
        if let Some(store) = store {
            self.ask_pin(Some(inventory), &store);
            return self.trouble(error, Screen::Pin);
        }
        self.trouble(error, Screen::Overview);
    }

    fn look(&self, home: &Home, clock: &dyn Clock) -> Option<Inventory> {
        self.busy("window-looking");
        let (inventory, failed) = match Inventory::open(home, &[]) {
            Ok(inventory) => (Some(inventory), None),
            Err(error) => (None, Some(error)),
        };
        let views = inventory.as_ref().map(|inventory| inventory.views(clock.now())).unwrap_or_default();
        let stores = inventory.as_ref().map(Inventory::stores).unwrap_or_default();
        let cards = inventory.as_ref().map(|inventory| inventory.cards().to_vec()).unwrap_or_default();
        (self.tell)(Tell::Listed {
            cards: views.iter().map(|view| rows::card(self.texts, view, &stores)).collect(),
            notices: rows::notices(self.texts, &stores, &cards),
            can_renew: views.iter().any(rows::is_due),
            can_resume: open_journey(home, clock).is_ok_and(|found| found.is_some()),
        });
        // That there is nothing yet is no trouble: the empty screen says so.
        if let Some(error) = failed.filter(|error| error.code != "no-store") {
            self.trouble(&error, Screen::Overview);
        }
        inventory
    }

    fn ask_pin(&self, inventory: Option<&Inventory>, store: &str) {
        let state = match inventory.map(|inventory| inventory.pin_state(Some(store))) {
            Some(Ok(state)) => state,
            Some(Err(error)) => return self.trouble(&error, Screen::Overview),
            None => return,
        };
        (self.tell)(Tell::AskPin {
            device: self.texts.get("ask-pin", &[("store", &state.name)]),
            tries: rows::tries(self.texts, &state),
            pad: state.pin.pad,
        });
    }

    fn plan(&self, preflight: &Preflight) {
        (self.tell)(Tell::Plan(rows::plan(self.texts, &preflight.view)));
    }

    fn walk(&self, journey: Result<Journey<'_>, ClientError>, home: &Home, clock: &dyn Clock) {
        let mut journey = match journey {
            Ok(journey) => journey,
            Err(error) => return self.trouble(&error, Screen::Overview),
        };
        let id = journey.id();
        let items = journey_items(home, clock, &id);
        let kinds: Vec<String> = items.iter().map(|(kind, _)| kind.clone()).collect();
        let reached = vec![None; kinds.len()];
        let mut told = Told { tell: &*self.tell, texts: self.texts, kinds, reached };
        told.show();
        let flow = match journey.run(&mut told) {
            Ok(flow) => flow,
            Err(error) => return self.trouble(&error, Screen::Ended),
        };
        let key = match &flow {
            Flow::Done => "window-done",
            Flow::Waiting { .. } => "window-waiting",
            Flow::Tell(_) => "window-tell",
            Flow::Refused(_) => "window-refused",
        };
        let mut text = self.texts.get(key, &[]);
        if let Flow::Refused(why) | Flow::Waiting { reason: Some(why), .. } = &flow {
            let reason = format!("reason-{}", why.split(':').next().unwrap_or_default().trim());
            let why = if self.texts.has(&reason) { self.texts.get(&reason, &[]) } else { why.clone() };
            text.push_str(&format!(" {why}"));
        }
        let successors: Vec<CertificateView> =
            journey_items(home, clock, &id).into_iter().filter_map(|(_, successor)| successor).collect();
        (self.tell)(Tell::Ended {
            text,
            successes: successors.iter().map(|view| rows::success(self.texts, view)).collect(),
        });
    }
}

/// The store of the certificate that ends first of those that should be renewed.
fn due_store(inventory: Option<&Inventory>, clock: &dyn Clock) -> String {
    let views = inventory.map(|inventory| inventory.views(clock.now())).unwrap_or_default();
    views.into_iter().find(rows::is_due).map(|view| view.store).unwrap_or_default()
}

fn open_journey(home: &Home, clock: &dyn Clock) -> Result<Option<JourneyView>, ClientError> {
    Ok(JourneyView::all(home, clock)?.into_iter().find(|journey| !journey.finished))
}

/// Kinds of a journey's certificates, with those successors that are there.
fn journey_items(home: &Home, clock: &dyn Clock, id: &str) -> Vec<(String, Option<CertificateView>)> {
    let all = JourneyView::all(home, clock).unwrap_or_default();
    let items = all.into_iter().find(|journey| journey.id == id).map(|journey| journey.items).unwrap_or_default();
    items.into_iter().map(|item| (item.kind, item.successor)).collect()
}

/// Starts the thread; it ends when the sender goes.
pub(crate) fn start(worker: Worker) -> Sender<Ask> {
    let (ask, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || worker.run(&asked));
    ask
}
