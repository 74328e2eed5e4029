//! Counts statements, so that tests and logs can tell when a request runs too many.

use std::cell::Cell;
use std::future::Future;

tokio::task_local! {
    static STATEMENTS: Cell<u32>;
}

/// Runs a future and tells how many reads, inserts and executes it started.
///
/// Counts what runs in this task only: not what the future spawns. Where two of
/// these are nested, the outer one counts what the inner one does, too.
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

/// Notes that one statement runs.
pub(crate) fn count() {
    add(1);
}

fn add(more: u32) {
    // Outside of `count_statements` nobody wants to know.
    let _ = STATEMENTS.try_with(|count| count.set(count.get().saturating_add(more)));
}
