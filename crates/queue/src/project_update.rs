//! New updates of projects.

use hostler_database::{Error, Transaction};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Query};

use crate::end::show_in_template;
use crate::store::{JOBS, col};
use crate::{JobKind, Status};

/// An update of a project that is to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewProjectUpdate {
    /// The project.
    pub project: i64,
    /// Why: `manual`, or `dependency` before a job.
    pub launch_type: &'static str,
    /// The user who asked for it.
    pub created_by: Option<i64>,
    /// The time.
    pub now: Timestamp,
}

/// The columns that an update takes from its project.
const OF_PROJECT: [&str; 14] = [
    "organization_id",
    "name",
    "description",
    "timeout",
    "custom_virtualenv",
    "local_path",
    "scm_type",
    "scm_url",
    "scm_branch",
    "scm_refspec",
    "scm_clean",
    "scm_track_submodules",
    "scm_delete_on_update",
    "credential_id",
];

/// Creates an update of a project, which is `pending`. Returns its id; none if there is no such project.
///
/// Call [`crate::JobQueue::wake`] after the commit.
///
/// # Errors
/// Errors of the database.
pub async fn create_project_update(tx: &mut Transaction, update: &NewProjectUpdate) -> Result<Option<i64>, Error> {
    let NewProjectUpdate { project, launch_type, created_by, now } = *update;
    let scm_type = Query::select().column("scm_type").from("projects").and_where(col("id").eq(project)).to_owned();
    let Some(scm_type) = tx.read_first::<String>(&scm_type).await? else { return Ok(None) };
    // AWX's words for what an update does.
    let job_tags = format!("update_{scm_type},install_roles,install_collections");
    let own: [(&str, Expr); 11] = [
        ("type", JobKind::ProjectUpdate.as_str().into()),
        ("status", Status::Pending.as_str().into()),
        ("created", now.into()),
        ("modified", now.into()),
        ("created_by_id", created_by.into()),
        ("modified_by_id", created_by.into()),
        ("launch_type", launch_type.into()),
        // AWX also has `run`, for the checkout of a job.
        ("job_type", "check".into()),
        ("job_tags", job_tags.into()),
        ("unified_job_template_id", project.into()),
        ("updated_project_id", project.into()),
    ];
    let mut values = Query::select();
    values.exprs(own.iter().map(|(_, value)| value.clone()));
    values.columns(OF_PROJECT.map(Alias::new)).from("projects").and_where(col("id").eq(project));
    let columns = own.iter().map(|(name, _)| *name).chain(OF_PROJECT).map(Alias::new);
    let mut insert = Query::insert();
    insert.into_table(Alias::new(JOBS)).columns(columns);
    insert.select_from(values).map_err(|error| Error::Internal(error.to_string()))?;
    let id = tx.insert(&insert).await?;
    show_in_template(tx, id, Status::Pending).await?;
    Ok(Some(id))
}
