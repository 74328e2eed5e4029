//! `credentials/N/copy/`: a copy with the same secrets, which the copying user cannot see.

use async_trait::async_trait;
use hostler_database::Transaction;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, SystemWrite};
use hostler_schema::{Action, Actor, COPY_NAME, Rule};
use serde_json::Map;

use crate::common::can_create_beside;
use crate::credential_access::ORGANIZATION_ADMIN;
use crate::credentials::{DESCRIPTION, INPUTS, NAME, ORGANIZATION_LINK, OWNING_USER, TYPE};
use crate::{CREDENTIAL, credential_input_sources, encrypted_inputs};

/// Copying needs permission to change the credential and to add credentials to its organization.
pub fn can_copy(actor: &Actor, row: &str) -> Rule {
    let addable = can_create_beside(&CREDENTIAL, ORGANIZATION_ADMIN, actor, row);
    CREDENTIAL.access.rows(actor, Action::Change, row).and(addable)
}

/// Copies a credential with its inputs and input sources.
pub struct Copying;

#[async_trait]
impl ActionHandler for Copying {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let (actor, original) = (request.actor, engine.original(&request).await?);
        let mut body = Map::new();
        body.insert(NAME.name.into(), request.input.text(&COPY_NAME).into());
        body.insert(DESCRIPTION.name.into(), original.text(&DESCRIPTION).into());
        body.insert(TYPE.name.into(), original.integer(&TYPE).into());
        match original.integer(&ORGANIZATION_LINK) {
            Some(organization) => body.insert(ORGANIZATION_LINK.name.into(), organization.into()),
            None => body.insert(OWNING_USER.name.into(), actor.id.into()),
        };
        body.insert(INPUTS.name.into(), encrypted_inputs::decrypted(engine, &original, &INPUTS)?.into());
        let sources = CopyInputSources(original.id);
        engine.create_as_system(actor, &CREDENTIAL, &body, &sources).await.map(ActionResponse::NewObject)
    }
}

/// Copies the input sources of the credential with this id to its copy.
struct CopyInputSources(i64);

#[async_trait]
impl SystemWrite for CopyInputSources {
    async fn consume(&self, engine: &Engine, tx: &mut Transaction, actor: &Actor, id: i64) -> Result<(), Error> {
        credential_input_sources::copy(engine, tx, actor, self.0, id).await
    }
}
