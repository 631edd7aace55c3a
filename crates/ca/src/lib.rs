//! The authority role: intake, authorization, record, signature, publication, notice.

mod authority;
mod ceremony;
mod intake;
mod issue;
mod letters;
mod office;
mod profile;
mod request;
mod store;
mod web;

pub use authority::{Authority, ISSUERS};
pub use ceremony::{ANNOUNCED, CeremonyOptions, End, TlsIdentity, ends, initialise, renew, tls_identity};
pub use issue::RevokeError;
pub use office::{ImportReport, Invitation, OfficeError, RequestLine, RowError};
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
                include_str!("../migrations/sqlite/0001_authority.sql"),
                include_str!("../migrations/postgres/0001_authority.sql"),
            ),
            (
                include_str!("../migrations/sqlite/0002_nonce_and_key.sql"),
                include_str!("../migrations/postgres/0002_nonce_and_key.sql"),
            ),
            (
                include_str!("../migrations/sqlite/0003_facts.sql"),
                include_str!("../migrations/postgres/0003_facts.sql"),
            ),
        ] {
            assert_eq!(sqlite.replace(" INTEGER", " BIGINT").replace(" BLOB", " BYTEA"), postgres);
        }
        assert_eq!(crate::SQLITE.iter().count(), crate::POSTGRES.iter().count());
        assert_eq!(crate::SQLITE.iter().count(), 3, "a new migration is compared here too");
    }
}
