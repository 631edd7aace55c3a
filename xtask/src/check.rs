//! What a change must pass before anything is run: format, lints, dependencies, tidiness.

use std::path::PathBuf;
use std::process::Command;

use crate::{Outcome, root, tidy};

/// Where `cargo deny` looks for the advisory database.
const ADVISORIES: &str = "target/judges/advisory";

/// The tool's own name for a working copy of it.
const WORKING_COPY: &str = "advisory-db-3157b0e258782691";

/// The database as it may lie beside the checkout.
const ARCHIVE: &str = "../shared/advisory-db.tar.gz";

/// Format, clippy without a warning, dependencies, tidy.
pub(crate) fn run() -> Outcome {
    crate::run("cargo", &["fmt", "--all", "--check"])?;
    crate::run("cargo", &["fmt", "--manifest-path", "vcard/Cargo.toml", "--check"])?;
    let window = without_window()?;
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet"];
    crate::run("cargo", &[&lints[..], &window, &["--", "-D", "warnings"]].concat())?;
    dependencies()?;
    tidy::run()
}

/// Arguments that leave the window out, where this computer lacks the library of fonts that it is built with.
pub(crate) fn without_window() -> Result<Vec<&'static str>, String> {
    let has_fonts = Command::new("pkg-config").args(["--exists", "fontconfig"]).status().is_ok_and(|s| s.success());
    if has_fonts || !cfg!(target_os = "linux") {
        return Ok(Vec::new());
    }
    if std::env::var("CI").as_deref() == Ok("true") {
        return Err("libfontconfig-dev or pkg-config is missing, and in CI nothing is skipped".to_owned());
    }
    println!("SKIPPED: the window needs libfontconfig-dev and pkg-config to be built");
    Ok(vec!["--exclude", "obnova-desktop"])
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
    let base =
        ["--offline", "--locked", "--log-level", "error", "check", "-D", "unnecessary-skip", "-D", "unmatched-skip"];
    crate::run(&deny, &[&base[..], &["licenses", "bans", "sources"]].concat())?;
    if !root().join(ARCHIVE).exists() {
        println!("SKIPPED: the advisory database is not here, so known vulnerabilities were not looked for");
        return Ok(());
    }
    // Unpacked anew when the archive changed. The tool wants a working copy, and takes its age from the commit.
    let unpack = format!(
        "set -eu; sum=$(sha256sum {ARCHIVE} | cut -d' ' -f1); into={ADVISORIES}/{WORKING_COPY}
         if [ \"$(cat {ADVISORIES}/unpacked 2>/dev/null || true)\" != \"$sum\" ]; then
         rm -rf {ADVISORIES}; mkdir -p $into; tar xzf {ARCHIVE} -C $into; git -C $into init -q; git -C $into add -A
         git -C $into -c user.name=check -c user.email=check@localhost commit -qm unpacked
         echo $sum > {ADVISORIES}/unpacked; fi
         grep -rhoE '^date = \"[0-9-]+' $into/crates | cut -d'\"' -f2 | sort | tail -1 | sed 's/^/known vulnerabilities up to /'"
    );
    crate::run("sh", &["-c", &unpack])?;
    crate::run(&deny, &[&base[..], &["advisories"]].concat())
}
