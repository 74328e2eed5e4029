//! The locations from which users signed in lately, in the table `known_places`.

use hostler_database::{Error, Type};
use hostler_engine::Engine;
use hostler_schema::column;
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, ExprTrait, OnConflict, Query};

const TABLE: &str = "known_places";
/// How long a location is known after the first sign-in from it.
const TTL: SignedDuration = SignedDuration::from_hours(24 * 30);

fn oldest(now: Timestamp) -> Timestamp {
    now.checked_sub(TTL).unwrap_or(now)
}

/// Whether the user signed in lately from the network with this digest.
pub(super) async fn is_known(engine: &Engine, user: i64, network: &str) -> Result<bool, Error> {
    let query = Query::select()
        .expr(column(TABLE, "id"))
        .from(Alias::new(TABLE))
        .and_where(column(TABLE, "user_id").eq(user))
        .and_where(column(TABLE, "place").eq(network))
        .and_where(column(TABLE, "last_success").gt(oldest(engine.clock.now())))
        .to_owned();
    Ok(!engine.database.read(&query, &[Type::Integer]).await?.is_empty())
}

/// Stores a location. It is known from now on for [`TTL`]; later sign-ins do not extend that.
pub(super) async fn remember(engine: &Engine, user: i64, network: &str) -> Result<(), Error> {
    let now = engine.clock.now();
    let insert = Query::insert()
        .into_table(Alias::new(TABLE))
        .columns(["user_id", "place", "last_success"].map(Alias::new))
        .values_panic([user.into(), network.into(), now.into()])
        .on_conflict(
            OnConflict::columns(["user_id", "place"].map(Alias::new))
                .update_column(Alias::new("last_success"))
                .to_owned(),
        )
        .to_owned();
    let expired = Query::delete()
        .from_table(Alias::new(TABLE))
        .and_where(column(TABLE, "last_success").lt(oldest(now)))
        .to_owned();
    let mut tx = engine.database.begin().await?;
    tx.execute(&insert).await?;
    tx.execute(&expired).await?;
    tx.commit().await
}
