//! The registration side: organisations, contracts, applicants, invitations, decisions.

use std::collections::BTreeMap;

use obnova_crypto::Primitives;
use obnova_lifecycle::issuance::Reason;
use obnova_serve::{ServeError, audit, mail};
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Row};

use crate::authority::Authority;
use crate::letters::Letter;
use crate::profile::Profile;
use crate::store;

/// Days that an invitation is good for.
const INVITATION_DAYS: i64 = 14;

/// Letters of codes and receipts: no 0, O, 1, I, so that they can be read aloud.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// One row of an import, as CSV columns or a TOML `[[applicant]]` name them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportRow {
    ico: String,
    organisation: String,
    contract: String,
    #[serde(default)]
    debt_since: String,
    #[serde(default)]
    cash: String,
    #[serde(default)]
    contract_three_years: String,
    #[serde(default)]
    approval: String,
    applicant: String,
    given_name: String,
    surname: String,
    email: String,
    #[serde(default)]
    three_years: String,
    #[serde(default)]
    language: String,
    /// `no` takes an applicant off the contract.
    #[serde(default)]
    active: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportFile {
    applicant: Vec<ImportRow>,
}

/// What is wrong in one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// Line of the file for CSV, number of the entry for TOML, from 1.
    pub line: u64,
    /// The column.
    pub field: String,
    /// The rule that is broken.
    pub rule: String,
}

/// How an import went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Applicants that were written.
    pub applicants: usize,
    /// Requests and invitations that are open, and for the person as they were before this import.
    pub open: Vec<OpenBefore>,
}

/// Something that an import does not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenBefore {
    /// `request` or `invitation`.
    pub what: &'static str,
    /// Its number or reference.
    pub id: String,
    /// Whose it is.
    pub applicant: String,
    /// The name that it is for.
    pub name: String,
}

/// Why the office did not do what was asked.
#[derive(Debug)]
pub enum OfficeError {
    /// Rows are wrong; nothing was imported.
    Rows(Vec<RowError>),
    /// The thing named does not exist, or is in another state.
    NotFound(String),
    /// Something failed.
    Failed(ServeError),
}

impl From<sqlx::Error> for OfficeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl core::fmt::Display for OfficeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Rows(rows) => {
                write!(f, "nothing was imported")?;
                for row in rows {
                    write!(f, "\n  line {}, {}: {}", row.line, row.field, row.rule)?;
                }
                Ok(())
            }
            Self::NotFound(what) => write!(f, "{what}"),
            Self::Failed(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for OfficeError {}

/// An invitation to a first certificate.
#[derive(Debug, Clone, Serialize)]
pub struct Invitation {
    /// Address of the authority.
    pub authority: String,
    /// Reference, sent along.
    pub reference: String,
    /// Code of 100 bits, never sent.
    pub code: String,
    /// SHA-256 of the root, hexadecimal.
    pub root_sha256: String,
    /// Profile.
    pub profile: String,
    /// Name of the person.
    pub name: String,
}

/// One line of `request list`.
#[derive(Debug, Clone, Serialize)]
pub struct RequestLine {
    /// Its number (transactionID).
    pub id: String,
    /// Applicant.
    pub applicant: String,
    /// The name that the certificate will bear, as it was at the request.
    pub name: Option<String>,
    /// Profile.
    pub profile: String,
    /// waiting, approved, refused, issued, confirmed, rejected.
    pub state: String,
    /// Why it waits or was refused.
    pub reason: Option<String>,
    /// A word from the clerk.
    pub note: Option<String>,
    /// Issuer and serial number when issued.
    pub certificate: Option<String>,
    /// Seconds since 1970.
    pub created: i64,
}

fn text(length: usize) -> String {
    let mut out = String::with_capacity(length);
    for i in 0..length {
        if i > 0 && i % 5 == 0 {
            out.push('-');
        }
        // 32 letters: a random octet modulo 32 is even.
        out.push(char::from(ALPHABET[usize::from(Primitives.octets::<1>()[0]) % 32]));
    }
    out
}

/// IČO: eight digits with the last as a check digit.
fn is_ico(ico: &str) -> bool {
    let digits: Vec<u32> = ico.chars().filter_map(|c| c.to_digit(10)).collect();
    if ico.len() != 8 || digits.len() != 8 {
        return false;
    }
    let sum: u32 = digits[..7].iter().zip([8, 7, 6, 5, 4, 3, 2]).map(|(digit, weight)| digit * weight).sum();
    digits[7] == (11 - sum % 11) % 10
}

fn flag(value: &str) -> Option<bool> {
    match value.trim() {
        "" | "no" | "ne" | "0" | "false" => Some(false),
        "yes" | "ano" | "1" | "true" => Some(true),
        _ => None,
    }
}

fn date(value: &str) -> Option<Option<i64>> {
    if value.trim().is_empty() {
        return Some(None);
    }
    let date: jiff::civil::Date = value.trim().parse().ok()?;
    let at = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Some(at.timestamp().as_second()))
}

