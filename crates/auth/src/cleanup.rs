//! Tasks that delete expired sessions, and expired tokens whose refresh token has expired, too.
//!
//! Expired rows are ignored everywhere; deleting them only keeps the tables small. Rows are deleted in small batches, so
//! that other writers do not wait.

use std::time::Duration;

use hostler_database::Type;
use hostler_engine::{Engine, Error, ObjectKey};
use hostler_resources::TOKEN;
use hostler_schema::column;
use hostler_settings::Settings;
use hostler_tasks::{Outcome, Task, TaskError, TaskRun};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use serde::{Deserialize, Serialize};

/// The time between two batches, for other writers.
const BATCH_DELAY: Duration = Duration::from_millis(100);
/// The rows deleted in one batch.
const BATCH_SIZE: u64 = 100;

/// Deletes expired sessions.
#[derive(Serialize, Deserialize)]
pub struct DeleteExpiredSessions {}

impl Task for DeleteExpiredSessions {
    const NAME: &'static str = "delete_expired_sessions";
    type State = Engine;

    async fn run(&self, engine: &Engine, run: &TaskRun) -> Result<Outcome, TaskError> {
        let mut count = 0;
        loop {
            let deleted = delete_sessions(engine).await?;
            count += deleted;
            if let Some(outcome) = end_of_batch(run, deleted).await {
                tracing::debug!(count, "deleted expired sessions");
                return Ok(outcome);
            }
        }
    }
}

/// Deletes expired tokens that cannot be refreshed.
#[derive(Serialize, Deserialize)]
pub struct DeleteExpiredTokens {}

impl Task for DeleteExpiredTokens {
    const NAME: &'static str = "delete_expired_tokens";
    type State = Engine;

    async fn run(&self, engine: &Engine, run: &TaskRun) -> Result<Outcome, TaskError> {
        let mut count = 0;
        loop {
            let deleted = delete_tokens(engine).await?;
            count += deleted;
            if let Some(outcome) = end_of_batch(run, deleted).await {
                tracing::debug!(count, "deleted expired tokens");
                return Ok(outcome);
            }
        }
    }
}

/// How the run ends after a batch; `None` if it goes on with the next batch, after a delay.
async fn end_of_batch(run: &TaskRun, deleted: u64) -> Option<Outcome> {
    if deleted < BATCH_SIZE {
        return Some(Outcome::Complete);
    }
    if run.is_cancelled() {
        return Some(Outcome::Interrupted);
    }
    tokio::time::sleep(BATCH_DELAY).await;
    None
}

/// Deletes a batch of sessions and returns their number.
async fn delete_sessions(engine: &Engine) -> Result<u64, Error> {
    let expired = column("sessions", "expires").lt(engine.clock.now());
    let ids = ids(engine, Query::select().from(Alias::new("sessions")).and_where(expired), "sessions").await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let count = ids.len() as u64;
    let delete =
        Query::delete().from_table(Alias::new("sessions")).and_where(column("sessions", "id").is_in(ids)).to_owned();
    let mut tx = engine.database.begin().await?;
    tx.execute(&delete).await?;
    tx.commit().await?;
    Ok(count)
}

/// Deletes a batch of tokens through the engine, with entries in the activity stream, and returns their number.
async fn delete_tokens(engine: &Engine) -> Result<u64, Error> {
    let now = engine.clock.now();
    // A refresh token that is still valid belongs to this row.
    let refreshable = Query::select()
        .expr(Expr::val(1))
        .from(Alias::new("refresh_tokens"))
        .and_where(column("refresh_tokens", "token_id").eq(column("tokens", "id")))
        .and_where(column("refresh_tokens", "expires").gte(now))
        .to_owned();
    let mut query = Query::select();
    query
        .from(Alias::new("tokens"))
        .and_where(column("tokens", "expires").lt(now))
        .and_where(Expr::exists(refreshable).not());
    let ids = ids(engine, &mut query, "tokens").await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let operator = Settings::load(&engine.database).await?.system_actor();
    let mut tx = engine.database.begin().await?;
    for id in &ids {
        match engine.delete_in_transaction(&mut tx, &operator, &TOKEN, &ObjectKey::Id(*id), None).await {
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    tx.commit().await?;
    Ok(ids.len() as u64)
}

/// The ids of the first [`BATCH_SIZE`] rows of a query.
async fn ids(engine: &Engine, query: &mut SelectStatement, table: &'static str) -> Result<Vec<i64>, Error> {
    let query = query.expr(column(table, "id")).limit(BATCH_SIZE).to_owned();
    let rows = engine.database.read(&query, &[Type::Integer]).await?;
    Ok(rows.iter().filter_map(|row| row.integer(0)).collect())
}
