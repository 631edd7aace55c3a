//! Succession: a statement signed by predecessor and successor moves a login along, once.

use obnova_crypto::Primitives;
use obnova_lifecycle::document::{Succession, name};
use obnova_pki::cms;
use sqlx::Row;

use crate::account::{Identity, IdentityError, bind, issuer_key, view};

/// How old a statement may be, in seconds: it is made when the successor is proven and may wait for days.
const MAX_AGE: i64 = 30 * 86_400;

impl Identity {
    /// Accepts a statement and binds the successor beside its predecessor. The same statement again changes nothing.
    ///
    /// # Errors
    ///
    /// `statement-malformed`, `statement-other-audience`, `statement-old`, `statement-signers`,
    /// `statement-certificate` (one of the two does not log in here), `not-bound` (the predecessor is no login here).
    pub async fn succeed(&self, bytes: &[u8]) -> Result<(), IdentityError> {
        let refused = |code| IdentityError::Refused(code);
        let document = cms::verify(bytes, &Primitives).map_err(|_| refused("statement-malformed"))?;
        let statement: Succession =
            serde_json::from_slice(&document.content).map_err(|_| refused("statement-malformed"))?;
        if statement.document != name::SUCCESSION || statement.id.len() < 16 || statement.id.len() > 128 {
            return Err(refused("statement-malformed"));
        }
        if statement.audience != self.audience {
            return Err(refused("statement-other-audience"));
        }
        let now = self.now();
        let at = i64::try_from(statement.at).unwrap_or(0);
        if at > now + 300 || at < now - MAX_AGE {
            return Err(refused("statement-old"));
        }
        let signer = |wanted: &obnova_lifecycle::document::CertificateName| {
            document.signers.iter().find(|certificate| wanted.names(certificate))
        };
        let (Some(predecessor), Some(successor)) = (signer(&statement.predecessor), signer(&statement.successor))
        else {
            return Err(refused("statement-signers"));
        };
        let same_person = predecessor.subject() == successor.subject() && predecessor != successor;
        if !same_person || statement.successor_sha256 != Primitives.fingerprint(successor.der()) {
            return Err(refused("statement-signers"));
        }
        for certificate in [predecessor, successor] {
            if let Some(code) = self.objection(certificate).await? {
                tracing::info!(code, "a succession statement names a certificate that does not log in");
                return Err(refused("statement-certificate"));
            }
        }
        let old = (issuer_key(predecessor.issuer()), predecessor.serial().hexadecimal());
        let (issuer, serial) = (successor.issuer().clone(), successor.serial().clone());
        let id = statement.id;
        self.database
            .write(|connection| {
                let (old, issuer, serial, id) = (old.clone(), issuer.clone(), serial.clone(), id.clone());
                Box::pin(async move {
                    let row = sqlx::query("SELECT account FROM binding WHERE issuer = $1 AND serial = $2")
                        .bind(old.0)
                        .bind(old.1.clone())
                        .fetch_optional(&mut *connection)
                        .await?;
                    let login: String = row.ok_or(IdentityError::Refused("not-bound"))?.try_get(0)?;
                    let account = view(connection, &login).await?.ok_or(IdentityError::Refused("not-bound"))?;
                    let first =
                        sqlx::query("INSERT INTO statement (id, accepted) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
                            .bind(id)
                            .bind(now)
                            .execute(&mut *connection)
                            .await?
                            .rows_affected();
                    if first == 0 {
                        // The answer was lost and the statement came again: it was done then.
                        return Ok(());
                    }
                    match bind(connection, &account, &issuer, &serial, "statement", Some(&old.1), now).await {
                        // Typed by hand meanwhile: what the statement wants is so, and the statement is used up.
                        Err(IdentityError::Refused("bound-already")) => Ok(()),
                        other => other,
                    }
                })
            })
            .await
    }
}
