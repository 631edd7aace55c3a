//! When something is wrong: what a look at everything found, each error with what to do, a question to people, the guide,
//! and who made the program.

use obnova_client::{CardView, ClientError, Finding, Health, HelpContact, words};
use obnova_texts::{GuidePage, Language, Texts, guide, keys};

use crate::page::{Act, Block, Button, Card, Field, Mark, Page, Place};

/// What happened, why, and what to do; and its code with the detail, for a help desk.
pub fn trouble(texts: Texts, error: &ClientError) -> (String, String) {
    // What the command line says of its commands is said otherwise here.
    let (mut text, reason) = words::trouble(texts, error, &["window-error", "error"]);
    if let Some(reason) = reason {
        text.push_str(&format!(" {reason}"));
    }
    let detail = if error.detail == error.code { "" } else { error.detail.as_str() };
    (text, format!("[{}] {detail}", error.code).trim_end().to_owned())
}

/// An error as a notice, with the buttons that help.
pub fn notice(texts: Texts, error: &ClientError) -> Block {
    let (title, detail) = trouble(texts, error);
    let go = |key: &str, act: Act| Button::new(texts, key, act);
    let mut buttons = match error.code.as_str() {
        "store-full" | "write-failed" | "not-stored" => {
            vec![go("window-make-room", Act::Survey(None)).first(), go("window-resume", Act::Resume)]
        }
        "store-gone"
        | "module-silent"
        | "module-crashed"
        | "module-error"
        | "authority-unreachable"
        | "authority-busy"
        | "authority-http-error"
        | "renewal-open"
        | "rehearsal-failed" => vec![go("window-resume", Act::Resume)],
        "authority-lost-request" => vec![go("window-ask-again", Act::AskAgain)],
        "pin-locked" | "pin-last-try" => vec![go("window-devices", Act::Go(Place::Devices))],
        "backup-undecided" => vec![go("window-settings", Act::Go(Place::Settings))],
        "invitation-needed" | "invitation-in-use" => vec![go("window-invitation", Act::AskInvitation)],
        "no-authority" | "authority-unknown" => {
            vec![go("window-invitation", Act::AskInvitation), go("window-settings", Act::Go(Place::Settings))]
        }
        "help-unknown" => Vec::new(),
        "card-unseen" | "card-blank" => vec![go("window-administrator", Act::Administrator)],
        _ => Vec::new(),
    };
    buttons.push(go("window-ticket", Act::Ticket));
    Block::Notice(Card { mark: Mark::Bad, title, faint: vec![detail], buttons, ..Card::default() })
}

/// The place.
pub fn page(texts: Texts) -> Page {
    let mut page = Page::of(texts, Place::Help);
    let part = |key: &str, act: Act| {
        Block::Card(Card {
            title: texts.get(key, &[]),
            lines: vec![texts.get(&format!("{key}-lines"), &[])],
            buttons: vec![Button::named(texts.get(&format!("{key}-go"), &[]), act)],
            ..Card::default()
        })
    };
    page.blocks.push(part("window-doctor", Act::Doctor));
    page.blocks.push(part("window-ticket", Act::Ticket));
    page.blocks.push(Block::Card(Card {
        title: texts.get("window-guide", &[]),
        lines: vec![texts.get("window-guide-lines", &[])],
        buttons: guide(texts.language())
            .iter()
            .enumerate()
            .map(|(nth, page)| Button::named(page.title, Act::Guide(nth)).hint(texts.get("window-guide", &[])))
            .collect(),
        ..Card::default()
    }));
    page.blocks.push(part("window-errors", Act::Errors));
    page.blocks.push(part("window-about", Act::About));
    page
}

/// What a look at everything found; what stands in the way first.
/// `mended` is what was repaired just now, where that was asked for.
pub fn doctor(texts: Texts, findings: &[Finding], cards: &[CardView], mended: Option<&[String]>) -> Page {
    let mut page = Page::below(texts, Place::Help, "window-doctor");
    if mended.is_some_and(<[String]>::is_empty) {
        page.notice(Mark::Good, texts.get("window-nothing-mended", &[]), "");
    }
    for what in mended.unwrap_or_default() {
        page.notice(Mark::Good, texts.get("doctor-repaired", &[("what", what)]), "");
    }
    let is_bad = findings.iter().any(|finding| finding.health != Health::Good);
    page.text(texts.get(if is_bad { "window-doctor-found" } else { "window-doctor-well" }, &[]));
    for health in [Health::Bad, Health::Notice, Health::Good] {
        for finding in findings.iter().filter(|finding| finding.health == health) {
            let (mark, state) = match health {
                Health::Good => (Mark::Plain, "doctor-good"),
                Health::Notice => (Mark::Due, "doctor-notice"),
                Health::Bad => (Mark::Bad, "doctor-bad"),
            };
            let what = words::sentence(&texts.get(&format!("doctor-{}", finding.check), &[]));
            let state = words::sentence(&texts.get(state, &[]).to_lowercase());
            let (mut lines, mut faint) = (Vec::new(), vec![state]);
            if let Some(advice) = &finding.advice {
                let (text, code) = trouble(texts, &ClientError::new(advice.clone(), ""));
                lines.push(text);
                faint.push(code);
            }
            let (title, faint) = (format!("{what}: {}", words::finding(texts, finding)), vec![faint.join(" ")]);
            page.blocks.push(Block::Card(Card { mark, title, lines, faint, ..Card::default() }));
        }
    }
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Help)));
    if !cards.is_empty() {
        page.buttons.push(Button::new(texts, "window-administrator", Act::Administrator));
    }
    page.buttons.push(Button::new(texts, "window-mend", Act::Mend));
    page.buttons.push(Button::new(texts, "window-doctor-again", Act::Doctor));
    page.buttons.push(Button::new(texts, "window-ticket", Act::Ticket).main());
    page
}

