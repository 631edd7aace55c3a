//! The identity role: accounts, certificate login that explains, bindings, succession.

mod account;
mod login;
mod succession;
mod web;

pub use account::{AccountView, BindingView, Identity, IdentityError, TrustedIssuer};
pub use web::router;

/// Tables of this role on SQLite.
pub static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
/// Tables of this role on PostgreSQL.
pub static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");
