//! From where a user signed in with the right password lately.

use hostler_database::{Error, Type};
use hostler_engine::Engine;
use hostler_schema::column;
use jiff::SignedDuration;
use sea_query::{Alias, ExprTrait, OnConflict, Query};

const TABLE: &str = "known_places";
/// For so long a place is known.
const KNOWN: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Whether the user signed in from this place lately.
pub(super) async fn is_known(engine: &Engine, user: i64, place: &str) -> Result<bool, Error> {
    let now = engine.clock.now();
    let query = Query::select()
        .expr(column(TABLE, "id"))
        .from(Alias::new(TABLE))
        .and_where(column(TABLE, "user_id").eq(user))
        .and_where(column(TABLE, "place").eq(place))
        .and_where(column(TABLE, "last_success").gt(now.checked_sub(KNOWN).unwrap_or(now)))
        .to_owned();
    Ok(!engine.database.read(&query, &[Type::Integer]).await?.is_empty())
}

/// Remembers a place. It is known for its time from now on, however often it is used.
pub(super) async fn remember(engine: &Engine, user: i64, place: &str) -> Result<(), Error> {
    let now = engine.clock.now();
    let insert = Query::insert()
        .into_table(Alias::new(TABLE))
        .columns(["user_id", "place", "last_success"].map(Alias::new))
        .values_panic([user.into(), place.into(), now.into()])
        .on_conflict(
            OnConflict::columns(["user_id", "place"].map(Alias::new))
                .update_column(Alias::new("last_success"))
                .to_owned(),
        )
        .to_owned();
    let past = Query::delete()
        .from_table(Alias::new(TABLE))
        .and_where(column(TABLE, "last_success").lt(now.checked_sub(KNOWN).unwrap_or(now)))
        .to_owned();
    let mut tx = engine.database.begin().await?;
    tx.execute(&insert).await?;
    tx.execute(&past).await?;
    tx.commit().await
}
