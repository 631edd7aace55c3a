//! Files and pages are handed to the program that the system has for them: a draft to the mail program, an address to the
//! browser.

use std::process::{Command, Stdio};

use crate::ClientError;

/// Opens a file or an address (`http`, `https`, `mailto`) with the system's program for it.
///
/// # Errors
///
/// `no-program` when the system has none.
pub fn open_with_system(what: &str) -> Result<(), ClientError> {
    // On Windows `start` would read signs of the shell in an address; the handler of addresses does not.
    let (program, arguments): (&str, &[&str]) = if cfg!(windows) {
        ("rundll32.exe", &["url.dll,FileProtocolHandler"])
    } else if cfg!(target_os = "macos") {
        ("open", &[])
    } else {
        ("xdg-open", &[])
    };
    let run = Command::new(program)
        .args(arguments)
        .arg(what)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if run.is_ok_and(|status| status.success()) { Ok(()) } else { Err(ClientError::new("no-program", what)) }
}
