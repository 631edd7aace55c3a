//! What went wrong on the holder's side, as a stable code with the values its text needs.

use obnova_keystore::SharedStore;
use obnova_lifecycle::port::KeyStoreError;
use obnova_pki::SignError;
use obnova_remote::RemoteError;

/// An error that screens show by its code (`error-CODE` in the texts).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError {
    /// Stable code.
    pub code: String,
    /// The technical detail, always shown beside the text.
    pub detail: String,
}

impl ClientError {
    /// An error with its detail.
    pub fn new(code: impl Into<String>, detail: impl core::fmt::Display) -> Self {
        Self { code: code.into(), detail: detail.to_string() }
    }
}

impl ClientError {
    /// A store's error, which names the store where it is about a PIN: a person may have several.
    pub(crate) fn at(error: KeyStoreError, store: &str) -> Self {
        let told = Self::from(error);
        let is_about_a_pin = ["pin-", "puk-", "not-a-pin"].iter().any(|start| told.code.starts_with(start));
        match is_about_a_pin && !told.detail.contains(store) {
            true => Self { detail: format!("{store}: {}", told.detail), ..told },
            false => told,
        }
    }
}

impl core::fmt::Display for ClientError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for ClientError {}

impl From<KeyStoreError> for ClientError {
    fn from(error: KeyStoreError) -> Self {
        let code = match &error {
            KeyStoreError::PinIncorrect { final_try: true } => "pin-incorrect-last-try",
            KeyStoreError::PukIncorrect { final_try: true } => "puk-incorrect-last-try",
            other => other.code(),
        };
        Self::new(code, error)
    }
}

impl From<RemoteError> for ClientError {
    fn from(error: RemoteError) -> Self {
        Self::new(error.code(), error)
    }
}

impl From<SignError> for ClientError {
    fn from(error: SignError) -> Self {
        match error.0.downcast::<KeyStoreError>() {
            Ok(inner) => (*inner).into(),
            Err(other) => Self::new("signing-failed", other),
        }
    }
}

impl From<std::io::Error> for ClientError {
    fn from(error: std::io::Error) -> Self {
        Self::new("file-error", error)
    }
}

impl From<crate::journal::JournalError> for ClientError {
    fn from(error: crate::journal::JournalError) -> Self {
        let code = match &error {
            crate::journal::JournalError::Newer(..) => "newer-version",
            _ => "journal-error",
        };
        Self::new(code, error)
    }
}

/// A store by its stable name among those at hand.
pub(crate) fn store_named(stores: &[(String, SharedStore)], id: &str) -> Result<SharedStore, ClientError> {
    stores
        .iter()
        .find(|(known, _)| known == id)
        .map(|(_, store)| store.clone())
        .ok_or_else(|| ClientError::new("store-gone", id))
}
