//! What devices are and hold: space, PIN and PUK with the tries left, import, export, another name, and erasing.

use obnova_client::{CertificateView, DeviceView, PinView, StoreView, TriesView, words};
use obnova_texts::Texts;

use crate::overview::{card, numbers, purpose, until};
use crate::page::{Act, Block, Button, Card, Care, Field, KEYS, Mark, Page, Place, Wanted};
use crate::renew::gauge;

fn care(texts: Texts, key: &str, care: Care, store: &str) -> Button {
    Button::new(texts, key, Act::Care(care, store.to_owned()))
}

/// PIN and PUK of one login, with what can be done about them.
fn login(texts: Texts, device: &DeviceView, login: &PinView) -> Card {
    let several = device.logins.len() > 1;
    let name = if several { login.name.as_str() } else { "" };
    let told = |name: &str, tries: &TriesView| {
        let mut words = vec![words::tries_left(texts, tries)];
        if tries.pad {
            words.push(texts.get("tries-pad", &[]));
        }
        format!("{name}: {}", words.join(", "))
    };
    let mut lines = vec![told("PIN", &login.pin)];
    lines.extend(login.puk.as_ref().map(|puk| told("PUK", puk)));
    lines.extend(
        login.unblocked_with.as_ref().map(|tool| words::sentence(&texts.get("pin-unblocked-with", &[("tool", tool)]))),
    );
    let mut buttons = Vec::new();
    if login.pin.locked {
        if login.puk.is_some() {
            buttons.push(care(texts, "window-unblock", Care::Unblock, &login.store).main().hint(&login.name));
        }
    } else {
        buttons.push(care(texts, "window-verify", Care::Verify, &login.store).hint(&login.name));
        buttons.push(care(texts, "window-change-pin", Care::ChangePin, &login.store).hint(&login.name));
        if login.puk.is_some() {
            buttons.push(care(texts, "window-unblock", Care::Unblock, &login.store).hint(&login.name));
        }
    }
    if login.puk.as_ref().is_some_and(|puk| !puk.locked) {
        buttons.push(care(texts, "window-change-puk", Care::ChangePuk, &login.store).hint(&login.name));
    }
    let is_bad = login.pin.locked || login.pin.final_try;
    let title = match several {
        // Two PINs are told apart by the names that the device gives to its logins.
        true => texts.get("window-pin-of", &[("name", name)]),
        false => texts.get("window-pins", &[]),
    };
    let mark = if is_bad { Mark::Bad } else { Mark::Plain };
    Card { mark, title, lines, buttons, ..Card::default() }
}

/// All devices, with what is on them.
pub fn page(texts: Texts, devices: &[DeviceView], stores: &[StoreView], certificates: &[CertificateView]) -> Page {
    let mut page = Page::of(texts, Place::Devices);
    for device in devices {
        page.heading(&device.name);
        let mut lines = words::device(texts, device);
        // A device that tells its room has a gauge; of another one it is said what is known.
        let gauge = gauge(texts, &device.room);
        match (&gauge, &device.room.census) {
            (Some(_), Some(census)) => {
                let count = census.certificates.to_string();
                lines.push(texts.get("window-device-counted", &[("certificates", &count)]));
            }
            _ => lines.push(words::room(texts, &device.room, false)),
        }
        let lines = lines.iter().map(|line| words::sentence(line)).collect();
        let Some(store) = device.logins.first().map(|login| login.store.clone()) else { continue };
        page.blocks.push(Block::Card(Card {
            mark: if device.standing == "ended" { Mark::Bad } else { Mark::Plain },
            title: texts.get("window-device-what", &[]),
            lines,
            faint: vec![device.device.clone()],
            gauge,
            buttons: vec![
                Button::new(texts, "window-survey", Act::Survey(Some(store.clone()))).hint(&device.name),
                care(texts, "window-import", Care::AskImport, &store).hint(&device.name),
                care(texts, "window-rename", Care::AskName, &store).hint(&device.name),
            ],
        }));
        page.blocks.extend(device.logins.iter().map(|one| Block::Card(login(texts, device, one))));
        let on_it = |view: &&CertificateView| device.logins.iter().any(|login| login.store == view.store);
        for view in certificates.iter().filter(on_it) {
            let mut card = card(texts, view, "");
            let more = Button::new(texts, "window-more", Act::Certificate(view.sha256.clone()));
            card.buttons.push(more.hint(format!("{}, {}", purpose(texts, view.kind), view.decimal)));
            page.blocks.push(Block::Card(card));
        }
        // Far from what is pressed every day.
        page.blocks.push(Block::Card(Card {
            buttons: vec![care(texts, "window-erase", Care::AskErase, &store).hint(&device.name)],
            ..Card::default()
        }));
    }
    for store in stores.iter().filter(|store| store.kind != "token" && store.problem.is_none()) {
        let mut buttons = vec![care(texts, "window-import", Care::AskImport, &store.id).hint(&store.name)];
        if store.kind == "file" {
            buttons.push(care(texts, "window-change-password", Care::ChangePin, &store.id).hint(&store.name));
            buttons.push(Button::new(texts, "window-backup", Act::Go(Place::Backup)).hint(&store.name));
        }
        page.blocks.push(Block::Card(Card {
            title: store.name.clone(),
            lines: vec![texts.get(&format!("window-store-{}", store.kind), &[])],
            faint: vec![store.id.trim_start_matches("file:").to_owned()],
            buttons,
            ..Card::default()
        }));
    }
    if page.blocks.is_empty() {
        page.text(texts.get("window-no-device", &[]));
        page.buttons.push(Button::new(texts, "window-doctor", Act::Doctor));
    }
    page.buttons.push(Button::new(texts, "window-chain", Act::Chain).hint(texts.get("window-chain-hint", &[])));
    page.buttons.push(Button::new(texts, "window-refresh", Act::Refresh(Place::Devices)));
    page
}

