//! The holder's app in a window: pages as plain data, screens in Slint that draw them, and one thread that does the work.
//! Every rule is in the client library; here it is only drawn.

pub mod account;
pub mod backup;
mod chooser;
pub mod cleanup;
pub mod device;
mod errands;
pub mod help;
mod journeys;
pub mod overview;
pub mod page;
mod pictures;
pub mod renew;
pub mod settings;
mod talk;
mod window;
mod worker;

/// What the compiler makes of the screens in `ui`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, clippy::expect_used, reason = "generated")]
mod screens {
    slint::include_modules!();
}

pub use screens::{App, Fresh, Look, Theme, View, Words};
pub use talk::{Question, Step};
pub use window::{Drawn, Settings, ask, blank, draw, open, run, work};
