//! What a task is.

use std::fmt;
use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

/// Work in the background. The value is its arguments, which are stored as JSON.
///
/// A task may run more than once, even after it was complete: when its node dies, or the database cannot be reached at
/// its end. So a run must find out what is left to do.
pub trait Task: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name in the database, in the log and in metrics.
    const NAME: &'static str;
    /// What each run needs, such as the engine.
    type State: Clone + Send + Sync + 'static;

    /// Runs the task, until it is complete or [cancelled](TaskRun::is_cancelled).
    ///
    /// # Errors
    /// Any: the task is retried later.
    fn run(&self, state: &Self::State, run: &TaskRun) -> impl Future<Output = Result<Outcome, TaskError>> + Send;
}

/// One run of a task.
#[derive(Clone, Debug)]
pub struct TaskRun {
    /// The number of failed runs before this one.
    pub failures: u32,
    pub(crate) cancellation: CancellationToken,
}

impl TaskRun {
    /// Whether the task should end soon, because the server stops. A task in steps checks this after each of them; after
    /// a deadline, the run is dropped where it waits.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Completes when the task should end soon.
    pub async fn cancelled(&self) {
        self.cancellation.cancelled().await;
    }
}

/// How a run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left to do.
    Complete,
    /// The run was cancelled: another one continues.
    Interrupted,
}

/// Why a run failed, for the log.
#[derive(Debug)]
pub struct TaskError(pub String);

impl fmt::Display for TaskError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<hostler_database::Error> for TaskError {
    fn from(error: hostler_database::Error) -> Self {
        TaskError(error.to_string())
    }
}
