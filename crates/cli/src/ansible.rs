//! `hostler ansible`.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::output::print_line;
use crate::storage;

/// Installs Ansible into the data folder.
pub fn install(data: &Path) -> Result<()> {
    storage::make_private(data)?;
    storage::share(data)?;
    // A closed standard output does not interrupt the installation.
    let program = hostler_runner::install(data, &|line| drop(print_line(line))).context("nothing is installed")?;
    print_line(&format!("Jobs use {} from now on, unless a server has the option --ansible.", program.display()))
}
