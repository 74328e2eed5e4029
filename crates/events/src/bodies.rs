//! The bodies of events: what is not in their rows.

use std::collections::{BTreeMap, HashMap};

use hostler_database::Database;
use sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::EventError;
use crate::batch::decompress;
use crate::spool_event::{StoredData, readable_object};

/// More compressed bytes are decompressed on another thread.
const INLINE: usize = 64 << 10;

/// What is stored in the batch of an event.
#[derive(Debug)]
pub struct EventBody {
    /// The UUID.
    pub uuid: String,
    /// The UUID of the event above it, or empty.
    pub parent_uuid: String,
    event_data: Box<RawValue>,
    /// The output, without the line feed at its end.
    pub stdout: String,
}

impl EventBody {
    /// The data of the event. A value in it that cannot be read, as one that is nested too deeply, is `{}`.
    pub fn event_data(&self) -> Map<String, Value> {
        readable_object(self.event_data.get())
    }
}

/// The bodies of the events with these ids, which are on one page. There are none for events that do not exist.
///
/// # Errors
/// [`EventError::DamagedBatch`], and database errors.
pub async fn read_bodies(database: &Database, ids: &[i64]) -> Result<HashMap<i64, EventBody>, EventError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let query = Query::select()
        .columns(["id", "stdout", "data"])
        .from("job_event_batches")
        .and_where(Expr::col("id").in_subquery(batches_of(ids)))
        .to_owned();
    let batches: Vec<(i64, Vec<u8>, Vec<u8>)> = database.read_as(&query).await?;
    let ids = ids.to_vec();
    if batches.iter().map(|(_, stdout, data)| stdout.len() + data.len()).sum::<usize>() <= INLINE {
        return bodies(&ids, &batches);
    }
    blocking(move || bodies(&ids, &batches)).await
}

/// The ids of the batches with these events.
fn batches_of(ids: &[i64]) -> SelectStatement {
    let before = Query::select()
        .expr(Func::max(Expr::col((Alias::new("before"), Alias::new("id")))))
        .from_as("job_event_batches", "before")
        .and_where(
            Expr::col((Alias::new("before"), Alias::new("id"))).lte(Expr::col((Alias::new("event"), Alias::new("id")))),
        )
        .to_owned();
    Query::select()
        .expr(Expr::SubQuery(None, Box::new(before.into())))
        .from_as("stored_job_events", "event")
        .and_where(Expr::col((Alias::new("event"), Alias::new("id"))).is_in(ids.iter().copied()))
        .to_owned()
}

fn bodies(ids: &[i64], batches: &[(i64, Vec<u8>, Vec<u8>)]) -> Result<HashMap<i64, EventBody>, EventError> {
    let batches: BTreeMap<i64, &(i64, Vec<u8>, Vec<u8>)> = batches.iter().map(|batch| (batch.0, batch)).collect();
    let mut by_batch: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for id in ids {
        if let Some((batch, _)) = batches.range(..=id).next_back() {
            by_batch.entry(*batch).or_default().push(*id);
        }
    }
    let mut found = HashMap::new();
    for (batch, ids) in by_batch {
        let Some((_, stdout, data)) = batches.get(&batch) else { continue };
        let (stdout, data) = (decompress(batch, stdout)?, decompress(batch, data)?);
        let texts: Vec<(&[u8], &[u8])> = stdout.iter().zip(data.iter()).collect();
        for id in ids {
            let position = usize::try_from(id - batch).unwrap_or(usize::MAX);
            if let Some((stdout, data)) = texts.get(position) {
                found.insert(id, body(stdout, data).ok_or(EventError::DamagedBatch(batch))?);
            }
        }
    }
    Ok(found)
}

fn body(stdout: &[u8], data: &[u8]) -> Option<EventBody> {
    let data: StoredData<'_> = serde_json::from_slice(data).ok()?;
    let stdout = String::from_utf8_lossy(stdout.strip_suffix(b"\n").unwrap_or(stdout));
    Some(EventBody {
        uuid: data.uuid.into_owned(),
        parent_uuid: data.parent_uuid.into_owned(),
        event_data: data.event_data.to_owned(),
        stdout: stdout.into_owned(),
    })
}

/// Runs work that takes long on a thread for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EventError> + Send + 'static,
) -> Result<T, EventError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(hostler_database::Error::Internal("reading events was interrupted".to_owned()).into()),
    }
}
