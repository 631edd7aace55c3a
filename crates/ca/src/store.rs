//! What the authority keeps, row by row.

use obnova_crypto::Primitives;
use obnova_lifecycle::issuance::Facts;
use obnova_pki::Certificate;
use obnova_pki::signature::key_identity;
use obnova_serve::database::Database;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::profile::Person;

/// A certificate's record.
#[derive(Debug, Clone)]
pub(crate) struct CertificateRow {
    pub(crate) issuer: String,
    pub(crate) serial: String,
    pub(crate) applicant: String,
    pub(crate) state: String,
    pub(crate) der: Option<Vec<u8>>,
    pub(crate) request: String,
}

const CERTIFICATE: &str = "SELECT issuer, serial, applicant, state, der, request FROM certificate";

fn certificate_row(row: &AnyRow) -> Result<CertificateRow, sqlx::Error> {
    Ok(CertificateRow {
        issuer: row.try_get(0)?,
        serial: row.try_get(1)?,
        applicant: row.try_get(2)?,
        state: row.try_get(3)?,
        der: row.try_get(4)?,
        request: row.try_get(5)?,
    })
}

pub(crate) async fn certificate(
    connection: &mut AnyConnection,
    issuer: &str,
    serial: &str,
) -> Result<Option<CertificateRow>, sqlx::Error> {
    let sql = format!("{CERTIFICATE} WHERE issuer = $1 AND serial = $2");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(issuer.to_owned())
        .bind(serial.to_owned())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(certificate_row)
        .transpose()
}

pub(crate) async fn certificate_by(
    connection: &mut AnyConnection,
    column: &'static str,
    value: &str,
) -> Result<Option<CertificateRow>, sqlx::Error> {
    let sql = format!("{CERTIFICATE} WHERE {column} = $1 AND der IS NOT NULL ORDER BY not_before DESC LIMIT 1");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(value.to_owned())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(certificate_row)
        .transpose()
}

/// SHA-256 of what a public key is, however it is written ([`key_identity`]).
pub(crate) fn identity_of(public_key: &[u8]) -> String {
    Primitives.fingerprint(&key_identity(public_key))
}

/// Whether a key was certified here, or waits for it, for another request than this one.
pub(crate) async fn is_key_used(
    connection: &mut AnyConnection,
    identity: &str,
    request: &str,
) -> Result<bool, sqlx::Error> {
    let used = sqlx::query(
        "SELECT 1 FROM certificate WHERE key_identity = $1 AND state <> 'abandoned' AND request <> $2 UNION ALL \
         SELECT 1 FROM request WHERE key_identity = $1 AND id <> $2 AND state IN ('waiting', 'approved', 'signing') \
         LIMIT 1",
    )
    .bind(identity.to_owned())
    .bind(request.to_owned())
    .fetch_optional(connection)
    .await?;
    Ok(used.is_some())
}

/// Other requests that follow this certificate: those that are still open, and those that brought a certificate which was
/// not revoked.
pub(crate) async fn successor_requests(
    connection: &mut AnyConnection,
    (issuer, serial): (&str, &str),
    request: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT r.id FROM request r LEFT JOIN certificate c ON c.issuer = r.issuer AND c.serial = r.serial \
         WHERE r.predecessor_issuer = $1 AND r.predecessor_serial = $2 AND r.id <> $3 \
         AND (r.state IN ('waiting', 'approved', 'signing') OR c.state = 'issued') ORDER BY r.created",
    )
    .bind(issuer.to_owned())
    .bind(serial.to_owned())
    .bind(request.to_owned())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Whether an older version left keys without their identity.
pub(crate) async fn lacks_identities(database: &Database) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "SELECT 1 FROM certificate WHERE key_identity IS NULL UNION ALL \
         SELECT 1 FROM request WHERE key_identity IS NULL LIMIT 1",
    )
    .fetch_optional(database.pool())
    .await?;
    Ok(row.is_some())
}

/// Fills in what older versions did not write: the identity of every key.
pub(crate) async fn fill_identities(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let rows = sqlx::query("SELECT issuer, serial, tbs, der FROM certificate WHERE key_identity IS NULL")
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let (issuer, serial): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let (tbs, der): (Vec<u8>, Option<Vec<u8>>) = (row.try_get(2)?, row.try_get(3)?);
        let key = match der.and_then(|der| Certificate::from_der(&der).ok()) {
            Some(certificate) => certificate.public_key().to_vec(),
            None => obnova_pki::certificate::public_key_of(&tbs).unwrap_or(tbs),
        };
        sqlx::query("UPDATE certificate SET key_identity = $1 WHERE issuer = $2 AND serial = $3")
            .bind(identity_of(&key))
            .bind(issuer)
            .bind(serial)
            .execute(&mut *connection)
            .await?;
    }
    let rows = sqlx::query("SELECT id, public_key FROM request WHERE key_identity IS NULL")
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let (id, key): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        sqlx::query("UPDATE request SET key_identity = $1 WHERE id = $2")
            .bind(identity_of(&key))
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// A request's record.
#[derive(Debug, Clone)]
pub(crate) struct RequestRow {
    pub(crate) id: String,
    pub(crate) kind: i64,
    pub(crate) cert_req_id: i64,
    pub(crate) sender: String,
    pub(crate) applicant: String,
    pub(crate) profile: String,
    pub(crate) public_key: Vec<u8>,
    pub(crate) implicit_confirm: bool,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) created: i64,
    /// The person as they were at the request; `None` in rows of version 0.1.0.
    pub(crate) person: Option<Person>,
    /// Whether the template asked for something that the certificate does not have.
    pub(crate) modified: bool,
}

