//! PINs and questions: from flags, from standard input, or asked at the terminal.

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use obnova_client::{ClientError, Field, GivenFields, Pin, PinSource};
use obnova_lifecycle::port::{StoreInfo, StoreKind};
use obnova_texts::Texts;

use crate::arguments::Common;

fn line(text: &str) -> Pin {
    Pin::new(text.lines().next().unwrap_or_default().to_owned())
}

fn first_line_of(file: &Path) -> Result<Pin, ClientError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| ClientError::new("file-error", format!("{}: {error}", file.display())))?;
    Ok(line(&text))
}

/// Where PINs come from.
#[derive(Clone)]
pub(crate) struct Prompt {
    texts: Texts,
    stdin: bool,
    file: Option<PathBuf>,
    file_password: Option<PathBuf>,
    new_pin: Option<PathBuf>,
    puk: Option<PathBuf>,
    /// Fields of messages that flags gave.
    fields: GivenFields,
    last_try: bool,
    /// The first line of standard input, once it was read.
    given: RefCell<Option<Pin>>,
    /// What was typed, for the store that it was typed for.
    typed: RefCell<Vec<(String, Pin)>>,
}

impl Prompt {
    /// By the flags of the command line.
    pub(crate) fn new(texts: Texts, common: &Common) -> Self {
        Self {
            texts,
            stdin: common.pin_stdin,
            file: common.pin_file.clone(),
            file_password: common.file_password_file.clone(),
            new_pin: None,
            puk: None,
            fields: GivenFields::default(),
            last_try: common.last_try,
            given: RefCell::new(None),
            typed: RefCell::default(),
        }
    }

    /// The same, with files for the new PIN and the PUK.
    pub(crate) fn with(mut self, new_pin: Option<PathBuf>, puk: Option<PathBuf>) -> Self {
        (self.new_pin, self.puk) = (new_pin, puk);
        self
    }

    /// The same, with fields for a message.
    pub(crate) fn with_fields(mut self, fields: GivenFields) -> Self {
        self.fields = fields;
        self
    }

    /// Asks for something new twice.
    fn ask_twice(&self, first: &str, again: &str, store: &StoreInfo) -> Result<Pin, ClientError> {
        let pin = self.ask(first, store)?;
        if pin.expose() != self.ask(again, store)?.expose() {
            return Err(ClientError::new("passwords-differ", &store.name));
        }
        Ok(pin)
    }

    /// What flags give, without asking anybody.
    fn given(&self, store: &StoreInfo) -> Result<Option<Pin>, ClientError> {
        let for_file = self.file_password.as_ref().filter(|_| store.kind == StoreKind::File);
        if let Some(file) = for_file.or(self.file.as_ref()) {
            return Ok(Some(first_line_of(file)?));
        }
        if !self.stdin {
            return Ok(None);
        }
        if let Some(pin) = self.given.borrow().as_ref() {
            return Ok(Some(pin.clone()));
        }
        let mut text = String::new();
        std::io::stdin().lock().read_line(&mut text)?;
        let pin = line(&text);
        *self.given.borrow_mut() = Some(pin.clone());
        Ok(Some(pin))
    }

    fn ask(&self, question: &str, store: &StoreInfo) -> Result<Pin, ClientError> {
        if !std::io::stdin().is_terminal() {
            return Err(ClientError::new("pin-needed", &store.name));
        }
        let question = self.texts.get(question, &[("store", &store.name)]);
        Ok(Pin::new(rpassword::prompt_password(format!("{question} "))?))
    }

    fn remember(&self, store: &StoreInfo, pin: &Pin) {
        self.typed.borrow_mut().push((store.id.clone(), pin.clone()));
    }
}

impl PinSource for Prompt {
    fn pin(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        if store.pin.pad || !store.needs_login {
            return Ok(Pin::new(String::new()));
        }
        if let Some(pin) = self.given(store)? {
            return Ok(pin);
        }
        // What a person typed is for this store only, and asked for once.
        if let Some((_, pin)) = self.typed.borrow().iter().find(|(known, _)| *known == store.id) {
            return Ok(pin.clone());
        }
        let pin = self.ask("ask-pin", store)?;
        self.remember(store, &pin);
        Ok(pin)
    }

    fn new_password(&self, file: &StoreInfo) -> Result<Pin, ClientError> {
        if let Some(pin) = self.given(file)? {
            return Ok(pin);
        }
        let pin = self.ask_twice("ask-new-password", "ask-password-again", file)?;
        self.remember(file, &pin);
        Ok(pin)
    }

    fn new_pin(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        match (&self.new_pin, &store.kind) {
            (Some(file), _) => first_line_of(file),
            (None, StoreKind::File | StoreKind::Browser | StoreKind::System) => {
                self.ask_twice("ask-new-password", "ask-password-again", store)
            }
            (None, StoreKind::Token { .. }) => self.ask_twice("ask-new-pin", "ask-pin-again", store),
        }
    }

    fn new_puk(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        match &self.new_pin {
            Some(file) => first_line_of(file),
            None => self.ask_twice("ask-new-puk", "ask-puk-again", store),
        }
    }

    fn puk(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        match &self.puk {
            Some(file) => first_line_of(file),
            None => self.ask("ask-puk", store),
        }
    }

    fn field(&self, field: &Field) -> Result<String, ClientError> {
        if let Some(value) = self.fields.0.get(&field.key) {
            return Ok(value.clone());
        }
        if !std::io::stdin().is_terminal() {
            // An optional one is left out; anything else is refused by its name.
            return Ok(String::new());
        }
        let question = if field.optional { "ask-field-optional" } else { "ask-field" };
        Ok(typed(&self.texts.get(question, &[("field", &field.label)]), None))
    }

    fn may_spend_last_try(&self) -> bool {
        self.last_try
    }
}

/// Asks for a text that must be typed as it is shown; `given` is what a flag says, for scripts.
pub(crate) fn typed(question: &str, given: Option<&str>) -> String {
    if let Some(given) = given {
        return given.to_owned();
    }
    if !std::io::stdin().is_terminal() {
        return String::new();
    }
    eprint!("{question} ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    line.trim().to_owned()
}

/// Asks a question that is answered by yes; without a terminal and without `--yes` the answer is no.
pub(crate) fn agreed(texts: Texts, question: &str, yes: bool) -> bool {
    if yes {
        return true;
    }
    if !std::io::stdin().is_terminal() {
        return false;
    }
    eprint!("{question} [{}] ", texts.get("yes-no", &[]));
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    matches!(line.trim().to_lowercase().as_str(), "a" | "ano" | "y" | "yes")
}
