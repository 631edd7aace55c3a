//! Chores of the project: `cargo demo`, `cargo xtask test`, `cargo xtask check`, `cargo xtask tidy`,
//! `cargo xtask bench`, `cargo xtask picture`, `cargo xtask dist`, `cargo xtask guide`.
#![allow(clippy::print_stdout, reason = "a chore speaks to the screen")]

mod bench;
mod bench_window;
mod check;
mod demo;
mod dist;
mod guide;
mod package;
mod picture;
mod screen;
mod stages;
mod systems;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

/// A chore that failed says why.
type Outcome = Result<(), String>;

/// The project's own folder.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--").collect();
    let rest: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("demo") => demo::run(&rest),
        Some("test") => stages::run(&rest),
        Some("check") => check::run(),
        Some("tidy") => tidy::run(),
        Some("picture") => picture::run(),
        Some("bench") => bench::run(&rest),
        Some("dist") => dist::run(&rest),
        Some("packages") => package::run(),
        Some("guide") => guide::write(&root().join("target/guide")),
        Some("systems") => systems::run(),
        _ => Err("usage: cargo xtask demo | test [--yes] [--quick] | check | tidy | bench | picture | dist [--target TRIPLE] | packages | guide | systems".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a program in the project's folder and fails when it fails.
fn run(program: &str, arguments: &[&str]) -> Outcome {
    let status = std::process::Command::new(program)
        .args(arguments)
        .current_dir(root())
        .status()
        .map_err(|error| format!("{program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} {} failed", arguments.join(" "))) }
}
