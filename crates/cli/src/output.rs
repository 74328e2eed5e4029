//! Output of commands.

use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// Standard output was closed by its reader, as in `hostler ... | head`. It is not an error of the command.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub struct StdoutClosed;

/// Prints a line on standard output.
///
/// # Errors
/// [`StdoutClosed`], or a write error.
pub fn print_line(line: &str) -> Result<()> {
    print_bytes(format!("{line}\n").as_bytes())
}

/// Prints bytes on standard output and flushes it.
///
/// # Errors
/// [`StdoutClosed`], or a write error.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(problem) if problem.kind() == ErrorKind::BrokenPipe => Err(StdoutClosed.into()),
        written => written.context("cannot write to standard output"),
    }
}

/// Prints a warning on standard error.
pub fn warn(line: &str) {
    // If this fails, it cannot be reported either.
    let _ = writeln!(std::io::stderr(), "hostler: warning: {line}");
}
