//! What `playbook_on_stats` says about the hosts of a job.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hostler_database::Transaction;
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, OnConflict, Order, Query};
use serde_json::{Map, Value};

use crate::EventError;
use crate::spool_event::cut;

/// The counts of a host, in the order of the columns.
const COUNTS: [&str; 8] = ["changed", "dark", "failures", "ok", "processed", "skipped", "ignored", "rescued"];

/// The statuses of hosts that are counted with the job; a host has the last one that applies to it.
const STATUSES: [&str; 5] = ["skipped", "ok", "changed", "failures", "dark"];

/// The number of hosts in a statement.
const CHUNK: usize = 1000;

/// Hosts of inventories have at most this number of characters in their names, but playbooks can add any. Longer ones do not
/// fit into the index.
const LONGEST_HOST_NAME: usize = 512;

/// The counts of each host by its name, in the order of [`COUNTS`].
pub(crate) fn hosts(statistics: &Map<String, Value>) -> BTreeMap<&str, [i64; COUNTS.len()]> {
    let mut hosts: BTreeMap<&str, [i64; COUNTS.len()]> = BTreeMap::new();
    for (index, key) in COUNTS.iter().enumerate() {
        for (host, count) in statistics.get(*key).and_then(Value::as_object).into_iter().flatten() {
            let count = count.as_i64().unwrap_or(0).clamp(0, i64::from(i32::MAX));
            hosts.entry(cut(host, LONGEST_HOST_NAME)).or_default()[index] = count;
        }
    }
    hosts
}

/// The number of hosts with each status.
pub(crate) fn host_status_counts(statistics: &Map<String, Value>) -> Map<String, Value> {
    let mut statuses: BTreeMap<&str, &str> = BTreeMap::new();
    for status in STATUSES {
        let hosts = statistics.get(status).and_then(Value::as_object).into_iter().flatten();
        statuses.extend(hosts.map(|(host, _)| (host.as_str(), status)));
    }
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for status in statuses.into_values() {
        *counts.entry(status).or_default() += 1;
    }
    counts.into_iter().map(|(status, count)| (status.to_owned(), count.into())).collect()
}

/// The ids of the hosts of an inventory with these names.
pub(crate) async fn find_hosts(
    tx: &mut Transaction,
    inventory: i64,
    names: &[&str],
) -> Result<Vec<(String, i64)>, EventError> {
    let hosts = Query::select()
        .columns(["name", "id"])
        .from("hosts")
        .and_where(Expr::col("inventory_id").eq(inventory))
        .and_where(Expr::col("name").is_in(names.iter().copied()))
        .to_owned();
    Ok(tx.read_as(&hosts).await?)
}

/// The hosts of a constructed inventory, by name; none without such an inventory.
pub(crate) async fn copies(
    tx: &mut Transaction,
    inventory: Option<i64>,
    statistics: &Map<String, Value>,
) -> Result<HashMap<String, i64>, EventError> {
    let mut copies = HashMap::new();
    let Some(inventory) = inventory else { return Ok(copies) };
    let names: Vec<&str> = hosts(statistics).into_keys().collect();
    for names in names.chunks(CHUNK) {
        copies.extend(find_hosts(tx, inventory, names).await?);
    }
    Ok(copies)
}

