//! Where the program keeps its settings, journals and archive, and the records of authorities it trusts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use obnova_crypto::Primitives;
use obnova_keystore::durable;
use obnova_lifecycle::document::Octets;
use obnova_lifecycle::port::Clock;
use obnova_pki::Certificate;
use obnova_remote::TlsTrust;
use serde::{Deserialize, Serialize};

use crate::ClientError;
use crate::description::ForeignAccount;

/// The system's clock; a demonstration may set it back.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock {
    /// How far behind the system's clock it runs.
    pub behind: Duration,
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() - self.behind
    }
}

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
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HelpContact {
    /// Mailbox of the help desk.
    pub to: String,
    /// IČO of the organisation.
    pub organisation: String,
    /// Reference under which the help desk knows it.
    pub reference: String,
}

/// An authority that the person trusts, as first trust left it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthorityRecord {
    /// Short name: host and port, or what the person chose.
    pub name: String,
    /// `https://HOST:PORT` where a directory is; `None` for authorities that speak CMP only.
    pub address: Option<String>,
    /// Address of the CMP service; empty where another way is taken.
    pub cmp: String,
    /// Address of the EST service, for authorities that are asked by it.
    #[serde(default)]
    pub est: Option<String>,
    /// Name or file of the description, for authorities that are asked by signed mail; empty for those that nobody
    /// here asks.
    #[serde(default)]
    pub mail: Option<String>,
    /// SHA-256 of the TLS root (hexadecimal); `None` for plain http, where CMP protects itself.
    pub tls_sha256: Option<String>,
    /// Trust anchors of certificates and CMP answers.
    pub anchors: Vec<Octets>,
}

impl AuthorityRecord {
    /// The anchors as certificates.
    ///
    /// # Errors
    ///
    /// `authority-record-damaged`.
    pub fn anchor_certificates(&self) -> Result<Vec<Certificate>, ClientError> {
        self.anchors
            .iter()
            .map(|der| Certificate::from_der(&der.0).map_err(|e| ClientError::new("authority-record-damaged", e)))
            .collect()
    }

    /// Whom its TLS connections trust.
    pub fn tls_trust(&self) -> TlsTrust {
        match &self.tls_sha256 {
            Some(pin) => TlsTrust::Pin(pin.clone()),
            None => TlsTrust::Roots(Vec::new()),
        }
    }
}

/// An invitation to a first certificate, as the office handed it over.
#[derive(Clone, Deserialize)]
pub struct Invitation {
    /// Address of the authority.
    pub authority: String,
    /// Reference.
    pub reference: String,
    /// Code.
    pub code: String,
    /// SHA-256 of the root.
    pub root_sha256: String,
    /// SHA-256 of the TLS root.
    pub tls_sha256: String,
    /// Profile.
    pub profile: String,
}

