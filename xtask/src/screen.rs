//! A screen that nobody sees (Xvfb), for programs whose window is opened, measured or looked at.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A program that ends with the look at it.
pub(crate) struct Started(pub(crate) Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running X server; it ends with this value.
pub(crate) struct Screen {
    /// Value of `DISPLAY` that leads to it.
    pub(crate) name: String,
    _server: Started,
}

impl Screen {
    /// Starts a server of `size` (`WIDTHxHEIGHTxDEPTH`) and waits until it can be reached.
    ///
    /// # Errors
    ///
    /// What hindered the server from starting.
    pub(crate) fn start(size: &str) -> Result<Self, String> {
        // It takes a number that is free, tells it when it is ready, and stays when the last look at it has ended.
        let server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0", size])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut server = Started(server.map_err(|error| format!("Xvfb: {error}"))?);
        let mut number = String::new();
        if let Some(told) = server.0.stdout.take() {
            BufReader::new(told).read_line(&mut number).map_err(|error| format!("Xvfb: {error}"))?;
        }
        match number.trim() {
            "" => Err("Xvfb ended before it was ready".to_owned()),
            number => Ok(Self { name: format!(":{number}"), _server: server }),
        }
    }
}
