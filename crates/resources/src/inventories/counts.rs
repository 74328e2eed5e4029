//! The counts of an inventory. They are read when they are shown, so that they are never wrong.

use std::collections::HashMap;

use hostler_engine::{Engine, Error, ResponseObject};
use hostler_inventory::SmartInventory;
use hostler_schema::{Field, column, fields};
use sea_query::{Alias, Asterisk, CaseStatement, Expr, ExprTrait, Func, Query, SelectStatement};
use serde_json::{Map, Value as Json};

use super::inventory::{HOST_FILTER, KIND, ORGANIZATION_LINK};
use super::smart;
use crate::{GROUP, HOST, INVENTORY, INVENTORY_SOURCE};

pub(super) const HAS_ACTIVE_FAILURES: Field = fields::boolean("has_active_failures")
    .label("Has active failures")
    .read_by(has_active_failures)
    .help("Whether the last job of any host of the inventory failed there.");
pub(super) const TOTAL_HOSTS: Field =
    count("total_hosts", "Total hosts").read_by(number_of_hosts).help("How many hosts the inventory has.");
pub(super) const HOSTS_WITH_ACTIVE_FAILURES: Field = count("hosts_with_active_failures", "Hosts with active failures")
    .read_by(|row| number_of(failed_hosts(row)))
    .help("How many hosts the last job failed on.");
pub(super) const TOTAL_GROUPS: Field = count("total_groups", "Total groups")
    .read_by(|row| number_of(rows_of(GROUP.table, row)))
    .help("How many groups the inventory has.");
pub(super) const HAS_INVENTORY_SOURCES: Field = fields::boolean("has_inventory_sources")
    .label("Has inventory sources")
    .read_by(|row| Expr::exists(sources(row).expr(Expr::Constant(1i64.into())).to_owned()))
    .help("Whether hosts come from a source.");
pub(super) const TOTAL_INVENTORY_SOURCES: Field = count("total_inventory_sources", "Total inventory sources")
    .read_by(|row| number_of(sources(row)))
    .help("How many sources the inventory has.");
pub(super) const INVENTORY_SOURCES_WITH_FAILURES: Field =
    count("inventory_sources_with_failures", "Inventory sources with failures")
        .read_by(|row| number_of(failed_sources(row)))
        .help("How many sources could not be read the last time.");

/// The fields of an inventory in the summaries of other objects that are computed, after [`HAS_ACTIVE_FAILURES`].
const SUMMARIZED: [Field; 6] = [
    TOTAL_HOSTS,
    HOSTS_WITH_ACTIVE_FAILURES,
    TOTAL_GROUPS,
    HAS_INVENTORY_SOURCES,
    TOTAL_INVENTORY_SOURCES,
    INVENTORY_SOURCES_WITH_FAILURES,
];

const fn count(name: &'static str, label: &'static str) -> Field {
    fields::integer(name).label(label).at_least(0)
}

const COUNTED: &str = "counted";

/// The rows of this table that belong to the inventory `row`.
fn rows_of(table: &'static str, row: &str) -> SelectStatement {
    Query::select()
        .from_as(Alias::new(table), Alias::new(COUNTED))
        .and_where(column(COUNTED, "inventory_id").eq(column(row, "id")))
        .to_owned()
}

/// The hosts of the inventory `row` whose last job failed there.
fn failed_hosts(row: &str) -> SelectStatement {
    const LAST: &str = "last";
    let same = column(LAST, "id").eq(column(COUNTED, "last_job_host_summary_id"));
    rows_of(HOST.table, row)
        .join_as(sea_query::JoinType::InnerJoin, Alias::new("job_host_summaries"), Alias::new(LAST), same)
        .and_where(column(LAST, "failed").eq(true))
        .to_owned()
}

/// The number of hosts of the inventory `row`.
pub(super) fn number_of_hosts(row: &str) -> Expr {
    number_of(rows_of(HOST.table, row))
}

