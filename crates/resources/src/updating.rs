//! `update/` of projects and of inventory sources.

use async_trait::async_trait;
use hostler_database::Transaction;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, Record};
use hostler_queue::{NewUpdate, Updated, create_update};
use hostler_schema::{ActionAnswer, ActionMethod, Actor, Field, HttpMethod, Permit, Resource, ResourceAction, fields};
use serde_json::{Map, Value as Json, json};

use crate::unified_jobs::{HOST_STATUS_COUNTS, PLAYBOOK_COUNTS, commit_new_job};

/// Whether an object can be updated.
pub const CAN_UPDATE: Field = fields::boolean("can_update")
    .label("Can update")
    .read_only()
    .not_filterable()
    .help("Whether there is something to fetch.");

/// The action.
pub const fn update(title: &'static str, permit: Permit) -> ResourceAction {
    ResourceAction::new("update", title)
        .describe("GET says whether it can be updated. POST updates it.")
        .get(ActionMethod::new("whether it can be updated", ActionAnswer::Fields(&[CAN_UPDATE])))
        .post(ActionMethod::new("update", ActionAnswer::Accepted(&[])).permit(permit))
}

/// Says whether an object can be updated, and updates it.
pub struct Updating {
    /// The resource of the updates.
    pub updates: &'static Resource,
    /// The object with an id.
    pub of: fn(i64) -> Updated,
    /// Whether an object can be updated.
    pub can_update: fn(&Record) -> bool,
}

#[async_trait]
impl ActionHandler for Updating {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let record = engine.stored_record(request.resource, request.id).await?;
        let can_update = (self.can_update)(&record);
        if request.method == HttpMethod::Get {
            return Ok(ActionResponse::Fields(json!({ CAN_UPDATE.name: can_update })));
        }
        if !can_update {
            return Err(Error::MethodNotAllowed);
        }
        let mut tx = engine.database.begin().await?;
        let id = start(engine, &mut tx, request.actor, (self.of)(record.id)).await?;
        let id = id.ok_or(Error::NotFound(Some(request.resource.label)))?;
        let shown = commit_new_job(engine, tx, request.actor, self.updates, id).await?;
        Ok(ActionResponse::Accepted(started(self.updates, id, shown).into()))
    }
}

/// Creates an update in the actor's name, and returns its id; none if there is nothing with that id. The dispatcher is to be
/// woken after the commit.
///
/// # Errors
/// Database errors.
pub async fn start(engine: &Engine, tx: &mut Transaction, actor: &Actor, of: Updated) -> Result<Option<i64>, Error> {
    let update = NewUpdate { of, launch_type: "manual", created_by: actor.user(), now: engine.clock.now() };
    Ok(create_update(tx, &update).await?)
}

/// The JSON of a new update, with its id under the name of its type.
pub fn started(updates: &'static Resource, id: i64, shown: Map<String, Json>) -> Map<String, Json> {
    let mut json = Map::new();
    json.insert(updates.name.into(), id.into());
    json.extend(shown);
    // As in AWX, these are shown by the path of the update only.
    for name in [HOST_STATUS_COUNTS.name, PLAYBOOK_COUNTS.name] {
        json.shift_remove(name);
    }
    json
}
