//! `obnova-desktop`: the holder's program in a window. Every rule is in the client library.
#![windows_subsystem = "windows"]

use std::io::Write;
use std::process::ExitCode;

use obnova_client::{Home, notify};
use obnova_desktop::Settings;
use obnova_texts::{Language, Texts};

/// The window cannot be shown, or could not go on.
const NO_WINDOW: u8 = 4;

fn main() -> ExitCode {
    // Each PKCS#11 module lives in a process of its own, which this program plays.
    if let Some(load) = obnova_client::Load::from_arguments(std::env::args_os().skip(1)) {
        return match obnova_client::serve_module(&load) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let mut settings = Settings { home: Home::default_folder(), language: Language::English, days_back: 0 };
    let mut asked = None;
    let mut arguments = std::env::args_os().skip(1);
    while let Some(name) = arguments.next() {
        match (name.to_str(), arguments.next()) {
            (Some("--home"), Some(value)) => settings.home = std::path::absolute(&value).unwrap_or(value.into()),
            (Some("--lang"), Some(value)) => asked = value.to_str().map(str::to_owned),
            _ => {
                let _ = writeln!(std::io::stderr(), "obnova-desktop [--home FOLDER] [--lang cs|en]");
                return ExitCode::from(2);
            }
        }
    }
    let variable = |name: &str| std::env::var(name).ok();
    settings.language = Language::choose(asked.as_deref(), variable("LC_ALL").as_deref(), variable("LANG").as_deref());
    let texts = Texts::new(settings.language);
    let told = |key: &str| texts.get(key, &[]);
    // A screen that reports a refresh rate of zero makes the toolkit divide by it, and nothing of its own says so before:
    // the window ends, the person hears why and how to go on, and what was reached is in the journal.
    let text = match std::panic::catch_unwind(|| obnova_desktop::run(&settings)) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) => format!("{} {error}", told("window-no-screen")),
        Err(_) => format!("{} {}", told("window-crashed"), told("window-no-rate")),
    };
    let _ = writeln!(std::io::stderr(), "{text}");
    notify(&told("window-title"), &text);
    ExitCode::from(NO_WINDOW)
}
