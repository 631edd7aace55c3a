//! The account in the identity space: login with a certificate's key, which may live on a token.

use std::sync::Arc;

use obnova_keystore::StoreSigner;
use obnova_pki::{Certificate, Signer};
use obnova_remote::{ClientKey, HttpClient, TlsTrust};
use serde::Deserialize;

use crate::ClientError;

/// A store's key as TLS wants it.
pub(crate) struct LoginKey {
    chain: Vec<Certificate>,
    signer: StoreSigner,
}

impl std::fmt::Debug for LoginKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoginKey({:?})", self.chain.first())
    }
}

impl ClientKey for LoginKey {
    fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    fn signer(&self) -> &(dyn Signer + Sync) {
        &self.signer
    }

    fn sign_pss(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        self.signer.sign_pss(message).map_err(|error| error.to_string())
    }
}

/// How a login went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginOutcome {
    /// It opened the account; its login name, and the certificates bound to it (serial numbers in hexadecimal).
    Opened {
        /// Login name.
        account: String,
        /// Serial numbers, hexadecimal.
        bound: Vec<String>,
    },
    /// It did not, and the identity space says why, as a code.
    Explained(String),
}

#[derive(Deserialize)]
struct Page {
    login: String,
    account: Option<PageAccount>,
}

#[derive(Deserialize)]
struct PageAccount {
    login: String,
    bindings: Vec<PageBinding>,
}

#[derive(Deserialize)]
struct PageBinding {
    hexadecimal: String,
}

/// An HTTP client that logs in with this certificate.
pub(crate) fn client(
    trust: &TlsTrust,
    certificate: &Certificate,
    signer: StoreSigner,
) -> Result<HttpClient, ClientError> {
    let key = LoginKey { chain: vec![certificate.clone()], signer };
    Ok(HttpClient::new(trust, Some(Arc::new(key)))?)
}

/// Logs in and reads the account.
///
/// # Errors
///
/// [`ClientError`] when the identity space cannot be reached or the key does not sign.
pub fn login(http: &HttpClient, address: &str) -> Result<LoginOutcome, ClientError> {
    let response = http.get(&format!("{address}/"))?;
    let page: Page = serde_json::from_slice(&response.body)
        .map_err(|error| ClientError::new("authority-answer-malformed", error))?;
    Ok(match page.account {
        Some(account) if page.login == "ok" => LoginOutcome::Opened {
            account: account.login,
            bound: account.bindings.into_iter().map(|binding| binding.hexadecimal).collect(),
        },
        _ => LoginOutcome::Explained(page.login),
    })
}

/// Serial and issuer of a certificate as the account's forms want them.
fn form(certificate: &Certificate) -> Vec<u8> {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect()
    };
    let issuer = escape(&certificate.issuer().common_name());
    format!("serial=0x{}&issuer={issuer}", certificate.serial().hexadecimal()).into_bytes()
}

/// Sends a form about a certificate; `settled` is the refusal that says it is so already.
fn send(http: &HttpClient, address: &str, certificate: &Certificate, settled: &str) -> Result<(), ClientError> {
    let response = http.post(address, "application/x-www-form-urlencoded", form(certificate))?;
    let status = response.status;
    let text = String::from_utf8_lossy(&response.body).into_owned();
    match status {
        200..=299 => Ok(()),
        // It was done before: a crash came between the deed and the note about it.
        403 if text.starts_with(settled) => Ok(()),
        _ => Err(ClientError::new("identity-refused", text.trim())),
    }
}

/// Adds a certificate to the account that `http` logs in to, by its serial number and issuer.
///
/// # Errors
///
/// `identity-refused` in the identity space's own words.
pub(crate) fn bind(http: &HttpClient, address: &str, new: &Certificate) -> Result<(), ClientError> {
    send(http, &format!("{address}/binding"), new, "bound-already")
}

/// Takes a certificate out of the account that `http` logs in to.
///
/// # Errors
///
/// `identity-refused` in the identity space's own words.
pub(crate) fn unbind(http: &HttpClient, address: &str, old: &Certificate) -> Result<(), ClientError> {
    send(http, &format!("{address}/binding/remove"), old, "not-bound")
}
