//! The server's configuration: one commented TOML file, read once into checked types.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::ServeError;
use crate::mail::MailConfig;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The authority role.
    pub authority: AuthorityConfig,
    /// The identity role.
    pub identity: IdentityConfig,
    /// Mail.
    pub mail: Option<MailConfig>,
    /// Whether this is a demonstration: only then may the clock be set back.
    #[serde(default)]
    pub demonstration: bool,
    /// Folder of the file itself; keys and databases are named relative to it.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// The authority role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Host name and port as clients write it, for example `ca.example.cz:8443`.
    pub address: String,
    /// Base address written into certificates (CRL, issuer), apart from the listening address.
    pub published_at: String,
    /// `sqlite:FILE` or `postgres://...`.
    pub database: String,
    /// Days before the end when renewal opens.
    #[serde(default = "default_window")]
    pub renewal_window_days: u32,
    /// How many certificates may follow one and the same, as long as none of them is revoked.
    #[serde(default = "default_successors")]
    pub successors: u32,
    /// Seconds that a client waits between polls.
    #[serde(default = "default_check_after")]
    pub check_after_seconds: u32,
    /// Days before the end when letters about it go out.
    #[serde(default = "default_notices")]
    pub notice_days: Vec<u32>,
    /// Oldest middleware that still works.
    #[serde(default)]
    pub oldest_middleware: Vec<obnova_lifecycle::document::OldestMiddleware>,
    /// Who helps the people of this authority.
    #[serde(default)]
    pub desk: Option<obnova_lifecycle::document::Desk>,
    /// Addresses of proxies, behind which many people stand.
    #[serde(default)]
    pub proxies: Vec<std::net::IpAddr>,
}

fn default_window() -> u32 {
    60
}

fn default_successors() -> u32 {
    1
}

fn default_check_after() -> u32 {
    60
}

fn default_notices() -> Vec<u32> {
    vec![60, 30, 14, 7, 1]
}

/// The identity role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {
    /// Address to listen on; certificate login asks every visitor for a certificate, so it has its own.
    pub listen: SocketAddr,
    /// Host name and port as clients write it.
    pub address: String,
    /// Name in succession statements.
    pub audience: String,
    /// `sqlite:FILE` or `postgres://...`.
    pub database: String,
    /// Addresses of proxies, behind which many people stand.
    #[serde(default)]
    pub proxies: Vec<std::net::IpAddr>,
}

impl Config {
    /// Reads `obnova-server.toml` in `folder`.
    ///
    /// # Errors
    ///
    /// [`ServeError`] with the line and the field.
    pub fn read(folder: &Path) -> Result<Self, ServeError> {
        let path = folder.join("obnova-server.toml");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| ServeError::new(format!("reading {}", path.display()), error))?;
        let mut config: Self = toml::from_str(&text).map_err(|error| ServeError::new(path.display(), error))?;
        config.folder = folder.to_owned();
        for url in [&mut config.authority.database, &mut config.identity.database] {
            if let Some(file) = url.strip_prefix("sqlite:") {
                *url = format!("sqlite:{}", folder.join(file).display());
            }
        }
        Ok(config)
    }
}