/// A question to people; `is_own` where the person says whom to ask, and no authority. `missing` is the page of the guide that lacks something, `trouble` what went wrong before.
pub fn ticket(
    texts: Texts,
    contact: &HelpContact,
    (is_technical, is_own): (bool, bool),
    missing: Option<&str>,
    trouble: Option<&str>,
) -> Page {
    let mut page = Page::below(texts, Place::Help, "window-ticket");
    page.text(texts.get("window-ticket-intro", &[]));
    let mailbox = contact.mailbox(is_technical);
    let mut lines = Vec::new();
    if !mailbox.is_empty() {
        lines.push(texts.get("window-ticket-to", &[("mailbox", mailbox)]));
    }
    if !contact.hours.is_empty() {
        lines.push(texts.get("window-ticket-hours", &[("hours", &contact.hours)]));
    }
    page.blocks.push(Block::Card(Card {
        title: texts.get("window-ticket-about", &[]),
        lines,
        buttons: vec![
            Button::new(texts, "window-general", Act::Technical(false)).choice(!is_technical),
            Button::new(texts, "window-technical", Act::Technical(true)).choice(is_technical),
        ],
        ..Card::default()
    }));
    let field = |name: &'static str, value: &str| {
        let hint = format!("window-ticket-{name}-hint");
        Block::Field(Field {
            name,
            label: texts.get(&format!("window-ticket-{name}"), &[]),
            hint: if texts.has(&hint) { texts.get(&hint, &[]) } else { String::new() },
            value: value.to_owned(),
            takes_focus: name == "words",
            is_long: name == "words",
            ..Field::default()
        })
    };
    let words = missing.map(|page| texts.get("window-missing-words", &[("page", page)])).unwrap_or_default();
    page.blocks.push(field("words", &words));
    page.blocks.push(field("organisation", &contact.organisation));
    page.blocks.push(field("reference", &contact.reference));
    // A desk that an authority names is not the person's to change.
    if is_own {
        page.blocks.push(field("mailbox", mailbox));
    }
    if let Some(trouble) = trouble {
        page.text(texts.get("window-ticket-error", &[("what", trouble)]));
    }
    page.blocks.push(Block::Faint(texts.get("window-ticket-bundle", &[])));
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Help)));
    page.buttons.push(Button::new(texts, "window-ticket-text", Act::WriteTicket(false)));
    page.buttons.push(Button::new(texts, "window-ticket-write", Act::WriteTicket(true)).main());
    page
}

/// Something was written into a file for the person to send on.
pub fn written(texts: Texts, place: Place, key: &str, file: &str, text: Option<&str>) -> Page {
    let mut page = Page::below(texts, place, place.key());
    let mut buttons = vec![Button::new(texts, "window-open", Act::Show(file.to_owned())).first().hint(file)];
    if let Some(text) = text {
        buttons.push(Button::new(texts, "window-copy-text", Act::Copy(text.to_owned())));
    }
    buttons.push(Button::new(texts, "window-copy-path", Act::Copy(file.to_owned())).hint(file));
    let title = texts.get(key, &[("file", file)]);
    page.blocks.push(Block::Notice(Card { mark: Mark::Good, title, buttons, ..Card::default() }));
    page.blocks.extend(text.into_iter().flat_map(str::lines).map(|line| Block::Faint(line.to_owned())));
    page.buttons.push(Button::new(texts, "window-home", Act::Go(Place::Overview)));
    page
}

/// Every error by its code, those whose code or text holds `wanted`.
pub fn errors(texts: Texts, wanted: &str) -> Page {
    let mut page = Page::below(texts, Place::Help, "window-errors");
    page.blocks.push(Block::Field(Field {
        name: "code",
        label: texts.get("window-errors-find", &[]),
        value: wanted.to_owned(),
        takes_focus: true,
        ..Field::default()
    }));
    let lower = wanted.trim().to_lowercase();
    let mut found = Vec::new();
    for key in keys(Language::English) {
        let Some(code) = key.strip_prefix("error-") else { continue };
        let (text, _) = trouble(texts, &ClientError::new(code, ""));
        if code.contains(&lower) || text.to_lowercase().contains(&lower) {
            let faint = vec![format!("[{code}]")];
            found.push(Block::Card(Card { lines: vec![text], faint, ..Card::default() }));
        }
    }
    if !lower.is_empty() {
        let count = found.len().to_string();
        let key = if found.is_empty() { "window-errors-none" } else { "window-errors-count" };
        page.blocks.push(Block::Notice(Card { title: texts.get(key, &[("count", &count)]), ..Card::default() }));
    }
    page.blocks.append(&mut found);
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Help)));
    page.buttons.push(Button::new(texts, "window-errors-go", Act::Errors).main());
    page
}

