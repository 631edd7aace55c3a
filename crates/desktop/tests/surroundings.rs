//! What the desktop around the window gives it: the dialog that chooses a file, by a real portal, and the wish for contrast.

use std::path::Path;
use std::process::Command;

use obnova_texts::{Language, Texts};

use crate::programs;

/// Programs and modules that the look takes.
const TAKES: [&str; 4] =
    ["/usr/bin/openbox", "/usr/bin/xdotool", "/usr/bin/dbus-run-session", "/usr/libexec/xdg-desktop-portal-gtk"];

/// Plays both; `None` where the tools are missing and may be.
pub(crate) fn play() -> Option<bool> {
    if let Some(missing) = TAKES.iter().find(|path| !Path::new(path).exists()) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing} is missing, and in CI nothing is skipped");
        println!("SKIPPED: the dialog of the system needs openbox, xdotool, dbus and xdg-desktop-portal-gtk");
        return None;
    }
    let texts = Texts::new(Language::English);
    let word = |key: &str| texts.get(key, &[]);
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("obnova.toml"), "discover = false\n").unwrap();
    let file = folder.path().join("new one.cer");
    std::fs::write(&file, "-").unwrap();
    let words = ["window-pick-up", "window-browse", "window-source", "window-browse-nothing"].map(word);
    let chosen = run("dialog.py", &home, &[file.display().to_string()], &words);
    let frame = folder.path().join("Xvfb_screen0").display().to_string();
    Some(chosen && run("contrast.py", &home, &[frame], &[]))
}

fn run(script: &str, home: &Path, first: &[String], then: &[String]) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/atspi").join(script);
    let frames = home.parent().unwrap_or(home).display().to_string();
    let attempt = || {
        Command::new("xvfb-run")
            .args(["-a", "-s", &format!("-screen 0 1024x768x24 -fbdir {frames}")])
            .args(["dbus-run-session", "--", "/usr/bin/python3"])
            .arg(&path)
            .arg(programs().join("obnova-desktop"))
            .args(first)
            .args(then)
            // The portal of GTK answers where a desktop of its kind is said to run.
            .envs([("NO_AT_BRIDGE", "0"), ("LC_ALL", "C.UTF-8"), ("XDG_CURRENT_DESKTOP", "gnome")])
            .env("OBNOVA_HOME", home)
            .env("XDG_RUNTIME_DIR", home)
            .output()
            .unwrap()
    };
    let mut output = attempt();
    // On a busy machine a dialog may get its focus late, and lose what is typed: it is played anew.
    for _ in 0..3 {
        if output.status.success() {
            return true;
        }
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        println!("{script}: {}", told.lines().last().unwrap_or_default());
        output = attempt();
    }
    output.status.success()
}
