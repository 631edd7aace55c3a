//! PINs and questions: from flags, from standard input, or asked at the terminal.

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use obnova_client::{ClientError, Pin, PinSource};
use obnova_lifecycle::port::StoreInfo;
use obnova_texts::Texts;

/// Where PINs come from.
pub(crate) struct Prompt {
    texts: Texts,
    stdin: bool,
    file: Option<PathBuf>,
    last_try: bool,
    given: RefCell<Option<Pin>>,
}

impl Prompt {
    /// By the flags of the command line.
    pub(crate) fn new(texts: Texts, stdin: bool, file: Option<PathBuf>, last_try: bool) -> Self {
        Self { texts, stdin, file, last_try, given: RefCell::new(None) }
    }
}

impl PinSource for Prompt {
    fn pin(&self, store: &StoreInfo) -> Result<Pin, ClientError> {
        if store.pin.pad {
            return Ok(Pin::new(String::new()));
        }
        if let Some(pin) = self.given.borrow().as_ref() {
            return Ok(pin.clone());
        }
        let text = if let Some(file) = &self.file {
            std::fs::read_to_string(file)
                .map_err(|error| ClientError::new("file-error", format!("{}: {error}", file.display())))?
        } else if self.stdin {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            line
        } else if std::io::stdin().is_terminal() {
            let question = self.texts.get("ask-pin", &[("store", &store.name)]);
            let typed = rpassword::prompt_password(format!("{question} "))?;
            // What a person typed is for this store only; another store asks again.
            return Ok(Pin::new(typed));
        } else {
            return Err(ClientError::new("pin-needed", &store.name));
        };
        let pin = Pin::new(text.trim_end_matches(['\r', '\n']).to_owned());
        *self.given.borrow_mut() = Some(pin.clone());
        Ok(pin)
    }

    fn may_spend_last_try(&self) -> bool {
        self.last_try
    }
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
