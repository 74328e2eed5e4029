//! Cargo as a child process.

use std::process::Command;

/// The Cargo that runs this program, for a command with its own arguments.
///
/// Cargo sets variables about the package of this program. The build script of `ring` runs again when one of them
/// changes, and then everything that depends on it is built again. So the child does not get them.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}
