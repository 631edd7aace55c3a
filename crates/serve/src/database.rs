//! One role's database: an SQLite file or a PostgreSQL schema, spoken to in the SQL that both understand.
//!
//! All writes of a process go through one connection, and those that come together are committed together:
//! a commit waits for the disk, so many jobs that share one cost little more than one job.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use obnova_crypto::Primitives;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Executor, Row};
use tokio::sync::{Mutex, watch};

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

/// How a group of jobs ended.
#[derive(Clone)]
enum Ending {
    /// On the disk.
    Committed,
    /// Nothing was written because another transaction won, or a job was broken off: run them again.
    Lost,
    /// The database's words.
    Failed(String),
}

/// Jobs that are committed together.
struct Group {
    number: u64,
    ending: watch::Sender<Option<Ending>>,
    /// A job was begun and not seen to its end: whoever awaited it went away.
    broken: bool,
}

/// The one connection that writes.
#[derive(Default)]
struct Writer {
    connection: Option<PoolConnection<Any>>,
    group: Option<Group>,
    last: u64,
}

/// What shows other processes that this one is running; the system takes it back when the process ends.
enum Running {
    File(#[allow(dead_code, reason = "its lock is what counts")] std::fs::File),
    Connection(#[allow(dead_code, reason = "its advisory lock is what counts")] PoolConnection<Any>),
}

/// One role's database.
#[derive(Clone)]
pub struct Database {
    pool: AnyPool,
    engine: Engine,
    writer: Arc<Mutex<Writer>>,
    /// The file of SQLite.
    file: Option<PathBuf>,
    /// The number that this process signs its records with.
    owner: i64,
    running: Arc<Mutex<Option<Running>>>,
}

/// Runs of a job before it is given up: others win now and then, but not always.
const ATTEMPTS: u64 = 10;

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
            // Each connection to a file is a thread: more of them than work only wake one another.
            .max_connections(if engine == Engine::Sqlite { 4 } else { 8 })
            .acquire_timeout(Duration::from_secs(20))
            // A file does not go away between two questions, as a server may.
            .test_before_acquire(engine == Engine::Postgres)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    match engine {
                        Engine::Sqlite => {
                            for pragma in [
                                "PRAGMA busy_timeout = 5000",
                                "PRAGMA journal_mode = WAL",
                                "PRAGMA synchronous = FULL",
                                "PRAGMA foreign_keys = ON",
                                // A savepoint keeps what it may roll back in memory, not in a file of its own.
                                "PRAGMA temp_store = MEMORY",
                                "PRAGMA cache_size = -16000",
                                "PRAGMA wal_autocheckpoint = 4000",
                            ] {
                                connection.execute(pragma).await?;
                            }
                        }
                        Engine::Postgres => {
                            let statement = format!("SET search_path TO {schema}");
                            connection.execute(sqlx::AssertSqlSafe(statement)).await?;
                            // Whoever waits for another's lock hears of it in time.
                            connection.execute("SET lock_timeout = '10s'").await?;
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
        migrator.run(&pool).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::VersionMissing(number) => ServeError::new(
                schema,
                format!("a newer version of obnova-server has worked on this database (step {number}); use that one"),
            ),
            error => ServeError::new(format!("migrating {schema}"), error),
        })?;
        let file = url.strip_prefix("sqlite:").map(|rest| PathBuf::from(rest.split('?').next().unwrap_or(rest)));
        let owner = i64::from_be_bytes(Primitives.octets::<8>()) & i64::MAX;
        Ok(Self { pool, engine, writer: Arc::default(), file, owner, running: Arc::default() })
    }

    /// The number that this process signs its records with.
    pub fn owner(&self) -> i64 {
        self.owner
    }

    /// Shows other processes that this one is running, until it ends. A file belongs to one running process; a PostgreSQL
    /// database to any number.
    ///
    /// # Errors
    ///
    /// [`ServeError`] when another process runs on the same file.
    pub async fn claim(&self) -> Result<(), ServeError> {
        let claimed = match &self.file {
            Some(file) => {
                let mut name = file.file_name().unwrap_or_default().to_owned();
                name.push(".lock");
                let path = file.with_file_name(name);
                let lock = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
                lock.try_lock().map_err(|error| {
                    let why = match error {
                        std::fs::TryLockError::WouldBlock => "another obnova-server runs on this database".to_owned(),
                        std::fs::TryLockError::Error(error) => error.to_string(),
                    };
                    ServeError::new(path.display(), why)
                })?;
                Running::File(lock)
            }
            None => {
                let mut connection = self.pool.acquire().await?;
                sqlx::query("SELECT pg_advisory_lock($1)").bind(self.owner).execute(&mut *connection).await?;
                Running::Connection(connection)
            }
        };
        *self.running.lock().await = Some(claimed);
        Ok(())
    }

