//! Who runs jobs.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

/// Runs jobs.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Takes a claimed job to its terminal status, which it writes with [`crate::finish`] in the transaction of the last
    /// events. The status of the job is `waiting`, or `waiting` or `running` if it is [adopted](ClaimedJob::adopted).
    ///
    /// # Errors
    /// Why the job could not be run: the dispatcher writes the status `error` with this text as `job_explanation`.
    async fn run(&self, job: ClaimedJob, signals: JobSignals) -> Result<Ended, ExecutorError>;

    /// Removes what an earlier process of this node has left of jobs that have ended. Called before the first job, while no
    /// other process runs jobs of the node.
    ///
    /// # Errors
    /// Why it has to be tried again.
    async fn clean_up(&self) -> Result<(), ExecutorError> {
        Ok(())
    }

    /// Removes files that nobody needs any more, such as those of deleted projects. Called from time to time, beside jobs.
    ///
    /// # Errors
    /// Why it could not be done now.
    async fn remove_unused(&self) -> Result<(), ExecutorError> {
        Ok(())
    }
}

/// What a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// A run of a playbook.
    Job,
    /// An update of a project.
    ProjectUpdate,
    /// An update of an inventory source.
    InventoryUpdate,
    /// A module that runs on hosts of an inventory.
    AdHocCommand,
}

impl JobKind {
    /// All kinds.
    pub const ALL: [JobKind; 4] =
        [JobKind::Job, JobKind::ProjectUpdate, JobKind::InventoryUpdate, JobKind::AdHocCommand];

    /// The name in the column `type` and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobKind::Job => "job",
            JobKind::ProjectUpdate => "project_update",
            JobKind::InventoryUpdate => "inventory_update",
            JobKind::AdHocCommand => "ad_hoc_command",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<JobKind> {
        JobKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A job that an executor has to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The id in `unified_jobs`.
    pub id: i64,
    /// What it is.
    pub kind: JobKind,
    /// Whether an earlier process of this server may have started it.
    pub adopted: bool,
}

/// The signals to an executor while a job runs.
#[derive(Clone, Debug, Default)]
pub struct JobSignals {
    /// The job should end: a user cancels it.
    pub cancel: CancellationToken,
    /// The server stops; the job should go on.
    pub shutdown: CancellationToken,
}

/// How an executor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The job has its terminal status.
    Finished,
    /// The server stops, and the job goes on without it.
    Detached,
}

/// Why an executor could not run a job: a sentence for the user, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExecutorError(pub String);

impl From<hostler_database::Error> for ExecutorError {
    fn from(error: hostler_database::Error) -> Self {
        ExecutorError(error.to_string())
    }
}
