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
    commands::run()
}
