//! `projects/N/playbooks/` and `projects/N/inventories/`: the lists of the last update. The folder of a manual project is
//! read again each time, because its content changes at any time.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_schema::{Field, JobSettings, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Value as Json, json};

use super::{INVENTORY_FILES, LOCAL_PATH, PLAYBOOK_FILES, SCM_TYPE};
use crate::PROJECT;

/// Lists files of projects.
pub struct Listing {
    stored: &'static Field,
    read: Read,
}

/// Finds files in a folder.
type Read = fn(&Path, &JobSettings) -> Vec<String>;

/// Lists playbooks.
pub const PLAYBOOKS: Listing = Listing {
    stored: &PLAYBOOK_FILES,
    read: |folder, settings| hostler_projects::playbooks(folder, settings.follows_links),
};
/// Lists inventory files.
pub const INVENTORIES: Listing =
    Listing { stored: &INVENTORY_FILES, read: |folder, _| hostler_projects::inventory_files(folder) };

#[async_trait]
impl ActionHandler for Listing {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let query = Query::select()
            .exprs([SCM_TYPE.column, LOCAL_PATH.column, self.stored.column].map(|name| column("projects", name)))
            .from(Alias::new("projects"))
            .and_where(column("projects", "id").eq(request.id))
            .to_owned();
        let project: Option<(String, String, Json)> = engine.database.read_first(&query).await?;
        let (scm_type, local_path, stored) = project.ok_or(Error::NotFound(Some(PROJECT.label)))?;
        if scm_type.is_empty() {
            let names = in_manual_folder(engine, &request.actor.job_settings, &local_path, self.read).await;
            return Ok(ActionResponse::Fields(json!(names)));
        }
        Ok(ActionResponse::Fields(stored))
    }
}

/// What a function finds in the folder of a manual project; nothing if there is no such folder.
async fn in_manual_folder(engine: &Engine, settings: &Arc<JobSettings>, local_path: &str, read: Read) -> Vec<String> {
    if local_path.is_empty() {
        return vec![];
    }
    let (root, local_path) = (engine.manual_projects.clone(), local_path.to_owned());
    let settings = Arc::clone(settings);
    let list = move || {
        let folder = hostler_projects::manual_folder(&root, &local_path);
        folder.map_or_else(|_| vec![], |folder| read(&folder, &settings))
    };
    // It fails only if it panics, or while the runtime ends.
    tokio::task::spawn_blocking(list).await.unwrap_or_default()
}

/// The folders that a new manual project can have.
///
/// # Errors
/// Database errors.
pub async fn free_manual_folders(engine: &Engine) -> Result<Vec<String>, Error> {
    let root = engine.manual_projects.clone();
    let folders = tokio::task::spawn_blocking(move || hostler_projects::manual_folders(&root)).await;
    let mut folders = folders.unwrap_or_default();
    if folders.is_empty() {
        return Ok(folders);
    }
    let used = Query::select()
        .expr(column("projects", LOCAL_PATH.column))
        .from(Alias::new("projects"))
        .and_where(column("projects", SCM_TYPE.column).eq(""))
        .to_owned();
    let used: HashSet<String> = engine.database.read_as(&used).await?.into_iter().collect();
    folders.retain(|folder| !used.contains(folder));
    Ok(folders)
}
