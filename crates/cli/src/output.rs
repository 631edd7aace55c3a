//! The only place of this program that speaks to the screen: data to standard output, the rest to standard error.
//!
//! The screen may go away at any moment: nothing here panics, and no work ends because nobody reads. What others wrote
//! is shown cleaned.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use obnova_client::{ClientError, Progress, Station, words};
use obnova_texts::{Texts, clean, clean_lines};
use serde::Serialize;
use serde_json::json;

/// Whether data could not be written, and not because nobody wanted to read it.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether data that was asked for is lost, as on a full disk.
pub(crate) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Lines to standard output; a reader that has gone away has read enough.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        LOST.store(true, Ordering::Relaxed);
        tell(&error.to_string());
    }
}

/// Lines to standard error; where that is gone, nobody hears, and the work goes on.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A question, without an end of line.
pub(crate) fn ask(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "{text} ").and_then(|()| out.flush());
}

/// How to speak.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub(crate) texts: Texts,
    pub(crate) json: bool,
}

impl Output {
    /// Data: text for people, or JSON.
    pub(crate) fn data(self, text: &str, data: &impl Serialize) {
        if self.json {
            print(&serde_json::to_string_pretty(data).unwrap_or_default());
        } else if !text.is_empty() {
            print(&clean_lines(text));
        }
    }

    /// A line beside the data.
    pub(crate) fn line(self, text: &str) {
        if !self.json {
            tell(&clean_lines(text));
        }
    }

    /// An error: what happened, why, what to do, and its stable code.
    pub(crate) fn error(self, error: &ClientError) {
        let (text, reason) = words::trouble(self.texts, error, &["error"]);
        if self.json {
            let line = json!({ "error": error.code, "detail": error.detail, "text": text, "reason": reason });
            tell(&line.to_string());
            return;
        }
        tell(&clean_lines(&format!("{}: {text}", self.texts.get("error", &[]))));
        if let Some(reason) = reason {
            tell(&clean_lines(&format!("  {reason}")));
        }
        tell(&format!("  [{}] {}", clean(&error.code), clean(&error.detail)));
    }
}

impl Progress for Output {
    fn station(&mut self, item: usize, kind: &str, station: Station) {
        if self.json {
            tell(&json!({ "item": item, "kind": kind, "station": station.name() }).to_string());
            return;
        }
        // A qualified certificate is no login: nobody has to be told about it.
        let untold = station == Station::Registered && kind == "qualified";
        let name = if untold { "station-nobody-to-tell".to_owned() } else { format!("station-{}", station.name()) };
        let name = self.texts.get(&name, &[]);
        let kind = self.texts.get(&format!("kind-{kind}"), &[]);
        let at = Station::ALL.iter().position(|known| *known == station).unwrap_or(0) + 1;
        tell(&format!("  [{at:>2}/{}] {kind}: {name}", Station::ALL.len()));
    }

    fn slow(&mut self, item: usize, kind: &str, what: &'static str) {
        if self.json {
            tell(&json!({ "item": item, "kind": kind, "slow": what }).to_string());
            return;
        }
        tell(&format!("          {}", self.texts.get(&format!("slow-{what}"), &[])));
    }
}