    /// Whether the process that signs its records with this number is running.
    ///
    /// # Errors
    ///
    /// The database's own error.
    pub async fn is_running(&self, owner: i64) -> Result<bool, sqlx::Error> {
        if self.engine == Engine::Sqlite {
            // A file belongs to one running process, which is this one.
            return Ok(false);
        }
        let mut connection = self.pool.acquire().await?;
        let row = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(owner).fetch_one(&mut *connection).await?;
        let is_free: bool = row.try_get(0)?;
        if is_free {
            sqlx::query("SELECT pg_advisory_unlock($1)").bind(owner).execute(&mut *connection).await?;
        }
        Ok(!is_free)
    }

    /// For reading outside a transaction.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Runs a job in a transaction and answers after COMMIT. Jobs that come while another is running share
    /// its transaction, each behind a savepoint of its own.
    ///
    /// A job that lost against another process, or against a neighbour that was broken off, is run again, so
    /// it must be repeatable. On SQLite the write lock is taken first; on PostgreSQL the transaction is
    /// serializable and one process of a role writes at a time, because every job appends to the audit chain.
    ///
    /// # Errors
    ///
    /// The job's own error (then nothing of it was written), or the database's.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send,
        E: From<sqlx::Error> + Send,
        F: for<'c> Fn(&'c mut AnyConnection) -> Job<'c, T, E> + Send + Sync,
    {
        for attempt in 1..=ATTEMPTS {
            // A database that stays locked for longer than its patience is told to whoever waits.
            let (value, mut ending) = self.join(&job).await??;
            let ending = match ending.wait_for(Option::is_some).await {
                Ok(ending) => ending.clone(),
                Err(_) => None,
            };
            match ending {
                Some(Ending::Committed) => return Ok(value),
                Some(Ending::Failed(words)) => return Err(sqlx::Error::Protocol(words).into()),
                Some(Ending::Lost) | None => tokio::time::sleep(Duration::from_millis(10 * attempt)).await,
            }
        }
        Err(sqlx::Error::Protocol("the job lost against others too often".to_owned()).into())
    }

    /// Runs a job inside the open group, or opens one; the outer error is the database's.
    #[allow(clippy::type_complexity, reason = "two kinds of errors, and a way to hear of the end")]
    async fn join<T, E, F>(&self, job: &F) -> Result<Result<(T, watch::Receiver<Option<Ending>>), E>, sqlx::Error>
    where
        E: From<sqlx::Error>,
        F: for<'c> Fn(&'c mut AnyConnection) -> Job<'c, T, E>,
    {
        let mut writer = self.writer.lock().await;
        if writer.group.as_ref().is_some_and(|group| group.broken) {
            writer.end(Ending::Lost);
        }
        let first = writer.group.is_none();
        if first {
            self.begin(&mut writer).await?;
        }
        let Writer { connection, group, .. } = &mut *writer;
        let (Some(connection), Some(open)) = (connection.as_mut(), group.as_mut()) else {
            return Err(sqlx::Error::PoolClosed);
        };
        open.broken = true;
        let mut watch = Watch { database: self, group: open.number, is_over: false };
        if !first {
            connection.execute("SAVEPOINT job").await?;
        }
        let value = match job(&mut *connection).await {
            Ok(value) => value,
            Err(error) => {
                if first {
                    // Nobody else is in this group yet.
                    connection.execute("ROLLBACK").await?;
                    *group = None;
                } else {
                    connection.execute("ROLLBACK TO SAVEPOINT job").await?;
                    open.broken = false;
                }
                watch.is_over = true;
                return Ok(Err(error));
            }
        };
        // The savepoint stays until the commit: the next one of its name hides it.
        open.broken = false;
        watch.is_over = true;
        let (number, ending) = (open.number, open.ending.subscribe());
        drop(writer);
        if first {
            // The lock is given in the order of asking: who waits for it now is still taken along.
            let database = self.clone();
            tokio::spawn(async move { database.commit(number).await });
        }
        Ok(Ok((value, ending)))
    }

    async fn begin(&self, writer: &mut Writer) -> Result<(), sqlx::Error> {
        let mut kept = writer.connection.take();
        let connection = loop {
            let is_kept = kept.is_some();
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.pool.acquire().await?,
            };
            match self.open_transaction(&mut connection).await {
                Ok(()) => break connection,
                // A connection that was kept may have died with its server: then once more with another.
                Err(error) => {
                    drop(connection.detach());
                    if !is_kept || lost(&error) {
                        return Err(error);
                    }
                }
            }
        };
        writer.connection = Some(connection);
        writer.last += 1;
        writer.group = Some(Group { number: writer.last, ending: watch::Sender::new(None), broken: false });
        Ok(())
    }

    async fn open_transaction(&self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        match self.engine {
            Engine::Sqlite => connection.execute("BEGIN IMMEDIATE").await?,
            Engine::Postgres => {
                connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE").await?;
                connection.execute("LOCK TABLE audit IN EXCLUSIVE MODE").await?
            }
        };
        Ok(())
    }

    async fn commit(&self, number: u64) {
        let mut writer = self.writer.lock().await;
        let Writer { connection, group, .. } = &mut *writer;
        let (Some(open), Some(connection)) = (group.as_mut(), connection.as_mut()) else { return };
        if open.number != number {
            return;
        }
        if open.broken {
            writer.end(Ending::Lost);
            return;
        }
        open.broken = true;
        let ending = match connection.execute("COMMIT").await {
            Ok(_) => Ending::Committed,
            Err(error) if lost(&error) => Ending::Lost,
            Err(error) => Ending::Failed(error.to_string()),
        };
        if let (Ending::Committed, Some(group)) = (&ending, writer.group.take()) {
            group.ending.send_replace(Some(ending));
        } else {
            writer.end(ending);
        }
    }
}

