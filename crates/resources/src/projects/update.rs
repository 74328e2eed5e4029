//! `projects/N/update/`, and the updates that follow from changes of a source.

use async_trait::async_trait;
use hostler_database::Transaction;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_queue::{NewProjectUpdate, create_project_update};
use hostler_schema::{Actor, HttpMethod};
use serde_json::{Map, json};

use super::{CAN_UPDATE, SCM_TYPE};
use crate::unified_jobs::{HOST_STATUS_COUNTS, PLAYBOOK_COUNTS, commit_new_job};
use crate::{PROJECT, PROJECT_UPDATE};

/// Says whether a project can be updated, and updates it.
pub struct Updating;

#[async_trait]
impl ActionHandler for Updating {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let project = engine.stored_record(&PROJECT, request.id).await?;
        let can_update = !project.text(&SCM_TYPE).is_empty();
        if request.method == HttpMethod::Get {
            return Ok(ActionResponse::Fields(json!({ CAN_UPDATE.name: can_update })));
        }
        if !can_update {
            return Err(Error::MethodNotAllowed);
        }
        let mut tx = engine.database.begin().await?;
        let id = start(engine, &mut tx, request.actor, project.id).await?;
        let shown = commit_new_job(engine, tx, request.actor, &PROJECT_UPDATE, id).await?;
        let mut json = Map::new();
        json.insert(PROJECT_UPDATE.name.into(), id.into());
        json.extend(shown);
        // As in AWX, these are shown by the path of the update only.
        for name in [HOST_STATUS_COUNTS.name, PLAYBOOK_COUNTS.name] {
            json.shift_remove(name);
        }
        Ok(ActionResponse::Accepted(json.into()))
    }
}

/// Creates an update in the actor's name, and returns its id. The dispatcher is to be woken after the commit.
///
/// # Errors
/// [`Error::NotFound`] if the project was deleted; database errors.
pub async fn start(engine: &Engine, tx: &mut Transaction, actor: &Actor, project: i64) -> Result<i64, Error> {
    let update = NewProjectUpdate { project, launch_type: "manual", created_by: actor.user(), now: engine.clock.now() };
    create_project_update(tx, &update).await?.ok_or(Error::NotFound(Some(PROJECT.label)))
}
