//! What a change of settings does beside being honoured from now on.

use hostler_database::Transaction;
use hostler_engine::{Engine, Error};
use hostler_schema::column;
use jiff::SignedDuration;
use sea_query::{Alias, ExprTrait, Query};

use super::Settings;
use super::definitions::authentication::session_seconds;

/// Does it, in the transaction of the change.
pub(super) async fn apply_side_effects(
    engine: &Engine,
    tx: &mut Transaction,
    old: &Settings,
    new: &Settings,
) -> Result<(), Error> {
    let age = session_seconds(new);
    if age < session_seconds(old) {
        shorten_sessions(engine, tx, SignedDuration::from_secs(age)).await?;
    }
    Ok(())
}

/// Lets no session last for longer than this from now on without a request.
async fn shorten_sessions(engine: &Engine, tx: &mut Transaction, age: SignedDuration) -> Result<(), Error> {
    let now = engine.clock.now();
    let latest = now.checked_add(age).unwrap_or(now);
    let update = Query::update()
        .table(Alias::new("sessions"))
        .value(Alias::new("expires"), latest)
        .and_where(column("sessions", "expires").gt(latest))
        .to_owned();
    tx.execute(&update).await?;
    Ok(())
}
