//! Settings of a home (`obnova.toml`): read as types, and edited so that what else stands in the file stays as it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use obnova_keystore::durable;
use serde::Deserialize;

use crate::description::ForeignAccount;
use crate::{ClientError, Home};

/// A store named in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "StoreTable")]
pub enum StoreSetting {
    /// A PKCS#11 module; all its tokens are used. `room` is how many more pairs of key and certificate fit, for
    /// devices that do not say it themselves.
    Module {
        /// Its path.
        path: PathBuf,
        /// Pairs that still fit.
        room: Option<u8>,
        /// Whether its devices may hold room by an object of data.
        reserve: bool,
    },
    /// A PKCS#12 file.
    File(PathBuf),
}

/// A `[[store]]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreTable {
    module: Option<PathBuf>,
    file: Option<PathBuf>,
    room: Option<u8>,
    #[serde(default)]
    reserve: bool,
}

impl TryFrom<StoreTable> for StoreSetting {
    type Error = &'static str;

    fn try_from(table: StoreTable) -> Result<Self, Self::Error> {
        match table {
            StoreTable { module: Some(path), file: None, room, reserve } => Ok(Self::Module { path, room, reserve }),
            StoreTable { module: None, file: Some(path), room: None, reserve: false } => Ok(Self::File(path)),
            _ => Err("store: either module = PATH (with room = NUMBER or reserve = true, if need be) or file = PATH"),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    store: Vec<StoreSetting>,
    /// Whether modules and browsers of this computer are looked for; they are, unless this says no.
    discover: Option<bool>,
    /// Where new keys in files are copied to at once, or `false` for nowhere.
    backup: Option<BackupSetting>,
    /// Names that the person gave to devices, by their stable names.
    #[serde(default)]
    name: BTreeMap<String, String>,
    /// Whom to write to for help.
    #[serde(default)]
    help: HelpContact,
    /// Pages that are not ours, where a certificate is typed in by hand.
    #[serde(default)]
    account: Vec<ForeignAccount>,
    /// How the window looks and speaks.
    #[serde(default)]
    window: WindowSetting,
}

/// What becomes of a new key that lives in a file: it can be lost with its disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum BackupSetting {
    /// A folder, best on another medium, where it is copied to.
    To(PathBuf),
    /// `false`: no copy is wanted, and the person knows it.
    Refused(bool),
}

/// Whom a message for help goes to, and what it must always say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HelpContact {
    /// Mailbox for general questions, and for all where there is no other.
    pub to: String,
    /// Mailbox for technical questions.
    pub technical: String,
    /// When somebody is there, in the desk's own words.
    pub hours: String,
    /// IČO of the organisation.
    pub organisation: String,
    /// Reference under which the help desk knows it.
    pub reference: String,
}

impl HelpContact {
    /// All fields by their names in the settings.
    pub fn fields(&self) -> [(&'static str, &String); 5] {
        [
            ("to", &self.to),
            ("technical", &self.technical),
            ("hours", &self.hours),
            ("organisation", &self.organisation),
            ("reference", &self.reference),
        ]
    }

    /// The mailbox for a question.
    pub fn mailbox(&self, is_technical: bool) -> &str {
        if is_technical && !self.technical.is_empty() { &self.technical } else { &self.to }
    }
}

/// How a window looks and speaks; what is empty follows the system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WindowSetting {
    /// `cs` or `en`.
    pub language: String,
    /// `light`, `dark` or `contrast`.
    pub look: String,
    /// Size of text in percent of the system's, 100 to 200; 0 is the same as 100.
    pub text: u16,
}

impl Home {
    fn settings(&self) -> Result<Settings, ClientError> {
        let path = self.folder().join("obnova.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::default()),
            Err(error) => return Err(ClientError::new("file-error", format!("{}: {error}", path.display()))),
        };
        toml::from_str(&text)
            .map_err(|error| ClientError::new("settings-wrong", format!("{}: {error}", path.display())))
    }

    /// Stores of `obnova.toml`: `[[store]]` with `module = PATH` (and `room = NUMBER`, `reserve = true`) or `file = PATH`.
    ///
    /// # Errors
    ///
    /// `settings-wrong` with the line.
    pub fn stores(&self) -> Result<Vec<StoreSetting>, ClientError> {
        Ok(self.settings()?.store)
    }

