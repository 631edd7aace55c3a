//! Reminders without a resident process: what ends soon, a calendar for it (RFC 5545), a notice on the desktop, and a
//! schedule of the person's own on each system. No PIN is needed, and nothing is asked of the network.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use obnova_keystore::durable;
use obnova_pki::Kind;
use serde::{Deserialize, Serialize};

use crate::inventory::Inventory;
use crate::outlook::is_followed;
use crate::process::quiet;
use crate::{CertificateView, ClientError, Home};

/// Days before the end when something is said, the first first.
pub const REMINDED: [i64; 6] = [60, 30, 14, 7, 3, 1];

/// A certificate that ends soon, or has ended.
#[derive(Debug, Clone, Serialize)]
pub struct Reminder {
    /// The certificate.
    pub certificate: CertificateView,
    /// The step of [`REMINDED`] that is reached; zero when it is over.
    pub step: i64,
    /// Whether this step was told before.
    pub told: bool,
}

/// What was seen and told, so that a step is told once, and a file that needs a password is remembered.
#[derive(Default, Serialize, Deserialize)]
struct Memory {
    /// Steps told, by SHA-256 of the certificate.
    #[serde(default)]
    told: std::collections::BTreeMap<String, i64>,
    /// Certificates seen, the public part in PEM, by SHA-256.
    #[serde(default)]
    seen: std::collections::BTreeMap<String, (String, String)>,
}

fn memory_path(home: &Home) -> PathBuf {
    home.folder().join("reminders.json")
}

fn memory(home: &Home) -> Memory {
    // A damaged one only means that something is told once more.
    std::fs::read(memory_path(home)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn remember(home: &Home, memory: &Memory) -> Result<(), ClientError> {
    let bytes = serde_json::to_vec_pretty(memory).map_err(|error| ClientError::new("file-error", error))?;
    Ok(durable::replace(&memory_path(home), &bytes)?)
}

fn step(days_left: i64) -> Option<i64> {
    if days_left < 0 {
        return Some(0);
    }
    REMINDED.iter().rev().copied().find(|step| days_left <= *step)
}

/// Looks at everything that is seen without a PIN, and at what was seen before, and says what ends. A certificate
/// whose successor is at hand is not mentioned.
///
/// # Errors
///
/// `file-error`; a store that cannot be read is passed over.
pub fn reminders(home: &Home, inventory: &Inventory, now: SystemTime) -> Result<Vec<Reminder>, ClientError> {
    let mut memory = memory(home);
    let mut all: Vec<(String, obnova_pki::Certificate)> = inventory.certificates();
    all.retain(|(_, certificate)| certificate.kind() != Kind::Authority);
    let readable: Vec<String> = inventory
        .stores
        .iter()
        .filter(|open| open.store.lock().certificates().is_ok())
        .map(|open| open.info.id.clone())
        .collect();
    // What is gone from a store that can be read is not remembered any longer.
    memory.seen.retain(|_, (store, _)| !readable.contains(store));
    for (store, certificate) in &all {
        let sha256 = CertificateView::of(certificate, store, now).sha256;
        let pem = obnova_pki::pem::block("CERTIFICATE", certificate.der()).unwrap_or_default();
        memory.seen.insert(sha256, (store.clone(), pem));
    }
    for (store, pem) in memory.seen.values() {
        if let Ok(certificate) = obnova_pki::Certificate::from_any_form(pem.as_bytes())
            && !all.iter().any(|(_, known)| *known == certificate)
        {
            all.push((store.clone(), certificate));
        }
    }
    let mut found = Vec::new();
    for (store, certificate) in &all {
        let view = CertificateView::of(certificate, store, now);
        let Some(step) = step(view.days_left).filter(|_| !is_followed(certificate, &all)) else { continue };
        let told = memory.told.get(&view.sha256).is_some_and(|told| *told <= step);
        found.push(Reminder { certificate: view, step, told });
    }
    found.sort_by_key(|reminder| reminder.certificate.days_left);
    remember(home, &memory)?;
    Ok(found)
}

/// Notes that these were told.
///
/// # Errors
///
/// `file-error`.
pub fn note_told(home: &Home, reminders: &[Reminder]) -> Result<(), ClientError> {
    let mut memory = memory(home);
    for reminder in reminders {
        memory.told.insert(reminder.certificate.sha256.clone(), reminder.step);
    }
    remember(home, &memory)
}

/// A calendar with an event on the last day of each certificate, and alarms before it. `words` gives the summary.
pub fn calendar(
    certificates: &[CertificateView],
    now: SystemTime,
    words: &dyn Fn(&CertificateView) -> String,
) -> String {
    let stamp = |text: &str| -> String {
        text.chars().filter(|c| c.is_ascii_alphanumeric()).take(15).collect::<String>() + "Z"
    };
    let now = jiff::Timestamp::try_from(now).map(|at| at.to_string()).unwrap_or_default();
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//obnova//reminders//EN".to_owned(),
        "METHOD:PUBLISH".to_owned(),
    ];
    for view in certificates {
        let day: String = view.not_after.chars().take(10).filter(char::is_ascii_digit).collect();
        lines.push("BEGIN:VEVENT".to_owned());
        lines.push(format!("UID:{}@obnova", &view.sha256[..32]));
        lines.push(format!("DTSTAMP:{}", stamp(&now)));
        lines.push(format!("DTSTART;VALUE=DATE:{day}"));
        lines.push(format!("SUMMARY:{}", escaped(&words(view))));
        lines.push("TRANSP:TRANSPARENT".to_owned());
        for before in REMINDED {
            lines.push("BEGIN:VALARM".to_owned());
            lines.push("ACTION:DISPLAY".to_owned());
            lines.push(format!("DESCRIPTION:{}", escaped(&words(view))));
            lines.push(format!("TRIGGER:-P{before}D"));
            lines.push("END:VALARM".to_owned());
        }
        lines.push("END:VEVENT".to_owned());
    }
    lines.push("END:VCALENDAR".to_owned());
    lines.iter().map(|line| folded(line)).collect()
}

/// RFC 5545 section 3.3.11.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n")
}

