//! When tokens and sessions were last used, written beside the requests, not in them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hostler_database::Error;
use hostler_engine::Engine;
use hostler_schema::column;
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, ExprTrait, Query};

/// A use so soon after the one that is stored is not stored.
const GRAIN: SignedDuration = SignedDuration::from_secs(60);
/// How long uses are gathered before they are written, all in one statement.
const PAUSE: Duration = Duration::from_millis(500);

/// The uses that are known here and may not be stored yet.
#[derive(Default)]
pub(crate) struct LastUsed(Mutex<Uses>);

/// What is used, by the name of its table.
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
    /// Tokens and sessions whose use is to be written.
    waiting: BTreeSet<(Used, i64)>,
    /// When the use of each was last noted, as far as that is less than [`GRAIN`] ago.
    noted: HashMap<(Used, i64), Timestamp>,
}

impl LastUsed {
    /// Notes that a token or session was used, of which this is stored.
    pub(crate) fn note(self: &Arc<Self>, engine: &Engine, used: Used, id: i64, stored: Option<Timestamp>) {
        let now = engine.clock.now();
        // What is still to come was noted before the clock was set back.
        let recent = |time: Timestamp| now.duration_since(time).abs() < GRAIN;
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
            let (here, engine) = (Arc::clone(self), engine.clone());
            tokio::spawn(async move {
                tokio::time::sleep(PAUSE).await;
                if let Err(problem) = here.write(&engine).await {
                    // Nothing depends on it; the first use a minute from now tries again.
                    tracing::warn!(%problem, "could not record when tokens and sessions were last used");
                }
            });
        }
    }

    async fn write(&self, engine: &Engine) -> Result<(), Error> {
        let now = engine.clock.now();
        let waiting = {
            let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            uses.noted.retain(|_, noted| now.duration_since(*noted).abs() < GRAIN);
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