fn asked(texts: Texts, key: &str, lines: Vec<String>, field: Field, go: Button) -> Page {
    let mut page = Page::below(texts, Place::Devices, key);
    page.blocks.extend(lines.into_iter().map(Block::Text));
    page.blocks.push(Block::Field(Field { takes_focus: true, ..field }));
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Devices)));
    page.buttons.push(go);
    page
}

fn file(texts: Texts, name: &'static str, key: &str, value: String, wanted: Wanted) -> Field {
    let hint = texts.get("window-path-hint", &[]);
    Field { name, label: texts.get(key, &[]), hint, value, takes_focus: true, wanted: Some(wanted), ..Field::default() }
}

/// The page for another name.
pub fn name(texts: Texts, store: &str, current: &str) -> Page {
    let field =
        Field { name: "name", label: texts.get("window-name", &[]), value: current.to_owned(), ..Field::default() };
    let lines = vec![texts.get("window-name-lines", &[])];
    asked(texts, "window-rename", lines, field, care(texts, "window-save", Care::Name, store).main())
}

/// The page for an import.
pub fn import(texts: Texts, store: &str, current: &str) -> Page {
    let lines = vec![texts.get("window-import-lines", &[("store", current)]), texts.get("import-not-made-there", &[])];
    let field = file(texts, "file", "window-import-file", String::new(), Wanted::File(KEYS));
    asked(texts, "window-import", lines, field, care(texts, "window-import-go", Care::Import, store).main())
}

/// The page for an export of a certificate with its key.
pub fn export(texts: Texts, view: &CertificateView, suggested: String) -> Page {
    let lines =
        vec![format!("{}, {}", purpose(texts, view.kind), numbers(view)), texts.get("window-export-lines", &[])];
    let field = file(texts, "file", "window-export-file", suggested, Wanted::NewFile);
    asked(texts, "window-export", lines, field, care(texts, "window-export-go", Care::Export, &view.sha256).main())
}

/// The page that tells what is lost when a device is erased; its name must be typed.
pub fn erase(texts: Texts, store: &str, current: &str, lost: &[CertificateView]) -> Page {
    let field = Field {
        name: "typed",
        label: texts.get("window-erase-type", &[("store", current)]),
        hint: texts.get("window-erase-hint", &[]),
        ..Field::default()
    };
    let go = care(texts, "window-erase-go", Care::Erase, store);
    let mut page = asked(texts, "window-erase", Vec::new(), field, go);
    let lines = lost.iter().map(|view| {
        format!("{} – {}, {}, {}", purpose(texts, view.kind), view.name, numbers(view), until(texts, view))
    });
    page.blocks.insert(
        0,
        Block::Notice(Card {
            mark: Mark::Bad,
            title: texts.get("window-erase-loses", &[("store", current)]),
            lines: lines.collect(),
            ..Card::default()
        }),
    );
    page
}