fn check(line: u64, row: &ImportRow, errors: &mut Vec<RowError>) {
    let mut wrong = |field: &str, rule: &str| {
        errors.push(RowError { line, field: field.to_owned(), rule: rule.to_owned() });
    };
    if !is_ico(row.ico.trim()) {
        wrong("ico", "eight digits, the last of them a check digit");
    }
    for (field, value, longest) in [
        ("organisation", &row.organisation, 64),
        ("contract", &row.contract, 64),
        ("applicant", &row.applicant, 64),
        ("given_name", &row.given_name, 16),
        ("surname", &row.surname, 40),
    ] {
        let length = value.trim().chars().count();
        if length == 0 {
            wrong(field, "must not be empty");
        } else if length > longest {
            wrong(field, "is longer than RFC 5280 allows in a name");
        }
        if !value.trim().chars().all(obnova_texts::is_visible) {
            wrong(field, "has a character that cannot be seen");
        }
    }
    if !row.applicant.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        wrong("applicant", "letters, digits and hyphens only: it becomes the serialNumber of the name");
    }
    if let Some(rule) = mail::address_fault(row.email.trim()) {
        wrong("email", rule);
    }
    for (field, value) in [
        ("cash", &row.cash),
        ("contract_three_years", &row.contract_three_years),
        ("approval", &row.approval),
        ("three_years", &row.three_years),
        ("active", &row.active),
    ] {
        if flag(value).is_none() {
            wrong(field, "must be yes or no");
        }
    }
    if date(&row.debt_since).is_none() {
        wrong("debt_since", "must be a date as 2026-01-31");
    }
    if !matches!(row.language.trim(), "" | "cs" | "en") {
        wrong("language", "must be cs or en");
    }
}

fn parse(contents: &str, is_toml: bool) -> Result<Vec<(u64, ImportRow)>, OfficeError> {
    let broken =
        |line, field: &str, rule: String| OfficeError::Rows(vec![RowError { line, field: field.to_owned(), rule }]);
    if is_toml {
        let file: ImportFile = toml::from_str(contents).map_err(|error| broken(0, "file", error.to_string()))?;
        return Ok((1..).zip(file.applicant).collect());
    }
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(contents.as_bytes());
    let headers = reader.headers().map_err(|error| broken(1, "header", error.to_string()))?.clone();
    let mut rows = Vec::new();
    let mut errors = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                match record.deserialize(Some(&headers)) {
                    Ok(row) => rows.push((line, row)),
                    Err(error) => errors.push(RowError { line, field: "row".to_owned(), rule: error.to_string() }),
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                errors.push(RowError { line, field: "row".to_owned(), rule: error.to_string() });
            }
        }
    }
    if errors.is_empty() { Ok(rows) } else { Err(OfficeError::Rows(errors)) }
}

/// What is open for an applicant under other data than those of the row now.
async fn open_before(
    connection: &mut AnyConnection,
    applicant: &str,
    now: i64,
) -> Result<Vec<OpenBefore>, sqlx::Error> {
    let Some(row) = store::applicant(connection, applicant, now).await? else { return Ok(Vec::new()) };
    let requests = sqlx::query(
        "SELECT id, person FROM request WHERE applicant = $1 AND state IN ('waiting', 'approved', 'signing')",
    )
    .bind(applicant.to_owned())
    .fetch_all(&mut *connection)
    .await?;
    let invitations = sqlx::query(
        "SELECT reference, person FROM invitation WHERE applicant = $1 AND used_by IS NULL AND expires >= $2",
    )
    .bind(applicant.to_owned())
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    let mut open = Vec::new();
    for (what, rows) in [("request", requests), ("invitation", invitations)] {
        for found in rows {
            if let Some(person) = store::person(found.try_get(1)?)?
                && person != row.person
            {
                let name = format!("{} {}", person.given_name, person.surname);
                open.push(OpenBefore { what, id: found.try_get(0)?, applicant: applicant.to_owned(), name });
            }
        }
    }
    Ok(open)
}

