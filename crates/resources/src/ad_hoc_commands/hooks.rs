//! How ad hoc commands are created, shown and deleted.

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{ActionHandler, Edit, Engine, Error, Hooks, RenderContext, ResponseObject};
use hostler_queue::Status;
use serde_json::{Map, Value as Json};

use super::relaunch::Relaunching;
use super::{AD_HOC_COMMAND, MODULE_NAME, checks};
use crate::jobs::CREDENTIAL_PASSWORDS;
use crate::launch::{Canceling, JobSecrets};
use crate::stdout::Stdout;
use crate::unified_jobs::{self, NAME, STATUS};

/// Checks new commands and starts them.
pub struct AdHocCommandHooks;

#[async_trait]
impl Hooks for AdHocCommandHooks {
    async fn prepare(&self, engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Error> {
        checks::check_links(engine, edit).await?;
        checks::take_passwords(engine, edit).await?;
        // As in AWX, a command is called by its module.
        let name = edit.new.text(&MODULE_NAME).to_owned();
        edit.new.set(&NAME, Value::Text(name));
        edit.new.set(&STATUS, Value::Text(Status::Pending.as_str().into()));
        checks::check_variables(edit)
    }

    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        checks::check_command(tx, edit).await
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        let passwords = edit.secrets.get(CREDENTIAL_PASSWORDS.name);
        let Some(Ok(Json::Object(passwords))) = passwords.map(|text| serde_json::from_str(text)) else {
            return Ok(());
        };
        JobSecrets { passwords, ..JobSecrets::default() }.store(engine, tx, id).await
    }

    fn after_commit(&self, engine: &Engine) {
        engine.jobs.wake();
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        unified_jobs::complete(engine, page, AD_HOC_COMMAND.name);
        for shown in page.iter_mut().filter(|_| view.created) {
            show_created(&mut shown.json);
        }
        Ok(())
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        match path {
            "relaunch" => Some(&Relaunching),
            "cancel" => Some(&Canceling),
            "stdout" => Some(&Stdout),
            _ => None,
        }
    }
}

/// As in AWX, the response to POST is that of lists, is from before the start, and names who changed the command.
fn show_created(json: &mut Map<String, Json>) {
    for field in AD_HOC_COMMAND.fields.iter().filter(|field| field.detail_only) {
        json.shift_remove(field.name);
    }
    json.insert(STATUS.name.into(), Status::New.as_str().into());
    for part in ["related", "summary_fields"] {
        if let Some(Json::Object(part)) = json.get_mut(part)
            && let Some(creator) = part.get("created_by").cloned()
        {
            part.insert("modified_by".into(), creator);
        }
    }
}
