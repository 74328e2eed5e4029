//! Tasks that delete expired sessions, and expired tokens whose refresh token has expired, too.
//!
//! Expired rows are ignored everywhere; deleting them only keeps the tables small. Rows are deleted in small batches, so
//! that other writers do not wait.

use std::future::Future;
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
        delete_in_batches(engine, run, "sessions", delete_sessions).await
    }
}

/// Deletes expired tokens that cannot be refreshed.
#[derive(Serialize, Deserialize)]
pub struct DeleteExpiredTokens {}

impl Task for DeleteExpiredTokens {
    const NAME: &'static str = "delete_expired_tokens";
    type State = Engine;

    async fn run(&self, engine: &Engine, run: &TaskRun) -> Result<Outcome, TaskError> {
        delete_in_batches(engine, run, "tokens", delete_tokens).await
    }
}

/// Deletes batches of expired rows, with a delay between two, until none are left.
async fn delete_in_batches<'a, F>(
    engine: &'a Engine,
    run: &TaskRun,
    table: &'static str,
    delete_batch: fn(&'a Engine) -> F,
) -> Result<Outcome, TaskError>
where
    F: Future<Output = Result<u64, Error>> + Send,
{
    let mut count = 0;
    let outcome = loop {
        let deleted = delete_batch(engine).await?;
        count += deleted;
        if deleted < BATCH_SIZE {
            break Outcome::Complete;
        }
        tokio::select! {
            () = run.cancelled() => break Outcome::Interrupted,
            () = tokio::time::sleep(BATCH_DELAY) => {}
        }
    };
    tracing::debug!(table, count, "deleted expired rows");
    Ok(outcome)
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