impl Authority {
    /// Imports organisations, contracts and applicants; existing ones are updated. All rows or none.
    ///
    /// # Errors
    ///
    /// [`OfficeError::Rows`] names every bad row by line and field.
    pub async fn import(&self, contents: &str, is_toml: bool) -> Result<ImportReport, OfficeError> {
        let rows = parse(contents, is_toml)?;
        let mut errors = Vec::new();
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        for (line, row) in &rows {
            check(*line, row, &mut errors);
            if let Some(earlier) = seen.insert(row.applicant.trim(), *line) {
                errors.push(RowError {
                    line: *line,
                    field: "applicant".to_owned(),
                    rule: format!("stands on line {earlier} already"),
                });
            }
        }
        if !errors.is_empty() {
            return Err(OfficeError::Rows(errors));
        }
        let now = self.now_seconds();
        let count = rows.len();
        let open = self
            .database
            .write(|connection| {
                let rows = rows.clone();
                Box::pin(async move {
                    let mut open = Vec::new();
                    for (_, row) in rows {
                        sqlx::query(
                            "INSERT INTO organisation (ico, name) VALUES ($1, $2) \
                             ON CONFLICT (ico) DO UPDATE SET name = excluded.name",
                        )
                        .bind(row.ico.trim().to_owned())
                        .bind(row.organisation.trim().to_owned())
                        .execute(&mut *connection)
                        .await?;
                        let yes = |value: &str| i64::from(flag(value).unwrap_or(false));
                        sqlx::query(
                            "INSERT INTO contract (number, ico, debt_since, cash, three_years, approval) \
                             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (number) DO UPDATE SET ico = excluded.ico, \
                             debt_since = excluded.debt_since, cash = excluded.cash, \
                             three_years = excluded.three_years, approval = excluded.approval",
                        )
                        .bind(row.contract.trim().to_owned())
                        .bind(row.ico.trim().to_owned())
                        .bind(date(&row.debt_since).flatten())
                        .bind(yes(&row.cash))
                        .bind(yes(&row.contract_three_years))
                        .bind(yes(&row.approval))
                        .execute(&mut *connection)
                        .await?;
                        let language = if row.language.trim().is_empty() { "cs" } else { row.language.trim() };
                        sqlx::query(
                            "INSERT INTO applicant (id, contract, given_name, surname, email, three_years, language, active) \
                             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET \
                             contract = excluded.contract, given_name = excluded.given_name, \
                             surname = excluded.surname, email = excluded.email, \
                             three_years = excluded.three_years, language = excluded.language, active = excluded.active",
                        )
                        .bind(row.applicant.trim().to_owned())
                        .bind(row.contract.trim().to_owned())
                        .bind(row.given_name.trim().to_owned())
                        .bind(row.surname.trim().to_owned())
                        .bind(row.email.trim().to_owned())
                        .bind(yes(&row.three_years))
                        .bind(language.to_owned())
                        .bind(i64::from(row.active.trim().is_empty() || flag(&row.active) == Some(true)))
                        .execute(&mut *connection)
                        .await?;
                        open.extend(open_before(connection, row.applicant.trim(), now).await?);
                    }
                    audit::append(connection, now, "office-import", &format!("{count} applicants")).await?;
                    Ok(open)
                })
            })
            .await
            .map_err(|error: sqlx::Error| OfficeError::from(error))?;
        Ok(ImportReport { applicants: count, open })
    }

