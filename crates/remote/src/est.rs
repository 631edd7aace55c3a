//! Enrollment over Secure Transport as a client asks (RFC 7030, with the clarifications of RFC 8951).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use obnova_pki::{Certificate, cms};

use crate::cmp::Outcome;
use crate::{HttpClient, RemoteError};

/// When a server that puts off says nothing of when to ask again, in seconds.
const LATER: u64 = 60;

/// An EST service at an address that ends before the operation (`https://host/.well-known/est` and perhaps a label).
pub struct EstService<'a> {
    /// The connection; its key is the one that the server shall know the holder by.
    pub http: &'a HttpClient,
    /// The address.
    pub address: &'a str,
}

impl EstService<'_> {
    /// The certificates of the authority (section 4.1): for building paths; nothing is trusted by this.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn authority_certificates(&self) -> Result<Vec<Certificate>, RemoteError> {
        let response = self.http.get(&format!("{}/cacerts", self.address.trim_end_matches('/')))?;
        certificates(&response.success()?)
    }

    /// Asks for a certificate for the key of a PKCS#10 request (section 4.2): `simplereenroll` with the predecessor's
    /// key as TLS client. The same bytes ask again after a wait.
    ///
    /// # Errors
    ///
    /// [`RemoteError`]; a refusal in the server's words is an outcome.
    pub fn reenroll(&self, request: &[u8], public_key: &[u8]) -> Result<Outcome, RemoteError> {
        let address = format!("{}/simplereenroll", self.address.trim_end_matches('/'));
        // RFC 8951 section 3.1: base64 in lines; Content-Transfer-Encoding says nothing any more.
        let body = lines(&STANDARD.encode(request));
        let response = self.http.post(&address, "application/pkcs10", body.into_bytes())?;
        match response.status {
            200 => {
                let mut all = certificates(&response.body)?;
                let own =
                    all.iter().position(|certificate| certificate.public_key() == public_key).ok_or_else(|| {
                        RemoteError::Malformed("no certificate for the key that was asked for".to_owned())
                    })?;
                let certificate = all.swap_remove(own).der().to_vec();
                Ok(Outcome::Issued {
                    certificate,
                    others: all,
                    anchors: Vec::new(),
                    // EST has no confirmation: taking the certificate is all there is.
                    confirmed: true,
                    id: 0,
                    nonce: Vec::new(),
                })
            }
            202 => Ok(Outcome::Waiting {
                check_after: response.retry_after.unwrap_or(LATER),
                reason: None,
                nonce: Vec::new(),
                id: 0,
            }),
            // The server is not there for anybody now, or does not know this operation; that is no decision.
            404 | 500.. => Err(response.success().err().unwrap_or_else(|| RemoteError::Busy(String::new()))),
            401 | 403 | 400 | 409 => {
                let text: String =
                    String::from_utf8_lossy(&response.body).chars().filter(|c| !c.is_control()).take(300).collect();
                Ok(Outcome::Refused(format!("HTTP {}: {text}", response.status)))
            }
            _ => Err(response.success().err().unwrap_or_else(|| RemoteError::Busy(String::new()))),
        }
    }
}

fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 64 + 1);
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out.push('\n');
    out
}

/// A certs-only message in base64, with or without line ends; some servers send it bare.
fn certificates(body: &[u8]) -> Result<Vec<Certificate>, RemoteError> {
    let malformed = |error: &dyn core::fmt::Display| RemoteError::Malformed(format!("certs-only: {error}"));
    let der = if body.first() == Some(&0x30) {
        body.to_vec()
    } else {
        let text: Vec<u8> = body.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
        STANDARD.decode(text).map_err(|error| malformed(&error))?
    };
    // What cannot be read hinders nothing: the one that was asked for is looked for among the others.
    let all = cms::certificates_only(&der).map_err(|error| malformed(&error))?;
    Ok(all.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_in_lines_and_comes_back_in_any() {
        let long = lines(&STANDARD.encode([7; 100]));
        assert!(long.lines().all(|line| line.len() <= 64) && long.ends_with('\n'));
        assert!(certificates(b"no certificates").is_err());
        assert!(certificates(&[0x30, 0x03, 0x06, 0x01, 0x00]).is_err());
        assert!(certificates(b"").is_err());
    }
}
