//! Other systems from this one: the program for Windows is built, its tests and a story run under Wine; for macOS
//! everything is type-checked. What cannot be had here is said aloud.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Outcome, dist, package, root};

const WINDOWS: &str = "x86_64-pc-windows-gnu";
const MACOS: &str = "aarch64-apple-darwin";

/// Crates whose unit tests run on Windows: all that the holder's program is made of.
const CRATES: [&str; 7] = [
    "obnova-pki",
    "obnova-crypto",
    "obnova-lifecycle",
    "obnova-keystore",
    "obnova-texts",
    "obnova-remote",
    "obnova-client",
];

/// Builds, tests and checks.
pub(crate) fn run() -> Outcome {
    if has_target(WINDOWS) && has(&["x86_64-w64-mingw32-gcc", "nasm", "wine"]) {
        windows()?;
    } else {
        println!("SKIPPED: Windows needs rustup target add {WINDOWS}, mingw, nasm and wine");
    }
    if has_target(MACOS) { macos() } else { skipped_macos() }
}

fn skipped_macos() -> Outcome {
    println!("SKIPPED: macOS needs rustup target add {MACOS}");
    Ok(())
}

fn has(programs: &[&str]) -> bool {
    programs.iter().all(|program| Path::new("/usr/bin").join(program).exists())
}

/// Whether the compiler has a target, or can get it now.
fn has_target(target: &str) -> bool {
    let mut add = Command::new("rustup");
    add.args(["target", "add", target]).current_dir(root()).stdout(Stdio::null()).stderr(Stdio::null());
    add.status().is_ok_and(|status| status.success())
}

fn wine(program: &Path) -> Command {
    let mut command = Command::new("wine");
    command.arg(program).env("WINEDEBUG", "-all").env("WINEPREFIX", root().join("target/wine"));
    command
}

fn windows() -> Outcome {
    let built = root().join("target").join(WINDOWS).join("debug");
    std::fs::create_dir_all(built.join("deps")).map_err(|error| error.to_string())?;
    let library = built.join("bcryptprimitives.dll");
    let source = root().join("xtask/windows/bcryptprimitives.c");
    crate::run(
        "x86_64-w64-mingw32-gcc",
        &["-shared", "-o", &library.display().to_string(), &source.display().to_string(), "-ladvapi32"],
    )?;
    std::fs::copy(&library, built.join("deps/bcryptprimitives.dll")).map_err(|error| error.to_string())?;
    let mut tests = Command::new("cargo");
    tests.args(["test", "--quiet", "--lib", "--target", WINDOWS]).current_dir(root());
    for name in CRATES {
        tests.args(["--package", name]);
    }
    let status = tests
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", "wine")
        .env("WINEDEBUG", "-all")
        .env("WINEPREFIX", root().join("target/wine"))
        .status()
        .map_err(|error| error.to_string())?;
    if !status.success() {
        return Err("unit tests on Windows failed".to_owned());
    }
    // What people download, made and tried: both programs, and the installer with them.
    dist::run(&["--dev", "--target", WINDOWS])?;
    story(&built.join("obnova.exe"))?;
    if has(&["makensis", "Xvfb", "xwininfo"]) {
        package::try_installer(&wine, &root().join("target/wine"))
    } else {
        skipped_installer()
    }
}

fn skipped_installer() -> Outcome {
    if std::env::var("CI").as_deref() == Ok("true") {
        return Err("nsis, xvfb or x11-utils is missing, and in CI nothing is skipped".to_owned());
    }
    println!("SKIPPED: the installer for Windows needs nsis, xvfb and x11-utils");
    Ok(())
}

/// A PFX file that OpenSSL made is listed, proven, copied and read back, by the program for Windows.
fn story(program: &Path) -> Outcome {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let script = "printf '[req]\\ndistinguished_name=d\\nx509_extensions=v\\n[d]\\n[v]\\nbasicConstraints=CA:FALSE\\n' > c\n\
                  openssl req -config c -x509 -newkey rsa:2048 -nodes -keyout k -out p.pem -days 90 -utf8 \
                  -subj '/CN=Jana Dvořáková' -set_serial 4711 2>/dev/null\n\
                  openssl pkcs12 -export -inkey k -in p.pem -passout 'pass:Žluť 1' -out osoba.p12; printf 'Žluť 1' > pin";
    let made = Command::new("sh").args(["-ec", script]).current_dir(folder.path()).status();
    if !made.is_ok_and(|status| status.success()) {
        return Err("openssl did not make the file".to_owned());
    }
    // Wine shows the whole tree as its drive Z.
    let windows = |path: &Path| format!("Z:{}", path.display().to_string().replace('/', "\\"));
    let run = |arguments: &[&str]| -> Result<Value, String> {
        let output = wine(program)
            .args(arguments)
            .args(["--json", "--lang", "cs", "--home", &windows(&path("home"))])
            .args(["--pin-file", &windows(&path("pin")), "--file", &windows(&path("osoba.p12"))])
            .output()
            .map_err(|error| error.to_string())?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
    };
    let listed = run(&["list"])?;
    if listed["certificates"][0]["name"] != "Jana Dvořáková" {
        return Err(format!("the program for Windows listed {listed}"));
    }
    let kinds = listed["stores"].as_array().map(|all| all.iter().filter(|one| one["kind"] == "system").count());
    if kinds != Some(1) {
        return Err(format!("the program for Windows does not see the system's store: {listed}"));
    }
    run(&["prove", "4711"])?;
    let copies = run(&["backup", "--to", &windows(&path("copy"))])?;
    let out = windows(&path("out.p12"));
    run(&["export", "4711", "--with-key", "--to", &out])?;
    let judged = Command::new("openssl")
        .args(["pkcs12", "-in"])
        .arg(path("out.p12"))
        .args(["-nodes", "-passin"])
        .arg(format!("file:{}", path("pin").display()))
        .output()
        .map_err(|error| error.to_string())?;
    if copies[0]["tested"] != 1 || !judged.status.success() {
        return Err(format!("{copies}; openssl: {}", String::from_utf8_lossy(&judged.stderr)));
    }
    println!(
        "Windows: unit tests and a story ran under Wine; of its own store with keys of the older kind; keys of CNG and tokens were not tried there"
    );
    Ok(())
}

/// Type-checks; the C parts are not compiled, because their compiler is Apple's.
fn macos() -> Outcome {
    let nothing = root().join("target/no-compiler");
    std::fs::write(&nothing, "#!/bin/sh\nexit 0\n").map_err(|error| error.to_string())?;
    crate::run("chmod", &["755", &nothing.display().to_string()])?;
    let status = Command::new("cargo")
        .args(["check", "--quiet", "--target", MACOS, "--package", "obnova-cli", "--package", "obnova-desktop"])
        .current_dir(root())
        .env("CC_aarch64_apple_darwin", &nothing)
        .env("AR_aarch64_apple_darwin", &nothing)
        .status()
        .map_err(|error| error.to_string())?;
    if !status.success() {
        return Err("the programs for macOS do not type-check".to_owned());
    }
    println!("macOS: type-checked only; nothing was linked or run");
    Ok(())
}
