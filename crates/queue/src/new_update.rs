//! New updates of projects and of inventory sources.

use hostler_database::{Error, Transaction};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Query};

use crate::end::show_in_template;
use crate::store::{JOBS, TEMPLATES, col, of, select};
use crate::{JobKind, Status};

/// What is updated, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// A project.
    Project(i64),
    /// An inventory source.
    InventorySource(i64),
}

/// An update that is to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewUpdate {
    /// What is updated.
    pub of: Updated,
    /// Why: `manual`, or `dependency` before a job.
    pub launch_type: &'static str,
    /// The user who asked for it.
    pub created_by: Option<i64>,
    /// The time.
    pub now: Timestamp,
}

/// The columns that an update takes from what it updates.
const OF_TEMPLATE: [&str; 5] = ["organization_id", "description", "timeout", "custom_virtualenv", "scm_branch"];
/// Those that it takes from a project.
const OF_PROJECT: [&str; 9] = [
    "name",
    "local_path",
    "scm_type",
    "scm_url",
    "scm_refspec",
    "scm_clean",
    "scm_track_submodules",
    "scm_delete_on_update",
    "credential_id",
];
/// Those that it takes from an inventory source.
const OF_SOURCE: [&str; 10] = [
    "verbosity",
    "job_limit",
    "source",
    "source_path",
    "source_vars",
    "enabled_var",
    "enabled_value",
    "host_filter",
    "overwrite",
    "overwrite_vars",
];

/// Creates an update, which is `pending`. Returns its id; none if there is nothing with that id.
///
/// Call [`crate::JobQueue::wake`] after the commit.
///
/// # Errors
/// Errors of the database.
pub async fn create_update(tx: &mut Transaction, update: &NewUpdate) -> Result<Option<i64>, Error> {
    match update.of {
        Updated::Project(project) => create_project_update(tx, update, project).await,
        Updated::InventorySource(source) => create_inventory_update(tx, update, source).await,
    }
}

async fn create_project_update(tx: &mut Transaction, update: &NewUpdate, project: i64) -> Result<Option<i64>, Error> {
    let scm_type = Query::select().column("scm_type").from("projects").and_where(col("id").eq(project)).to_owned();
    let Some(scm_type) = tx.read_first::<String>(&scm_type).await? else { return Ok(None) };
    // AWX's words for what an update does.
    let job_tags = format!("update_{scm_type},install_roles,install_collections");
    let own = [
        // AWX also has `run`, for the checkout of a job.
        ("job_type", "check".into()),
        ("job_tags", job_tags.into()),
        ("updated_project_id", project.into()),
    ];
    insert(tx, (JobKind::ProjectUpdate, project), update, own.into(), &OF_PROJECT).await.map(Some)
}

/// The update has the credentials of the source.
async fn create_inventory_update(tx: &mut Transaction, update: &NewUpdate, source: i64) -> Result<Option<i64>, Error> {
    const SOURCES: &str = "inventory_sources";
    let names = Query::select()
        .expr(of("inventories", "name"))
        .expr(of(SOURCES, "name"))
        .from(Alias::new(SOURCES))
        .inner_join(Alias::new("inventories"), of("inventories", "id").eq(of(SOURCES, "sourced_inventory_id")))
        .and_where(of(SOURCES, "id").eq(source))
        .to_owned();
    let Some((inventory, name)) = tx.read_first::<(String, String)>(&names).await? else { return Ok(None) };
    let own = [
        ("name", format!("{inventory} - {name}").into()),
        ("inventory_source_id", source.into()),
        ("inventory_id", col("sourced_inventory_id")),
        // Its files; the update waits for the updates of the project as jobs do.
        ("project_id", col("source_project_id")),
    ];
    let id = insert(tx, (JobKind::InventoryUpdate, source), update, own.into(), &OF_SOURCE).await?;
    let credentials = select("unified_job_template_credentials", ["credential_id"])
        .and_where(col("unified_job_template_id").eq(source))
        .to_owned();
    let credentials: Vec<i64> = tx.read_as(&credentials).await?;
    let links = credentials.into_iter().map(|credential| [id.into(), credential.into()]);
    tx.insert_rows("unified_job_credentials", ["unified_job_id", "credential_id"], links).await?;
    Ok(Some(id))
}

/// Inserts an update with these values, and with these columns of its template.
async fn insert(
    tx: &mut Transaction,
    (kind, template): (JobKind, i64),
    update: &NewUpdate,
    mut own: Vec<(&'static str, Expr)>,
    copied: &[&'static str],
) -> Result<i64, Error> {
    let NewUpdate { launch_type, created_by, now, .. } = *update;
    own.extend([
        ("type", kind.as_str().into()),
        ("status", Status::Pending.as_str().into()),
        ("created", now.into()),
        ("modified", now.into()),
        ("created_by_id", created_by.into()),
        ("modified_by_id", created_by.into()),
        ("launch_type", launch_type.into()),
        ("unified_job_template_id", template.into()),
    ]);
    let copied = || OF_TEMPLATE.iter().chain(copied).map(|name| Alias::new(*name));
    let mut values = Query::select();
    values.exprs(own.iter().map(|(_, value)| value.clone()));
    values.columns(copied()).from(Alias::new(TEMPLATES)).and_where(col("id").eq(template));
    let mut insert = Query::insert();
    insert.into_table(Alias::new(JOBS)).columns(own.iter().map(|(name, _)| Alias::new(*name)).chain(copied()));
    insert.select_from(values).map_err(|error| Error::Internal(error.to_string()))?;
    let id = tx.insert(&insert).await?;
    show_in_template(tx, id, Status::Pending).await?;
    Ok(id)
}