/// A page of the guide.
pub fn guide_page(texts: Texts, nth: usize) -> Page {
    let pages = guide(texts.language());
    let Some(GuidePage { title, blocks, .. }) = pages.get(nth) else { return page(texts) };
    let mut page = Page { title: (*title).to_owned(), place: Some(Place::Help), ..Page::default() };
    for block in blocks {
        page.blocks.push(match block {
            obnova_texts::GuideBlock::Heading(text) => Block::Heading(text.clone()),
            obnova_texts::GuideBlock::Text(text) => Block::Text(text.clone()),
            obnova_texts::GuideBlock::Item(sign, text) => Block::Text(format!("{sign} {text}")),
            obnova_texts::GuideBlock::Picture(name, seen) => Block::Picture(name, seen.clone()),
        });
    }
    page.buttons.push(Button::new(texts, "window-guide-back", Act::Go(Place::Help)));
    page.buttons.push(Button::new(texts, "window-missing", Act::Missing(nth)));
    if nth + 1 < pages.len() {
        page.buttons.push(Button::new(texts, "window-guide-next", Act::Guide(nth + 1)).first());
    }
    page
}

/// The page of the guide about a place.
pub fn guide_of(place: Place) -> usize {
    let name = match place {
        Place::Overview => "renew",
        Place::Devices => "device",
        Place::Cleanup => "cleanup",
        Place::Backup => "backup",
        Place::Account => "account",
        Place::Help => "help",
        Place::Settings => "settings",
    };
    guide(Language::English).iter().position(|page| page.name == name).unwrap_or(0)
}

/// Who made the program, and with what.
pub fn about(texts: Texts) -> Page {
    let mut page = Page::below(texts, Place::Help, "window-about");
    page.text(texts.get("window-about-version", &[("version", env!("CARGO_PKG_VERSION"))]));
    page.text(texts.get("window-about-what", &[]));
    page.text(texts.get("window-about-licence", &[]));
    page.text(texts.get("window-about-fonts", &[]));
    page.blocks.push(Block::MadeWith);
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Help)));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of the window that are asked for, in the sources of its screens.
    fn asked_for() -> std::collections::BTreeSet<String> {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut keys = std::collections::BTreeSet::new();
        for folder in ["src", "ui"] {
            for path in std::fs::read_dir(here.join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
                let Ok(source) = std::fs::read_to_string(&path) else { continue };
                let source = source.split("#[cfg(test)]").next().unwrap_or_default();
                for part in source.split("\"window-").skip(1) {
                    let key = part.split('"').next().unwrap_or_default();
                    keys.insert(format!("window-{key}"));
                }
            }
        }
        keys
    }

    #[test]
    fn every_word_that_is_asked_for_is_there_and_no_other() {
        let asked = asked_for();
        for language in [Language::Czech, Language::English] {
            let texts = Texts::new(language);
            for key in asked.iter().filter(|key| !key.contains('{') && !key.ends_with('-') && *key != "window-error") {
                assert!(texts.has(key), "{key} is not in {language:?}");
            }
        }
        // What is put together from parts begins like one of them.
        let begun: Vec<&str> = asked.iter().filter_map(|key| key.split_once('{').map(|(start, _)| start)).collect();
        for key in keys(Language::English).into_iter().filter(|key| key.starts_with("window-")) {
            let followed = ["-lines", "-go", "-hint"]
                .iter()
                .any(|end| key.strip_suffix(end).is_some_and(|start| asked.contains(start)));
            let is_error = key.starts_with("window-error");
            let is_used =
                asked.contains(key) || followed || is_error || begun.iter().any(|start| key.starts_with(start));
            assert!(is_used, "{key} is used nowhere");
        }
    }

    #[test]
    fn no_error_in_the_window_tells_of_commands() {
        for language in [Language::Czech, Language::English] {
            for key in keys(language) {
                let Some(code) = key.strip_prefix("error-") else { continue };
                let (text, _) = trouble(Texts::new(language), &ClientError::new(code, ""));
                let verbs =
                    ["list", "renew", "resume", "retire", "clean", "doctor", "adopt", "account", "pickup", "remind"];
                let names_one = verbs.iter().any(|verb| text.contains(&format!("obnova {verb}")));
                assert!(!text.contains("--") && !names_one, "{code}: {text}");
            }
        }
    }
}
