//! How the dispatcher learns that there is something to do, and others that something of a job was stored.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// Wakes the dispatcher of this process, and who follows its jobs. Clones are the same queue.
#[derive(Clone, Debug, Default)]
pub struct JobQueue(Arc<Signals>);

#[derive(Debug, Default)]
struct Signals {
    dispatcher: Notify,
    stored: watch::Sender<()>,
}

impl JobQueue {
    /// Makes the dispatcher look for jobs now. Call it after the commit that launched, ended or canceled a job. Without it,
    /// the dispatcher finds the change some seconds later.
    pub fn wake(&self) {
        self.0.dispatcher.notify_one();
        self.stored();
    }

    /// Completes after the next [`JobQueue::wake`].
    pub async fn woken(&self) {
        self.0.dispatcher.notified().await;
    }

    /// Call it after a commit that stored events of a job, or a status that the dispatcher need not know.
    pub fn stored(&self) {
        self.0.stored.send_replace(());
    }

    /// Changes with each [`JobQueue::stored`] and [`JobQueue::wake`].
    pub fn storing(&self) -> watch::Receiver<()> {
        self.0.stored.subscribe()
    }
}
