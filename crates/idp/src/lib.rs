//! The identity role: accounts, certificate login that explains, bindings, succession.

mod account;
mod lists;
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
        for (sqlite, postgres) in [
            (
                include_str!("../migrations/sqlite/0001_identity.sql"),
                include_str!("../migrations/postgres/0001_identity.sql"),
            ),
            (
                include_str!("../migrations/sqlite/0002_given_up.sql"),
                include_str!("../migrations/postgres/0002_given_up.sql"),
            ),
        ] {
            assert_eq!(sqlite.replace(" INTEGER", " BIGINT"), postgres);
        }
        assert_eq!(crate::SQLITE.iter().count(), 2, "a new migration is compared here too");
    }
}
