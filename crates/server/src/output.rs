//! The only place of this program that speaks to the screen.

use std::io::Write;

use serde::Serialize;

/// Data to standard output: text for people, or JSON. A reader that has gone away has read enough.
pub(crate) fn say(json: bool, text: &str, data: &impl Serialize) {
    let text = match json {
        true => serde_json::to_string_pretty(data).unwrap_or_default(),
        false => obnova_texts::clean_lines(text),
    };
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        tracing::error!(%error, "the answer could not be written");
    }
}
