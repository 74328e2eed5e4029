//! `inventory_sources/N/update/` and `inventories/N/update_inventory_sources/`.

use async_trait::async_trait;
use hostler_database::Transaction;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_queue::{NewInventoryUpdate, create_inventory_update};
use hostler_schema::{Actor, HttpMethod, column};
use sea_query::{Alias, ExprTrait, Order, Query};
use serde_json::{Map, Value as Json, json};

use super::checks::can_be_updated;
use super::{CAN_UPDATE, INVENTORY_LINK, INVENTORY_SOURCE, PROJECT_LINK, SOURCE};
use crate::INVENTORY_UPDATE;
use crate::unified_jobs::commit_new_job;

/// Says whether a source can be updated, and updates it.
pub struct Updating;

#[async_trait]
impl ActionHandler for Updating {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let source = engine.stored_record(&INVENTORY_SOURCE, request.id).await?;
        let can_update = can_be_updated(source.text(&SOURCE), source.integer(&PROJECT_LINK));
        if request.method == HttpMethod::Get {
            return Ok(ActionResponse::Fields(json!({ CAN_UPDATE.name: can_update })));
        }
        if !can_update {
            return Err(Error::MethodNotAllowed);
        }
        let mut tx = engine.database.begin().await?;
        let id = start(engine, &mut tx, request.actor, source.id).await?;
        let shown = commit_new_job(engine, tx, request.actor, &INVENTORY_UPDATE, id).await?;
        Ok(ActionResponse::Accepted(started(id, shown).into()))
    }
}

/// The JSON of a new update, with its id under the name of its type.
fn started(id: i64, shown: Map<String, Json>) -> Map<String, Json> {
    let mut json = Map::new();
    json.insert(INVENTORY_UPDATE.name.into(), id.into());
    json.extend(shown);
    json
}

/// Creates an update in the actor's name, and returns its id. The dispatcher is to be woken after the commit.
async fn start(engine: &Engine, tx: &mut Transaction, actor: &Actor, source: i64) -> Result<i64, Error> {
    let update =
        NewInventoryUpdate { source, launch_type: "manual", created_by: actor.user(), now: engine.clock.now() };
    create_inventory_update(tx, &update).await?.ok_or(Error::NotFound(Some(INVENTORY_SOURCE.label)))
}

/// Updates all sources of an inventory, and says of each what became of it.
pub struct UpdatingAll;

#[async_trait]
impl ActionHandler for UpdatingAll {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let table = INVENTORY_SOURCE.table;
        let query = Query::select()
            .exprs(["id", SOURCE.column, PROJECT_LINK.column].map(|name| column(table, name)))
            .from(Alias::new(table))
            .and_where(column(table, INVENTORY_LINK.column).eq(request.id))
            .order_by((Alias::new(table), Alias::new("id")), Order::Asc)
            .to_owned();
        let mut tx = engine.database.begin().await?;
        let sources: Vec<(i64, String, Option<i64>)> = tx.read_as(&query).await?;
        let sources = sources.into_iter().map(|(id, kind, project)| (id, can_be_updated(&kind, project)));
        if request.method == HttpMethod::Get {
            let entry = |(id, can_update): (i64, bool)| json!({"inventory_source": id, CAN_UPDATE.name: can_update});
            return Ok(ActionResponse::Fields(sources.map(entry).collect()));
        }
        let (mut entries, mut updates) = (vec![], vec![]);
        for (source, can_update) in sources {
            if can_update {
                updates.push((entries.len(), start(engine, &mut tx, request.actor, source).await?));
                entries.push(json!({"inventory_source": source, "status": "started"}));
            } else {
                let status = "Could not start because `can_update` returned False";
                entries.push(json!({"inventory_source": source, "status": status}));
            }
        }
        if entries.is_empty() {
            return Err(Error::BadRequest("No inventory sources to update.".into()));
        }
        tx.commit().await?;
        let ids: Vec<i64> = updates.iter().map(|(_, id)| *id).collect();
        let table = INVENTORY_UPDATE.table;
        let ids = Query::select()
            .expr(column(table, "id"))
            .from(Alias::new(table))
            .and_where(column(table, "id").is_in(ids))
            .to_owned();
        let shown = engine.show_all(request.actor, &INVENTORY_UPDATE, ids).await?;
        engine.jobs.wake();
        for (position, id) in &updates {
            let update = shown.iter().find(|update| update.get("id").and_then(Json::as_i64) == Some(*id));
            let (Some(entry), Some(update)) = (entries.get_mut(*position), update) else { continue };
            let mut json = started(*id, update.clone());
            // As in AWX, this says that it was started, and not how far it is.
            json.insert("status".into(), "started".into());
            *entry = json.into();
        }
        let failed = entries.len() - updates.len();
        let entries = Json::Array(entries);
        Ok(match (updates.len(), failed) {
            (_, 0) => ActionResponse::Fields(entries),
            (0, _) => ActionResponse::Rejected(entries),
            _ => ActionResponse::Accepted(entries),
        })
    }
}
