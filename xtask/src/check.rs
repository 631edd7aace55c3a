//! What a change must pass before anything is run: format, lints, tidiness.

use crate::{Outcome, tidy};

/// Format, clippy without a warning, tidy.
pub(crate) fn run() -> Outcome {
    crate::run("cargo", &["fmt", "--all", "--check"])?;
    crate::run("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    tidy::run()
}
