//! The row of an update.

use hostler_database::{Database, Error};
use sea_query::{Alias, Expr, ExprTrait, Query};

/// An update of a project, with the source that the project had when it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The id of the job.
    pub id: i64,
    /// The project.
    pub project: i64,
    /// The organization, whose Galaxy credentials are used.
    pub organization: Option<i64>,
    /// The type of the source.
    pub scm_type: String,
    /// The URL.
    pub scm_url: String,
    /// The branch, tag or commit; empty for the default branch.
    pub scm_branch: String,
    /// An additional refspec.
    pub scm_refspec: String,
    /// Whether the newest commits of submodules are used.
    pub track_submodules: bool,
    /// Whether everything is fetched again.
    pub delete_on_update: bool,
    /// The credential.
    pub credential: Option<i64>,
    /// How many seconds it may take; 0 for the default, less for any time.
    pub timeout: i64,
    /// The commit of the project before the update.
    pub revision_before: String,
}

impl Update {
    /// Reads the update with this id; none if it does not exist.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn load(database: &Database, id: i64) -> Result<Option<Update>, Error> {
        let of = |table: &'static str, name: &'static str| Expr::col((Alias::new(table), Alias::new(name)));
        let of_update = |name| of("unified_jobs", name);
        let query = |columns: &[Expr]| {
            Query::select()
                .exprs(columns.iter().cloned())
                .from("unified_jobs")
                .inner_join(
                    Alias::new("unified_job_templates"),
                    of("unified_job_templates", "id").eq(of_update("updated_project_id")),
                )
                .and_where(of_update("id").eq(id))
                .to_owned()
        };
        let texts = ["scm_type", "scm_url", "scm_branch", "scm_refspec"].map(of_update);
        let texts = query(&[&texts[..], &[of("unified_job_templates", "scm_revision")]].concat());
        let others = ["updated_project_id", "organization_id", "credential_id", "timeout", "scm_track_submodules"];
        let others = others.into_iter().chain(["scm_delete_on_update"]).map(of_update);
        let others = query(&others.collect::<Vec<_>>());
        // The columns never change after the creation.
        let texts: Option<(String, String, String, String, String)> = database.read_first(&texts).await?;
        type Others = (i64, Option<i64>, Option<i64>, i64, bool, bool);
        let others: Option<Others> = database.read_first(&others).await?;
        let (Some(texts), Some(others)) = (texts, others) else { return Ok(None) };
        let (scm_type, scm_url, scm_branch, scm_refspec, revision_before) = texts;
        let (project, organization, credential, timeout, track_submodules, delete_on_update) = others;
        Ok(Some(Update {
            id,
            project,
            organization,
            scm_type,
            scm_url,
            scm_branch,
            scm_refspec,
            track_submodules,
            delete_on_update,
            credential,
            timeout,
            revision_before,
        }))
    }
}
