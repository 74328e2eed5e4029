//! What commands print.

use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// Nobody reads standard output any more, as behind `| head`: nothing went wrong, but there is nobody to print for.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
pub struct StdoutClosed;

/// One line on standard output.
///
/// # Errors
/// [`StdoutClosed`], or if it cannot be written.
pub fn print_line(line: &str) -> Result<()> {
    print_bytes(format!("{line}\n").as_bytes())
}

/// Bytes on standard output, which do not wait there for more.
///
/// # Errors
/// [`StdoutClosed`], or if they cannot be written.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(problem) if problem.kind() == ErrorKind::BrokenPipe => Err(StdoutClosed.into()),
        written => written.context("cannot write to standard output"),
    }
}

/// One line on standard error, for what needs attention but stops nothing.
pub fn warn(line: &str) {
    // Where it cannot be written there is no other place to say so.
    let _ = writeln!(std::io::stderr(), "hostler: warning: {line}");
}