/// Writes a summary for each host, and makes the job the last one of these hosts. `host_id` finds the hosts of the
/// inventory; `copies` are those of a constructed inventory, which stand for them.
pub(crate) async fn write_summaries(
    tx: &mut Transaction,
    (job_id, time): (i64, Timestamp),
    statistics: &Map<String, Value>,
    host_id: impl Fn(&str) -> Option<i64>,
    copies: &HashMap<String, i64>,
) -> Result<(), EventError> {
    const COLUMNS: [&str; 15] = [
        "created",
        "modified",
        "job_id",
        "host_id",
        "constructed_host_id",
        "host_name",
        "failed",
        "changed",
        "dark",
        "failures",
        "ok",
        "processed",
        "skipped",
        "ignored",
        "rescued",
    ];
    let hosts = hosts(statistics);
    let own: BTreeSet<i64> = hosts.keys().filter_map(|name| host_id(name)).collect();
    let existing = lock_hosts(tx, own.iter().chain(copies.values()).copied()).await?;
    let rows: Vec<[Expr; COLUMNS.len()]> = hosts
        .iter()
        .map(|(name, counts)| {
            let id = host_id(name).filter(|id| existing.contains(id));
            let [changed, dark, failures, ok, processed, skipped, ignored, rescued] = counts.map(Expr::val);
            let failed = counts[1] > 0 || counts[2] > 0;
            [
                time.into(),
                time.into(),
                job_id.into(),
                id.into(),
                copies.get(*name).copied().filter(|id| existing.contains(id)).into(),
                (*name).into(),
                failed.into(),
                changed,
                dark,
                failures,
                ok,
                processed,
                skipped,
                ignored,
                rescued,
            ]
        })
        .collect();
    for rows in rows.chunks(400) {
        let mut insert = Query::insert();
        insert.into_table("job_host_summaries").columns(COLUMNS);
        insert.on_conflict(OnConflict::columns(["job_id", "host_name"]).do_nothing().to_owned());
        for row in rows {
            insert.values_panic(row.clone());
        }
        tx.execute(&insert).await?;
    }
    let own: Vec<i64> = own.intersection(&existing).copied().collect();
    for ids in own.chunks(CHUNK) {
        make_last_job(tx, job_id, ids).await?;
    }
    Ok(())
}

/// Locks those of the hosts that still exist. Other jobs may end with the same hosts: all take the locks in the same order.
async fn lock_hosts(tx: &mut Transaction, ids: impl Iterator<Item = i64>) -> Result<BTreeSet<i64>, EventError> {
    let ids: Vec<i64> = ids.collect::<BTreeSet<_>>().into_iter().collect();
    let mut existing = BTreeSet::new();
    for ids in ids.chunks(CHUNK) {
        let locks = Query::select()
            .column("id")
            .from("hosts")
            .and_where(Expr::col("id").is_in(ids.iter().copied()))
            .order_by("id", Order::Asc)
            .lock_exclusive()
            .to_owned();
        existing.extend(tx.read_as::<i64>(&locks).await?);
    }
    Ok(existing)
}

async fn make_last_job(tx: &mut Transaction, job_id: i64, hosts: &[i64]) -> Result<(), EventError> {
    let summary = Query::select()
        .column("id")
        .from("job_host_summaries")
        .and_where(Expr::col("job_id").eq(job_id))
        .and_where(Expr::col("host_id").eq(Expr::col((Alias::new("hosts"), Alias::new("id")))))
        .to_owned();
    let update = Query::update()
        .table("hosts")
        .value("last_job_id", job_id)
        .value("last_job_host_summary_id", Expr::SubQuery(None, Box::new(summary.into())))
        .and_where(Expr::col("id").is_in(hosts.iter().copied()))
        .to_owned();
    tx.execute(&update).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn host_has_its_worst_status() {
        let statistics = json!({
            "ok": {"bad": 2, "one": 7, "two": 4}, "changed": {"bad": 1, "one": 3}, "failures": {"bad": 1},
            "dark": {"dark": 1}, "skipped": {"one": 2}, "processed": {"bad": 1, "dark": 1, "one": 1, "two": 1},
        });
        let statistics = statistics.as_object().expect("an object");
        let expected = json!({"changed": 1, "dark": 1, "failures": 1, "ok": 1});
        assert_eq!(Value::Object(host_status_counts(statistics)), expected);
        assert_eq!(hosts(statistics)["bad"], [1, 0, 1, 2, 1, 0, 0, 0]);
    }

    #[test]
    fn counts_of_other_types_are_zero() {
        let statistics = json!({"ok": {"a": "x", "b": -1, "c": 1e30}, "changed": [1], "dark": null});
        let hosts = hosts(statistics.as_object().expect("an object")).into_values().collect::<Vec<_>>();
        assert_eq!(hosts, [[0; 8]; 3]);
    }
}
