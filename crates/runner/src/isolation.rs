//! What jobs may see of the machine.

use std::path::{Path, PathBuf};

use hostler_schema::JobSettings;
use hostler_supervisor::{AnsibleInstallation, Bubblewrap, Isolation, Shown, check_bubblewrap};

use crate::preparation::Refusal;

/// Whether jobs are isolated from the server and from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsolationMode {
    /// By bubblewrap if it is installed and the system allows it; otherwise not.
    #[default]
    Auto,
    /// By bubblewrap; without it no job starts.
    Bubblewrap,
    /// Not at all.
    None,
}

/// How the jobs of this process are isolated, as found out at its start.
#[derive(Clone, Debug)]
pub(crate) enum IsolationState {
    Isolated,
    Open,
    /// Isolation is wanted, but not possible for this reason.
    Impossible(String),
}

impl IsolationMode {
    /// Finds out whether jobs can be isolated, and logs what it means if they are not. It starts a program.
    pub(crate) fn check(self) -> IsolationState {
        const MEANING: &str = "jobs are not isolated: each playbook can read and change all that the user of the \
                               server can, such as the database, the keys, and the files of other jobs";
        if self == IsolationMode::None {
            tracing::warn!("{MEANING}");
            return IsolationState::Open;
        }
        match check_bubblewrap() {
            Ok(()) => IsolationState::Isolated,
            Err(problem) if self == IsolationMode::Auto => {
                tracing::warn!(%problem, "{MEANING}; install bubblewrap to isolate them");
                IsolationState::Open
            }
            Err(problem) => {
                tracing::error!(%problem, "no job starts, because jobs cannot be isolated");
                IsolationState::Impossible(problem.to_string())
            }
        }
    }
}

impl IsolationState {
    /// The isolation of a job that needs these folders. The data folder is hidden from it.
    pub(crate) fn of_job(
        &self,
        data: &Path,
        ansible: &AnsibleInstallation,
        folders: Vec<PathBuf>,
        settings: &JobSettings,
    ) -> Result<Isolation, Refusal> {
        match self {
            IsolationState::Open => Ok(Isolation::None),
            IsolationState::Impossible(problem) => {
                Err(Refusal::error(format!("Jobs cannot be isolated on this server: {problem}.")))
            }
            IsolationState::Isolated => {
                let mut read_only = ansible.folders.clone();
                read_only.extend(folders);
                let plugins = settings.callback_plugins.iter().map(PathBuf::from);
                read_only.extend(plugins.filter(|path| path.exists()));
                let hidden = vec![data.to_owned(), "/etc/hostler".into()];
                let shown = settings.shown_paths.iter().map(|path| Shown {
                    source: (&path.source).into(),
                    destination: (&path.destination).into(),
                    is_writable: path.is_writable,
                });
                let shown = shown.filter(|shown| shown.source.exists()).collect();
                Ok(Isolation::Bubblewrap(Bubblewrap { shown, read_only, read_write: vec![], hidden }))
            }
        }
    }
}
