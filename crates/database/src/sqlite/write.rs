//! The writer: one connection, one transaction at a time, with group commit.
//!
//! Group commit. A commit waits for the disk, which takes longer than everything
//! else. So our transactions are savepoints of one outer SQLite transaction:
//! `begin` opens the outer one if there is none, `commit` releases the savepoint
//! and queues for the committer, which commits the outer one for all queued
//! transactions. No `commit` returns before the data is on disk. The mutex is
//! fair: transactions that wait for the connection when the committer comes join
//! the commit, later ones do not.
//!
//! If the outer transaction fails, for example because the disk is full, all
//! transactions in it get the error. Deferred constraints, which fail only on
//! commit, would let one writer fail the others: the schema must have none.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use super::connection::{self, Purpose, limited};
use super::error::{is_busy, statement_error};
use super::read::{INLINE, LONGEST, Readers, closed};
use super::value;
use crate::{Error, Row, Type};

/// How long to wait for other transactions of this process: longer than any statement.
const WAIT: Duration = Duration::from_secs(15);

/// How long to wait for another process to end its transaction, and between tries.
const BUSY: Duration = Duration::from_secs(5);
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// The number of changed rows after which the planner statistics are checked.
const CHANGES: u64 = 10_000;

/// The writing connection and the state of its outer transaction.
pub(super) struct Writer {
    pub(super) connection: Connection,
    /// Whether an outer transaction is open.
    open: bool,
    /// Commits that wait for the outer transaction.
    pending: Vec<oneshot::Sender<Result<(), Error>>>,
    /// Whether a committer is queued for the mutex.
    committing: bool,
    closed: bool,
    /// The number of changed rows at the last check of the planner statistics.
    checked: u64,
    readers: Arc<Readers>,
    /// The number of commits, for the tests.
    #[cfg(test)]
    pub(super) commits: usize,
}

/// A transaction: exclusive access to the writer, and a savepoint, which is rolled back on drop.
pub(super) struct WriteGuard {
    writer: OwnedMutexGuard<Writer>,
    /// Whether the savepoint still exists.
    alive: bool,
}

impl Writer {
    pub(super) fn open(path: &Path, readers: Arc<Readers>) -> Result<Writer, rusqlite::Error> {
        Ok(Writer {
            connection: connection::open(path, Purpose::Write)?,
            open: false,
            pending: Vec::new(),
            committing: false,
            closed: false,
            checked: 0,
            readers,
            #[cfg(test)]
            commits: 0,
        })
    }

    /// Commits the outer transaction. Blocks until the data is on disk.
    fn commit(&mut self) {
        if !self.open || self.pending.is_empty() {
            return;
        }
        match run(&self.connection, "COMMIT") {
            Ok(()) => {
                self.open = false;
                #[cfg(test)]
                {
                    self.commits += 1;
                }
                self.answer(&Ok(()));
                self.update_statistics();
            }
            Err(error) => self.abandon(&statement_error(error)),
        }
    }

    /// Collects planner statistics if many rows have changed.
    fn update_statistics(&mut self) {
        let changes = self.connection.total_changes();
        if changes - self.checked < CHANGES {
            return;
        }
        self.checked = changes;
        match connection::update_statistics(&self.connection) {
            Ok(true) => self.readers.reopen(),
            Ok(false) => {}
            // Another process may write: the next check succeeds.
            Err(error) => tracing::warn!("cannot update planner statistics: {}", statement_error(error)),
        }
    }

    /// Rolls the outer transaction back; all waiting commits get the error.
    fn abandon(&mut self, error: &Error) {
        if !self.connection.is_autocommit()
            && let Err(error) = run(&self.connection, "ROLLBACK")
        {
            // The next commit would include its changes.
            tracing::error!("cannot roll back a transaction, refusing further writes: {}", statement_error(error));
            self.closed = true;
        }
        self.open = false;
        self.answer(&Err(error.clone()));
    }

    fn answer(&mut self, result: &Result<(), Error>) {
        for waiting in self.pending.drain(..) {
            // The receiver is gone if the request was cancelled.
            let _ = waiting.send(result.clone());
        }
    }

    /// Refuses further writes, and writes the WAL into the database file.
    pub(super) fn close(&mut self) {
        self.commit();
        self.closed = true;
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            // Harmless: the next start reads the WAL.
            tracing::warn!("cannot checkpoint the WAL: {}", statement_error(error));
        }
    }
}

/// Waits for the writer and opens a savepoint.
pub(super) async fn begin(writer: &Arc<Mutex<Writer>>) -> Result<WriteGuard, Error> {
    let mut guard = lock(writer).await?;
    if guard.closed {
        return Err(closed());
    }
    let patience = Instant::now() + BUSY;
    while !guard.open {
        match run(&guard.connection, "BEGIN IMMEDIATE") {
            Ok(()) => guard.open = true,
            Err(error) if is_busy(&error) && Instant::now() < patience => tokio::time::sleep(BUSY_PAUSE).await,
            Err(error) => return Err(statement_error(error)),
        }
    }
    // From here on, dropping it rolls back.
    let mut guard = WriteGuard { writer: guard, alive: true };
    match run(&guard.writer.connection, "SAVEPOINT w") {
        Ok(()) => Ok(guard),
        Err(error) => Err(guard.failed(statement_error(error))),
    }
}

