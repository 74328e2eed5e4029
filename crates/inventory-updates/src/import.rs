//! Changes an inventory to what a source contains.

use std::collections::HashMap;

use hostler_database::{Error, Transaction};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, OnConflict, Query};

use crate::found::Found;
use crate::merge::{Brought, merged};
use crate::stored::column;
use crate::{groups, hosts};

/// How an inventory is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import {
    /// The source.
    pub source: i64,
    /// The inventory.
    pub inventory: i64,
    /// Whether what the source has brought and does not contain any more is removed.
    pub overwrite: bool,
    /// Whether variables are replaced instead of merged.
    pub overwrite_variables: bool,
}

/// How many objects of a kind were changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ones.
    pub added: usize,
    /// Those with other values.
    pub changed: usize,
    /// Deleted ones.
    pub removed: usize,
}

/// What an import has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Hosts.
    pub hosts: Counts,
    /// Groups.
    pub groups: Counts,
    /// Memberships of hosts in groups, and groups in groups, that were added or removed.
    pub memberships: usize,
    /// Groups that are not put into others, because a group would contain itself.
    pub cycles: usize,
}

/// The description of imported hosts and groups, as in AWX.
pub(crate) const DESCRIPTION: &str = "imported";

/// Changes the inventory to what was found, in batches. What stays as it is, is not written.
///
/// # Errors
/// Errors of the database; [`Error::Unique`] and [`Error::ForeignKey`] if users change the same hosts and groups at this
/// moment: another attempt succeeds.
pub async fn import(tx: &mut Transaction, import: &Import, found: &Found, now: Timestamp) -> Result<Changes, Error> {
    // No two changes of groups may close a cycle together.
    tx.lock(&format!("groups of inventory {}", import.inventory)).await?;
    let mut changes = Changes::default();
    change_variables(tx, import, found, now).await?;
    let groups = groups::import(tx, import, found, now, &mut changes).await?;
    hosts::import(tx, import, found, &groups, now, &mut changes).await?;
    Ok(changes)
}

/// The variables of the group `all` become those of the inventory. As in AWX, they are always merged.
async fn change_variables(tx: &mut Transaction, import: &Import, found: &Found, now: Timestamp) -> Result<(), Error> {
    if found.variables.is_empty() {
        return Ok(());
    }
    const TABLE: &str = "inventories";
    let query = Query::select()
        .expr(column(TABLE, "variables"))
        .from(Alias::new(TABLE))
        .and_where(column(TABLE, "id").eq(import.inventory))
        .to_owned();
    let Some(current) = tx.read_first::<String>(&query).await? else { return Ok(()) };
    let Some(variables) = merged(&current, &Brought::new(found.variables.clone()), &[], false) else { return Ok(()) };
    let update = Query::update()
        .table(Alias::new(TABLE))
        .value(Alias::new("variables"), variables)
        .value(Alias::new("modified"), now)
        .value(Alias::new("version"), Expr::col(Alias::new("version")).add(1))
        .and_where(column(TABLE, "id").eq(import.inventory))
        .to_owned();
    tx.execute_deferred(&update).await
}

/// Changes these columns of existing rows of a table, by their ids.
pub(crate) fn change_of(table: &'static str, columns: &[&'static str]) -> OnConflict {
    let mut change = OnConflict::column(Alias::new("id"));
    change.update_columns(columns.iter().map(|name| Alias::new(*name)));
    change.value(Alias::new("version"), column(table, "version").add(1));
    change
}

/// The ids of rows of the inventory that were inserted after those with ids up to this one, by name.
pub(crate) async fn new_ids(
    tx: &mut Transaction,
    import: &Import,
    table: &'static str,
    after: i64,
) -> Result<HashMap<String, i64>, Error> {
    let query = Query::select()
        .exprs(["name", "id"].map(|name| column(table, name)))
        .from(Alias::new(table))
        .and_where(column(table, "inventory_id").eq(import.inventory))
        .and_where(column(table, "id").gt(after))
        .to_owned();
    Ok(tx.read_as::<(String, i64)>(&query).await?.into_iter().collect())
}
