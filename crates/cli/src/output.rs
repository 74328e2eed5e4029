//! What commands print.

use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// Nobody reads standard output any more, as behind `| head`: nothing went wrong, but there is nobody to print for.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
pub struct Unread;

/// One line on standard output.
///
/// # Errors
/// [`Unread`], or if it cannot be written.
pub fn say(line: &str) -> Result<()> {
    print(format!("{line}\n").as_bytes())
}

/// Bytes on standard output, which do not wait there for more.
///
/// # Errors
/// [`Unread`], or if they cannot be written.
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(problem) if problem.kind() == ErrorKind::BrokenPipe => Err(Unread.into()),
        written => written.context("cannot write to standard output"),
    }
}

/// One line on standard error, for what needs attention but stops nothing.
pub fn warn(line: &str) {
    // Where it cannot be written there is no other place to say so.
    let _ = writeln!(std::io::stderr(), "hostler: warning: {line}");
}
