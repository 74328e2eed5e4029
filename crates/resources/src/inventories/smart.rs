//! Smart inventories: their hosts are those of other inventories of their organization that their filter matches.

use std::collections::HashMap;

use hostler_database::Transaction;
use hostler_engine::{Engine, Error, SublistRows};
use hostler_inventory::{SmartInventories, SmartInventory};
use hostler_schema::column;
use sea_query::{
    Alias, Asterisk, CaseStatement, Condition, Expr, ExprTrait, Func, JoinType, Query, SelectStatement, UnionType,
};

use super::host_filter::SmartHosts;
use super::inventory::{HOST_FILTER, KIND, ORGANIZATION_LINK};
use crate::{HOST, INVENTORY};

/// The kind of smart inventories.
pub(super) const SMART: &str = "smart";

/// The text of all filters in one statement is at most this long, so that it has not too many parameters.
const FILTERS_OF_STATEMENT: usize = 8 * 1024;
/// The most inventories in one statement.
const INVENTORIES_OF_STATEMENT: usize = 50;

/// The condition on rows of the table `hosts`, under the alias `row`, that they are the hosts of this inventory, whatever
/// its kind.
///
/// # Errors
/// Database errors, and an invalid filter.
pub async fn hosts_of(engine: &Engine, tx: &mut Transaction, inventory: i64, row: &str) -> Result<Condition, Error> {
    let found: Option<(String, Option<String>, Option<i64>)> = tx.read_first(&kind_of(inventory)).await?;
    let smart = found.and_then(smart_inventory);
    Ok(smart_hosts(engine, smart, row)?
        .unwrap_or_else(|| Condition::all().add(column(row, "inventory_id").eq(inventory))))
}

/// The hosts of this inventory, if it is a smart one, for the list of its hosts.
///
/// # Errors
/// Database errors, and an invalid filter.
pub(super) async fn listed_hosts(engine: &Engine, inventory: i64, row: &str) -> Result<Option<SublistRows>, Error> {
    let found: Option<(String, Option<String>, Option<i64>)> = engine.database.read_first(&kind_of(inventory)).await?;
    let condition = smart_hosts(engine, found.and_then(smart_inventory), row)?;
    Ok(condition.map(|condition| SublistRows { condition, visible_to_readers: true }))
}

/// The condition that inventories, under the alias `row`, are smart ones with this host.
///
/// # Errors
/// Database errors.
pub(super) async fn inventories_with(engine: &Engine, host: i64, row: &str) -> Result<SublistRows, Error> {
    const OWN: &str = "own";
    let organization = Query::select()
        .expr(column(OWN, ORGANIZATION_LINK.column))
        .from(Alias::new(HOST.table))
        .join_as(
            JoinType::InnerJoin,
            Alias::new(INVENTORY.table),
            Alias::new(OWN),
            column(OWN, "id").eq(column(HOST.table, "inventory_id")),
        )
        .and_where(column(HOST.table, "id").eq(host))
        .to_owned();
    let smart = Query::select()
        .exprs(["id", HOST_FILTER.column, ORGANIZATION_LINK.column].map(|name| column(INVENTORY.table, name)))
        .from(Alias::new(INVENTORY.table))
        .and_where(column(INVENTORY.table, ORGANIZATION_LINK.column).in_subquery(organization))
        .and_where(column(INVENTORY.table, KIND.column).eq(SMART))
        .to_owned();
    let smart: Vec<(i64, Option<String>, i64)> = engine.database.read_as(&smart).await?;
    let smart = smart.into_iter().map(|(id, host_filter, organization)| {
        (id, SmartInventory { organization, host_filter: host_filter.unwrap_or_default() })
    });
    let with_host = |id: i64, hosts: Condition| {
        Query::select()
            .expr(Expr::val(id).cast_as("bigint"))
            .from(Alias::new(HOST.table))
            .and_where(column(HOST.table, "id").eq(host))
            .cond_where(hosts)
            .to_owned()
    };
    let mut ids: Vec<i64> = Vec::new();
    for query in statements(engine, smart, with_host) {
        ids.extend(engine.database.read_as::<i64>(&query).await?);
    }
    let condition = engine.database.dialect().in_numbers(column(row, "id"), &ids);
    Ok(SublistRows { condition: Condition::all().add(condition), visible_to_readers: false })
}

