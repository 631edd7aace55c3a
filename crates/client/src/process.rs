//! Programs of the system, started without a word, a question or a window of their own.

use std::process::{Command, Stdio};

/// A program of the system that says and asks nothing. On Windows it gets no console (`CREATE_NO_WINDOW`), which would
/// flash up before a person who works in a window.
pub(crate) fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(&mut command, 0x0800_0000);
    command
}
