//! New updates of inventory sources.

use hostler_database::{Error, Transaction};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Query};

use crate::end::show_in_template;
use crate::store::{JOBS, col, of, select};
use crate::{JobKind, Status};

/// An update of an inventory source that is to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewInventoryUpdate {
    /// The source.
    pub source: i64,
    /// Why: `manual`, or `dependency` before a job.
    pub launch_type: &'static str,
    /// The user who asked for it.
    pub created_by: Option<i64>,
    /// The time.
    pub now: Timestamp,
}

const SOURCES: &str = "inventory_sources";

/// The columns that an update takes from its source.
const OF_SOURCE: [&str; 15] = [
    "organization_id",
    "description",
    "timeout",
    "custom_virtualenv",
    "verbosity",
    "job_limit",
    "scm_branch",
    "source",
    "source_path",
    "source_vars",
    "enabled_var",
    "enabled_value",
    "host_filter",
    "overwrite",
    "overwrite_vars",
];

/// Creates an update of an inventory source, which is `pending`, with the credentials of the source. Returns its id; none if
/// there is no such source.
///
/// Call [`crate::JobQueue::wake`] after the commit.
///
/// # Errors
/// Errors of the database.
pub async fn create_inventory_update(tx: &mut Transaction, update: &NewInventoryUpdate) -> Result<Option<i64>, Error> {
    let NewInventoryUpdate { source, launch_type, created_by, now } = *update;
    let names = Query::select()
        .expr(of("inventories", "name"))
        .expr(of(SOURCES, "name"))
        .from(Alias::new(SOURCES))
        .inner_join(Alias::new("inventories"), of("inventories", "id").eq(of(SOURCES, "sourced_inventory_id")))
        .and_where(of(SOURCES, "id").eq(source))
        .to_owned();
    let Some((inventory, name)) = tx.read_first::<(String, String)>(&names).await? else { return Ok(None) };
    let own: [(&str, Expr); 12] = [
        ("type", JobKind::InventoryUpdate.as_str().into()),
        ("status", Status::Pending.as_str().into()),
        ("created", now.into()),
        ("modified", now.into()),
        ("created_by_id", created_by.into()),
        ("modified_by_id", created_by.into()),
        ("launch_type", launch_type.into()),
        ("name", format!("{inventory} - {name}").into()),
        ("unified_job_template_id", source.into()),
        ("inventory_source_id", source.into()),
        ("inventory_id", col("sourced_inventory_id")),
        // Its files; the update waits for the updates of the project as jobs do.
        ("project_id", col("source_project_id")),
    ];
    let mut values = Query::select();
    values.exprs(own.iter().map(|(_, value)| value.clone()));
    values.columns(OF_SOURCE.map(Alias::new)).from(Alias::new(SOURCES)).and_where(col("id").eq(source));
    let columns = own.iter().map(|(name, _)| *name).chain(OF_SOURCE).map(Alias::new);
    let mut insert = Query::insert();
    insert.into_table(Alias::new(JOBS)).columns(columns);
    insert.select_from(values).map_err(|error| Error::Internal(error.to_string()))?;
    let id = tx.insert(&insert).await?;
    let credentials = select("unified_job_template_credentials", ["credential_id"])
        .and_where(col("unified_job_template_id").eq(source))
        .to_owned();
    let credentials: Vec<i64> = tx.read_as(&credentials).await?;
    let links = credentials.into_iter().map(|credential| [id.into(), credential.into()]);
    tx.insert_rows("unified_job_credentials", ["unified_job_id", "credential_id"], links).await?;
    show_in_template(tx, id, Status::Pending).await?;
    Ok(Some(id))
}
