//! The bench: tokens of SoftHSM behind the module that misbehaves by rules, each in a folder of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use obnova_keystore::{Load, ModuleHost};
use obnova_lifecycle::port::Pin;
use obnova_testkit::softhsm_module;

use crate::stage::programs;

/// PIN and PUK of every token here.
pub(crate) const PIN: &str = "123456";
pub(crate) const PUK: &str = "87654321";

/// A token, or several, with the rules that it obeys.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

/// The module that misbehaves, as it was built beside the programs.
pub(crate) fn faultp11() -> PathBuf {
    let path = programs().join("libfaultp11.so");
    assert!(path.exists(), "build it first: cargo build --package faultp11");
    path
}

pub(crate) fn pin(text: &str) -> Pin {
    Pin::new(text.to_owned())
}

impl Bench {
    /// Tokens with these labels, under these rules.
    pub(crate) fn new(labels: &[&str], rules: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(bench.path("tokens")).unwrap();
        let conf = format!("directories.tokendir = {}\nobjectstore.backend = file\n", bench.path("tokens").display());
        std::fs::write(bench.path("softhsm2.conf"), conf).unwrap();
        for label in labels {
            let status = Command::new("softhsm2-util")
                .env("SOFTHSM2_CONF", bench.path("softhsm2.conf"))
                .args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PUK])
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success());
        }
        bench.rules(rules);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Other rules from the next call on.
    pub(crate) fn rules(&self, rules: &str) {
        let module = softhsm_module().unwrap();
        let text = format!("module = {}\nlog = {}\n{rules}\n", module.display(), self.path("calls").display());
        std::fs::write(self.path("rules"), text).unwrap();
    }

    /// What the module reads.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        vec![
            ("SOFTHSM2_CONF".to_owned(), self.path("softhsm2.conf").display().to_string()),
            ("FAULTP11_RULES".to_owned(), self.path("rules").display().to_string()),
        ]
    }

    /// The module in a process of its own.
    pub(crate) fn host(&self) -> Arc<ModuleHost> {
        ModuleHost::with_environment(&programs().join("obnova"), Load::Module(faultp11()), self.environment())
    }

    /// Names of the calls that were made so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("calls")).unwrap_or_default();
        text.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
    }
}
