//! Clean-up: what may go, what stays and why, and the way back for what went.

use obnova_client::{CertificateView, Cleaned, CleanupItem, Measured, StoreView, words, words::ended, words::sentence};
use obnova_texts::Texts;

use crate::overview::{numbers, place_of, purpose, until};
use crate::page::{Act, Block, Button, Card, Field, Mark, Page, Place};

/// The place, before anything is looked at: a PIN will be asked for.
pub fn start(texts: Texts, stores: &[StoreView], removed: &[CertificateView]) -> Page {
    let mut page = Page::of(texts, Place::Cleanup);
    page.text(texts.get("window-cleanup-lines", &[]));
    for store in stores.iter().filter(|store| store.problem.is_none() && ["token", "file"].contains(&store.kind)) {
        page.blocks.push(Block::Card(Card {
            title: store.name.clone(),
            lines: vec![texts.get(&format!("window-store-{}", store.kind), &[])],
            buttons: vec![Button::new(texts, "window-survey", Act::Survey(Some(store.id.clone()))).hint(&store.name)],
            ..Card::default()
        }));
    }
    gone(&mut page, texts, stores, removed);
    page
}

/// What went before, with the way back.
fn gone(page: &mut Page, texts: Texts, stores: &[StoreView], removed: &[CertificateView]) {
    if removed.is_empty() {
        return;
    }
    page.heading(texts.get("window-removed", &[]));
    page.blocks.push(Block::Faint(texts.get("window-removed-lines", &[])));
    for view in removed {
        page.blocks.push(Block::Card(Card {
            title: purpose(texts, view.kind),
            lines: vec![format!("{} ({})", view.name, view.issuer), until(texts, view)],
            faint: vec![format!("{}  ·  {}", place_of(stores, &view.store), numbers(view))],
            buttons: vec![Button::new(texts, "window-restore", Act::Restore(view.sha256.clone())).hint(numbers(view))],
            ..Card::default()
        }));
    }
}

fn item(texts: Texts, item: &CleanupItem) -> Block {
    let (title, faint) = match &item.certificate {
        Some(view) => (format!("{} – {}", purpose(texts, view.kind), view.name), numbers(view)),
        None if item.unread.is_some() => {
            let lines = item.unread.as_ref().map(|view| words::unread(texts, view)).unwrap_or_default();
            (lines.first().cloned().unwrap_or_default(), lines.get(1..).unwrap_or_default().join(" "))
        }
        None => {
            let print = item.key_sha256.get(..16).unwrap_or_default();
            let title = format!("{} ({})", sentence(&texts.get("clean-key", &[])), item.key);
            (title, texts.get("window-key-print", &[("print", print)]))
        }
    };
    // That it may go, or stays, is the heading above it.
    let why = texts.get(item.why, &[]);
    let mut lines = vec![ended(why.split_once(": ").map_or(why.as_str(), |(_, why)| why))];
    lines.extend(item.certificate.as_ref().map(|view| until(texts, view)));
    let mut buttons = Vec::new();
    match item.why {
        "stays-decrypts" => buttons.push(Button::new(texts, "window-lose-mail", Act::LoseMail(true))),
        "stays-unknown-request" | "stays-issued" => {
            buttons.push(Button::new(texts, "window-give-up", Act::GiveUp(item.key_sha256.clone())));
        }
        "stays-waits" => buttons.push(Button::new(texts, "window-resume", Act::Resume)),
        "stays-only-said" | "stays-not-registered" => {
            buttons.push(Button::new(texts, "window-tell-account", Act::Go(Place::Account)));
        }
        _ => {}
    }
    let mark = if item.may_go { Mark::Due } else { Mark::Plain };
    Block::Card(Card { mark, title, lines, faint: vec![faint], buttons, ..Card::default() })
}

/// What was found: what may go first, then what stays and why.
pub fn found(texts: Texts, items: &[CleanupItem], loses_mail: bool, stores: &[StoreView]) -> Page {
    let mut page = Page::below(texts, Place::Cleanup, "window-found");
    let (goes, stays): (Vec<&CleanupItem>, Vec<&CleanupItem>) = items.iter().partition(|item| item.may_go);
    if goes.is_empty() {
        page.text(texts.get("clean-nothing", &[]));
    }
    for (store, goes) in by_store(&goes) {
        page.heading(format!("{} – {}", place_of(stores, store), texts.get("window-may-go", &[])));
        page.blocks.extend(goes.iter().map(|one| item(texts, one)));
    }
    if loses_mail {
        let undo = Button::new(texts, "window-keep-mail", Act::LoseMail(false));
        let title = texts.get("window-loses-mail", &[]);
        page.blocks.push(Block::Notice(Card { mark: Mark::Due, title, buttons: vec![undo], ..Card::default() }));
    }
    for (store, stays) in by_store(&stays) {
        page.heading(format!("{} – {}", place_of(stores, store), texts.get("window-stays", &[])));
        page.blocks.extend(stays.iter().map(|one| item(texts, one)));
    }
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Cleanup)));
    if !goes.is_empty() {
        page.buttons.push(Button::new(texts, "window-remove", Act::AskRemove).main());
    }
    page
}

