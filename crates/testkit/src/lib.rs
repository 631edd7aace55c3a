//! Parts for tests and the demonstration: a whole world made of the real programs, on loopback.

mod mail;
mod postgres;
mod world;

pub use mail::MailSink;
pub use postgres::Postgres;
pub use world::{Engine, Office, Store, World, WorldOptions, free_port, softhsm_module};
