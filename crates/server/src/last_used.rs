//! When tokens were last used, written beside the requests, not in them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hostler_database::Error;
use hostler_resource::column;
use hostler_rest::Engine;
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, ExprTrait, Query};

/// A use so soon after the one that is stored is not stored.
const GRAIN: SignedDuration = SignedDuration::from_secs(60);
/// How long uses are gathered before they are written, all in one statement.
const PAUSE: Duration = Duration::from_millis(500);

/// The uses that are known here and may not be stored yet.
#[derive(Default)]
pub(crate) struct LastUsed(Mutex<Uses>);

#[derive(Default)]
struct Uses {
    /// Tokens whose use is to be written.
    waiting: BTreeSet<i64>,
    /// When the use of each token was last noted, as far as that is less than [`GRAIN`] ago.
    noted: HashMap<i64, Timestamp>,
}

impl LastUsed {
    /// Notes that a token was used, of which this is stored.
    pub(crate) fn note(self: &Arc<Self>, engine: &Engine, token: i64, stored: Option<Timestamp>) {
        let now = engine.clock.now();
        let recent = |time: Timestamp| now.duration_since(time) < GRAIN;
        if stored.is_some_and(recent) {
            return;
        }
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.noted.get(&token).copied().is_some_and(recent) {
            return;
        }
        uses.noted.insert(token, now);
        let is_first = uses.waiting.is_empty();
        uses.waiting.insert(token);
        drop(uses);
        if is_first {
            let (here, engine) = (Arc::clone(self), engine.clone());
            tokio::spawn(async move {
                tokio::time::sleep(PAUSE).await;
                if let Err(problem) = here.write(&engine).await {
                    // Nothing depends on it; the first use a minute from now tries again.
                    tracing::warn!(%problem, "could not record when tokens were last used");
                }
            });
        }
    }

    async fn write(&self, engine: &Engine) -> Result<(), Error> {
        let now = engine.clock.now();
        let waiting = {
            let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            uses.noted.retain(|_, noted| now.duration_since(*noted) < GRAIN);
            std::mem::take(&mut uses.waiting)
        };
        let update = Query::update()
            .table(Alias::new("tokens"))
            .value(Alias::new("last_used"), now)
            .and_where(column("tokens", "id").is_in(waiting))
            .to_owned();
        let mut tx = engine.database.begin().await?;
        tx.execute(&update).await?;
        tx.commit().await
    }
}
