//! PINs and questions: from flags, from standard input, or asked at the terminal.

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use obnova_client::{ClientError, Field, GivenFields, Pin, PinSource};
use obnova_lifecycle::port::{StoreInfo, StoreKind};
use obnova_texts::Texts;
use zeroize::Zeroizing;

use crate::arguments::Common;
use crate::output::ask;

/// The first line of octets as a secret: UTF-8, or UTF-16 as some editors and shells write it; the mark that they put
/// before it is no part of it.
fn first_line(octets: &[u8], place: &str) -> Result<Pin, ClientError> {
    let wide = |units: fn([u8; 2]) -> u16| -> Vec<u16> {
        octets[2..].chunks_exact(2).map(|pair| units([pair[0], pair[1]])).collect()
    };
    let text = match octets {
        [0xFF, 0xFE, ..] => String::from_utf16(&wide(u16::from_le_bytes)).ok(),
        [0xFE, 0xFF, ..] => String::from_utf16(&wide(u16::from_be_bytes)).ok(),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(octets.to_vec()).ok(),
    };
    let text = Zeroizing::new(text.ok_or_else(|| ClientError::new("secret-not-text", place))?);
    let line = text.lines().next().unwrap_or_default();
    // Nothing is no secret: it would cost a try.
    if line.is_empty() {
        return Err(ClientError::new("pin-needed", place));
    }
    Ok(Pin::new(line.to_owned()))
}

fn first_line_of(file: &Path) -> Result<Pin, ClientError> {
    let octets =
        std::fs::read(file).map_err(|error| ClientError::new("file-error", format!("{}: {error}", file.display())))?;
    first_line(&Zeroizing::new(octets), &file.display().to_string())
}

/// Where PINs come from.
#[derive(Clone)]
pub(crate) struct Prompt {
    texts: Texts,
    stdin: bool,
    file: Option<PathBuf>,
    file_password: Option<PathBuf>,
    onto_pin: Option<PathBuf>,
    new_pin: Option<PathBuf>,
    puk: Option<PathBuf>,
    /// Fields of messages that flags gave.
    fields: GivenFields,
    last_try: bool,
    /// Whether files were named on the command line: then a secret that is given beside them is theirs.
    names_files: bool,
    /// The store that a secret of the command line was spent on: a token's identifier, or a file's.
    bound: RefCell<Option<StoreInfo>>,
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
            onto_pin: common.onto_pin_file.clone(),
            new_pin: None,
            puk: None,
            fields: GivenFields::default(),
            last_try: common.last_try,
            names_files: !common.file.is_empty(),
            bound: RefCell::default(),
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

    /// What flags give, without asking anybody. A secret goes only where it belongs: that of `--file-password-file` to
    /// files, that of `--pin-file` or `--pin-stdin` to files where files were named beside it, otherwise to the one token
    /// that asks for it first, and to files that have no flag of their own. To no token goes what was a file's, or another
    /// token's.
    fn given(&self, store: &StoreInfo) -> Result<Option<Pin>, ClientError> {
        let is_file = store.kind == StoreKind::File;
        if let Some(file) = self.file_password.as_ref().filter(|_| is_file) {
            return Ok(Some(first_line_of(file)?));
        }
        if self.file.is_none() && !self.stdin {
            return Ok(None);
        }
        let meant_for_another =
            |name: &str| Err(ClientError::new("secret-for-another", format!("{}: {name}", store.name)));
        if !is_file && self.names_files && self.file_password.is_none() {
            return meant_for_another("--file");
        }
        let bound = self.bound.borrow().clone();
        match bound {
            // A file is bound when it was opened: one that has another password says nothing about the secret.
            None if is_file => {}
            None => *self.bound.borrow_mut() = Some(store.clone()),
            // A file spends no tries, and its own flag came first.
            Some(known) if known.id == store.id || is_file => {}
            Some(known) => return meant_for_another(&known.name),
        }
        if let Some(file) = &self.file {
            return Ok(Some(first_line_of(file)?));
        }
        if let Some(pin) = self.given.borrow().as_ref() {
            return Ok(Some(pin.clone()));
        }
        let mut octets = Zeroizing::new(Vec::new());
        std::io::stdin().lock().read_until(b'\n', &mut octets)?;
        let pin = first_line(&octets, &store.name)?;
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

    fn opened(&self, store: &StoreInfo) {
        let is_given = self.file_password.is_none() && (self.file.is_some() || self.stdin);
        if store.kind == StoreKind::File && is_given && self.bound.borrow().is_none() {
            *self.bound.borrow_mut() = Some(store.clone());
        }
    }

    /// The one device was named as the target of the other, so `--pin-file` is for both, where no file is for this one.
    fn pin_of_target(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        if store.pin.pad || !store.needs_login {
            return Ok(Pin::new(String::new()));
        }
        // What opened a file is no PIN.
        let is_of_file = self.bound.borrow().as_ref().is_some_and(|known| known.kind == StoreKind::File);
        match (&self.onto_pin, &self.file) {
            (Some(file), _) => first_line_of(file),
            (None, Some(file)) if !self.names_files && !is_of_file => first_line_of(file),
            _ => self.pin(store),
        }
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
    ask(question);
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
    ask(&format!("{question} [{}]", texts.get("yes-no", &[])));
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    matches!(line.trim().to_lowercase().as_str(), "a" | "ano" | "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line_and_nothing_else() {
        let wide = |text: &str| -> Vec<u8> {
            [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
        };
        for octets in [&b"1234"[..], b"1234\n", b"1234\r\nmore", b"\xEF\xBB\xBF1234\r\n", &wide("1234\r\n")] {
            assert_eq!(first_line(octets, "x").unwrap().expose(), "1234");
        }
        assert_eq!(first_line("heslo ěšč\n".as_bytes(), "x").unwrap().expose(), "heslo ěšč");
        for (octets, code) in [
            (&b""[..], "pin-needed"),
            (b"\n1234", "pin-needed"),
            (b"\xEF\xBB\xBF", "pin-needed"),
            (b"hesl\xEC", "secret-not-text"),
        ] {
            assert_eq!(first_line(octets, "x").map(|pin| pin.expose().to_owned()).unwrap_err().code, code);
        }
    }
}
