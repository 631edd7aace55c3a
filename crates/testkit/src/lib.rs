//! Parts for tests and the demonstration: a whole world made of the real programs, on loopback.

mod cards;
mod mail;
mod postgres;
mod world;

pub use cards::{CardStand, InsertedCard, MANAGEMENT_KEY, OPENSC, READER, YKCS11, without_cards};
pub use mail::MailSink;
pub use postgres::Postgres;
pub use world::{Engine, Office, Store, World, WorldOptions, free_port, softhsm_module};
