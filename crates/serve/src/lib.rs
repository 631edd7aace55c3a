//! What every role of the server needs: database, audit, mail, TLS listener, configuration.

pub mod audit;
pub mod clock;
pub mod config;
pub mod database;
pub mod listener;
pub mod mail;

/// Why a role could not do its work; shown to the operator, never to a stranger.
#[derive(Debug)]
pub struct ServeError(String);

impl ServeError {
    /// What was tried, and what stood in the way.
    pub fn new(what: impl core::fmt::Display, why: impl core::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

impl core::fmt::Display for ServeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServeError {}

impl From<sqlx::Error> for ServeError {
    fn from(error: sqlx::Error) -> Self {
        Self::new("database", error)
    }
}

impl From<std::io::Error> for ServeError {
    fn from(error: std::io::Error) -> Self {
        Self::new("system", error)
    }
}
