//! Accounts and the certificates bound to them: account + issuer + serial number.

use std::sync::Arc;

use obnova_crypto::Primitives;
use obnova_lifecycle::port::Clock;
use obnova_pki::{Certificate, Name, Serial};
use obnova_serve::clock::seconds;
use obnova_serve::database::{Database, is_duplicate};
use obnova_serve::{ServeError, audit, mail};
use obnova_texts::{Language, Texts};
use serde::Serialize;
use sqlx::{AnyConnection, Row};

/// An issuing authority whose certificates log in here, with the list of what it revoked.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    /// Its certificate.
    pub certificate: Certificate,
    /// Where its list is.
    pub crl_address: String,
}

/// Why something was not done; the code is also the key of the text (`identity-CODE`).
#[derive(Debug)]
pub enum IdentityError {
    /// Refused, with a stable code.
    Refused(&'static str),
    /// Something failed.
    Failed(ServeError),
}

impl From<sqlx::Error> for IdentityError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl core::fmt::Display for IdentityError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused(code) => f.write_str(code),
            Self::Failed(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for IdentityError {}

/// One certificate of an account.
#[derive(Debug, Clone, Serialize)]
pub struct BindingView {
    /// Issuer's name in words.
    pub issuer: String,
    /// Serial number in decimal.
    pub decimal: String,
    /// Serial number in hexadecimal.
    pub hexadecimal: String,
    /// How it came here: `administrator`, `typed`, `statement`.
    pub added_how: String,
    /// Seconds since 1970 of the last login with it.
    pub last_login: Option<i64>,
}

/// An account as its page shows it.
#[derive(Debug, Clone, Serialize)]
pub struct AccountView {
    /// Login name.
    pub login: String,
    /// Name of the person.
    pub name: String,
    /// Organisation.
    pub organisation: String,
    /// Role: `user` or `administrator`.
    pub role: String,
    /// Language of letters.
    pub language: String,
    /// Certificates that log in.
    pub bindings: Vec<BindingView>,
    #[serde(skip)]
    pub(crate) email: String,
}

/// The identity role.
pub struct Identity {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audience: String,
    pub(crate) roots: Vec<Certificate>,
    pub(crate) issuers: Vec<TrustedIssuer>,
    pub(crate) http: Arc<obnova_remote::HttpClient>,
    pub(crate) lists: crate::lists::Lists,
}

/// How an issuer is named in a row: SHA-256 of its name.
pub(crate) fn issuer_key(name: &Name) -> String {
    Primitives.fingerprint(name.der())
}

impl Identity {
    /// Opens the database.
    ///
    /// `roots` and `issuers` are the authorities whose certificates log in; `tls_roots` protects the way to
    /// their revocation lists.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub async fn open(
        config: &obnova_serve::config::IdentityConfig,
        roots: Vec<Certificate>,
        issuers: Vec<TrustedIssuer>,
        tls_roots: Vec<Vec<u8>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServeError> {
        let trust = obnova_remote::TlsTrust::Roots(tls_roots);
        // The client owns a runtime of its own, which may not be made inside this one.
        let http = tokio::task::spawn_blocking(move || obnova_remote::HttpClient::new(&trust, None))
            .await
            .map_err(|error| ServeError::new("HTTP client", error))?
            .map_err(|error| ServeError::new("HTTP client", error))?;
        Ok(Self {
            database: Database::open(&config.database, "obnova_identity", &crate::SQLITE, &crate::POSTGRES).await?,
            clock,
            audience: config.audience.clone(),
            roots,
            issuers,
            http: Arc::new(http),
            lists: crate::lists::Lists::default(),
        })
    }

    /// The database, for health and chores.
    pub fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn now(&self) -> i64 {
        seconds(self.clock.now())
    }

    /// Makes an account.
    ///
    /// # Errors
    ///
    /// `account-exists`; `account-field` for a login, name or organisation that is empty or has characters that cannot be
    /// seen, and for an e-mail address that cannot be written to.
    pub async fn add_account(
        &self,
        login: &str,
        name: &str,
        email: &str,
        organisation: &str,
        administrator: bool,
    ) -> Result<(), IdentityError> {
        let now = self.now();
        let is_login = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
        let is_text = |text: &str| !text.trim().is_empty() && text.chars().all(obnova_texts::is_visible);
        let fits = !login.is_empty()
            && login.chars().all(is_login)
            && is_text(name)
            && is_text(organisation)
            && mail::address_fault(email).is_none();
        if !fits {
            return Err(IdentityError::Refused("account-field"));
        }
        let values = [login, name, email, organisation].map(str::to_owned);
        let done: Result<(), sqlx::Error> = self
            .database
            .write(|connection| {
                let [login, name, email, organisation] = values.clone();
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO account (login, name, email, organisation, role) VALUES ($1, $2, $3, $4, $5)",
                    )
                    .bind(login.clone())
                    .bind(name)
                    .bind(email)
                    .bind(organisation)
                    .bind(if administrator { "administrator" } else { "user" })
                    .execute(&mut *connection)
                    .await?;
                    audit::append(connection, now, "account-added", &login).await
                })
            })
            .await;
        match done {
            Ok(()) => Ok(()),
            Err(error) if is_duplicate(&error) => Err(IdentityError::Refused("account-exists")),
            Err(error) => Err(error.into()),
        }
    }

    /// Binds a certificate to an account; done by an administrator, or by the logged-in person.
    ///
    /// # Errors
    ///
    /// `account-unknown`, `serial-wrong`, `issuer-unknown`, `bound-elsewhere`, `bound-already`.
    pub async fn bind_typed(
        &self,
        login: &str,
        issuer: &str,
        serial: &str,
        how: &'static str,
    ) -> Result<(), IdentityError> {
        let issuer = self.issuer_spelled(issuer).ok_or(IdentityError::Refused("issuer-unknown"))?;
        // Typed digits can be read two ways; the decimal reading is what pages ask for.
        let candidates = Serial::candidates(serial).map_err(|_| IdentityError::Refused("serial-wrong"))?;
        let serial = candidates.into_iter().next().ok_or(IdentityError::Refused("serial-wrong"))?;
        let name = issuer.certificate.subject().clone();
        let (login, now) = (login.to_owned(), self.now());
        self.database
            .write(|connection| {
                let (login, name, serial) = (login.clone(), name.clone(), serial.clone());
                Box::pin(async move {
                    let account = view(connection, &login).await?.ok_or(IdentityError::Refused("account-unknown"))?;
                    bind(connection, &account, &name, &serial, how, None, now).await
                })
            })
            .await
    }

    /// The issuer that a person means by a text: its common name, or a part of it.
    fn issuer_spelled(&self, text: &str) -> Option<&TrustedIssuer> {
        let wanted = text.trim().to_lowercase();
        let mut matching = self
            .issuers
            .iter()
            .filter(|issuer| issuer.certificate.subject().to_string().to_lowercase().contains(&wanted));
        match (matching.next(), matching.next()) {
            (Some(only), None) if !wanted.is_empty() => Some(only),
            _ => None,
        }
    }

    /// An account with its certificates.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Failed`].
    pub async fn account(&self, login: &str) -> Result<Option<AccountView>, IdentityError> {
        let mut connection = self.database.pool().acquire().await?;
        Ok(view(&mut connection, login).await?)
    }

    /// Takes a certificate out of an account. The certificate that is used for this very login cannot go,
    /// and neither can the last one that works.
    ///
    /// # Errors
    ///
    /// `last-login`, `this-login`, `not-bound`.
    pub async fn unbind(
        &self,
        login: &str,
        certificate: (&Name, &Serial),
        current: (&Name, &Serial),
    ) -> Result<(), IdentityError> {
        if certificate == current {
            return Err(IdentityError::Refused("this-login"));
        }
        let (issuer, serial) = (issuer_key(certificate.0), certificate.1.hexadecimal());
        let (login, now) = (login.to_owned(), self.now());
        self.database
            .write(|connection| {
                let (login, issuer, serial) = (login.clone(), issuer.clone(), serial.clone());
                Box::pin(async move {
                    // What remains must have logged in before: a certificate that never did proves nothing.
                    let proven: i64 = sqlx::query(
                        "SELECT COUNT(*) FROM binding WHERE account = $1 AND last_login IS NOT NULL \
                         AND NOT (issuer = $2 AND serial = $3)",
                    )
                    .bind(login.clone())
                    .bind(issuer.clone())
                    .bind(serial.clone())
                    .fetch_one(&mut *connection)
                    .await?
                    .try_get(0)?;
                    if proven == 0 {
                        return Err(IdentityError::Refused("last-login"));
                    }
                    let gone = sqlx::query("DELETE FROM binding WHERE account = $1 AND issuer = $2 AND serial = $3")
                        .bind(login.clone())
                        .bind(issuer)
                        .bind(serial.clone())
                        .execute(&mut *connection)
                        .await?;
                    if gone.rows_affected() == 0 {
                        return Err(IdentityError::Refused("not-bound"));
                    }
                    audit::append(connection, now, "binding-removed", &format!("{login} {serial}")).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Reads an account.
pub(crate) async fn view(connection: &mut AnyConnection, login: &str) -> Result<Option<AccountView>, sqlx::Error> {
    let row = sqlx::query("SELECT login, name, organisation, role, language, email FROM account WHERE login = $1")
        .bind(login.to_owned())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let rows = sqlx::query(
        "SELECT issuer_name, serial, added_how, last_login FROM binding WHERE account = $1 ORDER BY added_at, serial",
    )
    .bind(login.to_owned())
    .fetch_all(connection)
    .await?;
    let bindings = rows
        .iter()
        .map(|row| {
            let hexadecimal: String = row.try_get(1)?;
            let decimal = Serial::candidates(&format!("0x{hexadecimal}"))
                .ok()
                .and_then(|all| all.first().map(Serial::decimal))
                .unwrap_or_default();
            Ok(BindingView {
                issuer: row.try_get(0)?,
                decimal,
                hexadecimal,
                added_how: row.try_get(2)?,
                last_login: row.try_get(3)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(Some(AccountView {
        login: row.try_get(0)?,
        name: row.try_get(1)?,
        organisation: row.try_get(2)?,
        role: row.try_get(3)?,
        language: row.try_get(4)?,
        email: row.try_get(5)?,
        bindings,
    }))
}

/// Removes a typed binding that no login ever used; `false` when there is none such.
async fn forget_unused(connection: &mut AnyConnection, issuer: &str, serial: &Serial) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query(
        "DELETE FROM binding WHERE issuer = $1 AND serial = $2 AND added_how = 'typed' AND last_login IS NULL",
    )
    .bind(issuer.to_owned())
    .bind(serial.hexadecimal())
    .execute(connection)
    .await?;
    Ok(gone.rows_affected() == 1)
}

/// Binds a certificate and writes the letter about it, inside the caller's transaction.
pub(crate) async fn bind(
    connection: &mut AnyConnection,
    account: &AccountView,
    issuer: &Name,
    serial: &Serial,
    how: &'static str,
    follows: Option<&str>,
    now: i64,
) -> Result<(), IdentityError> {
    let key = issuer_key(issuer);
    let holder: Option<String> = sqlx::query("SELECT account FROM binding WHERE issuer = $1 AND serial = $2")
        .bind(key.clone())
        .bind(serial.hexadecimal())
        .fetch_optional(&mut *connection)
        .await?
        .map(|row| row.try_get(0))
        .transpose()?;
    match holder {
        Some(holder) if holder == account.login => return Err(IdentityError::Refused("bound-already")),
        // A number that somebody typed and nobody ever logged in with gives way to a proof.
        Some(_) if how == "statement" && forget_unused(connection, &key, serial).await? => {}
        Some(_) => return Err(IdentityError::Refused("bound-elsewhere")),
        None => {}
    }
    sqlx::query(
        "INSERT INTO binding (issuer, serial, account, issuer_name, added_at, added_how, follows) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(key)
    .bind(serial.hexadecimal())
    .bind(account.login.clone())
    .bind(issuer.common_name())
    .bind(now)
    .bind(how)
    .bind(follows.map(str::to_owned))
    .execute(&mut *connection)
    .await?;
    let detail = format!("{} {} {how}", account.login, serial.hexadecimal());
    audit::append(connection, now, "binding-added", &detail).await?;
    let texts = Texts::new(Language::from_tag(&account.language).unwrap_or(Language::Czech));
    let (decimal, hexadecimal) = (serial.decimal(), serial.hexadecimal());
    let arguments = [
        ("name", account.name.as_str()),
        ("account", account.login.as_str()),
        ("decimal", decimal.as_str()),
        ("hexadecimal", hexadecimal.as_str()),
    ];
    mail::put(
        connection,
        &format!("bound-{}-{hexadecimal}", account.login),
        &account.email,
        &texts.get("mail-bound-subject", &arguments),
        &texts.get("mail-bound-body", &arguments),
        now,
    )
    .await?;
    Ok(())
}
