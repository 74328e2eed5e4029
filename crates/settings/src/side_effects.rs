//! What a change of settings writes besides the settings.

use hostler_database::Transaction;
use hostler_engine::{Engine, Error};
use hostler_schema::column;
use jiff::SignedDuration;
use sea_query::{Alias, ExprTrait, Query};

use crate::definitions::authentication::session_seconds;
use crate::values::Settings;

/// Runs in the transaction of the change.
pub(crate) async fn apply_side_effects(
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

/// Moves the end of longer sessions to `age` from now.
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
