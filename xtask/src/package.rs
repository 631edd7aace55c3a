//! Packages of the systems, made from a packed folder: `.deb` (Debian Policy, chapter 3) and an installer for Windows, which
//! wants no administrator rights and offers shortcuts; and the test that installs and starts them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::dist::{copy, told};
use crate::screen::{Screen, Started};
use crate::{Outcome, root, run as program};

/// Version that the packages carry.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Title of the window, in English.
const TITLE: &str = "My certificates";

/// How long a window may take to open, on a busy machine and under Wine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The entry of a menu (Desktop Entry Specification 1.5).
const ENTRY: &str = "[Desktop Entry]\nType=Application\nName=obnova\nGenericName=Renewal of certificates\n\
                     GenericName[cs]=Obnova certifikátů\nComment=Renews certificates on tokens and in files\n\
                     Comment[cs]=Obnovuje certifikáty na tokenech a v souborech\nExec=obnova-desktop\nIcon=obnova\n\
                     Terminal=false\nCategories=Utility;Security;\nKeywords=certificate;token;PIN;certifikát;podpis;\n";

fn failed(error: std::io::Error) -> String {
    error.to_string()
}

/// Makes `obnova_VERSION_ARCH.deb` of a packed folder.
pub(crate) fn debian(dist: &Path, place: &Path, system: &str) -> Outcome {
    if !Path::new("/usr/bin/dpkg-deb").exists() {
        println!("SKIPPED: the package for Debian needs dpkg");
        return Ok(());
    }
    let tree = dist.join("debian");
    let _ = std::fs::remove_dir_all(&tree);
    let at = |path: &str| tree.join(path);
    for name in ["obnova", "obnova-desktop"] {
        copy(&place.join(name), &at(&format!("usr/bin/{name}")))?;
    }
    copy(&place.join("share/obnova.png"), &at("usr/share/icons/hicolor/128x128/apps/obnova.png"))?;
    let entry = at("usr/share/applications/obnova.desktop");
    std::fs::create_dir_all(at("usr/share/applications")).map_err(failed)?;
    std::fs::write(&entry, ENTRY).map_err(failed)?;
    copy(&place.join("share/obnova.bash"), &at("usr/share/bash-completion/completions/obnova"))?;
    copy(&place.join("share/obnova.fish"), &at("usr/share/fish/vendor_completions.d/obnova.fish"))?;
    copy(&place.join("share/_obnova"), &at("usr/share/zsh/vendor-completions/_obnova"))?;
    for (from, to) in [("share/man", "usr/share/man/man1"), ("share/man/cs", "usr/share/man/cs/man1")] {
        let pages = std::fs::read_dir(place.join(from)).map_err(failed)?;
        for page in pages.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()) {
            copy(&page, &at(to).join(page.file_name().unwrap_or_default()))?;
        }
    }
    let doc = at("usr/share/doc/obnova");
    for paper in ["README.md", "README.cs.md", "CHANGELOG.md", "LICENSE-FONTS", "sbom.cdx.json"] {
        copy(&place.join(paper), &doc.join(paper))?;
    }
    program("cp", &["-r", &place.join("guide").display().to_string(), &doc.join("guide").display().to_string()])?;
    let licence = std::fs::read_to_string(root().join("LICENSE-MIT")).map_err(failed)?;
    let copyright = format!("obnova is under the licence MIT or Apache-2.0, as you like.\n\n{licence}");
    std::fs::write(doc.join("copyright"), copyright).map_err(failed)?;
    let machine = match system.split('-').next() {
        Some("x86_64") => "amd64",
        Some("aarch64") => "arm64",
        other => return Err(format!("no architecture of Debian is known for {other:?}")),
    };
    // Fonts come with the program; readers and notices are asked at run time.
    let control = format!(
        "Package: obnova\nVersion: {VERSION}\nArchitecture: {machine}\nMaintainer: obnova <obnova@example.invalid>\n\
         Section: utils\nPriority: optional\nDepends: libc6 (>= 2.36), libgcc-s1, libfontconfig1, \
         libx11-6, libx11-xcb1, libxcb1, libxcursor1, libxi6, libxkbcommon0, libxkbcommon-x11-0, libwayland-client0\n\
         Recommends: pcscd, xdg-utils, libnotify-bin, xdg-desktop-portal-gtk | xdg-desktop-portal-backend | zenity\nSuggests: opensc-pkcs11\n\
         Description: renewal of certificates on tokens and in files\n Gives a person the successor of a certificate that \
         ends, with a new key, and never\n leaves them without one that works.\n"
    );
    std::fs::create_dir_all(at("DEBIAN")).map_err(failed)?;
    std::fs::write(at("DEBIAN/control"), control).map_err(failed)?;
    program("chmod", &["-R", "u=rwX,go=rX", &tree.display().to_string()])?;
    let package = dist.join(format!("obnova_{VERSION}_{machine}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Zxz", "--build"]).arg(&tree).arg(&package);
    build.env("SOURCE_DATE_EPOCH", "0").stdout(Stdio::null());
    if !build.status().is_ok_and(|status| status.success()) {
        return Err("dpkg-deb did not make the package".to_owned());
    }
    told(&package);
    Ok(())
}

