//! How the dispatcher learns that there is something to do.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the dispatcher of this process. Clones are the same queue.
#[derive(Clone, Debug, Default)]
pub struct JobQueue(Arc<Notify>);

impl JobQueue {
    /// Makes the dispatcher look for jobs now. Call it after the commit that launched, ended or canceled a job. Without it,
    /// the dispatcher finds the change some seconds later.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Completes after the next [`JobQueue::wake`].
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}
