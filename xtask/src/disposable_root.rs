//! Runs programs as root in a disposable copy of this machine.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// Runs a program in a copy, with copies of files as its arguments. Needs root, namespaces and an overlay file system.
///
/// # Errors
/// If no copy can be made, or the program fails in it.
pub fn run(program: &str, files: &[&Path]) -> Result<()> {
    let place = TempDir::with_prefix("hostler-copy-")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/disposable_root.sh");
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "bash"]).arg(script);
    let status = unshare.arg(place.path()).arg(program).args(files).stdin(Stdio::null()).status();
    let status = status.context("unshare does not run")?;
    ensure!(status.success(), "it exits with {status}");
    Ok(())
}
