//! The options that `ansible-playbook` and `ansible` share.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A program of Ansible, and options with the meaning that they have there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnsibleOptions {
    /// The program: a path, or a name that is searched in PATH.
    pub program: PathBuf,
    /// Inventory files.
    pub inventories: Vec<PathBuf>,
    /// Number of hosts at a time; 0 for Ansible's default.
    pub forks: u32,
    /// How much is printed, 0 to 5.
    pub verbosity: u8,
    /// Reports changes, and makes none.
    pub check: bool,
    /// Shows the differences of files.
    pub diff: bool,
    /// Runs tasks as another user.
    pub r#become: bool,
    /// The method of becoming that user.
    pub become_method: String,
    /// That user.
    pub become_user: String,
    /// The user of connections.
    pub remote_user: String,
    /// A file with extra variables, in JSON or YAML.
    pub extra_variables: Option<PathBuf>,
}

impl AnsibleOptions {
    /// The program and these options. Values are never separate arguments, so that none is taken for an option.
    pub(crate) fn command_line(&self) -> Vec<OsString> {
        let mut command = vec![self.program.clone().into_os_string()];
        for inventory in &self.inventories {
            command.push(option("--inventory=", inventory));
        }
        if self.forks > 0 {
            command.push(format!("--forks={}", self.forks).into());
        }
        if self.verbosity > 0 {
            command.push(format!("-{}", "v".repeat(usize::from(self.verbosity.min(6)))).into());
        }
        for (name, value) in [
            ("--become-method=", &self.become_method),
            ("--become-user=", &self.become_user),
            ("--user=", &self.remote_user),
        ] {
            if !value.is_empty() {
                command.push(option(name, value));
            }
        }
        for (name, is_set) in [("--check", self.check), ("--diff", self.diff), ("--become", self.r#become)] {
            if is_set {
                command.push(name.into());
            }
        }
        if let Some(file) = &self.extra_variables {
            command.push(option("--extra-vars=@", file));
        }
        command
    }
}

/// An option with its value in the same argument.
pub(crate) fn option(name: &str, value: impl AsRef<Path>) -> OsString {
    let mut option = OsString::from(name);
    option.push(value.as_ref());
    option
}
