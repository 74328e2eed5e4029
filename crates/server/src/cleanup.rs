//! Deletes expired sessions, and expired tokens whose refresh token has expired, too.
//!
//! Expired rows are ignored everywhere; deleting them only keeps the tables small. Rows are deleted in small batches, so
//! that other writers do not wait.

use std::time::Duration;

use hostler_database::Type;
use hostler_engine::{Error, ObjectKey};
use hostler_resources::TOKEN;
use hostler_schema::column;
use hostler_settings::Settings;
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};

use crate::state::App;

/// The time between two runs.
const INTERVAL: Duration = Duration::from_secs(3600);
/// The time between two batches, for other writers.
const BATCH_DELAY: Duration = Duration::from_millis(100);
/// The rows deleted in one batch.
const BATCH_SIZE: u64 = 100;

/// Deletes expired rows, now and every hour. It never completes.
pub(crate) async fn run(app: App) {
    loop {
        if let Err(problem) = delete_expired(&app).await {
            tracing::warn!(?problem, "could not delete expired sessions and tokens");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn delete_expired(app: &App) -> Result<(), Error> {
    let (mut sessions, mut tokens) = (0, 0);
    loop {
        let deleted = delete_sessions(app).await?;
        sessions += deleted;
        if deleted < BATCH_SIZE {
            break;
        }
        tokio::time::sleep(BATCH_DELAY).await;
    }
    loop {
        let deleted = delete_tokens(app).await?;
        tokens += deleted;
        if deleted < BATCH_SIZE {
            break;
        }
        tokio::time::sleep(BATCH_DELAY).await;
    }
    if sessions + tokens > 0 {
        tracing::info!(sessions, tokens, "deleted expired sessions and tokens");
    }
    Ok(())
}

/// Deletes a batch of sessions and returns their number.
async fn delete_sessions(app: &App) -> Result<u64, Error> {
    let expired = column("sessions", "expires").lt(app.engine.clock.now());
    let ids = ids(app, Query::select().from(Alias::new("sessions")).and_where(expired), "sessions").await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let count = ids.len() as u64;
    let delete =
        Query::delete().from_table(Alias::new("sessions")).and_where(column("sessions", "id").is_in(ids)).to_owned();
    let mut tx = app.engine.database.begin().await?;
    tx.execute(&delete).await?;
    tx.commit().await?;
    Ok(count)
}

/// Deletes a batch of tokens through the engine, with entries in the activity stream, and returns their number.
async fn delete_tokens(app: &App) -> Result<u64, Error> {
    let now = app.engine.clock.now();
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
    let ids = ids(app, &mut query, "tokens").await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let operator = Settings::load(&app.engine.database).await?.system_actor();
    let mut tx = app.engine.database.begin().await?;
    // One node deletes; the others wait and find nothing left.
    tx.lock("cleanup").await?;
    for id in &ids {
        match app.engine.delete_in_transaction(&mut tx, &operator, &TOKEN, &ObjectKey::Id(*id), None).await {
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    tx.commit().await?;
    Ok(ids.len() as u64)
}

/// The ids of the first [`BATCH_SIZE`] rows of a query.
async fn ids(app: &App, query: &mut SelectStatement, table: &'static str) -> Result<Vec<i64>, Error> {
    let query = query.expr(column(table, "id")).limit(BATCH_SIZE).to_owned();
    let rows = app.engine.database.read(&query, &[Type::Integer]).await?;
    Ok(rows.iter().filter_map(|row| row.integer(0)).collect())
}
