//! The authority role: intake, authorization, record, signature, publication, notice.

mod authority;
mod ceremony;
mod intake;
mod issue;
mod letters;
mod office;
mod profile;
mod store;
mod web;

pub use authority::{Authority, ISSUERS};
pub use ceremony::{CeremonyOptions, TlsIdentity, initialise, tls_identity};
pub use issue::RevokeError;
pub use office::{ImportReport, Invitation, OfficeError, RequestLine, RowError};
pub use web::router;

/// Tables of this role on SQLite.
pub static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
/// Tables of this role on PostgreSQL.
pub static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");
