//! What window and worker say to each other, and the questions of the work to the person: a secret is asked for when it is
//! needed, handed over once, and wiped when the work it was for has ended.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use obnova_client::{ClientError, Field, Pin, PinSource, TriesView, words};
use obnova_lifecycle::port::{StoreInfo, StoreKind};
use obnova_texts::Texts;

use crate::page::{Act, Page};

/// How often the worker looks around when nobody asks: a card that comes or goes is seen without a click.
pub(crate) const LOOK: Duration = Duration::from_secs(2);

/// What stands in the fields of a page, by their names.
pub(crate) type Fields = BTreeMap<String, String>;

/// What the window asks for.
pub(crate) enum Ask {
    /// A button was pressed.
    Act(Act, Fields),
    /// The secret, or the words, that were asked for.
    Entered(Pin),
    /// Back from where the person is.
    Back,
    /// The same page, looked at anew.
    Again,
}

/// What is asked for on a screen of its own.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Heading.
    pub title: String,
    /// Where it stands in a row of steps.
    pub step: String,
    /// What goes into the field.
    pub label: String,
    /// What it must be like.
    pub hint: String,
    /// What is known before.
    pub lines: Vec<String>,
    /// It is typed on the device itself, and there is no field.
    pub on_pad: bool,
    /// It is no secret.
    pub is_open: bool,
    /// It may be left out, by a button of its own.
    pub is_optional: bool,
}

/// A step of the work, and whether it is `done`, `now` or `ahead`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its words.
    pub text: String,
    /// `done`, `now` or `ahead`.
    pub state: &'static str,
    /// Whether it is a step of the one before.
    pub is_part: bool,
}

/// What the window is told.
pub(crate) enum Tell {
    Busy(String),
    Page(Page),
    Question(Question),
    Work { steps: Vec<Step>, done: usize, all: usize },
    Warning(String),
    Style { texts: Texts, look: String, text: u16 },
}

/// The code of an error that is none: the person went back.
pub(crate) const CANCELLED: &str = "not-agreed";

/// The line between the worker and the window.
pub(crate) struct Talk {
    pub(crate) asked: Receiver<Ask>,
    tell: Box<dyn Fn(Tell) + Send>,
    texts: Cell<Texts>,
    /// Secrets of this work, by the store that each is for.
    known: RefCell<Vec<(String, Pin)>>,
    /// Answers that were given already, by the names of fields.
    given: RefCell<Option<Fields>>,
    /// What the next question says first.
    trouble: RefCell<Option<String>>,
    /// The store that was asked about last, and the one whose last try may be spent.
    current: RefCell<String>,
    allowed: RefCell<Option<String>>,
    /// Whether a person answered since the last refusal.
    answered: Cell<bool>,
    /// Where questions stand in a row of steps.
    step: RefCell<String>,
    /// What a secret is asked for, as the person pressed it.
    why: RefCell<String>,
    /// Whether a PIN is asked for to be replaced by another one.
    is_old: Cell<bool>,
    /// Name for people of the store that was asked about last.
    current_name: RefCell<String>,
    /// Whether a device was opened with a PIN since that was last looked at.
    has_opened: Cell<bool>,
    /// What the person wanted instead of answering.
    pending: RefCell<Option<(Act, Fields)>>,
}

impl Talk {
    pub(crate) fn new(asked: Receiver<Ask>, tell: Box<dyn Fn(Tell) + Send>, texts: Texts) -> Self {
        Self {
            asked,
            tell,
            texts: Cell::new(texts),
            known: RefCell::default(),
            given: RefCell::default(),
            trouble: RefCell::default(),
            current: RefCell::default(),
            allowed: RefCell::default(),
            answered: Cell::new(false),
            step: RefCell::default(),
            why: RefCell::default(),
            is_old: Cell::new(false),
            current_name: RefCell::default(),
            has_opened: Cell::new(false),
            pending: RefCell::default(),
        }
    }

    pub(crate) fn tell(&self, told: Tell) {
        (self.tell)(told);
    }

    pub(crate) fn busy(&self, key: &str) {
        self.tell(Tell::Busy(self.texts().get(key, &[])));
    }

    pub(crate) fn texts(&self) -> Texts {
        self.texts.get()
    }

    pub(crate) fn speak(&self, texts: Texts) {
        self.texts.set(texts);
    }

    /// What was wanted instead of an answer.
    pub(crate) fn pending(&self) -> Option<(Act, Fields)> {
        self.pending.borrow_mut().take()
    }

    /// Forgets every secret: the work is over, or a secret was refused and is not sent again.
    pub(crate) fn forget(&self) {
        self.known.borrow_mut().clear();
        self.given.borrow_mut().take();
        self.allowed.borrow_mut().take();
        self.trouble.borrow_mut().take();
        self.step.borrow_mut().clear();
        self.is_old.set(false);
    }

