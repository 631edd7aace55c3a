//! Files and pages are handed to the program that the system has for them: a draft to the mail program, an address to the
//! browser.

use std::time::{Duration, Instant};

use crate::ClientError;
use crate::process::quiet;

/// How long an opener may take to say that it cannot.
const PATIENCE: Duration = Duration::from_secs(3);

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
    let refused = || ClientError::new("no-program", what);
    let mut child = quiet(program).args(arguments).arg(what).spawn().map_err(|_| refused())?;
    // Where no desktop runs, the opener is the program itself and stays as long as the person reads: nobody waits for it.
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(_)) | Err(_) => return Err(refused()),
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    std::thread::spawn(move || child.wait());
    Ok(())
}
