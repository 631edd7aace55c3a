//! Language, looks, size of text, reminders, copies of keys, authorities and trust, modules and files.

use obnova_client::{AuthorityRecord, BackupSetting, StoreSetting, WindowSetting};
use obnova_texts::{Language, Texts};

use crate::page::{Act, Block, Button, CERTIFICATES, Card, Field, Page, Place, STORES, Setting, Wanted};

/// Sizes of text that can be chosen, in percent.
const SIZES: [u16; 4] = [100, 125, 150, 200];

/// What the place shows.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How the window looks.
    pub window: WindowSetting,
    /// Whether the system reminds once a day.
    pub is_reminded: bool,
    /// Whether the menu of the desktop has a shortcut; `None` where there is no such menu.
    pub has_shortcut: Option<bool>,
    /// Where copies of new keys go.
    pub backup: Option<BackupSetting>,
    /// Authorities with their anchors: name and SHA-256.
    pub authorities: Vec<(AuthorityRecord, Vec<(String, String)>)>,
    /// Modules and files.
    pub stores: Vec<StoreSetting>,
    /// Folder of settings and journals.
    pub folder: String,
}

fn set(texts: Texts, key: &str, setting: Setting) -> Button {
    Button::new(texts, key, Act::Set(setting))
}

/// The place.
pub fn page(texts: Texts, settings: &Settings) -> Page {
    let mut page = Page::of(texts, Place::Settings);
    let word = |key: &str| texts.get(key, &[]);
    let chosen =
        |title: &str, buttons: Vec<Button>| Block::Card(Card { title: word(title), buttons, ..Card::default() });
    let is_czech = texts.language() == Language::Czech;
    page.blocks.push(chosen(
        "window-set-language",
        vec![
            Button::named("Čeština", Act::Set(Setting::Language("cs"))).choice(is_czech),
            Button::named("English", Act::Set(Setting::Language("en"))).choice(!is_czech),
        ],
    ));
    let look = if settings.window.look.is_empty() { "system" } else { settings.window.look.as_str() };
    let looks = ["system", "light", "dark", "contrast"];
    let looks = looks.map(|one| set(texts, &format!("window-look-{one}"), Setting::Look(one)).choice(one == look));
    page.blocks.push(chosen("window-set-look", looks.to_vec()));
    let size = settings.window.text.max(100);
    let sizes = SIZES.map(|one| Button::named(format!("{one} %"), Act::Set(Setting::Text(one))).choice(one == size));
    page.blocks.push(chosen("window-set-text", sizes.to_vec()));
    page.blocks.push(Block::Card(Card {
        title: word("window-set-remind"),
        lines: vec![word("window-set-remind-lines")],
        buttons: vec![
            set(texts, "window-remind-on", Setting::Remind(true)).choice(settings.is_reminded),
            set(texts, "window-remind-off", Setting::Remind(false)).choice(!settings.is_reminded),
        ],
        ..Card::default()
    }));
    if let Some(has) = settings.has_shortcut {
        page.blocks.push(Block::Card(Card {
            title: word("window-set-shortcut"),
            lines: vec![word("window-set-shortcut-lines")],
            buttons: vec![
                set(texts, "window-shortcut-on", Setting::Shortcut(true)).choice(has),
                set(texts, "window-shortcut-off", Setting::Shortcut(false)).choice(!has),
            ],
            ..Card::default()
        }));
    }
    let (folder, refused) = match &settings.backup {
        Some(BackupSetting::To(folder)) => (folder.display().to_string(), false),
        Some(BackupSetting::Refused(_)) => (String::new(), true),
        None => (String::new(), false),
    };
    page.heading(word("window-set-backup"));
    page.text(word("window-set-backup-lines"));
    page.blocks.push(Block::Field(Field {
        name: "folder",
        label: word("window-backup-folder"),
        hint: word("window-backup-hint"),
        wanted: Some(Wanted::Folder),
        value: folder.clone(),
        ..Field::default()
    }));
    page.blocks.push(Block::Card(Card {
        title: word(if refused { "window-backup-refused" } else { "window-backup-where" }),
        lines: vec![folder].into_iter().filter(|folder| !folder.is_empty()).collect(),
        buttons: vec![
            set(texts, "window-save", Setting::BackupFolder),
            set(texts, "window-backup-refuse", Setting::Backup(BackupSetting::Refused(false))).choice(refused),
        ],
        ..Card::default()
    }));
    page.heading(word("window-set-authorities"));
    for (record, anchors) in &settings.authorities {
        let names: Vec<&str> = anchors.iter().map(|(name, _)| name.as_str()).collect();
        let address = record.address.clone().or_else(|| record.est.clone()).unwrap_or_else(|| record.cmp.clone());
        let way = if record.mail.is_some() { word("window-by-mail") } else { address };
        page.blocks.push(Block::Card(Card {
            title: record.name.clone(),
            lines: vec![way, texts.get("window-trusts", &[("anchors", &names.join(", "))])],
            faint: anchors.iter().map(|(_, print)| texts.get("window-print", &[("print", print)])).collect(),
            ..Card::default()
        }));
    }
    page.blocks.push(Block::Card(Card {
        title: word("window-invitation"),
        lines: vec![word("window-invitation-lines")],
        buttons: vec![Button::new(texts, "window-invitation", Act::AskInvitation)],
        ..Card::default()
    }));
    let field = |name: &'static str, key: &str, wanted: Option<Wanted>| {
        let hint = format!("{key}-hint");
        Block::Field(Field {
            name,
            label: word(key),
            hint: if texts.has(&hint) { word(&hint) } else { String::new() },
            wanted,
            ..Field::default()
        })
    };
    page.blocks.push(field("address", "window-address", None));
    page.blocks.push(field("anchor", "window-anchor", Some(Wanted::File(CERTIFICATES))));
    page.blocks.push(Block::Card(Card {
        title: word("window-add-authority"),
        buttons: vec![
            set(texts, "window-add-cmp", Setting::AddAuthority(false)),
            set(texts, "window-add-est", Setting::AddAuthority(true)),
        ],
        ..Card::default()
    }));
    page.heading(word("window-set-stores"));
    for store in &settings.stores {
        let (path, key) = match store {
            StoreSetting::Module { path, .. } => (path, "window-store-module"),
            StoreSetting::File(path) => (path, "window-store-file"),
        };
        let path = path.display().to_string();
        page.blocks.push(Block::Card(Card {
            title: path.clone(),
            lines: vec![word(key)],
            buttons: vec![set(texts, "window-forget", Setting::ForgetStore(path.clone())).hint(path)],
            ..Card::default()
        }));
    }
    page.blocks.push(field("store", "window-add-store", Some(Wanted::File(STORES))));
    page.blocks.push(Block::Card(Card {
        title: word("window-add-store-title"),
        buttons: vec![set(texts, "window-add", Setting::AddStore)],
        ..Card::default()
    }));
    page.blocks.push(Block::Faint(texts.get("window-folder", &[("folder", &settings.folder)])));
    page
}