/// The program's own folder.
#[derive(Debug, Clone)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// Opens the folder, and makes what is missing in it.
    ///
    /// # Errors
    ///
    /// `file-error`.
    pub fn open(folder: &Path) -> Result<Self, ClientError> {
        for sub in ["journeys", "archive", "authorities", "locks"] {
            let path = folder.join(sub);
            std::fs::create_dir_all(&path)
                .map_err(|error| ClientError::new("file-error", format!("{}: {error}", path.display())))?;
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The folder that the system gives for such things.
    pub fn default_folder() -> PathBuf {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(folder) = variable("OBNOVA_HOME") {
            return folder;
        }
        if cfg!(windows) {
            return variable("APPDATA").unwrap_or_default().join("obnova");
        }
        let home = variable("HOME").unwrap_or_default();
        if cfg!(target_os = "macos") {
            return home.join("Library").join("Application Support").join("obnova");
        }
        variable("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local").join("state")).join("obnova")
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Tries whether something can be written and synced here.
    ///
    /// # Errors
    ///
    /// `file-error`.
    pub fn is_writable(&self) -> Result<(), ClientError> {
        let path = self.folder.join("locks").join("trial");
        durable::replace(&path, &[0; 4096]).and_then(|()| durable::remove(&path)).map_err(ClientError::from)
    }

    fn settings(&self) -> Result<Settings, ClientError> {
        let path = self.folder.join("obnova.toml");
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

    /// Gives a device a name of the person's own; the device itself is not changed. An empty name takes it back.
    ///
    /// # Errors
    ///
    /// `settings-wrong`, `file-error`.
    pub fn name_device(&self, device: &str, name: &str) -> Result<(), ClientError> {
        let path = self.folder.join("obnova.toml");
        let failed = |error: std::io::Error| ClientError::new("file-error", format!("{}: {error}", path.display()));
        self.settings()?;
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            read => read.unwrap_or_default(),
        };
        // What else stands in the file, comments too, stays as it is.
        let mut document: toml_edit::DocumentMut =
            text.parse().map_err(|error| ClientError::new("settings-wrong", format!("{}: {error}", path.display())))?;
        let names = document.entry("name").or_insert(toml_edit::Item::Table(toml_edit::Table::new()));
        match (names.as_table_like_mut(), name) {
            (Some(table), "") => {
                table.remove(device);
            }
            (Some(table), name) => {
                table.insert(device, toml_edit::value(name));
            }
            (None, _) => return Err(ClientError::new("settings-wrong", "name")),
        }
        durable::replace(&path, document.to_string().as_bytes()).map_err(failed)
    }

    /// Adds a PKCS#12 file to the stores of `obnova.toml`, unless it is there; what stands in it stays as it is.
    ///
    /// # Errors
    ///
    /// `settings-wrong`, `file-error`.
    pub fn add_file(&self, file: &Path) -> Result<(), ClientError> {
        if self.stores()?.contains(&StoreSetting::File(file.to_owned())) {
            return Ok(());
        }
        let path = self.folder.join("obnova.toml");
        let failed = |error: std::io::Error| ClientError::new("file-error", format!("{}: {error}", path.display()));
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            read => read.unwrap_or_default(),
        };
        let mut document: toml_edit::DocumentMut =
            text.parse().map_err(|error| ClientError::new("settings-wrong", format!("{}: {error}", path.display())))?;
        let mut table = toml_edit::Table::new();
        table.insert("file", toml_edit::value(file.display().to_string()));
        let stores = document
            .entry("store")
            .or_insert(toml_edit::Item::ArrayOfTables(toml_edit::ArrayOfTables::new()))
            .as_array_of_tables_mut()
            .ok_or_else(|| ClientError::new("settings-wrong", "store"))?;
        stores.push(table);
        durable::replace(&path, document.to_string().as_bytes()).map_err(failed)
    }

    /// Authorities that are trusted.
    ///
    /// # Errors
    ///
    /// `authority-record-damaged`.
    pub fn authorities(&self) -> Result<Vec<AuthorityRecord>, ClientError> {
        let mut records = Vec::new();
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(self.folder.join("authorities"))?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            if path.extension().is_some_and(|ending| ending == "json") {
                let bytes = std::fs::read(&path)?;
                let record = serde_json::from_slice(&bytes).map_err(|error| {
                    ClientError::new("authority-record-damaged", format!("{}: {error}", path.display()))
                })?;
                records.push(record);
            }
        }
        Ok(records)
    }

    /// Remembers an authority.
    ///
    /// # Errors
    ///
    /// `file-error`.
    pub fn remember(&self, record: &AuthorityRecord) -> Result<(), ClientError> {
        let name = Primitives.fingerprint(record.name.as_bytes());
        let path = self.folder.join("authorities").join(format!("{}.json", &name[..16]));
        let bytes = serde_json::to_vec_pretty(record).map_err(|error| ClientError::new("file-error", error))?;
        durable::replace(&path, &bytes)
            .map_err(|error| ClientError::new("file-error", format!("{}: {error}", path.display())))
    }

    /// The folder of archived public parts.
    pub fn archive_folder(&self) -> PathBuf {
        self.folder.join("archive")
    }

    /// Puts the public part of a certificate into the archive; again changes nothing.
    ///
    /// # Errors
    ///
    /// `file-error`.
    pub fn archive(&self, certificate: &Certificate) -> Result<PathBuf, ClientError> {
        let text = obnova_pki::pem::block("CERTIFICATE", certificate.der())
            .map_err(|error| ClientError::new("file-error", error))?;
        let issuer = Primitives.fingerprint(certificate.issuer().der());
        let name = format!("{}-{}.crt", certificate.serial().hexadecimal(), &issuer[..8]);
        let path = self.folder.join("archive").join(name);
        durable::replace(&path, text.as_bytes())
            .map_err(|error| ClientError::new("file-error", format!("{}: {error}", path.display())))?;
        Ok(path)
    }

    /// Journals of all journeys, the oldest first.
    ///
    /// # Errors
    ///
    /// `file-error`.
    pub fn journals(&self) -> Result<Vec<PathBuf>, ClientError> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(self.folder.join("journeys"))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "journal"))
            .collect();
        paths.sort();
        Ok(paths)
    }

    /// Path of a new journal.
    pub fn new_journal(&self, now: SystemTime) -> PathBuf {
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let tail: String = Primitives.octets::<4>().iter().map(|octet| format!("{octet:02x}")).collect();
        self.folder.join("journeys").join(format!("{seconds:012}-{tail}.journal"))
    }

    /// Takes the lock of a store, shared by all programs of this person; it is free again when it is dropped.
    ///
    /// # Errors
    ///
    /// `store-busy` when another program of ours works with the store.
    pub fn lock(&self, store: &str) -> Result<std::fs::File, ClientError> {
        let name = Primitives.fingerprint(store.as_bytes());
        let path = self.folder.join("locks").join(format!("{}.lock", &name[..16]));
        let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(ClientError::new("store-busy", store)),
            Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
        }
    }
}
