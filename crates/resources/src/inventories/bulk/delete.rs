//! `bulk/host_delete/`.

use std::collections::{BTreeMap, BTreeSet};

use hostler_database::{Transaction, Type};
use hostler_engine::{ActionRequest, ActionResponse, ActivityEntry, Engine, Error, refuse_if_in_use, scalars};
use hostler_schema::{Action, column};
use sea_query::{Alias, ExprTrait, JoinType, Order, Query};
use serde_json::{Map, Value as Json, json};

use super::{DELETED_HOSTS, STEP};
use crate::{HOST, INVENTORY, UNIFIED_JOB};

const MISSING: &str = "Hosts do not exist or you lack permission to delete it";

/// A host of the request that the actor may see.
struct Host {
    id: i64,
    name: String,
    inventory: i64,
    may_delete: bool,
}

/// The inventories of the hosts, by id: name and kind.
type Inventories = BTreeMap<i64, (String, String)>;

/// Deletes the hosts.
pub(super) async fn delete(engine: &Engine, request: &ActionRequest<'_>) -> Result<ActionResponse, Error> {
    let sent = request.input.json(&DELETED_HOSTS).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let most = request.actor.job_settings.most_deleted_hosts;
    if sent.len() > most {
        return Ok(ActionResponse::Rejected(json!({
            "ERROR": ["Number of hosts exceeds system setting BULK_HOST_MAX_DELETE"],
            "BULK_HOST_MAX_DELETE": [most.to_string()],
            "Hosts_count": [sent.len().to_string()],
        })));
    }
    let mut ids = BTreeSet::new();
    let mut invalid = Map::new();
    for (position, id) in sent.iter().enumerate() {
        match scalars::integer(id, (i64::MIN, i64::MAX)) {
            Ok(id) => {
                ids.insert(id);
            }
            Err(message) => {
                invalid.insert(position.to_string(), json!([message]));
            }
        }
    }
    if !invalid.is_empty() {
        return Ok(ActionResponse::Rejected(json!({DELETED_HOSTS.name: invalid})));
    }
    let mut tx = engine.database.begin().await?;
    let (hosts, inventories) = find(engine, &mut tx, request, &ids).await?;
    for host in &hosts {
        ids.remove(&host.id);
    }
    // An id that occurs twice is rejected without a message, as in AWX.
    if hosts.len() < sent.len() {
        let missing: Map<String, Json> = ids.iter().map(|id| (id.to_string(), MISSING.into())).collect();
        return Ok(ActionResponse::Rejected(json!({DELETED_HOSTS.name: missing})));
    }
    let kept: BTreeSet<i64> = hosts.iter().filter(|host| !host.may_delete).map(|host| host.inventory).collect();
    if !kept.is_empty() {
        let reasons =
            reasons(&inventories, "Lack permissions to delete hosts from this inventory.", |id, _| kept.contains(&id));
        return Ok(ActionResponse::Forbidden(json!({"inventories": reasons})));
    }
    let reasons =
        reasons(&inventories, "Hosts can only be deleted from manual inventories.", |_, kind| !kind.is_empty());
    if !reasons.is_empty() {
        return Ok(ActionResponse::Rejected(json!({"inventories": reasons})));
    }
    refuse_if_in_use(&mut tx, column(UNIFIED_JOB.table, "inventory_id").is_in(inventories.keys().copied())).await?;
    let ids: Vec<i64> = hosts.iter().map(|host| host.id).collect();
    engine.delete_with(&mut tx, &HOST, &ids).await?;
    for inventory in inventories.keys() {
        let deleted = hosts.iter().filter(|host| host.inventory == *inventory);
        let changes: Vec<Json> = deleted.map(|host| json!({"host_id": host.id, "host_name": host.name})).collect();
        let mut entry = ActivityEntry::about(&INVENTORY, *inventory, "update", Map::new());
        entry.changes = changes.into();
        entry.write(engine, &mut tx, request.actor).await?;
    }
    tx.commit().await?;
    let shown: Map<String, Json> =
        hosts.iter().map(|host| (host.id.to_string(), format!("The host {} was deleted", host.name).into())).collect();
    Ok(ActionResponse::NewFields(json!({DELETED_HOSTS.name: shown})))
}

/// The inventories by name that match, each with the message.
fn reasons(inventories: &Inventories, message: &str, matches: impl Fn(i64, &str) -> bool) -> Map<String, Json> {
    let matching = inventories.iter().filter(|(id, (_, kind))| matches(**id, kind));
    matching.map(|(_, (name, _))| (name.clone(), message.into())).collect()
}

/// The hosts with these ids that the actor may see, and their inventories.
async fn find(
    engine: &Engine,
    tx: &mut Transaction,
    request: &ActionRequest<'_>,
    ids: &BTreeSet<i64>,
) -> Result<(Vec<Host>, Inventories), Error> {
    const OWNER: &str = "owner";
    let ids: Vec<i64> = ids.iter().copied().collect();
    let (mut hosts, mut inventories) = (vec![], Inventories::new());
    for some in ids.chunks(STEP) {
        let query = Query::select()
            .expr(column(HOST.table, "id"))
            .expr(column(HOST.table, "name"))
            .expr(column(OWNER, "id"))
            .expr(column(OWNER, "name"))
            .expr(column(OWNER, "kind"))
            .expr(INVENTORY.access.rows(request.actor, Action::Read, OWNER).expression())
            .expr(INVENTORY.access.rows(request.actor, Action::Change, OWNER).expression())
            .from(Alias::new(HOST.table))
            .join_as(
                JoinType::InnerJoin,
                Alias::new(INVENTORY.table),
                Alias::new(OWNER),
                column(OWNER, "id").eq(column(HOST.table, "inventory_id")),
            )
            .and_where(column(HOST.table, "id").is_in(some.iter().copied()))
            .order_by((Alias::new(HOST.table), Alias::new("id")), Order::Asc)
            .to_owned();
        let types = [Type::Integer, Type::Text, Type::Integer, Type::Text, Type::Text, Type::Boolean, Type::Boolean];
        for row in engine.read_with_rules_in(tx, request.actor, query, &types).await? {
            let (Some(id), Some(inventory)) = (row.integer(0), row.integer(2)) else { continue };
            if !row.boolean(5) {
                continue;
            }
            let text = |position: usize| row.text(position).unwrap_or_default().to_owned();
            hosts.push(Host { id, name: text(1), inventory, may_delete: row.boolean(6) });
            inventories.insert(inventory, (text(3), text(4)));
        }
    }
    Ok((hosts, inventories))
}
