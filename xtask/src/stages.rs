//! The stages of the test command: `fast`, `peers`, `slow`; each prints its time.

use std::io::{BufRead, IsTerminal, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Outcome, check, package, run as program, systems};

/// Debian packages that the tests use, with the program or file that shows that each is there.
const PACKAGES: [(&str, &str); 36] = [
    ("softhsm2", "/usr/bin/softhsm2-util"),
    ("opensc", "/usr/bin/pkcs11-tool"),
    ("opensc-pkcs11", "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"),
    ("pcscd", "/usr/sbin/pcscd"),
    ("vsmartcard-vpcd", "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"),
    ("ykcs11", "/usr/lib/x86_64-linux-gnu/libykcs11.so.2"),
    ("yubico-piv-tool", "/usr/bin/yubico-piv-tool"),
    ("clang", "/usr/bin/clang"),
    ("dbus-daemon", "/usr/bin/dbus-run-session"),
    ("dunst", "/usr/bin/dunst"),
    ("libfontconfig-dev", "/usr/include/fontconfig/fontconfig.h"),
    ("pkg-config", "/usr/bin/pkg-config"),
    ("libnotify-bin", "/usr/bin/notify-send"),
    ("xvfb", "/usr/bin/Xvfb"),
    ("xauth", "/usr/bin/xauth"),
    ("x11-utils", "/usr/bin/xwininfo"),
    ("openbox", "/usr/bin/openbox"),
    ("at-spi2-core", "/usr/libexec/at-spi-bus-launcher"),
    ("python3-pyatspi", "/usr/lib/python3/dist-packages/pyatspi"),
    ("xdotool", "/usr/bin/xdotool"),
    ("xdg-desktop-portal-gtk", "/usr/libexec/xdg-desktop-portal-gtk"),
    ("desktop-file-utils", "/usr/bin/desktop-file-validate"),
    ("nsis", "/usr/bin/makensis"),
    ("postgresql", "/usr/lib/postgresql"),
    ("openssl", "/usr/bin/openssl"),
    ("curl", "/usr/bin/curl"),
    ("strace", "/usr/bin/strace"),
    ("systemd", "/usr/bin/systemd-analyze"),
    ("gcc-mingw-w64-x86-64", "/usr/bin/x86_64-w64-mingw32-gcc"),
    ("nasm", "/usr/bin/nasm"),
    ("wine", "/usr/bin/wine"),
    ("chromium", "/usr/bin/chromium"),
    ("libnss3-tools", "/usr/bin/certutil"),
    ("gnutls-bin", "/usr/bin/certtool"),
    ("openjdk-17-jre-headless", "/usr/bin/keytool"),
    ("python3-venv", "/usr/lib/python3/dist-packages/../../python3.11/ensurepip"),
];

/// Where the Python judges live.
const VENV: &str = "target/judges";

fn missing() -> Vec<&'static str> {
    PACKAGES.iter().filter(|(_, shows)| !std::path::Path::new(shows).exists()).map(|(name, _)| *name).collect()
}

fn agreed(question: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    print!("{question} [y/N] ");
    let _ = std::io::stdout().flush();
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    matches!(line.trim(), "y" | "yes" | "a" | "ano")
}

fn install(yes: bool) -> Outcome {
    let packages = missing();
    if !packages.is_empty() {
        println!("The tests need these Debian packages: {}", packages.join(" "));
        if !yes && !agreed("Install them now with apt-get?") {
            return Err("not installed; --quick runs the tests that need none".to_owned());
        }
        let apt = |arguments: &[&str]| {
            let mut command = if Command::new("sudo").arg("-V").stdout(Stdio::null()).status().is_ok() {
                let mut command = Command::new("sudo");
                command.arg("apt-get");
                command
            } else {
                Command::new("apt-get")
            };
            let status = command
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(arguments)
                .status()
                .map_err(|error| error.to_string())?;
            if status.success() { Ok(()) } else { Err(format!("apt-get {} failed", arguments.join(" "))) }
        };
        apt(&["update", "-qq"])?;
        let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
        arguments.extend(&packages);
        apt(&arguments)?;
    }
    let venv = crate::root().join(VENV);
    if !venv.join("icalendar").exists() {
        println!("Installing pkilint, aiosmtpd and icalendar from PyPI into {VENV}");
        program("/usr/bin/python3", &["-m", "venv", VENV]).or_else(|_| program("python3", &["-m", "venv", VENV]))?;
        program(
            &format!("{VENV}/bin/pip"),
            &["install", "--quiet", "pkilint==0.13.3", "aiosmtpd==1.4.6", "icalendar==6.3.1"],
        )?;
        // A mark: the last of them has no program of its own.
        std::fs::write(venv.join("icalendar"), "6.3.1").map_err(|error| error.to_string())?;
    }
    if check::cargo_deny().is_none() {
        println!("Building cargo-deny into target/judges");
        let deny = ["install", "--quiet", "--locked", "--debug", "--root", "target/judges/cargo", "cargo-deny@0.20.2"];
        program("cargo", &deny)?;
    }
    newer_judges()
}

