//! `inventories/N/copy/`: a copy with the same groups and hosts.

use async_trait::async_trait;
use hostler_database::Transaction;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, SystemWrite};
use hostler_schema::{Actor, COPY_NAME, Field, column};
use sea_query::{Alias, Expr, ExprTrait, JoinType, Order, Query, SelectStatement};
use serde_json::Map;

use super::constructed::{self, CONSTRUCTED};
use super::inventory::{DESCRIPTION, HOST_FILTER, KIND, NAME, ORGANIZATION_LINK, VARIABLES};
use crate::{GROUP, HOST, INVENTORY};

/// Copies an inventory.
pub(super) struct Copying;

#[async_trait]
impl ActionHandler for Copying {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let original = engine.original(&request).await?;
        let mut body = Map::new();
        body.insert(NAME.name.into(), request.input.text(&COPY_NAME).into());
        let texts: [&Field; 3] = [&DESCRIPTION, &KIND, &VARIABLES];
        body.extend(texts.map(|field| (field.name.to_owned(), original.text(field).into())));
        if !original.text(&HOST_FILTER).is_empty() {
            body.insert(HOST_FILTER.name.into(), original.text(&HOST_FILTER).into());
        }
        body.insert(ORGANIZATION_LINK.name.into(), original.integer(&ORGANIZATION_LINK).into());
        if let Some(fallback) = INVENTORY.field("prevent_instance_group_fallback") {
            body.insert(fallback.name.into(), original.boolean(fallback).into());
        }
        let content = CopyContent { original: original.id, is_constructed: original.text(&KIND) == CONSTRUCTED };
        engine.create_as_system(request.actor, &INVENTORY, &body, &content).await.map(ActionResponse::NewObject)
    }
}

/// Copies groups, hosts, memberships and instance groups of an inventory to its copy. A constructed inventory gets its hosts
/// and groups by an update.
struct CopyContent {
    original: i64,
    is_constructed: bool,
}

#[async_trait]
impl SystemWrite for CopyContent {
    async fn consume(&self, _engine: &Engine, tx: &mut Transaction, actor: &Actor, id: i64) -> Result<(), Error> {
        let original = self.original;
        if self.is_constructed {
            constructed::copy(tx, actor, original, id).await?;
            return copy_instance_groups(tx, original, id).await;
        }
        const OF_HOST: &[&str] = &["name", "description", "enabled", "instance_id", "variables"];
        const OF_GROUP: &[&str] = &["name", "description", "variables"];
        copy_objects(tx, HOST.table, OF_HOST, original, id).await?;
        copy_objects(tx, GROUP.table, OF_GROUP, original, id).await?;
        let group = |column| (GROUP.table, column);
        copy_pairs(tx, "inventory_group_hosts", group("group_id"), (HOST.table, "host_id"), original, id).await?;
        copy_pairs(tx, "inventory_group_children", group("parent_id"), group("child_id"), original, id).await?;
        copy_instance_groups(tx, original, id).await
    }
}

const COPY: &str = "copied";

/// A statement may only take some seconds, and a copy may have any number of rows.
const ROWS_OF_STATEMENT: i64 = 20_000;

