//! The holder's side as a library: inventory, plan, journeys, journal, account. Screens only draw what it gives.

mod account;
mod adopt;
mod cards;
mod care;
mod chain;
mod cleanup;
mod description;
mod doctor;
mod error;
mod handover;
mod help;
mod home;
mod inventory;
mod journal;
mod journey;
mod known;
mod opener;
mod outlook;
mod preflight;
mod process;
mod register;
mod remind;
mod settings;
mod shortcut;
mod transfer;
mod view;
mod way;
pub mod words;

pub use account::{LoginOutcome, login};
pub use adopt::{AccountView, Adopted};
pub use cards::{CardView, readers_now};
pub use care::{DeviceView, PinView, RoomView, TriesView};
pub use chain::ChainPlaced;
pub use cleanup::{Cleaned, Cleanup, CleanupItem, CleanupOptions, Measured, Removal, may_go, removed, restore};
pub use description::{AuthorityDescription, Draft, Field, FieldView, ForeignAccount, GivenFields, Mailed};
pub use doctor::{Finding, Health, Told, examine};
pub use error::ClientError;
pub use help::{HelpQuestion, help_bundle, help_desk, help_message, help_text, mend};
pub use home::{AuthorityRecord, Home, Invitation, SystemClock, anchor_file};
pub use inventory::Inventory;
pub use journal::{Evidence, ItemPlan, Journal, JournalError};
pub use journey::{Flow, Journey, PinSource, Progress};
pub use known::{ItemView, JourneyView};
pub use obnova_crypto::PfxMac;
pub use obnova_keystore::{Load, ReadersUnknown, serve as serve_module};
pub use obnova_lifecycle::port::{Clock, Pin};
pub use obnova_lifecycle::station::Station;
pub use opener::open_with_system;
pub use outlook::{Next, Outlook};
pub use preflight::{ItemPreview, PlanView, Preflight, RenewOptions};
pub use remind::{
    REMINDED, Reminder, Schedule, calendar, has_schedule, install_schedule, note_told, notify, reminders,
    remove_schedule,
};
pub use settings::{BackupSetting, HelpContact, StoreSetting, WindowSetting};
pub use shortcut::{add_shortcut, has_shortcut, remove_shortcut};
pub use transfer::{Backup, Imported, ImportedFile, LeftOut};
pub use view::{CertificateView, StoreView, UnreadView, expiry_days};
