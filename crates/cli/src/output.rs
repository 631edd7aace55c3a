//! The only place of this program that speaks to the screen: data to standard output, the rest to standard error.

use obnova_client::{ClientError, Progress, Station, words};
use obnova_texts::Texts;
use serde::Serialize;
use serde_json::json;

/// How to speak.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub(crate) texts: Texts,
    pub(crate) json: bool,
}

impl Output {
    /// Data: text for people, or JSON.
    pub(crate) fn data(self, text: &str, data: &impl Serialize) {
        #[allow(clippy::print_stdout, reason = "this is the program's one mouth")]
        if self.json {
            println!("{}", serde_json::to_string_pretty(data).unwrap_or_default());
        } else if !text.is_empty() {
            println!("{text}");
        }
    }

    /// A line beside the data.
    pub(crate) fn line(self, text: &str) {
        if !self.json {
            eprintln!("{text}");
        }
    }

    /// An error: what happened, why, what to do, and its stable code.
    pub(crate) fn error(self, error: &ClientError) {
        let (text, reason) = words::trouble(self.texts, error, &["error"]);
        if self.json {
            let line = json!({ "error": error.code, "detail": error.detail, "text": text, "reason": reason });
            eprintln!("{line}");
            return;
        }
        eprintln!("{}: {text}", self.texts.get("error", &[]));
        if let Some(reason) = reason {
            eprintln!("  {reason}");
        }
        eprintln!("  [{}] {}", error.code, error.detail);
    }
}

impl Progress for Output {
    fn station(&mut self, item: usize, kind: &str, station: Station) {
        if self.json {
            eprintln!("{}", json!({ "item": item, "kind": kind, "station": station.name() }));
            return;
        }
        // A qualified certificate is no login: nobody has to be told about it.
        let untold = station == Station::Registered && kind == "qualified";
        let name = if untold { "station-nobody-to-tell".to_owned() } else { format!("station-{}", station.name()) };
        let name = self.texts.get(&name, &[]);
        let kind = self.texts.get(&format!("kind-{kind}"), &[]);
        let at = Station::ALL.iter().position(|known| *known == station).unwrap_or(0) + 1;
        eprintln!("  [{at:>2}/{}] {kind}: {name}", Station::ALL.len());
    }

    fn slow(&mut self, item: usize, kind: &str, what: &'static str) {
        if self.json {
            eprintln!("{}", json!({ "item": item, "kind": kind, "slow": what }));
            return;
        }
        eprintln!("          {}", self.texts.get(&format!("slow-{what}"), &[]));
    }
}