/// RFC 5545 section 3.1: lines of at most 75 octets, never cut inside a character.
fn folded(line: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for character in line.chars() {
        if length + character.len_utf8() > 74 {
            out.push_str("\r\n ");
            length = 1;
        }
        out.push(character);
        length += character.len_utf8();
    }
    out + "\r\n"
}

/// Shows a notice on the desktop by the system's own means; `false` where there are none.
pub fn notify(title: &str, text: &str) -> bool {
    // On Windows the words travel as variables: what follows -Command is read as a script.
    let shown = |program: &str, arguments: &[&str]| {
        let mut command = quiet(program);
        command.args(arguments).envs([("OBNOVA_TITLE", title), ("OBNOVA_TEXT", text)]);
        command.status().is_ok_and(|status| status.success())
    };
    if cfg!(windows) {
        let script = "Add-Type -AssemblyName System.Windows.Forms; \
                      $n=New-Object System.Windows.Forms.NotifyIcon; $n.Icon=[System.Drawing.SystemIcons]::Information; \
                      $n.Visible=$true; $n.ShowBalloonTip(10000,$env:OBNOVA_TITLE,$env:OBNOVA_TEXT,'Info'); \
                      Start-Sleep 10; $n.Dispose()";
        return shown("powershell.exe", &["-NoProfile", "-Command", script]);
    }
    if cfg!(target_os = "macos") {
        let script = "on run a\ndisplay notification (item 2 of a) with title (item 1 of a)\nend run";
        return shown("osascript", &["-e", script, title, text]);
    }
    shown("notify-send", &["--app-name=obnova", "--icon=dialog-information", "--", title, text])
}

/// A schedule of the person's own that runs `obnova remind --notify` once a day.
#[derive(Debug, Clone, Serialize)]
pub struct Schedule {
    /// Files that were written; on Windows the task's name.
    pub files: Vec<String>,
    /// Whether the system took it up at once; else it does at the next login.
    pub active: bool,
}

fn config_folder() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = variable("HOME").unwrap_or_default();
    if cfg!(target_os = "macos") {
        return home.join("Library/LaunchAgents");
    }
    variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"))
}

fn system(program: &str, arguments: &[&str]) -> bool {
    quiet(program).args(arguments).status().is_ok_and(|status| status.success())
}

