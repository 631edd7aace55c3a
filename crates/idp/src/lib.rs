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

#[cfg(test)]
mod tests {
    /// Columns and their order are the same in both folders; only the names of the types differ.
    #[test]
    fn both_engines_have_the_same_tables() {
        let sqlite = include_str!("../migrations/sqlite/0001_identity.sql");
        let postgres = include_str!("../migrations/postgres/0001_identity.sql");
        assert_eq!(sqlite.replace(" INTEGER", " BIGINT"), postgres);
    }
}