/// The anchor of an authority that would be trusted: its names and fingerprints, before it is.
pub fn trust(texts: Texts, address: &str, anchors: &[(String, String)]) -> Page {
    let mut page = Page::below(texts, Place::Settings, "window-trust");
    page.text(texts.get("window-trust-lines", &[]));
    for (name, print) in anchors {
        page.blocks.push(Block::Card(Card {
            title: name.clone(),
            lines: vec![address.to_owned(), texts.get("window-print", &[("print", print)])],
            buttons: vec![Button::new(texts, "window-copy", Act::Copy(print.clone())).hint(print)],
            ..Card::default()
        }));
    }
    page.buttons.push(set(texts, "window-trust-go", Setting::TrustAuthority));
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Settings)).main());
    page
}

/// Where the person says where an invitation is, and where the first certificate shall live.
pub fn invitation(texts: Texts, stores: &[(String, String)]) -> Page {
    let mut page = Page::below(texts, Place::Overview, "window-invitation");
    page.text(texts.get("window-invitation-lines", &[]));
    page.blocks.push(Block::Field(Field {
        name: "invitation",
        label: texts.get("window-invitation-file", &[]),
        hint: texts.get("window-path-hint", &[]),
        wanted: Some(Wanted::File(&["json", "JSON"])),
        takes_focus: true,
        ..Field::default()
    }));
    for (id, name) in stores {
        page.blocks.push(Block::Card(Card {
            title: name.clone(),
            faint: vec![id.clone()],
            buttons: vec![Button::new(texts, "window-enroll", Act::Enroll(id.clone())).hint(name)],
            ..Card::default()
        }));
    }
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Overview)));
    page
}
