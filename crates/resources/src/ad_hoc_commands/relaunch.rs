//! `ad_hoc_commands/N/relaunch/`: a new command with the values of another one.

use async_trait::async_trait;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, json_value};
use hostler_queue::Status;
use hostler_schema::HttpMethod;
use serde_json::{Map, json};

use super::{AD_HOC_COMMAND, CREDENTIAL_LINK, PASSWORDS};
use crate::attached;
use crate::jobs::PASSWORDS_NEEDED;
use crate::unified_jobs::STATUS;

/// Says what is needed, and runs commands again.
pub struct Relaunching;

#[async_trait]
impl ActionHandler for Relaunching {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let command = engine.stored_record(&AD_HOC_COMMAND, request.id).await?;
        if request.method == HttpMethod::Get {
            let ids: Vec<i64> = command.integer(&CREDENTIAL_LINK).into_iter().collect();
            let credentials = attached::credentials_with_ids(engine, request.actor, &ids).await?;
            let needed: Vec<String> = credentials.iter().flat_map(|credential| credential.passwords()).collect();
            return Ok(ActionResponse::Fields(json!({PASSWORDS_NEEDED.name: needed})));
        }
        // What may be run can have changed since: the new command is checked as any other one.
        let mut body = Map::new();
        let sent = AD_HOC_COMMAND.fields.iter().filter(|field| field.writable && !field.kind.is_secret());
        for field in sent {
            body.insert(field.name.into(), json_value(field.kind, command.get(field)));
        }
        for field in &PASSWORDS {
            if request.input.get(field).is_some() {
                body.insert(field.name.into(), request.input.text(field).into());
            }
        }
        let mut created = engine.create(request.actor, &AD_HOC_COMMAND, &body, None).await?;
        created.json.insert(AD_HOC_COMMAND.name.into(), created.id.into());
        created.json.insert(STATUS.name.into(), Status::Pending.as_str().into());
        Ok(ActionResponse::NewObject(created))
    }
}
