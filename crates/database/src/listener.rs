//! Notifications between the servers on one database.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::{Backend, Database};

/// Listens to the notifications of a channel ([`crate::Transaction::notify`]), until it is dropped.
pub struct Listener {
    notify: Arc<Notify>,
    /// None on SQLite, whose only server needs no notifications.
    task: Option<JoinHandle<()>>,
}

impl Database {
    /// Listens to a channel, whose name consists of letters and `_`.
    pub fn listen(&self, channel: &'static str) -> Listener {
        let notify = Arc::new(Notify::new());
        let task = match &self.0 {
            Backend::Sqlite(_) => None,
            Backend::Postgres(backend) => Some(tokio::spawn(backend.listen(channel, Arc::clone(&notify)))),
        };
        Listener { notify, task }
    }
}

impl Listener {
    /// Completes after a notification, and after each new connection, since notifications may have been missed before
    /// it. Several notifications may complete it once.
    pub async fn notified(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
