//! Reads that follow each other without waiting share a snapshot, and with it the locks of SQLite.
//!
//! Each lock is a system call, during which no other connection of the process can lock. Two statements of a request
//! take half of the locks in one transaction.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;

use super::read::Reader;

tokio::task_local! {
    /// The connection whose transaction the next read continues.
    static READER: RefCell<Option<Reader>>;
}

/// Runs a future whose reads share a snapshot until it waits for something, or begins or ends a transaction.
///
/// So no connection is in use while it waits, and what was committed before it goes on is seen.
pub(crate) async fn share_snapshots<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| READER.sync_scope(RefCell::default(), || future.as_mut().poll(context))).await
}

/// Whether the reads of this task share a snapshot.
pub(super) fn is_wanted() -> bool {
    READER.try_with(|_| ()).is_ok()
}

/// The connection with the shared snapshot.
pub(super) fn take() -> Option<Reader> {
    READER.try_with(RefCell::take).ok().flatten()
}

/// Keeps a connection for the next read; without a shared snapshot it goes back to the pool.
pub(super) fn keep(reader: Reader) {
    // The replaced one is dropped after the borrow.
    let _ = READER.try_with(|kept| kept.replace(Some(reader)));
}
