//! `inventory_sources/N/hosts/` and `groups/`: DELETE deletes all that the source has brought.

use hostler_engine::{Engine, Error};
use hostler_schema::{Join, Sublist, column};
use sea_query::{Alias, ExprTrait, Query};

use super::INVENTORY_SOURCE;
use crate::UNIFIED_JOB;

/// Deletes the objects of a list of a source. The actor may change the source.
///
/// # Errors
/// [`Error::InUse`] while jobs of the inventory are not finished; database errors.
pub async fn delete_listed(engine: &Engine, source: i64, sublist: &'static Sublist) -> Result<(), Error> {
    let Join::JoinTable { table, left, right, .. } = sublist.join else { return Err(Error::MethodNotAllowed) };
    let mut tx = engine.database.begin().await?;
    let inventory = Query::select()
        .expr(column(INVENTORY_SOURCE.table, "sourced_inventory_id"))
        .from(Alias::new(INVENTORY_SOURCE.table))
        .and_where(column(INVENTORY_SOURCE.table, "id").eq(source))
        .to_owned();
    engine.refuse_if_in_use(&mut tx, column(UNIFIED_JOB.table, "inventory_id").in_subquery(inventory)).await?;
    let ids = Query::select()
        .expr(column(table, right))
        .from(Alias::new(table))
        .and_where(column(table, left).eq(source))
        .to_owned();
    let ids: Vec<i64> = tx.read_as(&ids).await?;
    engine.delete_with(&mut tx, (sublist.target)(), &ids).await?;
    Ok(tx.commit().await?)
}
