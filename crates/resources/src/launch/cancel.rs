//! `jobs/N/cancel/`.

use async_trait::async_trait;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_queue::{Cancellation, request_cancel};
use hostler_schema::{Field, HttpMethod, fields};
use serde_json::{Value as Json, json};

use crate::unified_jobs::{ACTIVE, JOB_EXPLANATION, STATUS};
use crate::{AD_HOC_COMMAND, INVENTORY_UPDATE, PROJECT_UPDATE};

/// The fields of the response to GET.
pub const FIELDS: &[Field] = &[fields::boolean("can_cancel")
    .label("Can cancel")
    .read_only()
    .not_filterable()
    .help("Whether the job is not finished.")];

/// The same with the reason why the job waits or how it ended.
pub const DETAILS: &[Field] = &[FIELDS[0], JOB_EXPLANATION];

/// Cancels jobs of any type.
pub struct Canceling;

#[async_trait]
impl ActionHandler for Canceling {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        if request.method == HttpMethod::Get {
            let job = engine.stored_record(request.resource, request.id).await?;
            let can_cancel = ACTIVE.contains(&job.text(&STATUS));
            let mut answer = json!({"can_cancel": can_cancel});
            if [PROJECT_UPDATE.name, INVENTORY_UPDATE.name, AD_HOC_COMMAND.name].contains(&request.resource.name) {
                answer[JOB_EXPLANATION.name] = job.text(&JOB_EXPLANATION).into();
            }
            return Ok(ActionResponse::Fields(answer));
        }
        let mut tx = engine.database.begin().await?;
        match request_cancel(&mut tx, request.id, engine.clock.now()).await? {
            Cancellation::Canceled | Cancellation::Requested => {}
            Cancellation::Finished(_) => return Err(Error::MethodNotAllowed),
            Cancellation::NotFound => return Err(Error::NotFound(Some(request.resource.label))),
        }
        tx.commit().await?;
        engine.jobs.wake();
        Ok(ActionResponse::Accepted(Json::Null))
    }
}
