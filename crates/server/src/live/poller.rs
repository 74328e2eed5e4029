//! The poller: reads what has happened and puts it into the hub, in rounds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use hostler_database::{Database, Error};
use hostler_websocket::{Feed, Hub, Store as _, Unavailable};
use sea_query::{Expr, Query};
use tokio::time::sleep;

use super::messages::messages;
use super::notices::Position;
use super::store::EventStore;
use crate::state::App;

/// The time between two rounds: no server notifies the others of what it writes.
const INTERVAL: Duration = Duration::from_millis(150);
/// The least time between two rounds, so that much that happens is read together.
const SHORTEST: Duration = Duration::from_millis(15);
/// The pause after an error.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// The jobs whose counters are read by one statement.
const AT_ONCE: usize = 500;
/// The most jobs whose events are read at the same time.
const PARALLEL: usize = 4;

/// Fills the hub of the server. Never completes.
pub(super) async fn run(app: &App) {
    let (hub, engine) = (&app.live.hub, app.engine());
    let mut poller = Poller { hub: Arc::clone(hub), database: engine.database.clone(), position: None };
    let mut storing = engine.jobs.storing();
    loop {
        if hub.sockets() == 0 {
            // What happens until a socket is opened concerns nobody.
            poller.position = None;
            hub.round_wanted().await;
        } else {
            tokio::select! {
                () = hub.round_wanted() => {}
                _ = storing.changed() => {}
                () = sleep(INTERVAL) => {}
            }
        }
        storing.mark_unchanged();
        match poller.round().await {
            Ok(()) => {
                hub.round_done();
                sleep(SHORTEST).await;
            }
            Err(error) => {
                tracing::warn!(%error, "messages for sockets could not be read");
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

struct Poller {
    hub: Arc<Hub>,
    database: Database,
    /// None until the first round since a socket was opened.
    position: Option<Position>,
}

impl Poller {
    async fn round(&mut self) -> Result<(), Error> {
        match &mut self.position {
            None => self.position = Some(Position::now(&self.database).await?),
            Some(position) => {
                let rows = position.read(&self.database).await?;
                if !rows.is_empty() {
                    self.hub.push(messages(&self.database, rows).await?);
                }
            }
        }
        self.feed_events().await
    }

    /// Reads the new events of the jobs that sockets follow.
    async fn feed_events(&self) -> Result<(), Error> {
        let followed = self.hub.followed();
        let wanted: Vec<(&Arc<Feed>, i64)> =
            followed.iter().filter_map(|feed| Some((feed, feed.wanted_after()?))).collect();
        let mut fed = vec![];
        for some in wanted.chunks(AT_ONCE) {
            let jobs: HashMap<i64, (i64, bool)> =
                self.counters(&some.iter().map(|(feed, _)| feed.job).collect::<Vec<_>>()).await?;
            for (feed, after) in some {
                match jobs.get(&feed.job) {
                    Some((last, is_complete)) if last > after => {
                        fed.push((Arc::clone(feed), *after, *last, *is_complete))
                    }
                    Some((_, false)) => {}
                    // The job has ended, or was deleted.
                    Some((_, true)) | None => feed.complete(),
                }
            }
        }
        let reads = fed.into_iter().map(|(feed, after, last, is_complete)| async move {
            self.feed_one(&feed, after, last).await?;
            if is_complete && feed.wanted_after().is_some_and(|after| after >= last) {
                feed.complete();
            }
            Ok(())
        });
        let reads: Vec<Result<(), Unavailable>> = stream::iter(reads).buffer_unordered(PARALLEL).collect().await;
        match reads.into_iter().all(|read| read.is_ok()) {
            true => Ok(()),
            false => Err(Error::Internal("events could not be read".into())),
        }
    }

    /// The counter of the last event of these jobs, and whether it stays the last one.
    async fn counters(&self, jobs: &[i64]) -> Result<HashMap<i64, (i64, bool)>, Error> {
        let query = Query::select()
            .columns(["id", "emitted_events", "event_processing_finished"])
            .from("unified_jobs")
            .and_where(self.database.dialect().in_numbers(Expr::col("id"), jobs))
            .to_owned();
        let rows: Vec<(i64, i64, bool)> = self.database.read_as(&query).await?;
        Ok(rows.into_iter().map(|(id, last, is_complete)| (id, (last, is_complete))).collect())
    }

    async fn feed_one(&self, feed: &Feed, mut after: i64, last: i64) -> Result<(), Unavailable> {
        let store = EventStore(self.database.clone());
        while after < last {
            let events = store.events_after(feed.kind, feed.job, after).await?;
            // None if the job is being deleted.
            let Some(newest) = events.last() else { break };
            after = newest.counter;
            feed.push(events);
        }
        Ok(())
    }
}
