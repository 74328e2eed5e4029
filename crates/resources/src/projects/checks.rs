//! Checks of the source and the folder of a project.

use std::path::Path;

use hostler_database::{Transaction, Value};
use hostler_engine::{Edit, Error};
use hostler_schema::column;
use sea_query::{Alias, ExprTrait, Order, Query};

use super::{
    ALLOW_OVERRIDE, CREDENTIAL_LINK, LOCAL_PATH, SCM_BRANCH, SCM_REFSPEC, SCM_TRACK_SUBMODULES, SCM_TYPE,
    SCM_UPDATE_ON_LAUNCH, SCM_URL, SIGNATURE_LINK,
};
use crate::credential_inputs::TypeDefinition;
use crate::project_sources::{check_git_name, is_allowed_scm_url};

/// Checks what does not depend on the database.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check_source(edit: &Edit<'_>) -> Result<(), Error> {
    let kind = edit.new.text(&SCM_TYPE);
    if !["", "insights"].contains(&kind) && edit.new.text(&SCM_URL).is_empty() {
        return Err(Error::field(SCM_URL.name, "SCM URL is required."));
    }
    if edit.changes(&SCM_URL) && !is_allowed_scm_url(edit.new.text(&SCM_URL)) {
        return Err(Error::field(
            SCM_URL.name,
            "Invalid SCM URL: http, https, ssh, git, svn, ftp and file URLs and user@host:path are known.",
        ));
    }
    for field in [SCM_BRANCH, SCM_REFSPEC] {
        if edit.changes(&field) {
            check_git_name(edit.new.text(&field)).map_err(|problem| Error::field(field.name, problem))?;
        }
    }
    if kind == "archive" && !edit.new.text(&SCM_BRANCH).is_empty() {
        return Err(Error::field(SCM_BRANCH.name, "SCM branch cannot be used with archive projects."));
    }
    if !["", "git"].contains(&kind) {
        if !edit.new.text(&SCM_REFSPEC).is_empty() {
            return Err(Error::field(SCM_REFSPEC.name, "SCM refspec can only be used with git projects."));
        }
        if edit.new.boolean(&SCM_TRACK_SUBMODULES) {
            let message = "SCM track_submodules can only be used with git projects.";
            return Err(Error::field(SCM_TRACK_SUBMODULES.name, message));
        }
    }
    if kind.is_empty() && edit.is_new() && edit.new.boolean(&SCM_UPDATE_ON_LAUNCH) {
        let message = "Update options must be set to false for manual projects.";
        return Err(Error::field(SCM_UPDATE_ON_LAUNCH.name, message));
    }
    Ok(())
}

/// Checks the kinds of the credentials.
///
/// # Errors
/// [`Error::Invalid`]; database errors.
pub async fn check_credentials(tx: &mut Transaction, edit: &Edit<'_>) -> Result<(), Error> {
    let is_insights = edit.new.text(&SCM_TYPE) == "insights";
    let wanted = if is_insights { "insights" } else { "scm" };
    for (field, wanted) in [(&CREDENTIAL_LINK, wanted), (&SIGNATURE_LINK, "cryptography")] {
        let Some(credential) = edit.new.integer(field) else { continue };
        if (edit.changes(field) || edit.changes(&SCM_TYPE))
            && TypeDefinition::load_for_credential(tx, credential).await?.kind != wanted
        {
            return Err(Error::field(field.name, format!("Credential kind must be '{wanted}'.")));
        }
    }
    if is_insights && edit.new.integer(&CREDENTIAL_LINK).is_none() {
        let message = "Insights Credential is required for an Insights Project.";
        return Err(Error::field(CREDENTIAL_LINK.name, message));
    }
    Ok(())
}

/// Fails if job templates choose another branch than that of the project.
///
/// # Errors
/// [`Error::Invalid`]; database errors.
pub async fn refuse_while_overridden(tx: &mut Transaction, project: i64) -> Result<(), Error> {
    const MOST_NAMED: u64 = 100;
    let table = "job_templates";
    let query = Query::select()
        .expr(column(table, "id"))
        .from(Alias::new(table))
        .and_where(column(table, "project_id").eq(project))
        .and_where(column(table, "ask_scm_branch_on_launch").eq(true).or(column(table, "scm_branch").ne("")))
        .order_by((Alias::new(table), Alias::new("id")), Order::Asc)
        .limit(MOST_NAMED)
        .to_owned();
    let templates: Vec<i64> = tx.read_as(&query).await?;
    if templates.is_empty() {
        return Ok(());
    }
    let ids = templates.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let message =
        format!("One or more job templates depend on branch override behavior for this project (ids: {ids}).");
    Err(Error::field(ALLOW_OVERRIDE.name, message))
}

/// The server chooses the folder of a project with a source.
///
/// # Errors
/// [`Error::Invalid`] if the client wants another one.
pub fn keep_folder(edit: &mut Edit<'_>) -> Result<(), Error> {
    let kept = edit.old.as_ref().map(|old| old.text(&LOCAL_PATH).to_owned());
    let was_manual = edit.old.as_ref().is_some_and(|old| old.text(&SCM_TYPE).is_empty());
    if kept.is_some() && !was_manual && edit.changes(&LOCAL_PATH) {
        let message = format!("Cannot change local_path for {}-based projects", edit.new.text(&SCM_TYPE));
        return Err(Error::field(LOCAL_PATH.name, message));
    }
    let kept = kept.filter(|_| !was_manual).unwrap_or_default();
    edit.new.set(&LOCAL_PATH, Value::Text(kept));
    Ok(())
}

/// Whether the folder of a manual project exists, and no other manual project has it.
///
/// # Errors
/// Database errors.
pub async fn is_free_folder(root: &Path, tx: &mut Transaction, edit: &Edit<'_>) -> Result<bool, Error> {
    let folder = edit.new.text(&LOCAL_PATH);
    if folder.is_empty() {
        return Ok(true);
    }
    let plain =
        folder.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)) && !folder.starts_with(['.', '_', '-']);
    if !plain || hostler_projects::manual_folder(root, folder).is_err() {
        return Ok(false);
    }
    let mut others = Query::select();
    others
        .expr(column("projects", "id"))
        .from(Alias::new("projects"))
        .and_where(column("projects", "scm_type").eq(""))
        .and_where(column("projects", "local_path").eq(folder))
        .and_where(column("projects", "id").ne(edit.new.id))
        .limit(1);
    Ok(tx.read_first::<i64>(&others).await?.is_none())
}
