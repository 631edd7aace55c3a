//! One role's database: an SQLite file or a PostgreSQL schema, spoken to in the SQL that both understand.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, Connection, Executor};

use crate::ServeError;

/// Which engine keeps the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file; write-ahead log, every commit synced.
    Sqlite,
    /// A schema on a server.
    Postgres,
}

/// A future that a write job gives back.
pub type Job<'c, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>;

/// One role's database.
#[derive(Clone)]
pub struct Database {
    pool: AnyPool,
    engine: Engine,
}

impl Database {
    /// Opens (and for SQLite makes) the database and brings its tables up to date.
    ///
    /// `url` is `sqlite:PATH` or `postgres://...`; `schema` keeps the roles apart on PostgreSQL.
    ///
    /// # Errors
    ///
    /// [`ServeError`] when it cannot be opened or migrated.
    pub async fn open(
        url: &str,
        schema: &'static str,
        sqlite: &'static Migrator,
        postgres: &'static Migrator,
    ) -> Result<Self, ServeError> {
        sqlx::any::install_default_drivers();
        let engine = if url.starts_with("sqlite:") { Engine::Sqlite } else { Engine::Postgres };
        let address = match engine {
            Engine::Sqlite if !url.contains('?') => format!("{url}?mode=rwc"),
            _ => url.to_owned(),
        };
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(20))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    match engine {
                        Engine::Sqlite => {
                            for pragma in [
                                "PRAGMA busy_timeout = 15000",
                                "PRAGMA journal_mode = WAL",
                                "PRAGMA synchronous = FULL",
                                "PRAGMA foreign_keys = ON",
                            ] {
                                connection.execute(pragma).await?;
                            }
                        }
                        Engine::Postgres => {
                            let statement = format!("SET search_path TO {schema}");
                            connection.execute(sqlx::AssertSqlSafe(statement)).await?;
                        }
                    }
                    Ok(())
                })
            })
            .connect(&address)
            .await
            .map_err(|error| ServeError::new(format!("opening the database of {schema}"), error))?;
        if engine == Engine::Postgres {
            let statement = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
            pool.execute(sqlx::AssertSqlSafe(statement)).await?;
        }
        let migrator = if engine == Engine::Sqlite { sqlite } else { postgres };
        migrator.run(&pool).await.map_err(|error| ServeError::new(format!("migrating {schema}"), error))?;
        Ok(Self { pool, engine })
    }

    /// For reading outside a transaction.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Runs a job in one transaction and answers after COMMIT.
    ///
    /// On PostgreSQL it is serializable, and a job that lost against another is run again, so a job
    /// must be repeatable. On SQLite the write lock is taken first.
    ///
    /// # Errors
    ///
    /// The job's own error (then nothing was written), or the database's.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send,
        E: From<sqlx::Error> + Send,
        F: for<'c> Fn(&'c mut AnyConnection) -> Job<'c, T, E> + Send + Sync,
    {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let again = |error: &sqlx::Error| attempt < 20 && lost(error);
            let mut connection = self.pool.acquire().await?;
            let begin = match self.engine {
                Engine::Sqlite => "BEGIN IMMEDIATE",
                Engine::Postgres => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            };
            let mut transaction = match connection.begin_with(begin).await {
                Ok(transaction) => transaction,
                Err(error) if again(&error) => continue,
                Err(error) => return Err(error.into()),
            };
            if self.engine == Engine::Postgres {
                // One writer of a role at a time, as on SQLite: every job appends to the audit chain anyway.
                (&mut *transaction).execute("LOCK TABLE audit IN EXCLUSIVE MODE").await?;
            }
            let outcome = job(&mut transaction).await;
            match outcome {
                Err(error) => {
                    let _ = transaction.rollback().await;
                    return Err(error);
                }
                Ok(value) => match transaction.commit().await {
                    Ok(()) => return Ok(value),
                    Err(error) if again(&error) => {}
                    Err(error) => return Err(error.into()),
                },
            }
            tokio::time::sleep(Duration::from_millis(10 * attempt)).await;
        }
    }
}

/// Whether another transaction won: serialization failure or deadlock on PostgreSQL, busy on SQLite.
fn lost(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(inner)
        if matches!(inner.code().as_deref(), Some("40001" | "40P01" | "5" | "517")))
}

/// Whether a unique constraint refused the row.
pub fn is_duplicate(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(inner) if inner.is_unique_violation())
}
