use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::ansible_options::{AnsibleOptions, option};
use crate::playbook::shown;

/// A module that runs on hosts, and its options. Their meaning is that of `ansible`'s options.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdHocCommand {
    /// The program and the options that playbooks have, too.
    pub options: AnsibleOptions,
    /// The module.
    pub module: String,
    /// The arguments of the module.
    pub arguments: String,
    /// The pattern that selects hosts.
    pub pattern: String,
}

impl AdHocCommand {
    /// The command line without the options that pass secrets.
    pub fn command_line(&self) -> Vec<String> {
        shown(self.arguments().into_iter().chain(self.last_arguments()))
    }

    /// The program and its options.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut command = self.options.command_line();
        command.push(option("--module-name=", &self.module));
        if !self.arguments.is_empty() {
            command.push(option("--args=", &self.arguments));
        }
        command
    }

    /// The pattern: it follows the options, also those with secrets.
    pub(crate) fn last_arguments(&self) -> [OsString; 2] {
        ["--".into(), self.pattern.clone().into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_taken_for_options() {
        let options = AnsibleOptions { program: "ansible".into(), forks: 3, ..AnsibleOptions::default() };
        let command = AdHocCommand {
            options,
            module: "shell".to_owned(),
            arguments: "--become x".to_owned(),
            pattern: "--list-hosts".to_owned(),
        };
        let expected = ["ansible", "--forks=3", "--module-name=shell", "--args=--become x", "--", "--list-hosts"];
        assert_eq!(command.command_line(), expected);
        let ping = AdHocCommand { module: "ping".to_owned(), pattern: "all".to_owned(), ..AdHocCommand::default() };
        assert_eq!(ping.command_line()[1..], ["--module-name=ping", "--", "all"]);
    }
}