/// Judges of Debian 13, in a folder of their own and run by their own loader: an OpenSSL whose mock server can answer a
/// key update with another certificate than the old one, and the EST server of libest.
fn newer_judges() -> Outcome {
    let bin = crate::root().join(VENV).join("bin");
    let tools = [("openssl-new", "openssl"), ("estserver", "estserver")];
    if tools.iter().all(|(name, _)| bin.join(name).exists()) {
        return Ok(());
    }
    println!("Fetching OpenSSL and libest of Debian 13 into {VENV}");
    let fetch = r#"set -e; mkdir -p lists/partial cache/archives/partial root debs
printf 'Types: deb\nURIs: http://deb.debian.org/debian\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' > trixie.sources
O="-qq -o Dir::Etc::sourcelist=$PWD/trixie.sources -o Dir::Etc::sourceparts=/nonexistent -o Dir::State::lists=$PWD/lists -o Dir::Cache=$PWD/cache -o Dir::State::status=/dev/null -o APT::Sandbox::User=root"
apt-get $O update; cd debs; apt-get $O download openssl libssl3t64 libc6 libzstd1 zlib1g libest3 libest-utils; cd ..
for deb in debs/*.deb; do dpkg -x "$deb" root; done; rm -rf lists cache debs"#;
    let folder = crate::root().join(VENV).join("debian13");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let status = Command::new("sh").args(["-c", fetch]).current_dir(&folder).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("the judges of Debian 13 could not be fetched".to_owned());
    }
    let usr = folder.join("root/usr");
    for (name, program) in tools {
        let script = format!(
            "#!/bin/sh\nL=$(echo {0}/lib/*-linux-gnu)\nexec $L/ld-linux-*.so.* --library-path $L {0}/bin/{program} \"$@\"\n",
            usr.display()
        );
        let tool = bin.join(name);
        std::fs::write(&tool, script).map_err(|error| error.to_string())?;
        crate::run("chmod", &["755", &tool.display().to_string()])?;
    }
    Ok(())
}

fn stage(name: &str, work: impl FnOnce() -> Outcome) -> Outcome {
    let begun = Instant::now();
    println!("== stage {name}");
    let done = work();
    println!("== stage {name}: {} in {} s", if done.is_ok() { "ok" } else { "FAILED" }, begun.elapsed().as_secs());
    done
}

/// The card made of software: a workspace of its own, in the same target folder.
pub(crate) fn vcard(verb: &str, rest: &[&str]) -> Outcome {
    let place = ["--manifest-path", "vcard/Cargo.toml", "--target-dir", "target", "--features", "openpgp", "--locked"];
    program("cargo", &[&[verb], &place[..], rest].concat())
}

/// Lists and installs packages, then runs everything; `--quick` needs no package.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let quick = arguments.contains(&"--quick");
    let ci = std::env::var("CI").as_deref() == Ok("true");
    if !quick {
        install(arguments.contains(&"--yes") || ci)?;
    }
    stage("fast", || {
        check::run()?;
        program(
            "cargo",
            &["build", "--quiet", "--package", "obnova-cli", "--package", "obnova-server", "--package", "faultp11"],
        )?;
        let window = check::without_window()?;
        let units = ["test", "--quiet", "--workspace", "--exclude", "obnova-testkit", "--exclude", "obnova-desktop"];
        program("cargo", &units)?;
        if window.is_empty() {
            program("cargo", &["test", "--quiet", "--package", "obnova-desktop", "--lib"])?;
        }
        let mut house = vec!["test", "--package", "obnova-testkit", "--"];
        if quick {
            // Only what plays on a file store with SQLite.
            house.extend(["road::waiting", "road::debt", "road::one_refused"]);
        } else {
            house.extend(["road::", "messages::", "care::", "contract::", "token::", "foreign_ground::", "service::"]);
            house.extend(["attack::", "others::", "successor::", "operator::", "left_behind::"]);
        }
        program("cargo", &house)
    })?;
    if quick {
        return Ok(());
    }
    stage("peers", || {
        vcard("clippy", &["--quiet", "--", "-D", "warnings"])?;
        vcard("build", &["--quiet"])?;
        let judged = ["peers::", "foreign::", "files::", "est::", "cards::", "pkits::", "paths::"];
        program("cargo", &[&["test", "--package", "obnova-testkit", "--"], &judged[..]].concat())?;
        // The window is judged by its pictures, by what a screen reader is told, and by clicks against the real server.
        program("cargo", &["test", "--package", "obnova-desktop", "--test", "window"])?;
        package::run()
    })?;
    stage("slow", || {
        program(
            "cargo",
            &[
                "test",
                "--package",
                "obnova-testkit",
                "--",
                "faults::",
                "shortages::",
                "enumeration::",
                "--test-threads",
                "2",
            ],
        )?;
        systems::run()
    })?;
    if arguments.contains(&"--all") {
        // Every call of every operation with every outcome, about half an hour.
        stage("all", || {
            let all = [
                "OBNOVA_ALL_FAULTS=1",
                "cargo",
                "test",
                "--package",
                "obnova-testkit",
                "--",
                "enumeration::",
                "--nocapture",
            ];
            program("env", &all)
        })?;
    }
    Ok(())
}
