//! What only our own server answers: directory, verdict, state of a request, succession.

use obnova_lifecycle::document::{Directory, RequestStatus, VerdictAnswer, name};
use serde::de::DeserializeOwned;

use crate::{HttpClient, RemoteError};

fn document<T: DeserializeOwned>(body: &[u8]) -> Result<T, RemoteError> {
    serde_json::from_slice(body).map_err(|error| RemoteError::Malformed(error.to_string()))
}

fn named(found: &str, wanted: &str) -> Result<(), RemoteError> {
    if found == wanted {
        return Ok(());
    }
    Err(RemoteError::Malformed(format!("document {found} came where {wanted} was expected")))
}

/// An authority that publishes a directory.
pub struct ObnovaAuthority<'a> {
    /// HTTP client.
    pub http: &'a HttpClient,
    /// `https://HOST:PORT`.
    pub address: &'a str,
}

impl ObnovaAuthority<'_> {
    /// The directory; `None` where the authority has none.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn directory(&self) -> Result<Option<Directory>, RemoteError> {
        let response = self.http.get(&format!("{}/.well-known/obnova", self.address))?;
        if response.status == 404 {
            return Ok(None);
        }
        let directory: Directory = document(&response.success()?)?;
        named(&directory.document, name::DIRECTORY)?;
        Ok(Some(directory))
    }

    /// What the verdict would be; `question` is a signed `VerdictQuestion`.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn verdict(&self, directory: &Directory, question: Vec<u8>) -> Result<VerdictAnswer, RemoteError> {
        let address = format!("{}{}", self.address, directory.verdict);
        let answer: VerdictAnswer =
            document(&self.http.post(&address, "application/pkcs7-mime", question)?.success()?)?;
        named(&answer.document, name::VERDICT)?;
        Ok(answer)
    }

    /// Where a request stands; the receipt is its transactionID.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn status(&self, directory: &Directory, receipt: &[u8]) -> Result<RequestStatus, RemoteError> {
        let address = format!("{}{}/{}", self.address, directory.status, hex::encode(receipt));
        let status: RequestStatus = document(&self.http.get(&address)?.success()?)?;
        named(&status.document, name::STATUS)?;
        Ok(status)
    }
}

/// Hands a signed succession statement to an identity space at `address`.
///
/// # Errors
///
/// [`RemoteError::Refused`] in the identity space's own words.
pub fn submit_succession(http: &HttpClient, address: &str, statement: Vec<u8>) -> Result<(), RemoteError> {
    let response = http.post(&format!("{address}/succession"), "application/pkcs7-mime", statement)?;
    match response.success() {
        Ok(_) => Ok(()),
        Err(RemoteError::Status { status: 400..=499, text }) => Err(RemoteError::Refused(text)),
        Err(error) => Err(error),
    }
}