/// Ends a group whose job is never seen to its end, because whoever awaited it went away: an open transaction
/// would keep other processes out until the next write.
struct Watch<'a> {
    database: &'a Database,
    group: u64,
    is_over: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let (database, group) = (self.database.clone(), self.group);
            tokio::spawn(async move { database.commit(group).await });
        }
    }
}

impl Writer {
    /// Ends a group that was not committed: the connection is closed, which rolls everything back.
    fn end(&mut self, ending: Ending) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
        if let Some(group) = self.group.take() {
            group.ending.send_replace(Some(ending));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit;
    use sqlx::Row;

    static TABLES: Migrator = sqlx::migrate!("tests/migrations");

    async fn open(folder: &std::path::Path) -> Database {
        let url = format!("sqlite:{}", folder.join("trial.db").display());
        Database::open(&url, "trial", &TABLES, &TABLES).await.unwrap()
    }

    /// Writes a number and an audit entry, then does what `end` says.
    async fn put(database: &Database, number: i64, end: End) -> Result<(), sqlx::Error> {
        database
            .write(|connection| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO trial (number) VALUES ($1)")
                        .bind(number)
                        .execute(&mut *connection)
                        .await?;
                    audit::append(connection, 0, "put", &number.to_string()).await?;
                    match end {
                        End::Good => Ok(()),
                        End::Refused => Err(sqlx::Error::RowNotFound),
                        End::Never => std::future::pending().await,
                    }
                })
            })
            .await
    }

    #[derive(Clone, Copy)]
    enum End {
        Good,
        Refused,
        Never,
    }

    async fn count(database: &Database) -> i64 {
        sqlx::query("SELECT COUNT(*) FROM trial").fetch_one(database.pool()).await.unwrap().try_get(0).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_that_fails_hurts_no_neighbour() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path()).await;
        let jobs: Vec<_> = (0..100)
            .map(|number| {
                let database = database.clone();
                let end = if number % 5 == 3 { End::Refused } else { End::Good };
                tokio::spawn(async move { put(&database, number, end).await.is_ok() })
            })
            .collect();
        let mut good = 0;
        for job in jobs {
            good += i64::from(job.await.unwrap());
        }
        assert_eq!(good, 80);
        assert_eq!(count(&database).await, 80);
        assert_eq!(audit::check(database.pool()).await.unwrap(), 80, "the chain has no gap");
        // The same number again is refused as what it is.
        assert!(is_duplicate(&put(&database, 1, End::Good).await.unwrap_err()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_that_nobody_awaits_any_more_blocks_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (database, other_process) = (open(folder.path()).await, open(folder.path()).await);
        let never = {
            let database = database.clone();
            tokio::spawn(async move { put(&database, 1, End::Never).await })
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
        // A neighbour waits behind it, and loses nothing when it goes away.
        let neighbour = {
            let database = database.clone();
            tokio::spawn(async move { put(&database, 2, End::Good).await })
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
        never.abort();
        neighbour.await.unwrap().unwrap();
        put(&other_process, 3, End::Good).await.unwrap();
        // Also when nobody comes after it.
        let never = {
            let database = database.clone();
            tokio::spawn(async move { put(&database, 4, End::Never).await })
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
        never.abort();
        put(&other_process, 5, End::Good).await.unwrap();
        assert_eq!(count(&database).await, 3);
        assert_eq!(audit::check(database.pool()).await.unwrap(), 3);
    }
}
