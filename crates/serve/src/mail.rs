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
    .bind(subject.to_owned())
    .bind(body.to_owned())
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
            "SELECT id, recipient, subject, body, attempts FROM outbox \
             WHERE sent IS NULL AND next_attempt <= $1 ORDER BY created LIMIT 20",
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
            let (sent, wait, words) = match outcome {
                Ok(()) => (Some(now), 0, None),
                Err(error) => {
                    tracing::warn!(%error, letter = %id, "a letter was not taken; it will be sent again");
                    (None, (5 << attempts.min(7)).min(600), Some(error.to_string()))
                }
            };
            self.database
                .write(|connection| {
                    let (id, words) = (id.clone(), words.clone());
                    Box::pin(async move {
                        sqlx::query(
                            "UPDATE outbox SET sent = $1, attempts = attempts + 1, next_attempt = $2, last_error = $3 \
                             WHERE id = $4",
                        )
                        .bind(sent)
                        .bind(now + wait)
                        .bind(words)
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

    async fn send(&self, id: &str, to: &str, subject: &str, body: String) -> Result<(), ServeError> {
        let letter = Message::builder()
            .from(self.from.clone())
            .to(to.parse().map_err(|error| ServeError::new("recipient", error))?)
            .subject(subject)
            .message_id(Some(format!("<{id}@obnova>")))
            .header(lettre::message::header::ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|error| ServeError::new("letter", error))?;
        self.transport.send(letter).await.map_err(|error| ServeError::new("SMTP", error))?;
        Ok(())
    }
}
