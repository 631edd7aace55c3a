//! Login by certificate, which explains instead of breaking the handshake.

use obnova_crypto::Primitives;
use obnova_pki::chain::{Chain, ChainError};
use obnova_pki::{Certificate, Kind, Serial};
use obnova_serve::ServeError;
use obnova_serve::listener::Peer;
use sqlx::Row;

use crate::account::{AccountView, Identity, IdentityError, issuer_key, view};

/// Who stands at the door.
pub(crate) enum Visitor {
    /// Logged in; the certificate that did it, and the account.
    Known(Box<Certificate>, AccountView),
    /// A certificate that does not log in, and why: the code is the key of the text `login-CODE`.
    Explained(Box<Certificate>, &'static str),
    /// No certificate was shown.
    Nobody,
}

impl Identity {
    /// Looks at the certificate of a connection; possession of its key was proven by the handshake.
    pub(crate) async fn visitor(&self, peer: &Peer) -> Result<Visitor, IdentityError> {
        let Some(own) = peer.certificates.first() else { return Ok(Visitor::Nobody) };
        let Ok(certificate) = Certificate::from_der(own) else { return Ok(Visitor::Nobody) };
        if let Some(code) = self.objection(&certificate).await? {
            return Ok(Visitor::Explained(Box::new(certificate), code));
        }
        let now = self.now();
        let (issuer, serial) = (issuer_key(certificate.issuer()), certificate.serial().hexadecimal());
        let name = certificate.subject().common_name();
        let account = self
            .database
            .write(|connection| {
                let (issuer, serial, name) = (issuer.clone(), serial.clone(), name.clone());
                Box::pin(async move {
                    // A number that was only typed opens the account for the person of that name alone:
                    // certificates are public, and anybody could type somebody else's.
                    let row = sqlx::query(
                        "SELECT b.account FROM binding b JOIN account a ON a.login = b.account \
                         WHERE b.issuer = $1 AND b.serial = $2 AND (b.added_how <> 'typed' OR a.name = $3)",
                    )
                    .bind(issuer.clone())
                    .bind(serial.clone())
                    .bind(name.clone())
                    .fetch_optional(&mut *connection)
                    .await?;
                    let Some(row) = row else { return Ok(None) };
                    let login: String = row.try_get(0)?;
                    sqlx::query("UPDATE binding SET last_login = $1 WHERE issuer = $2 AND serial = $3")
                        .bind(now)
                        .bind(issuer)
                        .bind(serial)
                        .execute(&mut *connection)
                        .await?;
                    view(connection, &login).await
                })
            })
            .await
            .map_err(|error: sqlx::Error| IdentityError::from(error))?;
        Ok(match account {
            Some(account) => Visitor::Known(Box::new(certificate), account),
            None => Visitor::Explained(Box::new(certificate), "unknown"),
        })
    }

    /// Why a certificate does not log in; `None` when nothing speaks against it.
    pub(crate) async fn objection(&self, certificate: &Certificate) -> Result<Option<&'static str>, IdentityError> {
        let now = self.clock.now();
        let issuers: Vec<Certificate> = self.issuers.iter().map(|issuer| issuer.certificate.clone()).collect();
        match Chain::check(certificate, &issuers, &self.roots, now, &Primitives) {
            Ok(_) => {}
            Err(ChainError::NotValidAt { .. }) if !certificate.is_valid_at(now) => {
                let code = if now < certificate.not_before() { "not-yet-valid" } else { "expired" };
                return Ok(Some(code));
            }
            Err(_) => return Ok(Some("untrusted")),
        }
        if certificate.kind() != Kind::Commercial {
            return Ok(Some("wrong-kind"));
        }
        // A list that cannot be had refuses the login: "good" is never guessed.
        match self.is_revoked(certificate.issuer(), certificate.serial()).await {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some("revoked")),
            Err(error) => {
                tracing::warn!(%error, "a revocation list could not be had");
                Ok(Some("status-unknown"))
            }
        }
    }

    async fn is_revoked(&self, issuer: &obnova_pki::Name, serial: &Serial) -> Result<bool, ServeError> {
        let trusted = self
            .issuers
            .iter()
            .find(|trusted| trusted.certificate.subject() == issuer)
            .ok_or_else(|| ServeError::new("revocation list", "the issuer is not one of ours"))?;
        let list = self.lists.list(trusted, &self.http, self.clock.now()).await?;
        Ok(list.find(serial).is_some())
    }
}
