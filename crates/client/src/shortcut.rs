//! A shortcut in the menu of the person's own desktop, for a program that was unpacked and not installed (Desktop Entry
//! Specification 1.5). No administrator rights are needed.

use std::path::{Path, PathBuf};

use obnova_keystore::durable;

use crate::ClientError;
use crate::process::quiet;

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Where the shortcut stands; `None` on systems where a program is put into the menu by other means.
fn place() -> Option<PathBuf> {
    if cfg!(windows) {
        return Some(variable("APPDATA")?.join("Microsoft/Windows/Start Menu/Programs/obnova.lnk"));
    }
    if cfg!(target_os = "macos") {
        return None;
    }
    let data = variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")))?;
    Some(data.join("applications/obnova.desktop"))
}

/// Whether the shortcut is there; `None` where this system has none, or where a package brought one for everybody.
pub fn has_shortcut() -> Option<bool> {
    let own = place()?;
    if own.exists() {
        return Some(true);
    }
    let shared = variable("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let is_shared = std::env::split_paths(&shared).any(|folder| folder.join("applications/obnova.desktop").exists());
    if is_shared && !cfg!(windows) { None } else { Some(false) }
}

/// The value of a key that is a command line: quoted, with what the quotes, and then what every value, gives a meaning
/// escaped. A path with control characters is refused.
fn command_line(program: &Path) -> Option<String> {
    let mut quoted = String::from("\"");
    for character in program.display().to_string().chars() {
        match character {
            '\\' => quoted.push_str("\\\\\\\\"),
            '"' | '`' | '$' => quoted.push_str(&format!("\\\\{character}")),
            '%' => quoted.push_str("%%"),
            other if other.is_control() => return None,
            other => quoted.push(other),
        }
    }
    Some(quoted + "\"")
}

/// Puts a shortcut to a program into the menu. `icon` is a picture beside it.
///
/// # Errors
///
/// `shortcut-refused`; `file-error`.
pub fn add_shortcut(program: &Path, icon: &Path) -> Result<(), ClientError> {
    let place = place().ok_or_else(|| ClientError::new("shortcut-refused", program.display()))?;
    if cfg!(windows) {
        // The words travel as variables: what follows -Command is read as a script.
        let script = "$l=(New-Object -ComObject WScript.Shell).CreateShortcut($env:OBNOVA_LINK); \
                      $l.TargetPath=$env:OBNOVA_PROGRAM; $l.Save()";
        let run = quiet("powershell.exe")
            .args(["-NoProfile", "-Command", script])
            .env("OBNOVA_LINK", &place)
            .env("OBNOVA_PROGRAM", program)
            .status();
        return match run.is_ok_and(|status| status.success()) {
            true => Ok(()),
            false => Err(ClientError::new("shortcut-refused", place.display())),
        };
    }
    let refused = || ClientError::new("shortcut-refused", program.display());
    let exec = command_line(program).ok_or_else(refused)?;
    let icon = match icon.exists() {
        true => icon.display().to_string().replace('\\', "\\\\"),
        false => "obnova".to_owned(),
    };
    if icon.chars().any(char::is_control) {
        return Err(refused());
    }
    let entry = format!(
        "[Desktop Entry]\nType=Application\nName=obnova\nComment=Renewal of certificates\n\
         Comment[cs]=Obnova certifikátů\nExec={exec}\nIcon={icon}\nTerminal=false\nCategories=Utility;Security;\n"
    );
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(durable::replace(&place, entry.as_bytes())?)
}

/// Takes the shortcut away; again changes nothing.
///
/// # Errors
///
/// `file-error`.
pub fn remove_shortcut() -> Result<(), ClientError> {
    match place() {
        Some(place) => Ok(durable::remove(&place)?),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_signs_of_its_own_stays_one_word() {
        let line = |path: &str| command_line(Path::new(path));
        assert_eq!(line("/home/a b/100%/ob$nova").as_deref(), Some("\"/home/a b/100%%/ob\\\\$nova\""));
        assert_eq!(line("/a\\b").as_deref(), Some("\"/a\\\\\\\\b\""));
        assert_eq!(line("/a\nb"), None);
    }
}