/// The sources of the inventory `row`. As in AWX, the one of a constructed inventory does not count.
fn sources(row: &str) -> SelectStatement {
    Query::select()
        .from_as(Alias::new(INVENTORY_SOURCE.table), Alias::new(COUNTED))
        .and_where(column(COUNTED, "sourced_inventory_id").eq(column(row, "id")))
        .and_where(column(COUNTED, "source").ne("constructed"))
        .to_owned()
}

fn failed_sources(row: &str) -> SelectStatement {
    sources(row).and_where(column(COUNTED, "last_job_failed").eq(true)).to_owned()
}

fn number_of(mut rows: SelectStatement) -> Expr {
    rows.expr(Func::count(Expr::col(Asterisk)));
    Expr::SubQuery(None, Box::new(rows.into()))
}

fn has_active_failures(row: &str) -> Expr {
    Expr::exists(failed_hosts(row).expr(Expr::Constant(1i64.into())).to_owned())
}

/// Shows how many hosts the smart inventories of a page have.
///
/// # Errors
/// Database errors.
pub(super) async fn count_smart(engine: &Engine, page: &mut [ResponseObject]) -> Result<(), Error> {
    let smart = page.iter().map(|shown| &shown.loaded.record).filter(|record| record.text(&KIND) == smart::SMART);
    let smart = smart.filter_map(|record| {
        let organization = record.integer(&ORGANIZATION_LINK)?;
        Some((record.id, SmartInventory { organization, host_filter: record.text(&HOST_FILTER).to_owned() }))
    });
    let counts = smart::counts(engine, smart).await?;
    for shown in page {
        let Some((hosts, failed)) = counts.get(&shown.loaded.record.id) else { continue };
        shown.json.insert(TOTAL_HOSTS.name.into(), (*hosts).into());
        shown.json.insert(HOSTS_WITH_ACTIVE_FAILURES.name.into(), (*failed).into());
        shown.json.insert(HAS_ACTIVE_FAILURES.name.into(), (*failed > 0).into());
    }
    Ok(())
}

/// Adds the counts and the organization to summaries of inventories, in one statement.
///
/// # Errors
/// Database errors.
pub(super) async fn add_to_summaries(
    engine: &Engine,
    summaries: &mut [(i64, &mut Map<String, Json>)],
) -> Result<(), Error> {
    type Counts = (i64, i64, i64, i64, i64, bool, i64, i64, Option<String>);
    let table = INVENTORY.table;
    let mut ids: Vec<i64> = summaries.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    let query = Query::select()
        .expr(column(table, "id"))
        .expr(column(table, "organization_id"))
        .exprs(SUMMARIZED.iter().filter_map(|field| field.expression(table)))
        .expr(CaseStatement::new().case(column(table, KIND.column).eq(smart::SMART), column(table, HOST_FILTER.column)))
        .from(Alias::new(table))
        .and_where(column(table, "id").is_in(ids))
        .to_owned();
    let rows: Vec<Counts> = engine.database.read_as(&query).await?;
    let smart = rows
        .iter()
        .filter_map(|row| Some((row.0, SmartInventory { organization: row.1, host_filter: row.8.clone()? })));
    let smart = smart::counts(engine, smart).await?;
    let rows: HashMap<i64, Counts> = rows.into_iter().map(|counts| (counts.0, counts)).collect();
    for (id, summary) in summaries {
        let Some(&(_, organization, hosts, failed, groups, sourced, sources, broken, _)) = rows.get(id) else {
            continue;
        };
        let (hosts, failed) = smart.get(id).copied().unwrap_or((hosts, failed));
        summary.insert("organization_id".into(), organization.into());
        let values: [Json; 6] =
            [hosts.into(), failed.into(), groups.into(), sourced.into(), sources.into(), broken.into()];
        summary.insert(HAS_ACTIVE_FAILURES.name.into(), (failed > 0).into());
        for (field, value) in SUMMARIZED.iter().zip(values) {
            summary.insert(field.name.into(), value);
        }
    }
    Ok(())
}
