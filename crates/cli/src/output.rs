//! What commands print.

use std::io::Write;

use anyhow::Result;

/// One line on standard output.
pub fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

/// One line on standard error, for what needs attention but stops nothing.
#[expect(clippy::print_stderr, reason = "this is where a command line warns")]
pub fn warn(line: &str) {
    eprintln!("hostler: warning: {line}");
}
