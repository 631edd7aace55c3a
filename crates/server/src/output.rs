//! The only place of this program that speaks to the screen.

use serde::Serialize;

/// Data to standard output: text for people, or JSON.
pub(crate) fn say(json: bool, text: &str, data: &impl Serialize) {
    #[allow(clippy::print_stdout, reason = "this is the program's one mouth")]
    if json {
        println!("{}", serde_json::to_string_pretty(data).unwrap_or_default());
    } else {
        println!("{text}");
    }
}