    /// Whether modules and browsers of this computer are looked for (`discover = false` switches that off).
    ///
    /// # Errors
    ///
    /// `settings-wrong` with the line.
    pub fn discovers(&self) -> Result<bool, ClientError> {
        Ok(self.settings()?.discover.unwrap_or(true))
    }

    /// The name that the person gave to a device (`[name]`), if any.
    ///
    /// # Errors
    ///
    /// `settings-wrong` with the line.
    pub fn given_names(&self) -> Result<BTreeMap<String, String>, ClientError> {
        Ok(self.settings()?.name)
    }

    /// Whom to ask for help (`[help]`).
    ///
    /// # Errors
    ///
    /// `settings-wrong` with the line.
    pub fn help_contact(&self) -> Result<HelpContact, ClientError> {
        Ok(self.settings()?.help)
    }

    /// What the settings say of copies of new keys in files (`backup = "FOLDER"` or `backup = false`).
    ///
    /// # Errors
    ///
    /// `settings-wrong` with the line.
    pub fn backup(&self) -> Result<Option<BackupSetting>, ClientError> {
        Ok(self.settings()?.backup.filter(|setting| *setting != BackupSetting::Refused(true)))
    }

    /// Foreign accounts that must be told of a commercial certificate (`[[account]]`).
    ///
    /// # Errors
    ///
    /// `settings-wrong` with the line.
    pub fn accounts(&self) -> Result<Vec<ForeignAccount>, ClientError> {
        Ok(self.settings()?.account)
    }

    /// How the window looks (`[window]`).
    ///
    /// # Errors
    ///
    /// `settings-wrong` with the line.
    pub fn window(&self) -> Result<WindowSetting, ClientError> {
        Ok(self.settings()?.window)
    }

    /// Sets how the window looks.
    ///
    /// # Errors
    ///
    /// `settings-wrong`, `file-error`.
    pub fn set_window(&self, setting: &WindowSetting) -> Result<(), ClientError> {
        self.edit("window", toml_edit::Item::Table(toml_edit::Table::new()), |item| {
            let table = item.as_table_like_mut()?;
            table.insert("language", toml_edit::value(setting.language.as_str()));
            table.insert("look", toml_edit::value(setting.look.as_str()));
            table.insert("text", toml_edit::value(i64::from(setting.text)));
            Some(())
        })
    }

    /// Sets whom to ask for help.
    ///
    /// # Errors
    ///
    /// `settings-wrong`, `file-error`.
    pub fn set_help_contact(&self, contact: &HelpContact) -> Result<(), ClientError> {
        self.edit("help", toml_edit::Item::Table(toml_edit::Table::new()), |item| {
            let table = item.as_table_like_mut()?;
            for (name, value) in contact.fields() {
                table.insert(name, toml_edit::value(value.as_str()));
            }
            Some(())
        })
    }

    /// Sets what becomes of new keys in files: the folder where they are copied to, or that no copy is wanted.
    ///
    /// # Errors
    ///
    /// `settings-wrong`, `file-error`.
    pub fn set_backup(&self, setting: &BackupSetting) -> Result<(), ClientError> {
        self.edit("backup", toml_edit::value(""), |item| {
            *item = match setting {
                BackupSetting::To(folder) => toml_edit::value(folder.display().to_string()),
                BackupSetting::Refused(_) => toml_edit::value(false),
            };
            Some(())
        })
    }

    /// Gives a device a name of the person's own; the device itself is not changed. An empty name takes it back.
    ///
    /// # Errors
    ///
    /// `settings-wrong`, `file-error`.
    pub fn name_device(&self, device: &str, name: &str) -> Result<(), ClientError> {
        self.edit("name", toml_edit::Item::Table(toml_edit::Table::new()), |item| {
            let table = item.as_table_like_mut()?;
            match name {
                "" => table.remove(device),
                name => table.insert(device, toml_edit::value(name)),
            };
            Some(())
        })
    }

    /// Adds a PKCS#12 file to the stores, unless it is there.
    ///
    /// # Errors
    ///
    /// `settings-wrong`, `file-error`.
    pub fn add_file(&self, file: &Path) -> Result<(), ClientError> {
        if self.stores()?.contains(&StoreSetting::File(file.to_owned())) {
            return Ok(());
        }
        self.add_store("file", file)
    }

    /// Adds a PKCS#11 module to the stores, unless it is there.
    ///
    /// # Errors
    ///
    /// `settings-wrong`, `file-error`.
    pub fn add_module(&self, module: &Path) -> Result<(), ClientError> {
        let is_it = |store: &StoreSetting| matches!(store, StoreSetting::Module { path, .. } if path == module);
        if self.stores()?.iter().any(is_it) {
            return Ok(());
        }
        self.add_store("module", module)
    }

