//! Adding tasks.

use std::sync::Arc;

use hostler_database::{Error, Transaction};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::{Task, store};

/// Adds tasks, and wakes the worker of this process. Clones are the same queue.
#[derive(Clone, Default)]
pub struct TaskQueue(Arc<Notify>);

impl TaskQueue {
    /// Adds a task in a transaction. Call [`TaskQueue::wake`] after the commit.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn add<T: Task>(&self, tx: &mut Transaction, now: Timestamp, task: &T) -> Result<(), Error> {
        let arguments = serde_json::to_string(task)
            .map_err(|error| Error::Internal(format!("the arguments of the task {}: {error}", T::NAME)))?;
        store::insert(tx, T::NAME, &arguments, now).await
    }

    /// Makes the worker look for tasks now. Without it, the worker finds a new task some seconds later.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Completes after the next [`TaskQueue::wake`].
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