async fn lock(writer: &Arc<Mutex<Writer>>) -> Result<OwnedMutexGuard<Writer>, Error> {
    // This overtakes no waiter: the mutex is fair, and never free while others wait.
    if let Ok(guard) = writer.clone().try_lock_owned() {
        tokio::task::coop::consume_budget().await;
        return Ok(guard);
    }
    tokio::time::timeout(WAIT, writer.clone().lock_owned())
        .await
        .map_err(|_| Error::Unavailable("another transaction takes too long".to_owned()))
}

/// Commits a transaction; returns when it is on disk.
pub(super) async fn commit(writer: &Arc<Mutex<Writer>>, mut guard: WriteGuard) -> Result<(), Error> {
    guard.check()?;
    if let Err(error) = run(&guard.writer.connection, "RELEASE w") {
        return Err(guard.failed(statement_error(error)));
    }
    guard.alive = false;
    let (done, waiting) = oneshot::channel();
    guard.writer.pending.push(done);
    if !guard.writer.committing {
        guard.writer.committing = true;
        let writer = writer.clone();
        tokio::task::spawn_blocking(move || {
            let mut writer = writer.blocking_lock();
            writer.committing = false;
            writer.commit();
        });
    }
    drop(guard);
    waiting.await.unwrap_or_else(|_| Err(closed()))
}

impl WriteGuard {
    /// Runs a query on this thread, or on a blocking one if it takes long.
    pub(super) async fn read(
        slot: &mut Option<WriteGuard>,
        sql: &str,
        values: sea_query::Values,
        types: &[Type],
    ) -> Result<Vec<Row>, Error> {
        let guard = slot.as_mut().ok_or_else(gone)?;
        // Interrupting a query rolls nothing back, unlike a change.
        match guard.limited(INLINE, |c| value::query(c, sql, &values.0, types)) {
            Err(Error::Timeout) => {}
            result => return result,
        }
        let (sql, types) = (sql.to_owned(), types.to_vec());
        WriteGuard::blocking(slot, move |connection| value::query(connection, &sql, &values.0, &types)).await
    }

    /// Runs an INSERT that returns the row's id.
    pub(super) fn insert(
        slot: &mut Option<WriteGuard>,
        sql: &str,
        values: &sea_query::Values,
    ) -> Result<Vec<Row>, Error> {
        let guard = slot.as_mut().ok_or_else(gone)?;
        guard.limited(LONGEST, |c| value::query(c, sql, &values.0, &[Type::Integer]))
    }

    /// Runs a change of a few rows.
    pub(super) fn execute_inline(
        slot: &mut Option<WriteGuard>,
        sql: &str,
        values: &sea_query::Values,
    ) -> Result<u64, Error> {
        let guard = slot.as_mut().ok_or_else(gone)?;
        guard.limited(LONGEST, |c| value::execute(c, sql, &values.0))
    }

    /// Runs a change that may touch many rows on a blocking thread: interrupting it would roll back
    /// the other transactions of the group.
    pub(super) async fn execute(
        slot: &mut Option<WriteGuard>,
        sql: String,
        values: sea_query::Values,
    ) -> Result<u64, Error> {
        WriteGuard::blocking(slot, move |connection| value::execute(connection, &sql, &values.0)).await
    }

    /// Runs `work` on a blocking thread. Cancelled, it leaves the slot empty, and the
    /// thread undoes the transaction when it is done.
    async fn blocking<T: Send + 'static>(
        slot: &mut Option<WriteGuard>,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let mut guard = slot.take().ok_or_else(gone)?;
        let task = tokio::task::spawn_blocking(move || {
            let result = guard.limited(LONGEST, work);
            (guard, result)
        });
        let (guard, result) = task.await.map_err(|_| closed())?;
        *slot = Some(guard);
        result
    }

    fn limited<T>(
        &mut self,
        longest: Duration,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.check()?;
        let deadline = Instant::now() + longest;
        limited(&mut self.writer.connection, deadline, || false, work).map_err(|error| self.failed(error))
    }

    fn check(&self) -> Result<(), Error> {
        if self.alive { Ok(()) } else { Err(gone()) }
    }

    /// Detects that SQLite has rolled back the outer transaction because of an error.
    fn failed(&mut self, error: Error) -> Error {
        if self.writer.connection.is_autocommit() {
            self.alive = false;
            self.writer.abandon(&error);
        }
        error
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        if !self.alive {
            return;
        }
        let undone =
            run(&self.writer.connection, "ROLLBACK TO w").and_then(|()| run(&self.writer.connection, "RELEASE w"));
        if let Err(error) = undone {
            self.writer.abandon(&statement_error(error));
        } else if self.writer.pending.is_empty() {
            // Nothing to commit: release the lock of the file.
            let nothing = Error::Internal("the transaction was rolled back".to_owned());
            self.writer.abandon(&nothing);
        }
    }
}

pub(super) fn gone() -> Error {
    Error::Internal("the transaction was rolled back already".to_owned())
}

/// Runs a statement without parameters, parsed once.
fn run(connection: &Connection, sql: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.raw_execute().map(drop)
}

#[cfg(test)]
impl WriteGuard {
    /// Makes every commit fail from now on.
    pub(super) fn refuse_commits(&mut self) {
        let refused = self.writer.connection.commit_hook(Some(|| true));
        assert!(refused.is_ok());
    }
}
