//! `obnova`: the holder's program on the command line. Every rule is in the client library.

mod arguments;
mod care;
mod commands;
mod doctor;
mod foreign;
mod list;
mod output;
mod prompt;
mod remind;
mod transfer;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Each PKCS#11 module lives in a process of its own, which this program plays.
    if let Some(load) = obnova_client::Load::from_arguments(std::env::args_os().skip(1)) {
        return match obnova_client::serve_module(&load) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    // A terminal that is closed ends no renewal in the middle: it goes on to where it waits or is done.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGHUP, std::sync::Arc::default());
    let code = commands::run();
    if output::is_lost() { ExitCode::FAILURE } else { code }
}
