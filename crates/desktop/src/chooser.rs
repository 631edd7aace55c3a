//! Files and folders chosen in the dialog of the system, beside a field whose path can be typed, too. On Linux it
//! is the dialog of the desktop portal (org.freedesktop.portal.FileChooser), or of zenity where there is no portal.

use std::path::{Path, PathBuf};

use obnova_texts::Texts;
use rfd::AsyncFileDialog;
use slint::Window;

use crate::page::Wanted;

/// Asks the person for a file or a folder; `None` when they chose none, or the system has no dialog to choose in.
pub(crate) async fn choose(parent: &Window, texts: Texts, title: &str, wanted: Wanted, value: &str) -> Option<PathBuf> {
    let mut dialog = AsyncFileDialog::new().set_title(title).set_parent(&parent.window_handle());
    let there = Path::new(value.trim());
    let folder = if there.is_dir() { Some(there) } else { there.parent().filter(|folder| folder.is_dir()) };
    if let Some(folder) = folder {
        dialog = dialog.set_directory(folder);
    }
    let chosen = match wanted {
        Wanted::Folder => dialog.pick_folder().await,
        Wanted::File(endings) => {
            if !endings.is_empty() {
                dialog = dialog.add_filter(texts.get("window-browse-fitting", &[]), endings);
            }
            // On macOS a star is taken for an ending.
            if !cfg!(target_os = "macos") {
                dialog = dialog.add_filter(texts.get("window-browse-all", &[]), &["*"]);
            }
            dialog.pick_file().await
        }
        Wanted::NewFile => {
            if let Some(name) = there.file_name() {
                dialog = dialog.set_file_name(name.to_string_lossy());
            }
            dialog.save_file().await
        }
    };
    Some(chosen?.path().to_owned())
}
