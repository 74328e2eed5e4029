//! Notifications between the servers on one database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::{Backend, Database};

/// Listens to the notifications of a channel ([`crate::Transaction::notify`]), until it is dropped.
pub struct Listener {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the task of a listener has found.
#[derive(Default)]
pub(crate) struct Shared {
    pub notify: Notify,
    pub has_lock: AtomicBool,
}

impl Database {
    /// Listens to a channel, whose name consists of letters and `_`, and takes the lock of this name as soon as no other
    /// listener has it. On SQLite there are no other servers, so no notifications; the lock keeps a server that starts from
    /// one that still ends, and is the same for all names.
    pub fn listen(&self, channel: &'static str, lock: String) -> Listener {
        let shared = Arc::new(Shared::default());
        let task = match &self.0 {
            Backend::Sqlite(backend) => tokio::spawn(backend.listen(channel, Arc::clone(&shared))),
            Backend::Postgres(backend) => tokio::spawn(backend.listen(channel, lock, Arc::clone(&shared))),
        };
        Listener { shared, task }
    }
}

impl Listener {
    /// Completes after a notification, and after each new connection, since notifications may have been missed before
    /// it. Several notifications may complete it once.
    pub async fn notified(&self) {
        self.shared.notify.notified().await;
    }

    /// Whether this listener has the lock. It loses the lock with its connection.
    pub fn has_lock(&self) -> bool {
        self.shared.has_lock.load(Ordering::Acquire)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
