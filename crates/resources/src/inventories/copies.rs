//! The hosts of constructed inventories: each is a copy of an original host, with whose facts, events and last job it has to do.

use hostler_engine::{Engine, Error, ResponseObject, SublistRows};
use hostler_schema::{Field, column};
use sea_query::{Alias, Condition, Expr, ExprTrait, Query};

use super::constructed::CONSTRUCTED;
use crate::{HOST, INVENTORY, UNIFIED_JOB};

/// A host of a constructed inventory.
pub(super) struct Copy {
    inventory: i64,
    /// The host that it is a copy of, if an update has said it.
    pub original: Option<i64>,
}

/// The copy with this id; none for a host of another inventory.
///
/// # Errors
/// Database errors.
pub(super) async fn original(engine: &Engine, host: i64) -> Result<Option<Copy>, Error> {
    let query = Query::select()
        .expr(column(HOST.table, "inventory_id"))
        .expr(column(HOST.table, "instance_id"))
        .from(Alias::new(HOST.table))
        .inner_join(Alias::new(INVENTORY.table), column(INVENTORY.table, "id").eq(column(HOST.table, "inventory_id")))
        .and_where(column(HOST.table, "id").eq(host))
        .and_where(column(INVENTORY.table, "kind").eq(CONSTRUCTED))
        .to_owned();
    let found: Option<(i64, String)> = engine.database.read_first(&query).await?;
    Ok(found.map(|(inventory, instance)| Copy { inventory, original: instance.parse().ok() }))
}

/// Whether a host that is shown belongs to a constructed inventory.
pub(super) fn is_copy(shown: &ResponseObject) -> bool {
    let kind = shown.json.get("summary_fields").and_then(|all| all.get("inventory")?.get("kind")?.as_str());
    kind == Some(CONSTRUCTED)
}

/// Links a copy to the original host, which has the facts too.
pub(super) fn link_original(shown: &mut ResponseObject, instance_id: &Field) {
    if !is_copy(shown) {
        return;
    }
    if let Ok(original) = shown.loaded.record.text(instance_id).parse() {
        shown.add_related("original_host", HOST.url(original).into());
        shown.add_related("ansible_facts", format!("{}ansible_facts/", HOST.url(original)).into());
    }
}

fn rows(condition: Expr) -> Option<SublistRows> {
    Some(SublistRows { condition: Condition::all().add(condition), visible_to_readers: false })
}

/// The events of a copy: those of the original host in jobs of the constructed inventory.
///
/// # Errors
/// Database errors.
pub(super) async fn events(engine: &Engine, host: i64, row: &str) -> Result<Option<SublistRows>, Error> {
    let Some(Copy { inventory, original }) = original(engine, host).await? else { return Ok(None) };
    let jobs = Query::select()
        .expr(column(UNIFIED_JOB.table, "id"))
        .from(Alias::new(UNIFIED_JOB.table))
        .and_where(column(UNIFIED_JOB.table, "inventory_id").eq(inventory))
        .to_owned();
    Ok(rows(match original {
        Some(original) => column(row, "host_id").eq(original).and(column(row, "job_id").in_subquery(jobs)),
        None => Expr::Constant(false.into()),
    }))
}

/// The summaries of a copy, which are also those of the original host.
///
/// # Errors
/// Database errors.
pub(super) async fn summaries(engine: &Engine, host: i64, row: &str) -> Result<Option<SublistRows>, Error> {
    let copy = original(engine, host).await?;
    Ok(copy.and_then(|_| rows(column(row, "constructed_host_id").eq(host))))
}
