//! Removes what has expired: sessions, and tokens that nobody can refresh any more.
//!
//! Nothing depends on it, for what has expired counts for nothing anyway; it keeps the tables small. It works in
//! small steps, so that nobody waits for it for long.

use std::time::Duration;

use hostler_database::Type;
use hostler_engine::{Error, ObjectKey};
use hostler_resources::TOKEN;
use hostler_schema::column;
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};

use crate::settings::Settings;
use crate::state::App;

/// How long to rest after everything was removed.
const PAUSE: Duration = Duration::from_secs(3600);
/// How long to let others write between two steps.
const BREATH: Duration = Duration::from_millis(100);
/// Rows to remove in one step.
const STEP: u64 = 100;

/// Removes what has expired, now and every hour, until it is dropped.
pub(crate) async fn run(app: App) {
    loop {
        if let Err(problem) = clean(&app).await {
            tracing::warn!(?problem, "what has expired could not be removed");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn clean(app: &App) -> Result<(), Error> {
    let (mut sessions, mut tokens) = (0, 0);
    loop {
        let step = remove_sessions(app).await?;
        sessions += step;
        if step < STEP {
            break;
        }
        tokio::time::sleep(BREATH).await;
    }
    loop {
        let step = remove_tokens(app).await?;
        tokens += step;
        if step < STEP {
            break;
        }
        tokio::time::sleep(BREATH).await;
    }
    if sessions + tokens > 0 {
        tracing::info!(sessions, tokens, "removed what has expired");
    }
    Ok(())
}

/// Removes some sessions; answers how many.
async fn remove_sessions(app: &App) -> Result<u64, Error> {
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

/// Removes some tokens, as an operator would; answers how many.
async fn remove_tokens(app: &App) -> Result<u64, Error> {
    let now = app.engine.clock.now();
    // While the family can be refreshed the token is its place.
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
    // Of several nodes one is enough; the others find nothing left.
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

/// The ids of the first rows that a query finds.
async fn ids(app: &App, query: &mut SelectStatement, table: &'static str) -> Result<Vec<i64>, Error> {
    let query = query.expr(column(table, "id")).limit(STEP).to_owned();
    let rows = app.engine.database.read(&query, &[Type::Integer]).await?;
    Ok(rows.iter().filter_map(|row| row.integer(0)).collect())
}
