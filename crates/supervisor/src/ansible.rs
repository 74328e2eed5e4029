use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::bubblewrap::find;
use crate::error::Error;

/// An installation of Ansible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsibleInstallation {
    /// The program `ansible-playbook`.
    pub ansible_playbook: PathBuf,
    /// The version of ansible-core.
    pub version: String,
    /// The folders that an isolated job must see to run it.
    pub folders: Vec<PathBuf>,
}

/// Prints the version, and one folder a line.
const INSPECT: &str = "
import os, sys, ansible.release
print(ansible.release.__version__)
for folder in (sys.prefix, sys.base_prefix, os.path.dirname(os.path.dirname(ansible.release.__file__))):
    print(os.path.realpath(folder))
print(os.path.dirname(os.path.realpath(sys.executable)))
";

impl AnsibleInstallation {
    /// Inspects the installation of this program, or of the one in PATH. It runs Python, so it takes some milliseconds.
    ///
    /// # Errors
    ///
    /// If there is none, or its Python does not run.
    pub fn find(ansible_playbook: Option<&Path>) -> Result<Self, Error> {
        let missing = || Error::Preparation("ansible-playbook is not installed".to_owned());
        let program = ansible_playbook.map(Path::to_owned).or_else(|| find("ansible-playbook")).ok_or_else(missing)?;
        let script = fs::read(&program).map_err(Error::file(&program))?;
        let python = interpreter(&script)
            .ok_or_else(|| Error::Preparation(format!("{} is no Python script", program.display())))?;
        let output =
            Command::new(&python).args(["-c", INSPECT]).stdin(Stdio::null()).output().map_err(Error::file(&python))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        let version = lines.next().filter(|_| output.status.success()).map(str::to_owned).ok_or_else(|| {
            let problem = String::from_utf8_lossy(&output.stderr);
            Error::Preparation(format!("{} cannot import ansible: {}", python.display(), problem.trim()))
        })?;
        // The environment itself, as it is named, not only where its links lead.
        let parents = [&program, &python].into_iter().filter_map(|path| Some(path.parent()?.parent()?.to_owned()));
        let mut folders: Vec<PathBuf> = parents.chain(lines.map(PathBuf::from)).collect();
        folders.sort();
        folders.dedup();
        // Folders below /usr are visible anyway, and / would show everything.
        folders.retain(|folder| !folder.starts_with("/usr") && folder.parent().is_some());
        Ok(Self { ansible_playbook: program, version, folders })
    }
}

/// The interpreter in the first line of a script, also if `/usr/bin/env` searches it. If its path is long or has blanks,
/// pip writes a script of the shell, whose second line runs it.
fn interpreter(script: &[u8]) -> Option<PathBuf> {
    let mut lines = script.strip_prefix(b"#!")?.split(|byte| *byte == b'\n');
    let line = str::from_utf8(lines.next()?).ok()?;
    if line.trim() == "/bin/sh" {
        let second = str::from_utf8(lines.next()?).ok()?.strip_prefix("'''exec' ")?;
        let path = match second.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => second.split_whitespace().next()?,
        };
        return Some(path.into());
    }
    let mut words = line.split_whitespace();
    let program = words.next()?;
    if program.ends_with("/env") {
        return words.next().and_then(find);
    }
    let program = PathBuf::from(program);
    if program.is_absolute() { Some(program) } else { env::current_dir().ok().map(|folder| folder.join(program)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreter_is_found() {
        for (script, expected) in [
            ("#!/venv/bin/python3\nimport re", Some("/venv/bin/python3")),
            ("#!/bin/sh\n'''exec' /long/python \"$0\" \"$@\"\n' '''", Some("/long/python")),
            ("#!/bin/sh\n'''exec' \"/with blank/python\" \"$0\" \"$@\"\n", Some("/with blank/python")),
            ("#!/bin/sh\necho", None),
            ("ELF", None),
        ] {
            assert_eq!(interpreter(script.as_bytes()), expected.map(PathBuf::from), "{script}");
        }
    }
}