/// Makes `obnova-VERSION-setup.exe` of a packed folder.
pub(crate) fn installer(dist: &Path, place: &Path) -> Outcome {
    if !Path::new("/usr/bin/makensis").exists() {
        println!("SKIPPED: the installer for Windows needs nsis");
        return Ok(());
    }
    let setup = dist.join(format!("obnova-{VERSION}-setup.exe"));
    let icon = root().join("crates/desktop/ui/icon/obnova.ico");
    let mut make = Command::new("makensis");
    make.args(["-V2", "-INPUTCHARSET", "UTF8"])
        .arg(format!("-DVERSION={VERSION}"))
        .arg(format!("-DSOURCE={}", place.display()))
        .arg(format!("-DICON={}", icon.display()))
        .arg(format!("-DSETUP={}", setup.display()))
        .arg(root().join("xtask/windows/obnova.nsi"));
    if !make.status().is_ok_and(|status| status.success()) {
        return Err("makensis did not make the installer".to_owned());
    }
    told(&setup);
    Ok(())
}

/// What a window came to: it is there, or it ended with a status, having said something.
enum Seen {
    Window,
    Ended(std::process::ExitStatus, String),
}

/// Starts a window on a screen of its own and waits until it is there by its title, or has ended.
fn watch(mut command: Command, title: &str) -> Result<Seen, String> {
    let screen = Screen::start("1280x900x24")?;
    let home = tempfile::tempdir().map_err(failed)?;
    std::fs::write(home.path().join("obnova.toml"), "discover = false\n").map_err(failed)?;
    let told = home.path().join("told");
    let said = || std::fs::read_to_string(&told).unwrap_or_default();
    let file = std::fs::File::create(&told).map_err(failed)?;
    command.env("DISPLAY", &screen.name).env("LC_ALL", "C.UTF-8").env("OBNOVA_HOME", home.path());
    let mut window = Started(command.stdout(Stdio::null()).stderr(file).spawn().map_err(failed)?);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let tree = Command::new("xwininfo").args(["-display", &screen.name, "-root", "-tree"]).output();
        if String::from_utf8_lossy(&tree.map_err(failed)?.stdout).contains(title) {
            return Ok(Seen::Window);
        }
        if let Some(status) = window.0.try_wait().map_err(failed)? {
            return Ok(Seen::Ended(status, said()));
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    Err(format!("no window called {title} within {} s: {}", PATIENCE.as_secs(), said()))
}

/// A window that cannot go on ends with its own status and says why.
fn explains_itself(command: Command) -> Outcome {
    match watch(command, TITLE)? {
        Seen::Ended(status, told) if status.code() == Some(4) && told.contains("refresh rate") => Ok(()),
        Seen::Ended(status, told) => Err(format!("without a refresh rate: {status}: {told}")),
        Seen::Window if std::env::var("CI").as_deref() == Ok("true") => {
            Err("a display without a refresh rate was expected, and in CI nothing is skipped".to_owned())
        }
        Seen::Window => {
            println!("SKIPPED: this display tells a refresh rate, so that its absence could not be tried");
            Ok(())
        }
    }
}

fn opens(command: Command) -> Outcome {
    match watch(command, TITLE)? {
        Seen::Window => Ok(()),
        Seen::Ended(status, told) => Err(format!("the window ended at once: {status}: {told}")),
    }
}

/// What people download for this system, made of the programs of the tests, and tried.
pub(crate) fn run() -> Outcome {
    crate::dist::run(&["--dev"])?;
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    try_archive()?;
    try_debian()
}

/// Unpacks the archive and starts the window from where it lies: nothing is installed.
fn try_archive() -> Outcome {
    let dist = root().join("target/dist");
    let name = format!("obnova-{VERSION}-{}", crate::dist::host()?);
    let archive = dist.join(format!("{name}.tar.gz"));
    let folder = tempfile::tempdir().map_err(failed)?;
    program("tar", &["-xf", &archive.display().to_string(), "-C", &folder.path().display().to_string()])?;
    let mut window = Command::new(folder.path().join(name).join("obnova-desktop"));
    window.args(["--lang", "en"]);
    opens(window)?;
    println!("{} was unpacked, and its window opened", archive.display());
    Ok(())
}

/// Installs the package for Debian, starts both programs, and takes it away. Without the right to install it is unpacked
/// and started from there.
fn try_debian() -> Outcome {
    let dist = root().join("target/dist");
    let package = find(&dist, ".deb")?;
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|told| told.stdout == b"0\n");
    let unpacked = tempfile::tempdir().map_err(failed)?;
    let base = if is_root {
        // With what it depends on, as a person's system would get it.
        let package = package.canonicalize().map_err(failed)?.display().to_string();
        program("apt-get", &["install", "-y", "-qq", "--no-install-recommends", "--allow-downgrades", &package])?;
        PathBuf::from("/")
    } else {
        println!("the package is unpacked, not installed: that takes the administrator's rights");
        program("dpkg-deb", &["--extract", &package.display().to_string(), &unpacked.path().display().to_string()])?;
        unpacked.path().to_owned()
    };
    let tried = || -> Outcome {
        let version = Command::new(base.join("usr/bin/obnova")).arg("--version").output().map_err(failed)?;
        if !String::from_utf8_lossy(&version.stdout).contains(VERSION) {
            return Err("the installed program does not tell its version".to_owned());
        }
        let bill = std::fs::read_to_string(base.join("usr/share/doc/obnova/sbom.cdx.json")).map_err(failed)?;
        if !bill.contains("\"slint\"") || !base.join("usr/share/doc/obnova/guide/cs/renew.html").exists() {
            return Err("the package lacks its bill of materials or its guide".to_owned());
        }
        let entry = base.join("usr/share/applications/obnova.desktop");
        if Path::new("/usr/bin/desktop-file-validate").exists() {
            program("desktop-file-validate", &[&entry.display().to_string()])?;
        } else {
            println!("SKIPPED: the entry of the menu is judged by desktop-file-utils, which is missing");
        }
        let desktop = || {
            let mut window = Command::new(base.join("usr/bin/obnova-desktop"));
            window.args(["--lang", "en"]);
            window
        };
        let alone = desktop().env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().map_err(failed)?;
        let told = String::from_utf8_lossy(&alone.stderr);
        if alone.status.code() != Some(4) || !told.contains("no screen") {
            return Err(format!("without a screen: {}: {told}", alone.status));
        }
        opens(desktop())
    };
    let done = tried();
    if is_root {
        program("dpkg", &["--purge", "obnova"])?;
        if Path::new("/usr/bin/obnova-desktop").exists() {
            return Err("the package left its program behind".to_owned());
        }
    }
    done?;
    println!("Debian: {} was installed, its window opened, and it was taken away", package.display());
    Ok(())
}

