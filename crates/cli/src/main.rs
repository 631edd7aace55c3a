//! `obnova`: the holder's program on the command line. Every rule is in the client library.

mod arguments;
mod care;
mod commands;
mod output;
mod prompt;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
