use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ad_hoc_command::AdHocCommand;
use crate::error::Error;
use crate::files;
use crate::playbook::Playbook;

/// What a supervisor runs: the file `job.json`. It contains no secrets; see [`Secrets`](crate::Secrets).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobDescription {
    /// What is run.
    pub program: Program,
    /// The folder in which the program starts, usually the project.
    pub working_directory: PathBuf,
    /// Environment variables. The program gets these, those of the secrets, and from the supervisor's own environment
    /// PATH, HOME, the user's name, the language and the time zone.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Seconds after which the job is stopped; none for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Seconds without output after which the job is stopped; none for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<u64>,
    /// The largest file that the program may write, in bytes; none for any size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_file: Option<u64>,
    /// Seconds between SIGINT and SIGKILL when the job is stopped.
    #[serde(default = "default_cancel_grace")]
    pub cancel_grace: u64,
    /// Seconds that the job waits for space on a full disk before it is stopped.
    #[serde(default = "default_disk_full_wait")]
    pub disk_full_wait: u64,
    /// What the program may see of the machine.
    #[serde(default)]
    pub isolation: Isolation,
}

fn default_cancel_grace() -> u64 {
    10
}

fn default_disk_full_wait() -> u64 {
    60
}

/// What a job runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Program {
    /// Any program with its arguments.
    Command(Vec<String>),
    /// A playbook.
    Playbook(Box<Playbook>),
    /// An ad hoc command.
    AdHocCommand(Box<AdHocCommand>),
}

/// What a program may see of the machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Isolation {
    /// Everything that the supervisor's user sees, including other jobs.
    #[default]
    None,
    /// System folders and what is listed, by bubblewrap.
    Bubblewrap(Bubblewrap),
}

/// What a program sees under bubblewrap, besides system folders and `workspace`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bubblewrap {
    /// Files and folders that it sees under another path, or may change. What is hidden is hidden below them, too.
    pub shown: Vec<Shown>,
    /// Files and folders that it may read: the project, Ansible, and what an administrator lists.
    pub read_only: Vec<PathBuf>,
    /// Files and folders that it may change.
    pub read_write: Vec<PathBuf>,
    /// Files and folders that are empty for it, such as a configuration file below `/etc`.
    pub hidden: Vec<PathBuf>,
}

/// A file or folder that a program sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Its path on the machine.
    pub source: PathBuf,
    /// Its path for the program.
    pub destination: PathBuf,
    /// Whether the program may change it.
    pub is_writable: bool,
}

impl JobDescription {
    /// Reads the file of a job's directory.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not describe a job.
    pub fn read(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(files::JOB);
        let text = fs::read(&path).map_err(Error::file(&path))?;
        serde_json::from_slice(&text).map_err(|problem| Error::Content { path, problem: problem.to_string() })
    }

    /// Writes the file into a job's directory, and creates the folder `workspace`, which it returns.
    ///
    /// # Errors
    ///
    /// If the disk refuses it.
    pub fn write(&self, directory: &Path) -> Result<PathBuf, Error> {
        let workspace = directory.join(files::WORKSPACE);
        fs::create_dir_all(&workspace).map_err(Error::file(&workspace))?;
        let path = directory.join(files::JOB);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|problem| Error::Content { path: path.clone(), problem: problem.to_string() })?;
        fs::write(&path, text).map_err(Error::file(&path))?;
        Ok(workspace)
    }
}
