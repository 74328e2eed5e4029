//! `inventories/N/update_inventory_sources/`.

use async_trait::async_trait;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_queue::Updated;
use hostler_schema::{HttpMethod, column};
use sea_query::{Alias, ExprTrait, Order, Query};
use serde_json::{Value as Json, json};

use super::checks::can_be_updated;
use super::{INVENTORY_LINK, INVENTORY_SOURCE, PROJECT_LINK, SOURCE};
use crate::INVENTORY_UPDATE;
use crate::updating::{CAN_UPDATE, start, started};

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
        let sources: Vec<(i64, String, Option<i64>)> = engine.database.read_as(&query).await?;
        let sources = sources.into_iter().map(|(id, kind, project)| (id, can_be_updated(&kind, project)));
        if request.method == HttpMethod::Get {
            let entry = |(id, can_update): (i64, bool)| json!({"inventory_source": id, CAN_UPDATE.name: can_update});
            return Ok(ActionResponse::Fields(sources.map(entry).collect()));
        }
        let (mut entries, mut updates) = (vec![], vec![]);
        let mut tx = engine.database.begin().await?;
        for (source, can_update) in sources {
            if can_update {
                // A source that was deleted at this moment is left out.
                let new = start(engine, &mut tx, request.actor, Updated::InventorySource(source)).await?;
                let Some(update) = new else { continue };
                updates.push((entries.len(), update));
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
        let shown = engine.show_all(request.actor, &INVENTORY_UPDATE, ids).await;
        engine.jobs.wake();
        let shown = shown?;
        for (position, id) in &updates {
            let update = shown.iter().find(|update| update.get("id").and_then(Json::as_i64) == Some(*id));
            let (Some(entry), Some(update)) = (entries.get_mut(*position), update) else { continue };
            let mut json = started(&INVENTORY_UPDATE, *id, update.clone());
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
