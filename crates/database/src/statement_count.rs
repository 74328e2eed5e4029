//! Counts SQL statements, for tests and logs.

use std::cell::Cell;
use std::future::Future;

tokio::task_local! {
    static STATEMENTS: Cell<u32>;
}

/// Runs a future and counts the reads, inserts and executes that it starts.
///
/// Only those in this task are counted, not those in spawned tasks. Nested calls count in the outer one, too.
pub async fn count_statements<F: Future>(future: F) -> (F::Output, u32) {
    let (output, count) = STATEMENTS
        .scope(Cell::new(0), async {
            let output = future.await;
            (output, STATEMENTS.with(Cell::get))
        })
        .await;
    add(count);
    (output, count)
}

/// Like [`count_statements`], for a function such as the poll of a stream.
pub fn count_statements_of<T>(function: impl FnOnce() -> T) -> (T, u32) {
    let (output, count) = STATEMENTS.sync_scope(Cell::new(0), || {
        let output = function();
        (output, STATEMENTS.with(Cell::get))
    });
    add(count);
    (output, count)
}

/// Counts a statement.
pub(crate) fn count() {
    add(1);
}

fn add(more: u32) {
    // Outside of `count_statements` nothing is counted.
    let _ = STATEMENTS.try_with(|count| count.set(count.get().saturating_add(more)));
}
