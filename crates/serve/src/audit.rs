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
    if entries.is_empty() {
        return Ok(());
    }
    // One statement for all: `($1, $2, $3, $4, $5), ($6, ...`.
    let row = |index: usize| {
        let places: Vec<String> = (1..=5).map(|place| format!("${}", index * 5 + place)).collect();
        format!("({})", places.join(", "))
    };
    let rows: Vec<String> = (0..entries.len()).map(row).collect();
    let statement = format!("INSERT INTO audit (seq, at, event, detail, link) VALUES {}", rows.join(", "));
    let mut insert = sqlx::query(sqlx::AssertSqlSafe(statement));
    for (event, detail) in entries {
        seq += 1;
        previous = link(&previous, at, event, detail);
        insert = insert.bind(seq).bind(at).bind((*event).to_owned()).bind((*detail).to_owned()).bind(previous.clone());
    }
    insert.execute(connection).await?;
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
