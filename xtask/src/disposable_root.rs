//! A copy of this machine in which root may do as it likes, and which is gone afterwards.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// Runs a program in a copy, with copies of files as its arguments; takes root, and namespaces and an overlay.
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
    ensure!(status.success(), "it ends with {status}");
    Ok(())
}