    /// Invites an applicant to a first certificate.
    ///
    /// # Errors
    ///
    /// [`OfficeError::NotFound`] for an unknown applicant or profile.
    pub async fn invite(&self, applicant: &str, profile: &str) -> Result<Invitation, OfficeError> {
        if Profile::from_name(profile).is_none() {
            return Err(OfficeError::NotFound(format!(
                "profile {profile}: choose qualified, qualified-device or commercial, with -3y for three years"
            )));
        }
        let now = self.now_seconds();
        let mut connection = self.database.pool().acquire().await?;
        let known = store::applicant(&mut connection, applicant, now).await?;
        drop(connection);
        let person = known.ok_or_else(|| OfficeError::NotFound(format!("applicant {applicant} is not known")))?.person;
        let (reference, code) = (text(10), text(20));
        let sealed = self
            .sealing
            .seal(&reference, code.as_bytes())
            .map_err(|error| OfficeError::Failed(ServeError::new("sealing", error)))?;
        self.database
            .write(|connection| {
                let (reference, sealed) = (reference.clone(), sealed.clone());
                let (applicant, profile, person) = (applicant.to_owned(), profile.to_owned(), store::kept(&person));
                Box::pin(async move {
                    let detail = format!("{applicant} {profile} reference {reference}");
                    sqlx::query(
                        "INSERT INTO invitation (reference, code, applicant, profile, expires, person) \
                         VALUES ($1, $2, $3, $4, $5, $6)",
                    )
                    .bind(reference)
                    .bind(sealed)
                    .bind(applicant)
                    .bind(profile)
                    .bind(now + INVITATION_DAYS * 86_400)
                    .bind(person)
                    .execute(&mut *connection)
                    .await?;
                    audit::append(connection, now, "invited", &detail).await
                })
            })
            .await
            .map_err(|error: sqlx::Error| OfficeError::from(error))?;
        Ok(Invitation {
            authority: format!("https://{}", self.config.address),
            reference,
            code,
            root_sha256: Primitives.fingerprint(self.root.der()),
            profile: profile.to_owned(),
            name: format!("{} {}", person.given_name, person.surname),
        })
    }

    /// All requests, the oldest first.
    ///
    /// # Errors
    ///
    /// [`OfficeError::Failed`].
    pub async fn requests(&self) -> Result<Vec<RequestLine>, OfficeError> {
        let mut connection = self.database.pool().acquire().await?;
        Ok(store::requests(&mut connection)
            .await?
            .into_iter()
            .map(|row| RequestLine {
                certificate: row.issuer.zip(row.serial).map(|(issuer, serial)| format!("{issuer} {serial}")),
                name: row.person.map(|person| {
                    format!("{} {}, {}, {}", person.given_name, person.surname, person.organisation, person.email)
                }),
                id: row.id,
                applicant: row.applicant,
                profile: row.profile,
                state: row.state,
                reason: row.reason,
                note: row.note,
                created: row.created,
            })
            .collect())
    }

    /// Decides a waiting request: approved ones are issued at the next poll, refused ones tell why by mail.
    ///
    /// # Errors
    ///
    /// [`OfficeError::NotFound`] when no such request waits.
    pub async fn decide(&self, id: &str, approve: bool, note: Option<&str>) -> Result<(), OfficeError> {
        let now = self.now_seconds();
        self.database
            .write(|connection| {
                let (id, note) = (id.to_owned(), note.map(str::to_owned));
                Box::pin(async move {
                    let known = store::request(connection, &id).await?.filter(|row| row.state == "waiting");
                    let row =
                        known.ok_or_else(|| OfficeError::NotFound(format!("no request {id} waits for a decision")))?;
                    let (state, reason) = if approve {
                        ("approved", row.reason.clone())
                    } else {
                        ("refused", Some(Reason::ByClerk.code().to_owned()))
                    };
                    sqlx::query("UPDATE request SET state = $1, reason = $2, note = $3, decided = $4 WHERE id = $5")
                        .bind(state)
                        .bind(reason)
                        .bind(note.clone())
                        .bind(now)
                        .bind(id.clone())
                        .execute(&mut *connection)
                        .await?;
                    audit::append(connection, now, &format!("request-{state}"), &id).await?;
                    if !approve && let Some(applicant) = store::applicant(connection, &row.applicant, now).await? {
                        let note = note.unwrap_or_default();
                        let arguments = [("number", id.as_str()), ("why", note.as_str())];
                        let letter = Letter::new(format!("refused-{id}"), "refused", &applicant.person, &arguments);
                        letter.put(connection, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ico_has_a_check_digit() {
        assert!(is_ico("17651921"));
        assert!(is_ico("47114983"));
        assert!(!is_ico("17651922"));
        assert!(!is_ico("1765192"));
        assert!(!is_ico("abcdefgh"));
    }

    #[test]
    fn every_bad_row_is_named() {
        let csv = "ico,organisation,contract,applicant,given_name,surname,email,cash\n\
                   17651921,DEMO,S-1,A1,Jana,Nová,jana@example.cz,\n\
                   123,DEMO,S-1,A 2,,Nová,jana,perhaps\n";
        let rows = parse(csv, false).unwrap();
        let mut errors = Vec::new();
        for (line, row) in &rows {
            check(*line, row, &mut errors);
        }
        let found: Vec<_> = errors.iter().map(|error| (error.line, error.field.as_str())).collect();
        assert_eq!(found, [(3, "ico"), (3, "given_name"), (3, "applicant"), (3, "email"), (3, "cash")]);
    }
}
