//! Readers: a small pool of connections that see committed data.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{self, Purpose, limited};
use super::error::statement_error;
use super::shared_snapshot;
use super::value::{execute, query};
use crate::{Error, Row, Type};

/// How long a statement may run on an async thread. Few take even one millisecond; a longer one is restarted on a
/// blocking thread.
pub(super) const INLINE: Duration = Duration::from_millis(20);

/// The statement timeout.
pub(super) const LONGEST: Duration = Duration::from_secs(10);

/// How long to wait for a free connection.
const WAIT: Duration = Duration::from_secs(10);

/// The pool. Connections are opened when they are needed; `free` limits how many are in use.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Idle>,
    free: Arc<Semaphore>,
    /// Limits the slow statements, so that connections are left for the fast ones.
    slow: Arc<Semaphore>,
}

/// Idle connections.
#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    /// The number of times that the connections were replaced.
    generation: u64,
}

/// A connection from the pool, which is returned on drop.
pub(super) struct Reader {
    connection: Option<Connection>,
    generation: u64,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

/// Interrupts the statement on the blocking thread when the request is cancelled.
pub(super) struct StopOnDrop(pub(super) Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.readers.free.is_closed()
            && (connection.is_autocommit() || execute(&connection, "COMMIT", &[]).is_ok())
        {
            let mut idle = self.readers.idle();
            if idle.generation == self.generation {
                idle.connections.push(connection);
            }
        }
    }
}

impl Readers {
    /// A pool with as many connections as the machine can use.
    pub(super) fn new(path: PathBuf) -> Readers {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = (2 * cores).clamp(4, 16);
        Readers {
            path,
            idle: Mutex::default(),
            free: Arc::new(Semaphore::new(count)),
            slow: Arc::new(Semaphore::new(count / 2)),
        }
    }

    /// Runs a query on a free connection.
    pub(super) async fn read(
        self: &Arc<Self>,
        sql: &str,
        values: sea_query::Values,
        types: &[Type],
    ) -> Result<Vec<Row>, Error> {
        {
            let mut reader = self.take_shared().await?;
            match reader.query(sql, &values.0, types, Instant::now() + INLINE, || false) {
                Err(Error::Timeout) => {}
                result => {
                    shared_snapshot::keep(reader);
                    return result;
                }
            }
        }
        let slow = permit(&self.slow).await?;
        let mut reader = self.take().await?;
        let stop = StopOnDrop(Arc::default());
        let (sql, types, stopped) = (sql.to_owned(), types.to_vec(), stop.0.clone());
        let task = tokio::task::spawn_blocking(move || {
            let _slow = slow;
            let stop = move || stopped.load(Ordering::Relaxed);
            reader.query(&sql, &values.0, &types, Instant::now() + LONGEST, stop)
        });
        task.await.unwrap_or_else(|_| Err(Error::Unavailable("the server is stopping".to_owned())))
    }

    /// Rejects further reads, and closes the connections.
    pub(super) fn close(&self) {
        self.free.close();
        self.slow.close();
        self.idle().connections.clear();
    }

    /// Replaces all connections, so that they use new statistics.
    pub(super) fn reopen(&self) {
        let mut idle = self.idle();
        idle.generation += 1;
        idle.connections.clear();
    }

    /// The connection with the snapshot that the reads of this task share; a free one if they share none.
    async fn take_shared(self: &Arc<Self>) -> Result<Reader, Error> {
        // An await that is always ready would not yield to other tasks.
        tokio::task::coop::consume_budget().await;
        if let Some(reader) = shared_snapshot::take().filter(|reader| Arc::ptr_eq(&reader.readers, self)) {
            return Ok(reader);
        }
        let reader = self.take().await?;
        if let (true, Some(connection)) = (shared_snapshot::is_wanted(), &reader.connection) {
            execute(connection, "BEGIN", &[])?;
        }
        Ok(reader)
    }

    async fn take(self: &Arc<Self>) -> Result<Reader, Error> {
        let permit = permit(&self.free).await?;
        let (connection, generation) = {
            let mut idle = self.idle();
            (idle.connections.pop(), idle.generation)
        };
        let connection = match connection {
            Some(connection) => connection,
            None => connection::open(&self.path, Purpose::Read).map_err(statement_error)?,
        };
        Ok(Reader { connection: Some(connection), generation, readers: self.clone(), _permit: permit })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        // A push or pop is atomic, so a poisoned lock is harmless.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    fn query(
        &mut self,
        sql: &str,
        values: &[sea_query::Value],
        types: &[Type],
        deadline: Instant,
        stop: impl Fn() -> bool + Send + 'static,
    ) -> Result<Vec<Row>, Error> {
        let Some(connection) = &mut self.connection else { return Err(closed()) };
        limited(connection, deadline, stop, |connection| query(connection, sql, values, types))
    }
}

/// The error of a read after closing.
pub(super) fn closed() -> Error {
    Error::Unavailable("the database was closed".to_owned())
}

async fn permit(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
    // The timer is expensive, so it is created only for waiters.
    if let Ok(permit) = semaphore.clone().try_acquire_owned() {
        return Ok(permit);
    }
    match tokio::time::timeout(WAIT, semaphore.clone().acquire_owned()).await {
        Ok(permit) => permit.map_err(|_| closed()),
        Err(_) => Err(Error::Unavailable("all connections are busy".to_owned())),
    }
}
