//! Copies of keys that live in files, with the check that they can be read back.

use obnova_client::{Backup, BackupSetting, StoreView};
use obnova_texts::Texts;

use crate::page::{Act, Block, Button, Card, Field, Mark, Page, Place, Wanted};

/// The place: files that can be copied, and where to.
pub fn page(texts: Texts, stores: &[StoreView], setting: Option<&BackupSetting>, done: Option<&[Backup]>) -> Page {
    let mut page = Page::of(texts, Place::Backup);
    for copy in done.unwrap_or_default() {
        let tested = copy.tested.to_string();
        page.blocks.push(Block::Notice(Card {
            mark: Mark::Good,
            title: texts.get("window-backup-done", &[("tested", &tested)]),
            lines: vec![copy.copy.display().to_string()],
            faint: vec![format!("SHA-256 {}", copy.sha256)],
            ..Card::default()
        }));
    }
    page.text(texts.get("window-backup-lines", &[]));
    let files: Vec<&StoreView> = stores.iter().filter(|store| store.kind == "file").collect();
    if files.is_empty() {
        page.text(texts.get("window-backup-none", &[]));
        return page;
    }
    let value = match setting {
        Some(BackupSetting::To(folder)) => folder.display().to_string(),
        _ => String::new(),
    };
    page.blocks.push(Block::Field(Field {
        name: "folder",
        label: texts.get("window-backup-folder", &[]),
        hint: texts.get("window-backup-hint", &[]),
        wanted: Some(Wanted::Folder),
        value,
        ..Field::default()
    }));
    for store in files {
        let go = Button::new(texts, "window-backup-go", Act::BackUp(store.id.clone())).main();
        page.blocks.push(Block::Card(Card {
            title: store.name.clone(),
            faint: vec![store.id.trim_start_matches("file:").to_owned()],
            buttons: vec![go.hint(&store.name)],
            ..Card::default()
        }));
    }
    page
}
