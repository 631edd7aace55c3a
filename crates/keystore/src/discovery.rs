//! Where this computer has PKCS#11 modules and browsers' key databases: files by their known names, the
//! configuration of p11-kit (pkcs11.conf(5)), and the profiles of Firefox, Thunderbird and Chromium.

use std::path::{Path, PathBuf};

/// Folders where modules of vendors are installed.
fn library_folders() -> Vec<PathBuf> {
    if cfg!(windows) {
        let root = std::env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
        let mut folders = vec![root.join("System32")];
        for variable in ["ProgramFiles", "ProgramFiles(x86)"] {
            if let Some(programs) = std::env::var_os(variable) {
                folders.extend(below(Path::new(&programs), 2));
            }
        }
        return folders;
    }
    if cfg!(target_os = "macos") {
        let mut folders = vec![PathBuf::from("/usr/local/lib"), PathBuf::from("/opt/homebrew/lib")];
        for folder in [
            "/Library/OpenSC/lib",
            "/Library/bit4id/pkcs11",
            "/usr/local/lib/pkcs11",
            "/usr/local/lib/eOPCZE",
            "/usr/local/lib/ProIDPlus",
        ] {
            folders.push(folder.into());
        }
        return folders;
    }
    let mut folders: Vec<PathBuf> =
        ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64", "/lib"].iter().map(PathBuf::from).collect();
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    for sub in ["", "pkcs11", "softhsm", "opensc"] {
        folders.push(Path::new(&multiarch).join(sub));
        folders.push(Path::new("/usr/lib").join(sub));
        folders.push(Path::new("/usr/lib64").join(sub));
    }
    // Vendors install below /opt, each under a name of its own.
    folders.extend(below(Path::new("/opt"), 2));
    folders
}

/// Folders below one, to a depth.
fn below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).take(500) {
        if depth > 1 {
            found.extend(below(&path, depth - 1));
        }
        found.push(path);
    }
    found
}

fn add(found: &mut Vec<PathBuf>, path: &Path) {
    // One module under several names is one module.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if real.is_file() && !found.contains(&real) {
        found.push(real);
    }
}

/// Modules of these file names, each once.
pub fn known_modules<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in library_folders() {
        for name in names.clone() {
            add(&mut found, &folder.join(name));
        }
    }
    found
}

/// Modules that p11-kit is configured with, but for its own that hold no keys.
pub fn p11_kit_modules() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/usr/share/p11-kit/modules"), PathBuf::from("/etc/pkcs11/modules")];
    if let Some(home) = std::env::var_os("HOME") {
        folders.push(Path::new(&home).join(".config/pkcs11/modules"));
    }
    let mut found = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "module")) {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            if let Some(module) = p11_kit_module(&text) {
                add(&mut found, &module);
            }
        }
    }
    found
}

/// The module that a file of p11-kit names; `None` for those that are switched off or hold no keys.
fn p11_kit_module(text: &str) -> Option<PathBuf> {
    let value = |wanted: &str| {
        text.lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim() == wanted)
            .map(|(_, value)| value.trim().to_owned())
    };
    if value("enable-in").is_some_and(|programs| programs.is_empty()) || value("remote").is_some() {
        return None;
    }
    let module = PathBuf::from(value("module")?);
    let name = module.file_name()?.to_string_lossy().into_owned();
    if name.starts_with("p11-kit-") {
        return None;
    }
    if module.is_absolute() {
        return Some(module);
    }
    // A bare name stands for the folder that p11-kit was built with.
    let folders = [
        format!("/usr/lib/{}-linux-gnu/pkcs11", std::env::consts::ARCH),
        "/usr/lib64/pkcs11".to_owned(),
        "/usr/lib/pkcs11".to_owned(),
        "/usr/local/lib/pkcs11".to_owned(),
    ];
    folders.iter().map(|folder| Path::new(folder).join(&module)).find(|path| path.exists())
}

/// The module of NSS, where a browser or the system brings one.
pub fn nss_module() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = Vec::new();
    if cfg!(windows) {
        for variable in ["ProgramFiles", "ProgramFiles(x86)"] {
            let Some(programs) = std::env::var_os(variable) else { continue };
            for product in ["Mozilla Firefox", "Mozilla Thunderbird"] {
                places.push(Path::new(&programs).join(product).join("softokn3.dll"));
            }
        }
    } else if cfg!(target_os = "macos") {
        for product in ["Firefox", "Thunderbird"] {
            places.push(format!("/Applications/{product}.app/Contents/MacOS/libsoftokn3.dylib").into());
        }
    } else {
        let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        for folder in [
            &format!("{multiarch}/nss"),
            &multiarch,
            "/usr/lib64",
            "/usr/lib",
            "/usr/lib/nss",
            "/usr/lib/firefox",
            "/usr/lib/firefox-esr",
            "/usr/lib/thunderbird",
            "/usr/lib64/firefox",
        ] {
            places.push(Path::new(folder).join("libsoftokn3.so"));
        }
    }
    places.into_iter().find(|path| path.is_file())
}

/// Folders with a key database of NSS.
pub fn browser_profiles() -> Vec<PathBuf> {
    let mut parents: Vec<PathBuf> = Vec::new();
    let mut single: Vec<PathBuf> = Vec::new();
    if cfg!(windows) {
        if let Some(data) = std::env::var_os("APPDATA") {
            let data = Path::new(&data);
            parents.extend([data.join(r"Mozilla\Firefox\Profiles"), data.join(r"Thunderbird\Profiles")]);
        }
    } else if let Some(home) = std::env::var_os("HOME") {
        let home = Path::new(&home);
        if cfg!(target_os = "macos") {
            let support = home.join("Library/Application Support");
            parents.extend([support.join("Firefox/Profiles"), home.join("Library/Thunderbird/Profiles")]);
        } else {
            for folder in [
                ".mozilla/firefox",
                ".thunderbird",
                "snap/firefox/common/.mozilla/firefox",
                ".var/app/org.mozilla.firefox/.mozilla/firefox",
                ".var/app/org.mozilla.Thunderbird/.thunderbird",
            ] {
                parents.push(home.join(folder));
            }
            single.extend([home.join(".pki/nssdb"), home.join(".local/share/pki/nssdb")]);
        }
    }
    let mut found: Vec<PathBuf> = parents.iter().flat_map(|parent| below(parent, 1)).collect();
    found.extend(single);
    found.retain(|folder| folder.join("cert9.db").is_file() && folder.join("key4.db").is_file());
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_file_is_read_as_p11_kit_reads_it() {
        let here = std::env::current_exe().unwrap();
        let text = format!("# vendor\nmodule: {}\ncritical: no\n", here.display());
        assert_eq!(p11_kit_module(&text), Some(here));
        assert_eq!(p11_kit_module("module: p11-kit-trust.so\ntrust-policy: yes\n"), None);
        assert_eq!(p11_kit_module("module: /x.so\nenable-in:\n"), None);
        assert_eq!(p11_kit_module("remote: |ssh host p11-kit remote\nmodule: /x.so"), None);
        assert_eq!(p11_kit_module("critical: yes\n"), None);
    }
}