const REQUEST: &str = "SELECT id, kind, cert_req_id, sender, applicant, profile, public_key, implicit_confirm, \
     state, reason, note, issuer, serial, created, person, modified FROM request";

/// A person as a row keeps them.
pub(crate) fn person(kept: Option<String>) -> Result<Option<Person>, sqlx::Error> {
    let read = |text: String| serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()));
    kept.map(read).transpose()
}

/// A person as a row will keep them.
pub(crate) fn kept(person: &Person) -> String {
    serde_json::to_string(person).unwrap_or_default()
}

fn request_row(row: &AnyRow) -> Result<RequestRow, sqlx::Error> {
    Ok(RequestRow {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        cert_req_id: row.try_get(2)?,
        sender: row.try_get(3)?,
        applicant: row.try_get(4)?,
        profile: row.try_get(5)?,
        public_key: row.try_get(6)?,
        implicit_confirm: row.try_get::<i64, _>(7)? != 0,
        state: row.try_get(8)?,
        reason: row.try_get(9)?,
        note: row.try_get(10)?,
        issuer: row.try_get(11)?,
        serial: row.try_get(12)?,
        created: row.try_get(13)?,
        person: person(row.try_get(14)?)?,
        modified: row.try_get::<i64, _>(15)? != 0,
    })
}

pub(crate) async fn request(connection: &mut AnyConnection, id: &str) -> Result<Option<RequestRow>, sqlx::Error> {
    let sql = format!("{REQUEST} WHERE id = $1");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(request_row)
        .transpose()
}

pub(crate) async fn requests(connection: &mut AnyConnection) -> Result<Vec<RequestRow>, sqlx::Error> {
    let sql = format!("{REQUEST} ORDER BY created, id");
    sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await?.iter().map(request_row).collect()
}

/// A new request.
pub(crate) struct NewRequest {
    pub(crate) row: RequestRow,
    pub(crate) predecessor: Option<(String, String)>,
}

pub(crate) async fn insert_request(connection: &mut AnyConnection, new: &NewRequest) -> Result<(), sqlx::Error> {
    let row = &new.row;
    sqlx::query(
        "INSERT INTO request (id, kind, cert_req_id, sender, applicant, profile, public_key, predecessor_issuer, \
         predecessor_serial, implicit_confirm, state, reason, created, issuer, serial, key_identity, person, modified) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(row.id.clone())
    .bind(row.kind)
    .bind(row.cert_req_id)
    .bind(row.sender.clone())
    .bind(row.applicant.clone())
    .bind(row.profile.clone())
    .bind(row.public_key.clone())
    .bind(new.predecessor.as_ref().map(|(issuer, _)| issuer.clone()))
    .bind(new.predecessor.as_ref().map(|(_, serial)| serial.clone()))
    .bind(i64::from(row.implicit_confirm))
    .bind(row.state.clone())
    .bind(row.reason.clone())
    .bind(row.created)
    .bind(row.issuer.clone())
    .bind(row.serial.clone())
    .bind(identity_of(&row.public_key))
    .bind(row.person.as_ref().map(kept))
    .bind(i64::from(row.modified))
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn set_request_state(
    connection: &mut AnyConnection,
    id: &str,
    state: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE request SET state = $1 WHERE id = $2")
        .bind(state.to_owned())
        .bind(id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// An applicant with the contract's facts.
#[derive(Debug, Clone)]
pub(crate) struct ApplicantRow {
    pub(crate) person: Person,
    pub(crate) facts: Facts,
}

pub(crate) async fn applicant(
    connection: &mut AnyConnection,
    id: &str,
    now: i64,
) -> Result<Option<ApplicantRow>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT a.id, a.given_name, a.surname, a.email, a.three_years, a.language, a.active, \
         c.debt_since, c.cash, c.three_years, c.approval, o.name, o.ico \
         FROM applicant a JOIN contract c ON c.number = a.contract JOIN organisation o ON o.ico = c.ico \
         WHERE a.id = $1",
    )
    .bind(id.to_owned())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let flag = |column: usize| row.try_get::<i64, _>(column).map(|value| value != 0);
    let debt_since: Option<i64> = row.try_get(7)?;
    Ok(Some(ApplicantRow {
        person: Person {
            id: row.try_get(0)?,
            given_name: row.try_get(1)?,
            surname: row.try_get(2)?,
            email: row.try_get(3)?,
            organisation: row.try_get(11)?,
            ico: row.try_get(12)?,
            language: row.try_get(5)?,
        },
        facts: Facts {
            on_contract: flag(6)?,
            debt_days: debt_since.map_or(0, |since| (now - since) / 86_400),
            cash: flag(8)?,
            three_years: false,
            contract_three_years: flag(9)?,
            applicant_three_years: flag(4)?,
            changed: None,
            approval: flag(10)?,
            device_ended: false,
        },
    }))
}