fn find(dist: &Path, ending: &str) -> Result<PathBuf, String> {
    let files = std::fs::read_dir(dist).map_err(failed)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<PathBuf> = files.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found.pop().ok_or_else(|| format!("there is no {ending} in {}", dist.display()))
}

/// Runs the installer for Windows under Wine, without questions, starts what it installed, and takes it away.
pub(crate) fn try_installer(wine: &dyn Fn(&Path) -> Command, prefix: &Path) -> Outcome {
    let setup = find(&root().join("target/dist"), "-setup.exe")?;
    let quietly = |mut command: Command, what: &str| -> Outcome {
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(failed)?;
        if status.success() { Ok(()) } else { Err(format!("{what}: {status}")) }
    };
    let places = || -> Vec<PathBuf> {
        let users = std::fs::read_dir(prefix.join("drive_c/users")).into_iter().flatten();
        users.filter_map(|entry| Some(entry.ok()?.path().join("AppData/Local/Programs/obnova"))).collect()
    };
    // What an earlier run left would be taken for what this installer did.
    for place in places() {
        let _ = std::fs::remove_dir_all(place);
    }
    let mut run = wine(&setup);
    run.arg("/S");
    quietly(run, "the installer")?;
    let users = prefix.join("drive_c/users");
    let installed =
        std::fs::read_dir(users).map_err(failed)?.filter_map(|entry| Some(entry.ok()?.path())).find_map(|user| {
            let place = user.join("AppData/Local/Programs/obnova");
            place.join("obnova-desktop.exe").exists().then_some((user, place))
        });
    let (user, place) = installed.ok_or("the installer put the program nowhere in the person's own folders")?;
    let menu = user.join("AppData/Roaming/Microsoft/Windows/Start Menu/Programs/obnova.lnk");
    if !menu.exists() {
        return Err("the installer made no shortcut in the menu".to_owned());
    }
    // Today's programs import a library that this Wine lacks; a few lines stand in for it.
    copy(&root().join("target/x86_64-pc-windows-gnu/debug/bcryptprimitives.dll"), &place.join("bcryptprimitives.dll"))?;
    let version = wine(&place.join("obnova.exe")).arg("--version").output().map_err(failed)?;
    if !String::from_utf8_lossy(&version.stdout).contains(VERSION) {
        return Err("the installed program does not tell its version".to_owned());
    }
    let name = user.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let windows = format!("C:\\users\\{name}\\AppData\\Local\\Programs\\obnova");
    // A display of Xvfb has no refresh rate, which the toolkit divides by: the program must say so, and how to go on.
    // Wine's own desktop lives on for a while, without the screen that comes now: each window begins with none.
    let rest = || {
        for wish in ["-k", "-w"] {
            drop(Command::new("wineserver").arg(wish).env("WINEPREFIX", prefix).stderr(Stdio::null()).status());
        }
    };
    rest();
    let mut window = wine(&place.join("obnova-desktop.exe"));
    window.args(["--lang", "en"]);
    explains_itself(window)?;
    rest();
    // A desktop of Wine's own has one.
    let mut window = wine(Path::new("explorer"));
    window.args(["/desktop=obnova,1100x800", &format!("{windows}\\obnova-desktop.exe"), "--lang", "en"]);
    let opened = opens(window);
    // Only the one of this prefix: others may run beside it.
    let kill = |what: &str| drop(wine(Path::new("taskkill")).args(["/f", "/im", what]).status());
    kill("obnova-desktop.exe");
    opened?;
    let _ = std::fs::remove_file(place.join("bcryptprimitives.dll"));
    // In its place, so that it is waited for; its own file then stays.
    let mut remove = wine(&place.join("uninstall.exe"));
    remove.args(["/S", &format!("_?={windows}")]);
    quietly(remove, "the uninstaller")?;
    if place.join("obnova-desktop.exe").exists() || menu.exists() {
        return Err("the uninstaller left the program or its shortcut behind".to_owned());
    }
    println!(
        "Windows: {} was installed under Wine without administrator rights, its window opened, and it was taken away",
        setup.display()
    );
    Ok(())
}
