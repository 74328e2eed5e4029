//! `hostler run-job DIR`, which the server starts for each job. It is not one of the commands for users, and does not
//! read the configuration file, which may have become invalid while the server runs.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The directory, if the command line is that of a supervisor.
pub fn directory() -> Option<PathBuf> {
    let mut arguments = env::args_os().skip(1);
    let is_supervisor = arguments.next()? == "run-job";
    let directory = arguments.next()?;
    (is_supervisor && arguments.next().is_none()).then(|| directory.into())
}

/// Supervises the job.
pub fn run(directory: &Path) -> Result<()> {
    hostler_supervisor::run_job(directory).context("the job is not supervised")
}