/// How many hosts these smart inventories have, and on how many of them the last job failed, by the ids of the inventories.
///
/// # Errors
/// Database errors.
pub(super) async fn counts(
    engine: &Engine,
    inventories: impl Iterator<Item = (i64, SmartInventory)>,
) -> Result<HashMap<i64, (i64, i64)>, Error> {
    const LAST: &str = "last";
    let count = |id: i64, hosts: Condition| {
        let failed: Expr = CaseStatement::new().case(column(LAST, "failed").eq(true), 1).into();
        Query::select()
            .expr(Expr::val(id).cast_as("bigint"))
            .expr(Func::count(Expr::col(Asterisk)))
            .expr(Func::count(failed))
            .from(Alias::new(HOST.table))
            .join_as(
                JoinType::LeftJoin,
                Alias::new("job_host_summaries"),
                Alias::new(LAST),
                column(LAST, "id").eq(column(HOST.table, "last_job_host_summary_id")),
            )
            .cond_where(hosts)
            .to_owned()
    };
    let mut counts = HashMap::new();
    for query in statements(engine, inventories, count) {
        let rows: Vec<(i64, i64, i64)> = engine.database.read_as(&query).await?;
        counts.extend(rows.into_iter().map(|(id, hosts, failed)| (id, (hosts, failed))));
    }
    Ok(counts)
}

/// Few statements with one part for each inventory, which gets the condition on its hosts. Inventories with an invalid
/// filter have none.
fn statements(
    engine: &Engine,
    inventories: impl Iterator<Item = (i64, SmartInventory)>,
    part: impl Fn(i64, Condition) -> SelectStatement,
) -> Vec<SelectStatement> {
    let finder = SmartHosts::of(engine);
    let mut statements: Vec<SelectStatement> = Vec::new();
    let (mut length, mut count) = (0, 0);
    for (id, inventory) in inventories {
        let Ok(hosts) = finder.hosts(&inventory, HOST.table) else { continue };
        let part = part(id, hosts);
        length += inventory.host_filter.len();
        count += 1;
        match statements.last_mut() {
            Some(statement) if length <= FILTERS_OF_STATEMENT && count <= INVENTORIES_OF_STATEMENT => {
                statement.union(UnionType::All, part);
            }
            _ => {
                (length, count) = (inventory.host_filter.len(), 1);
                statements.push(part);
            }
        }
    }
    statements
}

/// The kind, the filter and the organization of an inventory.
fn kind_of(inventory: i64) -> SelectStatement {
    Query::select()
        .exprs([KIND.column, HOST_FILTER.column, ORGANIZATION_LINK.column].map(|name| column(INVENTORY.table, name)))
        .from(Alias::new(INVENTORY.table))
        .and_where(column(INVENTORY.table, "id").eq(inventory))
        .to_owned()
}

fn smart_inventory((kind, host_filter, organization): (String, Option<String>, Option<i64>)) -> Option<SmartInventory> {
    let organization = organization.filter(|_| kind == SMART)?;
    Some(SmartInventory { organization, host_filter: host_filter.unwrap_or_default() })
}

fn smart_hosts(engine: &Engine, inventory: Option<SmartInventory>, row: &str) -> Result<Option<Condition>, Error> {
    let hosts = inventory.map(|inventory| SmartHosts::of(engine).hosts(&inventory, row)).transpose();
    hosts.map_err(|problem| Error::BadRequest(format!("The host filter of the inventory is invalid: {problem}")))
}
