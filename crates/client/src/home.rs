//! Where the program keeps its settings, journals and archive, and the records of authorities it trusts.

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
    /// The certificate that protects its CMP answers, where it was given beforehand.
    #[serde(default)]
    pub signer: Option<Octets>,
    /// SHA-256 of the TLS root (hexadecimal); `None` for plain http, where CMP protects itself.
    pub tls_sha256: Option<String>,
    /// Trust anchors of certificates and CMP answers.
    pub anchors: Vec<Octets>,
}

impl AuthorityRecord {
    /// A CMP or EST authority that is given by its address and trust anchor, and is not known yet.
    ///
    /// # Errors
    ///
    /// `tls-pin-needed` for CMP over https without the SHA-256 of the TLS root; `est-needs-https` (RFC 7030 section 3.3).
    pub fn by_address(
        address: &str,
        is_est: bool,
        anchor: &Certificate,
        tls_sha256: Option<String>,
    ) -> Result<Self, ClientError> {
        // EST lives inside TLS, whose root is the anchor when nothing else is pinned (RFC 7030 section 3.6.1).
        if address.starts_with("https:") && tls_sha256.is_none() && !is_est {
            return Err(ClientError::new("tls-pin-needed", address));
        }
        if is_est && !address.starts_with("https:") {
            return Err(ClientError::new("est-needs-https", address));
        }
        Ok(Self {
            name: address.to_owned(),
            address: None,
            cmp: if is_est { String::new() } else { address.to_owned() },
            est: is_est.then(|| address.to_owned()),
            mail: None,
            signer: None,
            tls_sha256,
            anchors: vec![Octets(anchor.der().to_vec())],
        })
    }

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

impl Invitation {
    /// Reads the file that the office handed over.
    ///
    /// # Errors
    ///
    /// `invitation-wrong`.
    pub fn read(path: &Path) -> Result<Self, ClientError> {
        let wrong = |error: &dyn std::fmt::Display| {
            ClientError::new("invitation-wrong", format!("{}: {error}", path.display()))
        };
        let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| wrong(&error))
    }
}

/// A certificate of an authority from a file, in any form.
///
/// # Errors
///
/// `file-error`, `anchor-wrong`.
pub fn anchor_file(path: &Path) -> Result<Certificate, ClientError> {
    let bytes =
        std::fs::read(path).map_err(|error| ClientError::new("file-error", format!("{}: {error}", path.display())))?;
    Certificate::from_any_form(&bytes)
        .map_err(|error| ClientError::new("anchor-wrong", format!("{}: {error}", path.display())))
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

    /// Keeps the octets of a certificate that came and was not taken over.
    ///
    /// # Errors
    ///
    /// `file-error`.
    pub fn keep(&self, octets: &[u8]) -> Result<PathBuf, ClientError> {
        let name = format!("not-taken-{}.der", &Primitives.fingerprint(octets)[..16]);
        let path = self.folder.join("archive").join(name);
        durable::replace(&path, octets)
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
