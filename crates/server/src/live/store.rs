//! Stored events as messages.

use async_trait::async_trait;
use hostler_database::Database;
use hostler_events::{EventError, StoredEvent, event_type, events_after};
use hostler_websocket::{Event, EventKind, Store, Text, Unavailable};
use sea_query::{Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json};

/// The events that are read at once.
const PAGE: u64 = 200;

/// The events in the database.
pub(crate) struct EventStore(pub Database);

#[async_trait]
impl Store for EventStore {
    async fn last_counter(&self, job: i64) -> Result<i64, Unavailable> {
        let query =
            Query::select().column("emitted_events").from("unified_jobs").and_where(Expr::col("id").eq(job)).to_owned();
        let counter: Option<i64> = self.0.read_first(&query).await.map_err(|error| unavailable(error.into()))?;
        Ok(counter.unwrap_or(0))
    }

    async fn events_after(&self, kind: EventKind, job: i64, counter: i64) -> Result<Vec<Event>, Unavailable> {
        let events = events_after(&self.0, job, counter, PAGE).await.map_err(unavailable)?;
        Ok(events.into_iter().map(|event| Event { counter: event.counter, text: message(kind, job, event) }).collect())
    }
}

fn unavailable(error: EventError) -> Unavailable {
    tracing::warn!(%error, "events for sockets could not be read");
    Unavailable
}

/// An event, with AWX's keys.
fn message(kind: EventKind, job: i64, event: StoredEvent) -> Text {
    let time = event.created.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
    let has_page = matches!(kind, EventKind::Job | EventKind::AdHocCommand);
    let level = match kind {
        EventKind::Job | EventKind::ProjectUpdate => event_type(&event.event).map_or(0, |known| known.level).into(),
        _ => Json::from(""),
    };
    let url = if has_page { format!("/api/v2/{}/{}", kind.group_name(), event.id) } else { String::new() };
    let data = Json::Object(event.body.event_data());
    let fields = [
        ("group_name", kind.group_name().into()),
        (kind.job_type(), job.into()),
        ("id", event.id.into()),
        ("counter", event.counter.into()),
        ("uuid", event.body.uuid.into()),
        ("parent_uuid", event.body.parent_uuid.into()),
        ("event", event.event.into()),
        ("event_level", level),
        ("event_data", data),
        // As in the lists of events.
        ("stdout", event.body.stdout.replace('\n', "\r\n").into()),
        ("start_line", event.start_line.into()),
        ("end_line", event.end_line.into()),
        ("play", event.play.into()),
        ("task", event.task.into()),
        ("role", event.role.into()),
        ("failed", event.failed.into()),
        ("changed", event.changed.into()),
        ("created", time.as_str().into()),
        ("modified", time.into()),
        ("url", url.into()),
    ];
    let fields: Map<String, Json> =
        fields.into_iter().map(|(name, value): (&str, Json)| (name.to_owned(), value)).collect();
    Json::Object(fields).to_string().into()
}