/// Things by the stores that they are on, in the order in which they come.
fn by_store<'a>(items: &[&'a CleanupItem]) -> Vec<(&'a str, Vec<&'a CleanupItem>)> {
    let mut stores: Vec<(&str, Vec<&CleanupItem>)> = Vec::new();
    for item in items {
        match stores.iter_mut().find(|(store, _)| *store == item.store) {
            Some((_, all)) => all.push(item),
            None => stores.push((&item.store, vec![item])),
        }
    }
    stores
}

/// The last question before anything goes.
pub fn ask(texts: Texts, items: &[CleanupItem], stores: &[StoreView]) -> Page {
    let mut page = Page::below(texts, Place::Cleanup, "window-remove");
    page.text(texts.get("ask-clean", &[]));
    let goes: Vec<&CleanupItem> = items.iter().filter(|item| item.may_go).collect();
    for (store, goes) in by_store(&goes) {
        page.heading(texts.get("window-remove-from", &[("store", &place_of(stores, store))]));
        page.blocks.extend(goes.into_iter().map(|one| {
            let mut block = item(texts, one);
            if let Block::Card(card) = &mut block {
                card.buttons.clear();
            }
            block
        }));
    }
    // Not where the button was that led here: a second click must not land on it.
    page.buttons.push(Button::new(texts, "window-remove-go", Act::Remove));
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Cleanup)).main());
    page
}

/// What went, counted before and after, with the way back.
/// Where a renewal waits for the room, it goes on from here.
pub fn done(texts: Texts, removed: &[Cleaned], measured: &[Measured], stores: &[StoreView], waits: bool) -> Page {
    let mut page = Page::below(texts, Place::Cleanup, "window-cleaned");
    for store in measured {
        let counts = |census: &obnova_lifecycle::port::Census| {
            let (certificates, keys) = (census.certificates.to_string(), census.private_keys.to_string());
            texts.get("clean-counts", &[("certificates", &certificates), ("keys", &keys)])
        };
        let count = removed.iter().filter(|cleaned| cleaned.store == store.store).count().to_string();
        let (before, after) = (counts(&store.before), counts(&store.after));
        let words = [("count", count.as_str()), ("before", &before), ("after", &after)];
        page.blocks.push(Block::Card(Card {
            mark: Mark::Good,
            title: place_of(stores, &store.store),
            lines: vec![texts.get("clean-done", &words)],
            ..Card::default()
        }));
    }
    for cleaned in removed {
        let Some(serial) = &cleaned.serial else { continue };
        let archive = cleaned.archive.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        page.blocks.push(Block::Card(Card {
            title: format!("0x{serial}"),
            lines: vec![texts.get("window-archived", &[("archive", &archive)])],
            buttons: cleaned
                .sha256
                .iter()
                .map(|sha256| {
                    Button::new(texts, "window-restore", Act::Restore(sha256.clone())).hint(format!("0x{serial}"))
                })
                .collect(),
            ..Card::default()
        }));
    }
    let home = Button::new(texts, "window-home", Act::Go(Place::Overview));
    page.buttons.push(if waits { home } else { home.clone().first() });
    if waits {
        page.buttons.push(Button::new(texts, "window-resume", Act::Resume).first());
    }
    page
}

/// The page on which the person types the beginning of a key's fingerprint, to say that no certificate can come for it.
pub fn give_up(texts: Texts, fingerprint: &str) -> Page {
    let mut page = Page::below(texts, Place::Cleanup, "window-give-up");
    let beginning = fingerprint.get(..8).unwrap_or_default();
    page.text(texts.get("error-stays-unknown-request", &[]));
    page.blocks.push(Block::Field(Field {
        name: "given-up",
        label: texts.get("window-give-up-type", &[("beginning", beginning)]),
        takes_focus: true,
        ..Field::default()
    }));
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Cleanup)));
    page.buttons.push(Button::new(texts, "window-give-up-go", Act::GiveUp(fingerprint.to_owned())).main());
    page
}