/// Copies the rows of a table that belong to an inventory, with these columns.
async fn copy_objects(
    tx: &mut Transaction,
    table: &'static str,
    columns: &[&'static str],
    from: i64,
    to: i64,
) -> Result<(), Error> {
    const SHARED: [&str; 4] = ["created", "modified", "created_by_id", "modified_by_id"];
    let rows = Query::select()
        // The times and users of the new inventory.
        .exprs(SHARED.map(|name| column(COPY, name)))
        .expr(column(COPY, "id"))
        .exprs(columns.iter().map(|name| column(table, name)))
        .from(Alias::new(table))
        .join_as(JoinType::InnerJoin, Alias::new(INVENTORY.table), Alias::new(COPY), column(COPY, "id").eq(to))
        .and_where(column(table, "inventory_id").eq(from))
        .order_by((Alias::new(table), Alias::new("id")), Order::Asc)
        .to_owned();
    let names = SHARED.iter().chain(&["inventory_id"]).chain(columns);
    let ids = Query::select()
        .expr(column(table, "id"))
        .from(Alias::new(table))
        .and_where(column(table, "inventory_id").eq(from))
        .to_owned();
    insert_in_parts(tx, table, names.copied(), &rows, &ids).await
}

/// Copies the rows of a join table between the objects of two tables, which have the same names in both inventories.
async fn copy_pairs(
    tx: &mut Transaction,
    table: &'static str,
    (left_table, left): (&'static str, &'static str),
    (right_table, right): (&'static str, &'static str),
    from: i64,
    to: i64,
) -> Result<(), Error> {
    let mut rows = Query::select();
    rows.expr(column("new_left", "id")).expr(column("new_right", "id")).from(Alias::new(table));
    let ends = [(left_table, left, "old_left", "new_left"), (right_table, right, "old_right", "new_right")];
    for (objects, name, old, new) in ends {
        let is_old = column(old, "id").eq(column(table, name)).and(column(old, "inventory_id").eq(from));
        let is_new = column(new, "inventory_id").eq(to).and(column(new, "name").eq(column(old, "name")));
        rows.join_as(JoinType::InnerJoin, Alias::new(objects), Alias::new(old), is_old);
        rows.join_as(JoinType::InnerJoin, Alias::new(objects), Alias::new(new), is_new);
    }
    let is_of_original =
        column(left_table, "id").eq(column(table, left)).and(column(left_table, "inventory_id").eq(from));
    let ids = Query::select()
        .expr(column(table, "id"))
        .from(Alias::new(table))
        .inner_join(Alias::new(left_table), is_of_original)
        .to_owned();
    insert_in_parts(tx, table, [left, right].into_iter(), &rows, &ids).await
}

/// Inserts the rows that `rows` selects from the same table, at most [`ROWS_OF_STATEMENT`] in a statement. `ids` selects the
/// ids of the copied rows.
async fn insert_in_parts(
    tx: &mut Transaction,
    table: &'static str,
    columns: impl Iterator<Item = &'static str> + Clone,
    rows: &SelectStatement,
    ids: &SelectStatement,
) -> Result<(), Error> {
    const PART: &str = "part";
    let mut after = 0;
    loop {
        let is_left = column(table, "id").gt(after);
        let by_id = (Alias::new(table), Alias::new("id"));
        let part = ids
            .clone()
            .and_where(is_left.clone())
            .order_by(by_id, Order::Asc)
            .limit(ROWS_OF_STATEMENT as u64)
            .to_owned();
        let bounds = Query::select()
            .expr(column(PART, "id").count())
            .expr(column(PART, "id").max())
            .from_subquery(part, PART)
            .to_owned();
        let Some((count, Some(last))) = tx.read_first::<(i64, Option<i64>)>(&bounds).await? else { return Ok(()) };
        let part = rows.clone().and_where(is_left).and_where(column(table, "id").lte(last)).to_owned();
        insert(tx, table, columns.clone(), part).await?;
        if count < ROWS_OF_STATEMENT {
            return Ok(());
        }
        after = last;
    }
}

async fn copy_instance_groups(tx: &mut Transaction, from: i64, to: i64) -> Result<(), Error> {
    const TABLE: &str = "inventory_instance_groups";
    let copied: Expr = column(COPY, "id");
    let rows = Query::select()
        .expr(copied)
        .expr(column(TABLE, "instance_group_id"))
        .from(Alias::new(TABLE))
        .join_as(JoinType::InnerJoin, Alias::new(INVENTORY.table), Alias::new(COPY), column(COPY, "id").eq(to))
        .and_where(column(TABLE, "inventory_id").eq(from))
        .order_by((Alias::new(TABLE), Alias::new("id")), Order::Asc)
        .to_owned();
    insert(tx, TABLE, ["inventory_id", "instance_group_id"].into_iter(), rows).await
}

async fn insert(
    tx: &mut Transaction,
    table: &'static str,
    columns: impl Iterator<Item = &'static str>,
    rows: SelectStatement,
) -> Result<(), Error> {
    let mut insert = Query::insert();
    insert.into_table(Alias::new(table)).columns(columns.map(Alias::new));
    insert.select_from(rows).map_err(|error| Error::Internal(format!("copying {table}: {error}")))?;
    tx.execute(&insert).await?;
    Ok(())
}
