//! Mail through an outbox: written with the thing it tells of, sent until the server took it.
//!
//! A letter may arrive twice after a crash (with the same Message-ID), it is never lost.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde::Deserialize;
use sqlx::{AnyConnection, Row};

use crate::ServeError;
use crate::database::Database;

/// How long a letter is tried again, in seconds: a week.
const LONGEST: i64 = 7 * 86_400;

/// How mail leaves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Host of the SMTP server.
    pub host: String,
    /// Its port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Sender's address.
    pub from: String,
    /// `starttls` (default) or `none`, which only loopback may use.
    #[serde(default)]
    pub security: Security,
    /// PEM file with the root of the mail server's certificate, when no public one stands over it; then it alone is
    /// trusted.
    #[serde(default)]
    pub ca_file: Option<std::path::PathBuf>,
    /// User name, when the server wants one.
    #[serde(default)]
    pub user: Option<String>,
    /// File with the password.
    #[serde(default)]
    pub password_file: Option<std::path::PathBuf>,
}

fn default_port() -> u16 {
    587
}

/// Protection of the way to the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// STARTTLS is required.
    #[default]
    Starttls,
    /// Nothing; refused unless the host is loopback.
    None,
}

/// Puts a letter into the outbox, inside the transaction that causes it.
///
/// # Errors
///
/// The database's own error.
pub async fn put(
    connection: &mut AnyConnection,
    id: &str,
    to: &str,
    subject: &str,
    body: &str,
    now: i64,
) -> Result<(), sqlx::Error> {
    // The same letter about the same thing is written once.
    sqlx::query(
        "INSERT INTO outbox (id, recipient, subject, body, created, next_attempt, attempts) \
         VALUES ($1, $2, $3, $4, $5, $5, 0) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.to_owned())
    .bind(to.to_owned())
    .bind(obnova_texts::clean(subject))
    .bind(obnova_texts::clean_lines(body))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Sends what waits in one role's outbox.
pub struct Sender {
    database: Database,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Sender {
    /// Prepares the way.
    ///
    /// # Errors
    ///
    /// [`ServeError`] for a bad address, a missing password file, or an unprotected way off this machine.
    pub fn new(database: Database, config: &MailConfig) -> Result<Self, ServeError> {
        let loopback = matches!(config.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host).port(config.port);
        match config.security {
            Security::Starttls => {
                let mut parameters = TlsParameters::builder(config.host.clone());
                if let Some(file) = &config.ca_file {
                    let wrong = |error: &dyn std::fmt::Display| {
                        ServeError::new(format!("mail.ca_file {}", file.display()), error)
                    };
                    let pem = std::fs::read(file).map_err(|error| wrong(&error))?;
                    // A file without a certificate would be taken, and every letter refused later.
                    if !pem.starts_with(b"-----BEGIN CERTIFICATE-----") {
                        return Err(wrong(&"does not begin with a certificate in PEM"));
                    }
                    let root = Certificate::from_pem(&pem).map_err(|error| wrong(&error))?;
                    // Where a root of one's own is named, no public one speaks for the mail server.
                    parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(root);
                }
                let parameters = parameters.build().map_err(|error| ServeError::new("mail.security", error))?;
                builder = builder.tls(Tls::Required(parameters));
            }
            Security::None if loopback => {}
            Security::None => {
                return Err(ServeError::new("mail.security", "\"none\" is allowed on loopback only; use \"starttls\""));
            }
        }
        if let (Some(user), Some(file)) = (&config.user, &config.password_file) {
            let password = std::fs::read_to_string(file)
                .map_err(|error| ServeError::new(format!("mail.password_file {}", file.display()), error))?;
            builder = builder.credentials(Credentials::new(user.clone(), password.trim_end().to_owned()));
        }
        let from = config.from.parse().map_err(|error| ServeError::new("mail.from", error))?;
        Ok(Self { database, transport: builder.timeout(Some(Duration::from_secs(20))).build(), from })
    }

    /// Sends until the process ends; a failure waits longer each time, up to ten minutes.
    pub async fn run(self) {
        loop {
            match self.turn().await {
                Ok(0) => tokio::time::sleep(Duration::from_millis(500)).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the outbox cannot be read");
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        }
    }

    async fn turn(&self) -> Result<usize, ServeError> {
        let now = crate::clock::seconds(std::time::SystemTime::now());
        let rows = sqlx::query(
            "SELECT id, recipient, subject, body, attempts, created FROM outbox \
             WHERE sent IS NULL AND given_up IS NULL AND next_attempt <= $1 ORDER BY created LIMIT 20",
        )
        .bind(now)
        .fetch_all(self.database.pool())
        .await?;
        let count = rows.len();
        for row in rows {
            let id: String = row.try_get(0)?;
            let attempts: i64 = row.try_get(4)?;
            let outcome = self
                .send(&id, &row.try_get::<String, _>(1)?, &row.try_get::<String, _>(2)?, row.try_get::<String, _>(3)?)
                .await;
            let created: i64 = row.try_get(5)?;
            let (sent, given_up, wait, words) = match outcome {
                Ok(()) => (Some(now), None, 0, None),
                Err(failure) if failure.is_final || now - created > LONGEST => {
                    tracing::error!(error = %failure.error, letter = %id, "a letter was given up: it was never taken");
                    (None, Some(now), 0, Some(failure.error.to_string()))
                }
                Err(failure) => {
                    tracing::warn!(error = %failure.error, letter = %id, "a letter was not taken; it will be sent again");
                    (None, None, (5 << attempts.min(7)).min(600), Some(failure.error.to_string()))
                }
            };
            self.database
                .write(|connection| {
                    let (id, words) = (id.clone(), words.clone());
                    Box::pin(async move {
                        sqlx::query(
                            "UPDATE outbox SET sent = $1, attempts = attempts + 1, next_attempt = $2, last_error = $3, \
                             given_up = $4 WHERE id = $5",
                        )
                        .bind(sent)
                        .bind(now + wait)
                        .bind(words)
                        .bind(given_up)
                        .bind(id)
                        .execute(connection)
                        .await?;
                        Ok::<(), sqlx::Error>(())
                    })
                })
                .await?;
        }
        Ok(count)
    }

    async fn send(&self, id: &str, to: &str, subject: &str, body: String) -> Result<(), Failure> {
        let hopeless = |what: &str, error: &dyn std::fmt::Display| Failure {
            error: ServeError::new(what, error),
            // What cannot even be written will not be taken tomorrow.
            is_final: true,
        };
        let letter = Message::builder()
            .from(self.from.clone())
            .to(to.parse().map_err(|error: lettre::address::AddressError| hopeless("recipient", &error))?)
            .subject(subject)
            .message_id(Some(format!("<{id}@obnova>")))
            .header(lettre::message::header::ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|error| hopeless("letter", &error))?;
        let sent = self.transport.send(letter).await;
        sent.map(drop).map_err(|error| Failure { is_final: is_final(&error), error: ServeError::new("SMTP", error) })
    }
}

/// Whether a letter will never be taken. A login or a command that the server refuses is the operator's matter: it is mended,
/// and the letter still goes (RFC 5321 section 4.2.3, RFC 4954 section 6).
fn is_final(error: &lettre::transport::smtp::Error) -> bool {
    let is_of_login = error.status().is_some_and(|code| {
        let code: u16 = code.into();
        (500..=504).contains(&code) || [521, 530, 534, 535, 538].contains(&code)
    });
    error.is_permanent() && !is_of_login
}

/// Why a letter did not leave, and whether trying again is of any use.
struct Failure {
    error: ServeError,
    is_final: bool,
}

/// Letters that were never taken, by their identifiers.
///
/// # Errors
///
/// The database's own error.
pub async fn given_up(database: &Database) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query("SELECT id FROM outbox WHERE given_up IS NOT NULL ORDER BY created")
        .fetch_all(database.pool())
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Why an e-mail address cannot be used; `None` for one that the mailer takes and a certificate may carry (RFC 5321
/// section 4.5.3.1, RFC 5280 section 4.2.1.6: ASCII only).
pub fn address_fault(address: &str) -> Option<&'static str> {
    if address.len() > 254 {
        return Some("is longer than 254 octets");
    }
    if !address.is_ascii() || address.parse::<lettre::Address>().is_err() {
        return Some("is not an e-mail address");
    }
    // What needs quoting is allowed by the standard, and refused by half of the programs that read it.
    let (local, host) = address.rsplit_once('@')?;
    let is_atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if !local.chars().all(is_atom) || !host.contains('.') || host.contains("..") || local.contains("..") {
        return Some("is not an e-mail address");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_can_be_written_to() {
        for good in ["jana@example.cz", "jana.nova+x@sub.example.cz", "o'hara@example.cz"] {
            assert_eq!(address_fault(good), None, "{good}");
        }
        let long = format!("{}@example.cz", "a".repeat(250));
        for bad in [
            "",
            "jana",
            "jana@",
            "@example.cz",
            "jana@example",
            "ja na@example.cz",
            "ev\na@example.cz\0",
            "ev\ta@example.cz",
            "ev;a\"(x)@exa..mple.cz",
            "jana@example.cz\r\nBcc: x@example.cz",
            "jana@exa mple.cz",
            "jiří@example.cz",
            "a..b@example.cz",
            "\"a b\"@example.cz",
            "<a@example.cz>",
            "a@b@example.cz",
            &long,
        ] {
            assert!(address_fault(bad).is_some(), "{bad:?}");
        }
    }
}