/// Files of the schedule, with their contents; none on Windows, which keeps tasks itself.
fn schedule_files(program: &Path, home: &Home) -> Vec<(PathBuf, String)> {
    let folder = config_folder();
    let (program, home) = (program.display(), home.folder().display());
    if cfg!(target_os = "macos") {
        let plist = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
             \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\"><dict>\n\
             <key>Label</key><string>org.obnova.remind</string>\n<key>ProgramArguments</key><array><string>{program}\
             </string><string>remind</string><string>--notify</string><string>--home</string><string>{home}</string>\
             </array>\n<key>StartCalendarInterval</key><dict><key>Hour</key><integer>10</integer></dict>\n\
             <key>RunAtLoad</key><true/>\n</dict></plist>\n"
        );
        return vec![(folder.join("org.obnova.remind.plist"), plist)];
    }
    // systemd.exec(5): a path with spaces stands in quotes, and % is doubled.
    let quoted = |text: String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"));
    let command = format!("{} remind --notify --home {}", quoted(program.to_string()), quoted(home.to_string()));
    vec![
        (
            folder.join("systemd/user/obnova-remind.service"),
            format!(
                "[Unit]\nDescription=Reminder of certificates that end\n\n[Service]\nType=oneshot\nExecStart={command}\n"
            ),
        ),
        (
            folder.join("systemd/user/obnova-remind.timer"),
            "[Unit]\nDescription=Reminder of certificates that end\n\n[Timer]\nOnCalendar=daily\nPersistent=true\n\
             OnStartupSec=5min\n\n[Install]\nWantedBy=timers.target\n"
                .to_owned(),
        ),
        (
            // Where no systemd serves the person's session, the desktop starts it at login.
            folder.join("autostart/obnova-remind.desktop"),
            format!(
                "[Desktop Entry]\nType=Application\nName=obnova\nExec=sh -c 'systemctl --user is-active --quiet \
                 obnova-remind.timer || exec {}'\nNoDisplay=true\n",
                command.replace('\'', "'\\''").replace('\\', "\\\\")
            ),
        ),
    ]
}

/// Installs the schedule for this person; no administrator rights are needed.
///
/// # Errors
///
/// `file-error`; `schedule-refused` when the system does not take the task.
pub fn install_schedule(program: &Path, home: &Home) -> Result<Schedule, ClientError> {
    if cfg!(windows) {
        let task = format!("\"{}\" remind --notify --home \"{}\"", program.display(), home.folder().display());
        let arguments = ["/Create", "/F", "/TN", "obnova remind", "/SC", "DAILY", "/ST", "10:00", "/TR", &task];
        return match system("schtasks.exe", &arguments) {
            true => Ok(Schedule { files: vec!["obnova remind".to_owned()], active: true }),
            false => Err(ClientError::new("schedule-refused", "schtasks.exe")),
        };
    }
    let files = schedule_files(program, home);
    for (path, text) in &files {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        durable::replace(path, text.as_bytes())?;
    }
    let active = match cfg!(target_os = "macos") {
        true => system("launchctl", &["load", "-w", &files[0].0.display().to_string()]),
        false => {
            system("systemctl", &["--user", "daemon-reload"])
                && system("systemctl", &["--user", "enable", "--now", "obnova-remind.timer"])
        }
    };
    Ok(Schedule { files: files.iter().map(|(path, _)| path.display().to_string()).collect(), active })
}

/// Whether the schedule is installed.
pub fn has_schedule(home: &Home) -> bool {
    if cfg!(windows) {
        return system("schtasks.exe", &["/Query", "/TN", "obnova remind"]);
    }
    schedule_files(Path::new(""), home).first().is_some_and(|(path, _)| path.exists())
}

/// Takes the schedule away; again changes nothing.
///
/// # Errors
///
/// `file-error`.
pub fn remove_schedule(home: &Home) -> Result<(), ClientError> {
    if cfg!(windows) {
        system("schtasks.exe", &["/Delete", "/F", "/TN", "obnova remind"]);
        return Ok(());
    }
    let files = schedule_files(Path::new(""), home);
    match cfg!(target_os = "macos") {
        true => system("launchctl", &["unload", "-w", &files[0].0.display().to_string()]),
        false => system("systemctl", &["--user", "disable", "--now", "obnova-remind.timer"]),
    };
    for (path, _) in files {
        durable::remove(&path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_reached_once_each() {
        let reached: Vec<Option<i64>> = [90, 60, 59, 31, 30, 14, 2, 1, 0, -1].map(step).to_vec();
        let expected = [None, Some(60), Some(60), Some(60), Some(30), Some(14), Some(3), Some(1), Some(1), Some(0)];
        assert_eq!(reached, expected);
    }

    #[test]
    fn calendar_lines_are_short_and_whole() {
        let long = "SUMMARY:".to_owned() + &"ěščř, ".repeat(40);
        let text = folded(&escaped(&long));
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
        assert_eq!(text.replace("\r\n ", "").trim_end(), escaped(&long).trim_end());
    }
}
