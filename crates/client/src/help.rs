//! Help from people: a bundle of what a help desk would ask for, without secrets, and a message with it; and repairs
//! that can harm nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use obnova_lifecycle::port::Clock;
use obnova_remote::{HttpClient, ObnovaAuthority};
use serde_json::{Value, json};

use crate::doctor::Finding;
use crate::inventory::Inventory;
use crate::{ClientError, HelpContact, Home, JourneyView, StoreSetting};

/// Everything that a help desk would ask for, as JSON. It holds no PIN, no password, no private key, no request and
/// no receipt; names and serial numbers of certificates are in it, because they are what the question is about.
///
/// # Errors
///
/// `file-error`.
pub fn help_bundle(
    home: &Home,
    extra: &[StoreSetting],
    findings: &[Finding],
    clock: &dyn Clock,
) -> Result<String, ClientError> {
    let inventory = Inventory::open(home, extra).ok();
    let now = clock.now();
    let mut journeys = serde_json::to_value(JourneyView::all(home, clock).unwrap_or_default())
        .map_err(|error| ClientError::new("file-error", error))?;
    for item in journeys.as_array_mut().into_iter().flatten().flat_map(|journey| journey["items"].as_array_mut()) {
        for one in item {
            // By its receipt anybody could ask for the state of a request.
            one["receipt"] = Value::Null;
        }
    }
    let contact = home.help_contact().unwrap_or_default();
    let bundle = json!({
        "document": "obnova-help-1",
        "program": env!("CARGO_PKG_VERSION"),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "organisation": contact.organisation,
        "reference": contact.reference,
        "findings": findings,
        "stores": inventory.as_ref().map(Inventory::stores),
        "cards": inventory.as_ref().map(Inventory::cards),
        "devices": inventory.as_ref().map(|inventory| inventory.devices(now)),
        "certificates": inventory.as_ref().map(|inventory| inventory.views(now)),
        "journeys": journeys,
    });
    serde_json::to_string_pretty(&bundle).map_err(|error| ClientError::new("file-error", error))
}

/// A question to the help desk, in the person's words and language.
#[derive(Default)]
pub struct HelpQuestion {
    /// Subject.
    pub subject: String,
    /// First sentence.
    pub greeting: String,
    /// What the person wrote.
    pub words: String,
    /// What stands in the way, a line each.
    pub trouble: Vec<String>,
    /// Whether it is about technology rather than about the office.
    pub is_technical: bool,
}

/// Whom to ask: the desk that a known authority's directory names takes the place of the mailboxes of the settings
/// (`[help]`), which say the rest.
///
/// # Errors
///
/// `settings-wrong`.
pub fn help_desk(home: &Home) -> Result<HelpContact, ClientError> {
    let mut contact = home.help_contact()?;
    for record in home.authorities()? {
        let (Some(address), Ok(http)) = (&record.address, HttpClient::new(&record.tls_trust(), None)) else { continue };
        let directory = ObnovaAuthority { http: &http, address }.directory().ok().flatten();
        if let Some(desk) = directory.and_then(|directory| directory.desk) {
            (contact.to, contact.technical, contact.hours) = (desk.general, desk.technical, desk.hours);
            break;
        }
    }
    Ok(contact)
}

/// What every message to the office must carry: a mailbox, IČO and reference.
fn complete(contact: &HelpContact, is_technical: bool) -> Result<(), ClientError> {
    let mailbox = contact.mailbox(is_technical).to_owned();
    for (name, value) in [("to", &mailbox), ("organisation", &contact.organisation), ("reference", &contact.reference)]
    {
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(ClientError::new("help-unknown", format!("[help] {name}")));
        }
    }
    Ok(())
}

/// The question as plain text, as it goes into a data box or a form.
///
/// # Errors
///
/// `help-unknown` with the setting that is missing.
pub fn help_text(contact: &HelpContact, question: &HelpQuestion) -> Result<String, ClientError> {
    complete(contact, question.is_technical)?;
    let mut parts = vec![
        format!("{} ({}, {})", question.subject, contact.organisation, contact.reference),
        question.greeting.clone(),
        format!("IČO: {}\nČ. j. / reference: {}", contact.organisation, contact.reference),
        question.words.trim().to_owned(),
        question.trouble.join("\n"),
    ];
    parts.retain(|part| !part.is_empty());
    Ok(parts.join("\n\n") + "\n")
}

/// The question as a draft of a message with the bundle attached. IČO and reference stand in it, and it is refused
/// without them: every message to the office must carry them.
///
/// # Errors
///
/// `help-unknown` with the setting that is missing.
pub fn help_message(
    contact: &HelpContact,
    question: &HelpQuestion,
    bundle: &str,
    clock: &dyn Clock,
) -> Result<String, ClientError> {
    let text = help_text(contact, question)?.replace('\n', "\r\n");
    let encoded = |text: &str| format!("=?UTF-8?B?{}?=", STANDARD.encode(text));
    let lines = |bytes: &[u8]| crate::description::base64_lines(bytes);
    let date = jiff::Timestamp::try_from(clock.now())
        .ok()
        .and_then(|at| jiff::fmt::rfc2822::to_string(&at.to_zoned(jiff::tz::TimeZone::UTC)).ok())
        .unwrap_or_default();
    Ok(format!(
        "To: {}\r\nSubject: {}\r\nDate: {date}\r\nX-Unsent: 1\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"obnova-help\"\r\n\r\n--obnova-help\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}--obnova-help\r\n\
         Content-Type: application/json; name=\"obnova-help.json\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"obnova-help.json\"\r\n\r\n{}--obnova-help--\r\n",
        contact.mailbox(question.is_technical),
        encoded(&format!("{} ({}, {})", question.subject, contact.organisation, contact.reference)),
        lines(text.as_bytes()),
        lines(bundle.as_bytes()),
    ))
}

/// Repairs what can harm nothing: folders of the home that are missing, rights that are too wide. Gives what was done.
///
/// # Errors
///
/// `file-error`.
pub fn mend(home: &Home) -> Result<Vec<String>, ClientError> {
    let mut done = Vec::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mut narrow = vec![home.folder().to_owned()];
        for sub in ["journeys", "archive", "authorities", "requests"] {
            let Ok(entries) = std::fs::read_dir(home.folder().join(sub)) else { continue };
            narrow.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        }
        for path in narrow {
            let mode = std::fs::metadata(&path)?.permissions().mode();
            if mode & 0o077 != 0 {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode & 0o700))?;
                done.push(path.display().to_string());
            }
        }
    }
    // Copies that a power cut left half written are nobody's.
    for sub in ["journeys", "archive", "authorities", "requests", "locks"] {
        let Ok(entries) = std::fs::read_dir(home.folder().join(sub)) else { continue };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.extension().is_some_and(|ending| ending == "new") {
                std::fs::remove_file(&path)?;
                done.push(path.display().to_string());
            }
        }
    }
    Ok(done)
}