    /// What secrets are asked for from now on.
    pub(crate) fn why(&self, why: String) {
        *self.why.borrow_mut() = why;
    }

    /// The PIN that is asked for is the old one, which another will replace.
    pub(crate) fn replaces(&self) {
        self.is_old.set(true);
    }

    /// Whether a device was opened with a PIN since this was asked: it stays open as long as it is held.
    pub(crate) fn has_opened(&self) -> bool {
        self.has_opened.replace(false)
    }

    /// Where questions stand in a row of steps.
    pub(crate) fn step(&self, step: String) {
        *self.step.borrow_mut() = step;
    }

    /// A secret was refused: the next question says so. `false` when nobody had answered: asking again by itself would
    /// never end.
    pub(crate) fn refused(&self, trouble: String) -> bool {
        self.known.borrow_mut().clear();
        self.allowed.borrow_mut().take();
        *self.trouble.borrow_mut() = Some(trouble);
        self.answered.replace(false)
    }

    /// Answers that the person gave already.
    pub(crate) fn give(&self, given: Fields) {
        *self.given.borrow_mut() = Some(given);
    }

    /// Asks, and waits for as long as the person needs.
    fn ask(&self, mut question: Question) -> Result<Pin, ClientError> {
        if let Some(trouble) = self.trouble.borrow_mut().take() {
            question.lines.insert(0, format!("⚠ {trouble}"));
        }
        question.step.clone_from(&self.step.borrow());
        let cancelled = || ClientError::new(CANCELLED, &question.title);
        // What was pressed before the question was seen is no answer to it.
        while self.asked.try_recv().is_ok() {}
        self.tell(Tell::Question(question.clone()));
        loop {
            match self.asked.recv_timeout(LOOK) {
                Ok(Ask::Entered(pin)) => {
                    self.answered.set(true);
                    return Ok(pin);
                }
                Ok(Ask::Act(act, fields)) => {
                    *self.pending.borrow_mut() = Some((act, fields));
                    return Err(cancelled());
                }
                Ok(Ask::Back) | Err(RecvTimeoutError::Disconnected) => return Err(cancelled()),
                Ok(Ask::Again) => self.tell(Tell::Question(question.clone())),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Asks for something that is not empty.
    fn secret(&self, question: &Question) -> Result<Pin, ClientError> {
        loop {
            let pin = self.ask(question.clone())?;
            if !pin.expose().is_empty() {
                return Ok(pin);
            }
        }
    }

    /// Asks for something new twice, until both are the same.
    fn new_secret(
        &self,
        key: &str,
        (name, is_file): (&str, bool),
        length: Option<(usize, usize)>,
    ) -> Result<Pin, ClientError> {
        let texts = self.texts();
        let hint = self.length(length);
        loop {
            let first = Question {
                title: texts.get(key, &[]),
                label: texts.get(key, &[]),
                hint: hint.clone(),
                lines: vec![texts.get(if is_file { "window-for-file" } else { "window-for" }, &[("store", name)])],
                ..Question::default()
            };
            let pin = self.secret(&first)?;
            let again = texts.get("window-again", &[]);
            let repeated = Question { title: again.clone(), label: again, ..first };
            if self.secret(&repeated)?.expose() == pin.expose() {
                return Ok(pin);
            }
            *self.trouble.borrow_mut() = Some(texts.get("window-error-passwords-differ", &[]));
        }
    }

    /// How long a secret must be.
    fn length(&self, length: Option<(usize, usize)>) -> String {
        length.map_or_else(String::new, |(least, most)| {
            self.texts().get("window-length", &[("least", &least.to_string()), ("most", &most.to_string())])
        })
    }

    /// What is known before a PIN or PUK is typed; the last try is spent only after an explicit yes.
    fn old_secret(
        &self,
        (title, label): (&str, &str),
        store: &StoreInfo,
        tries: Option<&TriesView>,
    ) -> Result<Pin, ClientError> {
        let texts = self.texts();
        let label = texts.get(label, &[]);
        let mut lines = self.about(store);
        lines.extend(tries.map(|tries| format!("{label}: {}", words::tries_left(texts, tries))));
        let hint = self.length(tries.and_then(|tries| tries.length));
        self.secret(&Question { title: texts.get(title, &[]), label, hint, lines, ..Question::default() })
    }

    /// What a secret opens, and what for.
    fn about(&self, store: &StoreInfo) -> Vec<String> {
        let texts = self.texts();
        let key = if store.kind == StoreKind::File { "window-for-file" } else { "window-for" };
        let mut lines = vec![texts.get(key, &[("store", &store.name)])];
        let why = self.why.borrow();
        if !why.is_empty() {
            lines.push(texts.get("window-why", &[("what", &why)]));
        }
        lines
    }

    /// Remembers the explicit yes to the last try.
    pub(crate) fn allow_last_try(&self) -> Result<(), ClientError> {
        let texts = self.texts();
        let word = texts.get("window-last-try-word", &[]);
        let question = Question {
            title: texts.get("window-last-try", &[]),
            label: texts.get("window-last-try-type", &[("word", &word)]),
            lines: vec![
                texts.get("window-for", &[("store", &self.current_name.borrow())]),
                texts.get("window-last-try-lines", &[]),
            ],
            is_open: true,
            ..Question::default()
        };
        loop {
            if self.secret(&question)?.expose().trim().eq_ignore_ascii_case(&word) {
                *self.allowed.borrow_mut() = Some(self.current.borrow().clone());
                return Ok(());
            }
            *self.trouble.borrow_mut() = Some(texts.get("window-last-try-wrong", &[]));
        }
    }
}

impl PinSource for Talk {
    fn pin(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        self.current.replace(store.id.clone());
        self.current_name.replace(store.name.clone());
        if !store.needs_login {
            return Ok(Pin::new(String::new()));
        }
        let texts = self.texts();
        if store.kind != StoreKind::File {
            self.has_opened.set(true);
        }
        if store.pin.pad {
            let title = texts.get("window-ask-pad", &[]);
            let mut lines = self.about(store);
            let tries: TriesView = (&store.pin).into();
            lines.push(format!("{}: {}", texts.get("window-pin", &[]), words::tries_left(texts, &tries)));
            if let Some(trouble) = self.trouble.borrow_mut().take() {
                lines.insert(0, format!("⚠ {trouble}"));
            }
            let step = self.step.borrow().clone();
            self.busy("window-waiting-pin");
            self.tell(Tell::Question(Question { title, step, lines, on_pad: true, ..Question::default() }));
            return Ok(Pin::new(String::new()));
        }
        if let Some((_, pin)) = self.known.borrow().iter().find(|(known, _)| *known == store.id) {
            return Ok(pin.clone());
        }
        let is_token = matches!(store.kind, StoreKind::Token { .. });
        let words = match (is_token, self.is_old.get()) {
            (true, true) => ("window-ask-old-pin", "window-pin"),
            (true, false) => ("window-ask-pin", "window-pin"),
            (false, _) => ("window-ask-password", "window-password"),
        };
        let tries: TriesView = (&store.pin).into();
        let pin = self.old_secret(words, store, is_token.then_some(&tries))?;
        self.known.borrow_mut().push((store.id.clone(), pin.clone()));
        self.busy("window-working");
        Ok(pin)
    }

    fn new_password(&self, file: &StoreInfo) -> Result<Pin, ClientError> {
        let pin = self.new_secret("window-new-password", (&file.name, true), None)?;
        self.known.borrow_mut().push((file.id.clone(), pin.clone()));
        self.busy("window-working");
        Ok(pin)
    }

    fn new_pin(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        let is_token = matches!(store.kind, StoreKind::Token { .. });
        let key = if is_token { "window-new-pin" } else { "window-new-password" };
        let pin = self.new_secret(key, (&store.name, !is_token), store.pin.length)?;
        self.busy("window-working");
        Ok(pin)
    }

    fn puk(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        self.current.replace(store.id.clone());
        self.current_name.replace(store.name.clone());
        let tries: Option<TriesView> = store.puk.as_ref().map(Into::into);
        self.old_secret(("window-ask-puk", "window-puk"), store, tries.as_ref())
    }

    fn new_puk(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        let length = store.puk.as_ref().and_then(|puk| puk.length);
        let pin = self.new_secret("window-new-puk", (&store.name, false), length)?;
        self.busy("window-working");
        Ok(pin)
    }

    fn field(&self, field: &Field) -> Result<String, ClientError> {
        if let Some(given) = self.given.borrow().as_ref() {
            match given.get(&field.key) {
                Some(given) => return Ok(given.clone()),
                // It was left out.
                None if field.optional => return Ok(String::new()),
                None => {}
            }
        }
        let texts = self.texts();
        let question = Question {
            title: texts.get("window-field", &[]),
            label: field.label.clone(),
            hint: if field.optional { texts.get("window-field-optional", &[]) } else { String::new() },
            lines: vec![texts.get("window-field-lines", &[])],
            is_open: true,
            is_optional: field.optional,
            ..Question::default()
        };
        let answer = if field.optional { self.ask(question)? } else { self.secret(&question)? };
        Ok(answer.expose().trim().to_owned())
    }

    fn may_spend_last_try(&self) -> bool {
        // The word was typed for one device, and counts for no other.
        self.allowed.borrow().as_deref() == Some(self.current.borrow().as_str())
    }
}
