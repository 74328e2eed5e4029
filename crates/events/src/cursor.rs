//! Reads the batches of one job in their order, some at a time.

use hostler_database::Database;
use sea_query::{Condition, Expr, ExprTrait, Order, Query, SelectStatement};

use crate::batch::{MOST_EVENTS, Texts, decompress};
use crate::{EventError, GREATEST_COUNTER, event_id};

/// Where the reading of the batches of a job is.
///
/// While the job runs, batches that were read can be joined with later ones: what is read next begins after the last
/// event that was read, in whatever batch it is.
pub(crate) struct Cursor {
    job_id: i64,
    /// The counter of the last event that was read.
    after: i64,
}

/// A part of a batch: the output or the data of its events that were not read before.
pub(crate) struct Part {
    batch: i64,
    /// The number of line feeds before the batch.
    pub first_line: i64,
    /// The number of events that were read before.
    read: i64,
    compressed: Vec<u8>,
}

impl Part {
    /// The id of its first event.
    pub fn first_event(&self) -> i64 {
        self.batch + self.read
    }

    pub fn texts(&self) -> Result<Texts, EventError> {
        let texts = decompress(self.batch, &self.compressed)?;
        Ok(texts.without_first(usize::try_from(self.read).unwrap_or_default()))
    }
}

impl Cursor {
    /// Before the first event of the job.
    pub fn new(job_id: i64) -> Self {
        Cursor { job_id, after: 0 }
    }

    /// The next parts, of at most this number of batches that match a condition: their column `stdout` or `data`. There
    /// are none at the end.
    pub async fn next(
        &mut self,
        database: &Database,
        column: &'static str,
        condition: Condition,
        most: u64,
    ) -> Result<Vec<Part>, EventError> {
        let job_id = self.job_id;
        let batches = of_job(job_id, ["id", "last_counter", "first_line", column])
            // A batch that contains later events and some that were read.
            .and_where(Expr::col("id").gt(event_id(job_id, self.after - MOST_EVENTS as i64)))
            .and_where(Expr::col("last_counter").gt(self.after))
            .cond_where(condition)
            .order_by("id", Order::Asc)
            .limit(most)
            .to_owned();
        let batches: Vec<(i64, i64, i64, Vec<u8>)> = database.read_as(&batches).await?;
        let first_unread = event_id(job_id, self.after + 1);
        if let Some((_, last_counter, ..)) = batches.last() {
            self.after = *last_counter;
        }
        let part = |(batch, _, first_line, compressed): (i64, i64, i64, Vec<u8>)| Part {
            batch,
            first_line,
            read: Ord::max(first_unread - batch, 0),
            compressed,
        };
        Ok(batches.into_iter().map(part).collect())
    }
}

/// Selects columns of all batches of a job.
pub(crate) fn of_job<const COLUMNS: usize>(job_id: i64, columns: [&'static str; COLUMNS]) -> SelectStatement {
    Query::select()
        .columns(columns)
        .from("job_event_batches")
        .and_where(Expr::col("id").between(event_id(job_id, 0), event_id(job_id, GREATEST_COUNTER)))
        .to_owned()
}
