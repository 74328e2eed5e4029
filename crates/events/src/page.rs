//! Stored events in their order, as those who follow a job read them.

use hostler_database::Database;
use jiff::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query};

use crate::{EventBody, EventError, GREATEST_COUNTER, counter_of, event_id, read_bodies};

/// A stored event.
#[derive(Debug)]
pub struct StoredEvent {
    /// The id.
    pub id: i64,
    /// The counter.
    pub counter: i64,
    /// The type.
    pub event: String,
    /// The name of the play, or empty.
    pub play: String,
    /// The name of the task, or empty.
    pub task: String,
    /// The name of the role, or empty.
    pub role: String,
    /// Whether it is a failure, or one happened below it.
    pub failed: bool,
    /// Whether it changed a host, or an event below it did.
    pub changed: bool,
    /// When it happened.
    pub created: Timestamp,
    /// The number of lines of the output before it.
    pub start_line: i64,
    /// The number of lines of the output after it.
    pub end_line: i64,
    /// The rest.
    pub body: EventBody,
}

/// At most so many events of a job that follow the one with this counter, in their order. Two statements.
///
/// # Errors
/// [`EventError::DamagedBatch`], and database errors.
pub async fn events_after(
    database: &Database,
    job_id: i64,
    counter: i64,
    most: u64,
) -> Result<Vec<StoredEvent>, EventError> {
    let first = counter.clamp(0, GREATEST_COUNTER).saturating_add(1);
    let query = Query::select()
        .columns(["id", "event", "play", "task", "role", "failed", "changed", "created", "start_line", "end_line"])
        .from("named_job_events")
        .and_where(Expr::col("id").between(event_id(job_id, first), event_id(job_id, GREATEST_COUNTER)))
        .order_by("id", Order::Asc)
        .limit(most)
        .to_owned();
    type Columns = (i64, String, String, String, String, bool, bool, Timestamp, i64, i64);
    let rows: Vec<Columns> = database.read_as(&query).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let mut bodies = read_bodies(database, &ids).await?;
    let complete = |(id, event, play, task, role, failed, changed, created, start_line, end_line): Columns| {
        // None if the job was deleted between the two statements.
        let body = bodies.remove(&id)?;
        let counter = counter_of(id);
        Some(StoredEvent { id, counter, event, play, task, role, failed, changed, created, start_line, end_line, body })
    };
    Ok(rows.into_iter().map_while(complete).collect())
}
