//! What a screen reader is told: the tree of accessible elements of a real window, as AT-SPI gives it, compared with what
//! was looked at and found good.

use std::path::Path;
use std::process::{Command, Stdio};

use obnova_desktop::blank;
use obnova_texts::{Language, Texts};
use slint::ComponentHandle;

use crate::gallery::screens;
use crate::pictures::put;

/// Screens whose trees are kept.
const SHOWN: [&str; 5] = ["overview", "renew", "pin", "work", "device"];

/// Programs and modules that the look takes.
const TAKES: [&str; 4] =
    ["/usr/bin/openbox", "/usr/bin/Xvfb", "/usr/bin/dbus-run-session", "/usr/libexec/at-spi-bus-launcher"];

/// Shows a screen in a real window until it is ended.
pub(crate) fn show(name: &str) {
    let (name, tag) = name.split_once('.').unwrap();
    let language = if tag == "cs" { Language::Czech } else { Language::English };
    let (app, drawn) = blank(language).unwrap();
    let texts = Texts::new(language);
    let all = screens(texts);
    let (_, screen) = all.iter().find(|(known, _)| *known == name).unwrap();
    put(&app, &drawn, texts, screen);
    app.run().unwrap();
}

/// Compares every tree; `None` where the tools are missing and may be.
pub(crate) fn compare() -> Option<bool> {
    let has_module = Command::new("/usr/bin/python3")
        .args(["-c", "import pyatspi"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_module || TAKES.iter().any(|path| !Path::new(path).exists()) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "AT-SPI is missing, and in CI nothing is skipped");
        println!("SKIPPED: the look of a screen reader needs xvfb, dbus, at-spi2-core and python3-pyatspi");
        return None;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut ok = true;
    for tag in ["cs", "en"] {
        for name in SHOWN {
            let aside = std::env::current_exe().unwrap().with_file_name(format!("seen-{name}.{tag}.txt"));
            let path = here.join("atspi").join(format!("{name}.{tag}.txt"));
            let known = std::fs::read_to_string(&path).unwrap_or_default();
            let is_written = std::env::var("OBNOVA_PICTURES").as_deref() == Ok("write");
            let (mut seen, mut error) = tree(&here, name, tag, &aside);
            // On a busy machine a window may get its focus late: what differs is looked at again.
            for _ in 0..2 {
                if seen == known || is_written {
                    break;
                }
                (seen, error) = tree(&here, name, tag, &aside);
            }
            if is_written {
                std::fs::write(&path, &seen).unwrap();
            } else if seen != known || seen.is_empty() {
                println!("a screen reader is told otherwise of {name}.{tag}: see {}\n{error}", aside.display());
                ok = false;
            }
        }
    }
    Some(ok)
}

/// The tree of a screen as a screen reader is told of it, with what the look itself complained about.
fn tree(here: &Path, name: &str, tag: &str, aside: &Path) -> (String, String) {
    let _ = std::fs::remove_file(aside);
    let output = Command::new("xvfb-run")
        .args(["-a", "dbus-run-session", "--", "/usr/bin/python3"])
        .arg(here.join("atspi/tree.py"))
        .arg(std::env::current_exe().unwrap())
        .arg(aside)
        .env(crate::STORY, format!("shown-{name}.{tag}"))
        .env("NO_AT_BRIDGE", "0")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    (std::fs::read_to_string(aside).unwrap_or_default(), String::from_utf8_lossy(&output.stderr).into_owned())
}
