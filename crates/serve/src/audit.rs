//! The audit log: every entry carries the digest of the one before, so a changed or missing one shows.

use obnova_crypto::Primitives;
use sqlx::{AnyConnection, AnyPool, Row};

use crate::ServeError;

fn link(previous: &str, at: i64, event: &str, detail: &str) -> String {
    Primitives.fingerprint(format!("{previous}\n{at}\n{event}\n{detail}").as_bytes())
}

/// Appends an entry inside the transaction that does the thing.
///
/// `event` is a stable word, `detail` has no secrets: serial numbers, fingerprints, names of accounts.
///
/// # Errors
///
/// The database's own error.
pub async fn append(connection: &mut AnyConnection, at: i64, event: &str, detail: &str) -> Result<(), sqlx::Error> {
    append_all(connection, at, &[(event, detail)]).await
}

/// Appends several entries at once, in their order.
///
/// # Errors
///
/// As [`append`].
pub async fn append_all(connection: &mut AnyConnection, at: i64, entries: &[(&str, &str)]) -> Result<(), sqlx::Error> {
    let last =
        sqlx::query("SELECT seq, link FROM audit ORDER BY seq DESC LIMIT 1").fetch_optional(&mut *connection).await?;
    let (mut seq, mut previous) = match last {
        Some(row) => (row.try_get::<i64, _>(0)?, row.try_get::<String, _>(1)?),
        None => (0, String::new()),
    };
    for (event, detail) in entries {
        seq += 1;
        previous = link(&previous, at, event, detail);
        sqlx::query("INSERT INTO audit (seq, at, event, detail, link) VALUES ($1, $2, $3, $4, $5)")
            .bind(seq)
            .bind(at)
            .bind((*event).to_owned())
            .bind((*detail).to_owned())
            .bind(previous.clone())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Checks the whole chain and gives the number of entries.
///
/// # Errors
///
/// [`ServeError`] names the first entry that does not fit.
pub async fn check(pool: &AnyPool) -> Result<i64, ServeError> {
    let rows = sqlx::query("SELECT seq, at, event, detail, link FROM audit ORDER BY seq").fetch_all(pool).await?;
    let mut previous = String::new();
    let mut expected = 0;
    for row in rows {
        expected += 1;
        let seq: i64 = row.try_get(0)?;
        let found: String = row.try_get(4)?;
        let computed = link(&previous, row.try_get(1)?, &row.try_get::<String, _>(2)?, &row.try_get::<String, _>(3)?);
        if seq != expected || found != computed {
            return Err(ServeError::new("audit log", format!("entry {expected} was changed or removed")));
        }
        previous = found;
    }
    Ok(expected)
}
