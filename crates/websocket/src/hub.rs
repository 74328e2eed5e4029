//! What all sockets of a server share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::feed::BufferLimits;
use crate::notices::Notices;
use crate::{EventKind, Feed, Notice, Store};

/// The number of a socket.
pub(crate) type SocketId = u64;

/// The limits of sockets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of a message of a client.
    pub message: usize,
    /// The most groups of a socket.
    pub groups: usize,
    /// How long a client may read nothing of what is sent.
    pub write: Duration,
    /// The interval of pings, and of checks whether the user still sees what the socket follows.
    pub ping: Duration,
    /// How long nothing may come from a client.
    pub silence: Duration,
    /// How long events are in the buffer of their job.
    pub buffer_time: Duration,
    /// The most bytes in the buffer of a job.
    pub buffer: usize,
    /// The most bytes in all these buffers together; above, each keeps only what came last.
    pub buffers: usize,
    /// The most messages in the buffer of those that are no events. A socket that is further behind is closed.
    pub notices: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message: 64 << 10,
            groups: 1000,
            write: Duration::from_secs(30),
            ping: Duration::from_secs(15),
            silence: Duration::from_secs(60),
            buffer_time: Duration::from_secs(5),
            buffer: 1 << 20,
            buffers: 32 << 20,
            notices: 10_000,
        }
    }
}

/// The most sockets that read events from the store at the same time.
const STORE_READERS: usize = 4;
/// How long a socket waits for the poller before it says that there is no answer.
const ROUND_LIMIT: Duration = Duration::from_secs(10);

/// The user has too many sockets.
#[derive(Debug)]
pub struct TooMany;

/// The sockets of a server, and what they follow.
///
/// One task, the poller, puts in what is new: it waits for [`Hub::round_wanted`], reads what has happened since its last round,
/// and ends the round with [`Hub::round_done`].
pub struct Hub {
    pub(crate) limits: Limits,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) store_readers: Semaphore,
    pub(crate) notices: Notices,
    /// Sockets are closed when the server stops.
    pub(crate) stopping: CancellationToken,
    tasks: TaskTracker,
    feeds: Mutex<HashMap<(EventKind, i64), Weak<Feed>>>,
    /// The bytes in all feeds.
    buffered: Arc<AtomicUsize>,
    /// The number of sockets of each user.
    users: Mutex<HashMap<i64, usize>>,
    next_socket: AtomicU64,
    rounds: watch::Sender<u64>,
    wanted_round: AtomicU64,
    round_wanted: Notify,
}

/// The right to one socket; given back on drop.
pub struct SocketPermit {
    hub: Arc<Hub>,
    pub(crate) user: i64,
    pub(crate) socket: SocketId,
}

/// Nothing panics while these locks are held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A hub whose sockets read events from this store.
    pub fn new(store: Arc<dyn Store>, limits: Limits) -> Arc<Hub> {
        Arc::new(Hub {
            limits,
            store,
            store_readers: Semaphore::new(STORE_READERS),
            notices: Notices::new(limits.notices),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            feeds: Mutex::default(),
            buffered: Arc::default(),
            users: Mutex::default(),
            next_socket: AtomicU64::new(0),
            rounds: watch::Sender::new(0),
            wanted_round: AtomicU64::new(0),
            round_wanted: Notify::new(),
        })
    }

    /// Another socket of a user, who may have `most`.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn open(self: &Arc<Self>, user: i64, most: usize) -> Result<SocketPermit, TooMany> {
        let mut users = lock(&self.users);
        let count = users.entry(user).or_default();
        if *count >= most {
            return Err(TooMany);
        }
        *count += 1;
        // Without sockets the poller sleeps.
        self.want_round(*self.rounds.borrow() + 1);
        let socket = self.next_socket.fetch_add(1, Ordering::Relaxed);
        Ok(SocketPermit { hub: Arc::clone(self), user, socket })
    }

    /// The number of sockets.
    pub fn sockets(&self) -> usize {
        lock(&self.users).values().sum()
    }

    /// Runs a socket as a task that [`Hub::stop`] waits for.
    pub fn spawn(&self, socket: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(socket);
    }

    /// Closes all sockets, and waits a moment until they are closed.
    pub async fn stop(&self, at_most: Duration) {
        self.stopping.cancel();
        self.tasks.close();
        if tokio::time::timeout(at_most, self.tasks.wait()).await.is_err() {
            tracing::info!(sockets = self.sockets(), "clients have not closed their sockets");
        }
    }

    /// Adds messages for the sockets in their groups.
    pub fn push(&self, notices: Vec<Notice>) {
        self.notices.push(notices);
    }

    /// The feeds that sockets follow, without old events.
    pub fn followed(&self) -> Vec<Arc<Feed>> {
        let mut followed = vec![];
        lock(&self.feeds).retain(|_, feed| match feed.upgrade() {
            Some(feed) => {
                followed.push(feed);
                true
            }
            None => false,
        });
        followed.iter().for_each(|feed| feed.drop_old());
        followed
    }

    pub(crate) fn feed(&self, kind: EventKind, job: i64) -> Arc<Feed> {
        let mut feeds = lock(&self.feeds);
        let known = feeds.entry((kind, job)).or_default();
        if let Some(feed) = known.upgrade() {
            return feed;
        }
        let Limits { buffer, buffers, buffer_time, .. } = self.limits;
        let limits = BufferLimits { of_feed: buffer, of_all: buffers, time: buffer_time };
        let feed = Arc::new(Feed::new(kind, job, limits, Arc::clone(&self.buffered)));
        *known = Arc::downgrade(&feed);
        feed
    }

    /// Completes when a socket waits for a round.
    pub async fn round_wanted(&self) {
        while *self.rounds.borrow() >= self.wanted_round.load(Ordering::Acquire) {
            self.round_wanted.notified().await;
        }
    }

    /// A round of the poller has ended: what was committed before it began is here.
    pub fn round_done(&self) {
        self.rounds.send_modify(|rounds| *rounds += 1);
    }

    fn want_round(&self, round: u64) {
        self.wanted_round.fetch_max(round, Ordering::AcqRel);
        self.round_wanted.notify_one();
    }

    /// Waits until everything that is committed now is here. False if that takes too long.
    pub(crate) async fn catch_up(&self) -> bool {
        let mut rounds = self.rounds.subscribe();
        // The one that is running may have read already.
        let enough = *rounds.borrow_and_update() + 2;
        self.want_round(enough);
        let caught_up = rounds.wait_for(|rounds| *rounds >= enough);
        matches!(tokio::time::timeout(ROUND_LIMIT, caught_up).await, Ok(Ok(_)))
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        let mut users = lock(&self.hub.users);
        if let Some(count) = users.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.user);
            }
        }
    }
}
