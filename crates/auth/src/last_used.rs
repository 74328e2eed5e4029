//! When tokens and sessions were last used. A background task writes it, not the requests themselves.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hostler_database::Error;
use hostler_engine::Engine;
use hostler_schema::column;
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, ExprTrait, Query};

/// A use this soon after the stored one is not stored.
const RESOLUTION: SignedDuration = SignedDuration::from_secs(60);
/// How long uses are collected before they are written, in one statement per table.
const BATCH_DELAY: Duration = Duration::from_millis(500);

/// The uses on this node that may not be stored yet.
#[derive(Default)]
pub(crate) struct LastUsed(Mutex<Uses>);

/// What was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Used {
    Token,
    Session,
}

impl Used {
    const ALL: [Used; 2] = [Used::Token, Used::Session];

    fn table(self) -> &'static str {
        match self {
            Used::Token => "tokens",
            Used::Session => "sessions",
        }
    }
}

#[derive(Default)]
struct Uses {
    /// The uses to write.
    waiting: BTreeSet<(Used, i64)>,
    /// When each was last noted, if less than [`RESOLUTION`] ago.
    noted: HashMap<(Used, i64), Timestamp>,
}

impl LastUsed {
    /// Notes that a token or session was used. `stored` is its last use in the database.
    pub(crate) fn note(self: &Arc<Self>, engine: &Engine, used: Used, id: i64, stored: Option<Timestamp>) {
        let now = engine.clock.now();
        // A time in the future was noted before the clock was set back.
        let recent = |time: Timestamp| now.duration_since(time).abs() < RESOLUTION;
        if stored.is_some_and(recent) {
            return;
        }
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.noted.get(&(used, id)).copied().is_some_and(recent) {
            return;
        }
        uses.noted.insert((used, id), now);
        let is_first = uses.waiting.is_empty();
        uses.waiting.insert((used, id));
        drop(uses);
        if is_first {
            let (this, engine) = (Arc::clone(self), engine.clone());
            tokio::spawn(async move {
                tokio::time::sleep(BATCH_DELAY).await;
                if let Err(error) = this.write(&engine).await {
                    // Nothing depends on it, and a use a minute from now tries again.
                    tracing::warn!(%error, "could not record when tokens and sessions were last used");
                }
            });
        }
    }

    async fn write(&self, engine: &Engine) -> Result<(), Error> {
        let now = engine.clock.now();
        let waiting = {
            let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            uses.noted.retain(|_, noted| now.duration_since(*noted).abs() < RESOLUTION);
            std::mem::take(&mut uses.waiting)
        };
        let mut tx = engine.database.begin().await?;
        for used in Used::ALL {
            let ids: Vec<i64> = waiting.iter().filter(|(kind, _)| *kind == used).map(|(_, id)| *id).collect();
            if ids.is_empty() {
                continue;
            }
            let update = Query::update()
                .table(Alias::new(used.table()))
                .value(Alias::new("last_used"), now)
                .and_where(column(used.table(), "id").is_in(ids))
                .to_owned();
            tx.execute(&update).await?;
        }
        tx.commit().await
    }
}
