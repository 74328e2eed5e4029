//! `projects/N/copy/`: a project with the same source, which is updated as a new one is.

use async_trait::async_trait;
use hostler_database::Value;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, json_value};
use hostler_schema::COPY_NAME;
use serde_json::Map;

use super::LOCAL_PATH;
use crate::PROJECT;

/// Copies projects.
pub struct Copying;

#[async_trait]
impl ActionHandler for Copying {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let original = engine.original(&request).await?;
        let copied = PROJECT.fields.iter().filter(|field| field.writable && *original.get(field) != Value::Null);
        let mut body: Map<_, _> =
            copied.map(|field| (field.name.to_owned(), json_value(field.kind, original.get(field)))).collect();
        body.remove(LOCAL_PATH.name);
        body.insert(COPY_NAME.name.into(), request.input.text(&COPY_NAME).into());
        engine.create(request.actor, &PROJECT, &body, None).await.map(ActionResponse::NewObject)
    }
}
