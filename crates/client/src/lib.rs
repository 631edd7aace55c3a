//! The holder's side as a library: inventory, plan, journeys, journal, account. Screens only draw what it gives.

mod account;
mod adopt;
mod care;
mod cleanup;
mod description;
mod doctor;
mod error;
mod handover;
mod home;
mod inventory;
mod journal;
mod journey;
mod known;
mod preflight;
mod register;
mod transfer;
mod way;

pub use account::{LoginOutcome, login};
pub use adopt::{AccountView, Adopted, mailed_authority};
pub use care::{DeviceView, PinView, RoomView, TriesView};
pub use cleanup::{Cleaned, Cleanup, CleanupItem, CleanupOptions, Measured, Removal, restore};
pub use description::{AuthorityDescription, Draft, Field, FieldView, ForeignAccount, GivenFields};
pub use doctor::{Finding, Health, examine};
pub use error::ClientError;
pub use home::{AuthorityRecord, HelpContact, Home, Invitation, StoreSetting, SystemClock};
pub use inventory::{CertificateView, Inventory, StoreView, expiry_days};
pub use journal::{Evidence, ItemPlan, Journal, JournalError};
pub use journey::{Flow, Journey, PinSource, Progress};
pub use known::{ItemView, JourneyView};
pub use obnova_crypto::PfxMac;
pub use obnova_keystore::{Load, serve as serve_module};
pub use obnova_lifecycle::port::{Clock, Pin};
pub use obnova_lifecycle::station::Station;
pub use preflight::{PlanView, Preflight, RenewOptions};
pub use transfer::{Backup, Imported};
