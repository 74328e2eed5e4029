//! The WebSockets of this server: who opens them, what they may see, and what is put into their [`Hub`].
//!
//! Everything comes from the database, whatever server wrote it: the table `notices`, which triggers fill in the transactions
//! that change a status, and the stored events. So no message is lost with a connection to the database.

mod check;
mod cleanup;
mod messages;
mod notices;
mod open;
mod poller;
mod reader;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hostler_auth::SignIn;
use hostler_database::Database;
use hostler_websocket::{Hub, Limits, Reader};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use cleanup::DeleteOldNotices;
pub(crate) use open::open;

use crate::state::App;
use reader::UserReader;

/// How long the server waits at its end until clients have closed their sockets.
const STOPPING: Duration = Duration::from_secs(2);

/// The sockets of this server.
pub(crate) struct Live {
    pub hub: Arc<Hub>,
    /// What is known of the users of open sockets.
    readers: Mutex<HashMap<i64, Weak<UserReader>>>,
    sockets: Mutex<Vec<OpenSocket>>,
}

/// A socket, as far as its sign-in is concerned.
struct OpenSocket {
    sign_in: SignIn,
    /// None ends the socket.
    reader: watch::Sender<Option<Arc<dyn Reader>>>,
    user: Arc<UserReader>,
}

/// Nothing panics while these locks are held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    pub fn new(database: Database) -> Self {
        let hub = Hub::new(Arc::new(store::EventStore(database)), Limits::default());
        Live { hub, readers: Mutex::default(), sockets: Mutex::default() }
    }

    /// Closes all sockets.
    pub async fn stop(&self) {
        self.hub.stop(STOPPING).await;
    }
}

/// Fills the hub, and ends the sockets whose sign-in is over, until `stop`.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    let work = async { tokio::join!(poller::run(&app), check::run(&app)) };
    tokio::select! {
        _ = work => {}
        () = stop.cancelled() => {}
    }
}