    /// Adds what a person names: a PKCS#11 module, told by its ending, or else a PKCS#12 file.
    ///
    /// # Errors
    ///
    /// `file-error` when it is not there; `settings-wrong`.
    pub fn add_named(&self, path: &Path) -> Result<(), ClientError> {
        if !path.exists() {
            return Err(ClientError::new("file-error", path.display()));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_module = [".so", ".dll", ".dylib"].iter().any(|end| name.ends_with(end)) || name.contains(".so.");
        if is_module { self.add_module(path) } else { self.add_file(path) }
    }

    fn add_store(&self, key: &str, path: &Path) -> Result<(), ClientError> {
        let mut table = toml_edit::Table::new();
        table.insert(key, toml_edit::value(path.display().to_string()));
        self.edit("store", toml_edit::Item::ArrayOfTables(toml_edit::ArrayOfTables::new()), |item| {
            item.as_array_of_tables_mut()?.push(table.clone());
            Some(())
        })
    }

    /// Takes a module or a file out of the stores; the file itself and its keys stay where they are.
    ///
    /// # Errors
    ///
    /// `settings-wrong`, `file-error`.
    pub fn forget_store(&self, path: &Path) -> Result<(), ClientError> {
        let path = path.display().to_string();
        self.edit("store", toml_edit::Item::ArrayOfTables(toml_edit::ArrayOfTables::new()), |item| {
            item.as_array_of_tables_mut()?.retain(|table| {
                !["module", "file"].iter().any(|key| table.get(key).and_then(|value| value.as_str()) == Some(&path))
            });
            Some(())
        })
    }

    /// Changes one entry of the file; comments and everything else stay.
    fn edit(
        &self,
        name: &str,
        empty: toml_edit::Item,
        change: impl FnOnce(&mut toml_edit::Item) -> Option<()>,
    ) -> Result<(), ClientError> {
        let path = self.folder().join("obnova.toml");
        let failed = |error: std::io::Error| ClientError::new("file-error", format!("{}: {error}", path.display()));
        self.settings()?;
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            read => read.unwrap_or_default(),
        };
        let mut document: toml_edit::DocumentMut =
            text.parse().map_err(|error| ClientError::new("settings-wrong", format!("{}: {error}", path.display())))?;
        // A plain entry after a table would belong to that table: it stands before all of them.
        change(document.entry(name).or_insert(empty)).ok_or_else(|| ClientError::new("settings-wrong", name))?;
        durable::replace(&path, document.to_string().as_bytes()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_edited_is_read_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let path = folder.path().join("obnova.toml");
        std::fs::write(&path, "# mine\ndiscover = false\n\n[[store]]\nmodule = \"/a.so\" # the token\n").unwrap();
        home.add_module(Path::new("/a.so")).unwrap();
        home.add_file(Path::new("/b.p12")).unwrap();
        home.set_backup(&BackupSetting::To(PathBuf::from("/usb"))).unwrap();
        home.name_device("token:1", "Můj").unwrap();
        let window = WindowSetting { language: "cs".to_owned(), look: "dark".to_owned(), text: 150 };
        home.set_window(&window).unwrap();
        let contact = HelpContact { to: "desk@example.com".to_owned(), ..HelpContact::default() };
        home.set_help_contact(&contact).unwrap();
        assert_eq!(home.stores().unwrap().len(), 2);
        assert_eq!(home.backup().unwrap(), Some(BackupSetting::To(PathBuf::from("/usb"))));
        assert_eq!((home.window().unwrap(), home.help_contact().unwrap().to), (window, contact.to));
        home.forget_store(Path::new("/a.so")).unwrap();
        assert_eq!(home.stores().unwrap(), [StoreSetting::File(PathBuf::from("/b.p12"))]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# mine\ndiscover = false\n"), "{text}");
        assert!(!home.discovers().unwrap());
        let module = folder.path().join("LIBX.SO.2");
        std::fs::write(&module, "").unwrap();
        home.add_named(&module).unwrap();
        assert!(home.stores().unwrap().iter().any(|store| matches!(store, StoreSetting::Module { .. })));
        assert_eq!(home.add_named(Path::new("/no/such")).unwrap_err().code, "file-error");
    }
}
