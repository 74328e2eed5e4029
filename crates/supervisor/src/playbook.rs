use std::ffi::OsString;
use std::path::Path;

use crate::job::Playbook;

/// The command line. Values are never separate arguments, so that none is taken for an option.
pub fn command_line(playbook: &Playbook) -> Vec<OsString> {
    let program = if playbook.ansible_playbook.as_os_str().is_empty() {
        OsString::from("ansible-playbook")
    } else {
        playbook.ansible_playbook.clone().into_os_string()
    };
    let mut command = vec![program];
    for inventory in &playbook.inventories {
        command.push(option("--inventory=", inventory));
    }
    if playbook.forks > 0 {
        command.push(format!("--forks={}", playbook.forks).into());
    }
    if playbook.verbosity > 0 {
        command.push(format!("-{}", "v".repeat(usize::from(playbook.verbosity.min(6)))).into());
    }
    for (name, value) in [
        ("--limit=", &playbook.limit),
        ("--tags=", &playbook.tags),
        ("--skip-tags=", &playbook.skip_tags),
        ("--start-at-task=", &playbook.start_at_task),
        ("--become-method=", &playbook.become_method),
        ("--become-user=", &playbook.become_user),
        ("--user=", &playbook.remote_user),
    ] {
        if !value.is_empty() {
            command.push(option(name, value));
        }
    }
    for (name, is_set) in [
        ("--check", playbook.check),
        ("--diff", playbook.diff),
        ("--force-handlers", playbook.force_handlers),
        ("--become", playbook.r#become),
    ] {
        if is_set {
            command.push(name.into());
        }
    }
    if let Some(file) = &playbook.extra_variables {
        command.push(option("--extra-vars=@", file));
    }
    command
}

/// The playbook itself: it follows the options, also those with secrets.
pub fn file_argument(playbook: &Playbook) -> [OsString; 2] {
    ["--".into(), playbook.playbook.clone().into()]
}

fn option(name: &str, value: impl AsRef<Path>) -> OsString {
    let mut option = OsString::from(name);
    option.push(value.as_ref());
    option
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_taken_for_options() {
        let playbook = Playbook {
            playbook: "--syntax-check".to_owned(),
            limit: "--list-hosts".to_owned(),
            inventories: vec!["-x".into()],
            verbosity: 2,
            ..Playbook::default()
        };
        let mut command = command_line(&playbook);
        command.extend(file_argument(&playbook));
        let expected = ["ansible-playbook", "--inventory=-x", "-vv", "--limit=--list-hosts", "--", "--syntax-check"];
        assert_eq!(command, expected.map(OsString::from));
    }
}
