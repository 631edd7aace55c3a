//! The holder's app in a window: screens in Slint, what they show in rows of words, and one thread that does the work.
//! Every rule is in the client library; here it is only drawn.

mod rows;
mod window;
mod worker;

/// What the compiler makes of the screens in `ui`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, clippy::expect_used, reason = "generated")]
mod screens {
    slint::include_modules!();
}

pub use screens::{App, Card, Look, Screen, Step, Success, Theme, Words};
pub use window::{Settings, open, run};
