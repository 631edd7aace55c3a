//! What a change must pass before anything is run: format, lints, dependencies, tidiness.

use std::path::PathBuf;
use std::process::Command;

use crate::{Outcome, root, tidy};

/// Where `cargo deny` looks for the advisory database, as a working copy under this name.
const ADVISORIES: &str = "target/judges/advisory/advisory-db-3157b0e258782691";

/// The database as it may lie beside the checkout.
const ARCHIVE: &str = "../shared/advisory-db.tar.gz";

/// Format, clippy without a warning, dependencies, tidy.
pub(crate) fn run() -> Outcome {
    crate::run("cargo", &["fmt", "--all", "--check"])?;
    crate::run("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    dependencies()?;
    tidy::run()
}

/// `cargo-deny`, of the tests' own or of the machine.
pub(crate) fn cargo_deny() -> Option<PathBuf> {
    let own = root().join("target/judges/cargo/bin/cargo-deny");
    let is_there =
        |path: &PathBuf| Command::new(path).arg("--version").output().is_ok_and(|told| told.status.success());
    [own, PathBuf::from("cargo-deny")].into_iter().find(is_there)
}

/// Licences, bans and sources always; advisories when the database can be had.
fn dependencies() -> Outcome {
    let Some(deny) = cargo_deny() else {
        if std::env::var("CI").as_deref() == Ok("true") {
            return Err("cargo-deny is missing, and in CI nothing is skipped".to_owned());
        }
        println!("SKIPPED: cargo-deny is not installed (cargo install cargo-deny), so dependencies were not judged");
        return Ok(());
    };
    let deny = deny.display().to_string();
    crate::run("cargo", &["fetch", "--quiet"])?;
    crate::run(&deny, &["--offline", "--log-level", "error", "check", "licenses", "bans", "sources"])?;
    if !root().join(ADVISORIES).join(".git").exists() {
        if !root().join(ARCHIVE).exists() {
            println!("SKIPPED: the advisory database is not here, so known vulnerabilities were not looked for");
            return Ok(());
        }
        // The tool wants a working copy, and never asks who made it.
        let unpack = format!(
            "mkdir -p {ADVISORIES} && tar xzf {ARCHIVE} -C {ADVISORIES} && cd {ADVISORIES} && git init -q . && \
             git add -A && git -c user.name=check -c user.email=check@localhost commit -qm unpacked"
        );
        crate::run("sh", &["-c", &unpack])?;
    }
    crate::run(&deny, &["--offline", "--log-level", "error", "check", "advisories"])
}
