//! `obnova-server`: composes the authority and identity roles; no rule lives here.

mod commands;
mod handshake;
mod output;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Databases, keys and letters are nobody else's to read.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("OBNOVA_LOG").unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    commands::run()
}
