use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::ansible_options::{AnsibleOptions, option};

/// A playbook and its options. Their meaning is that of `ansible-playbook`'s options.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Playbook {
    /// The program and the options that ad hoc commands have, too.
    pub options: AnsibleOptions,
    /// The file of the playbook, relative to the working directory.
    pub playbook: String,
    /// Restricts the hosts.
    pub limit: String,
    /// Only tasks with these tags, separated by commas.
    pub tags: String,
    /// No tasks with these tags, separated by commas.
    pub skip_tags: String,
    /// The name of the first task.
    pub start_at_task: String,
    /// Runs notified handlers also on hosts on which a task failed.
    pub force_handlers: bool,
}

impl Playbook {
    /// The command line without the options that pass secrets.
    pub fn command_line(&self) -> Vec<String> {
        shown(self.arguments().into_iter().chain(self.last_arguments()))
    }

    /// The program and its options.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut command = self.options.command_line();
        for (name, value) in [
            ("--limit=", &self.limit),
            ("--tags=", &self.tags),
            ("--skip-tags=", &self.skip_tags),
            ("--start-at-task=", &self.start_at_task),
        ] {
            if !value.is_empty() {
                command.push(option(name, value));
            }
        }
        if self.force_handlers {
            command.push("--force-handlers".into());
        }
        command
    }

    /// The playbook itself: it follows the options, also those with secrets.
    pub(crate) fn last_arguments(&self) -> [OsString; 2] {
        ["--".into(), self.playbook.clone().into()]
    }
}

/// A command line for people.
pub(crate) fn shown(command: impl Iterator<Item = OsString>) -> Vec<String> {
    command.map(|argument| argument.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_taken_for_options() {
        let options = AnsibleOptions {
            program: "ansible-playbook".into(),
            inventories: vec!["-x".into()],
            verbosity: 2,
            ..AnsibleOptions::default()
        };
        let playbook = Playbook {
            options,
            playbook: "--syntax-check".to_owned(),
            limit: "--list-hosts".to_owned(),
            ..Playbook::default()
        };
        let expected = ["ansible-playbook", "--inventory=-x", "-vv", "--limit=--list-hosts", "--", "--syntax-check"];
        assert_eq!(playbook.command_line(), expected);
    }
}
