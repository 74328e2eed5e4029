//! Checks of a source: what belongs to its kind.

use hostler_database::Transaction;
use hostler_engine::{Edit, Engine, Error};
use hostler_schema::{Field, Resource, column};
use sea_query::{Alias, ExprTrait, Query};

use super::{CREDENTIAL_LINK, HOST_FILTER, INVENTORY_LINK, PROJECT_LINK, SCM_BRANCH, SOURCE, SOURCE_PATH, SOURCE_VARS};
use crate::credential_inputs::TypeDefinition;
use crate::project_sources::check_git_name;
use crate::{CREDENTIAL, INVENTORY, PROJECT};

/// The kind whose source is in a project.
pub const SCM: &str = "scm";
/// The kind that only the server creates, for constructed inventories.
pub const CONSTRUCTED: &str = "constructed";
/// The kinds without a service.
const WITHOUT_SERVICE: [&str; 3] = ["file", CONSTRUCTED, SCM];
/// Environment variables that a source cannot set, as in AWX.
const PROHIBITED: [&str; 5] = ["HOME", "USER", "_", "TERM", "PATH"];

/// Whether a source of this kind can be updated.
pub fn can_be_updated(kind: &str, project: Option<i64>) -> bool {
    match kind {
        SCM => project.is_some(),
        CONSTRUCTED => true,
        kind => is_service(kind),
    }
}

/// Whether hosts of this kind come from a service.
fn is_service(kind: &str) -> bool {
    !kind.is_empty() && !WITHOUT_SERVICE.contains(&kind)
}

/// What can be changed of the source of a constructed inventory.
const CHANGEABLE_OF_CONSTRUCTED: [&str; 4] = ["source_vars", "update_cache_timeout", "limit", "verbosity"];

/// Fails if something is changed that the server sets of the source of a constructed inventory.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check_constructed(edit: &Edit<'_>) -> Result<(), Error> {
    if edit.old.as_ref().is_none_or(|old| old.text(&SOURCE) != CONSTRUCTED) {
        return Ok(());
    }
    let fields = edit.new.resource.fields.iter().filter(|field| field.writable && edit.changes(field));
    let fixed = fields.map(|field| field.name).find(|name| !CHANGEABLE_OF_CONSTRUCTED.contains(name));
    fixed.map_or(Ok(()), |name| {
        Err(Error::field("error", format!("Cannot change field '{name}' on a constructed inventory source.")))
    })
}

/// Fails if a linked object of a new source does not exist. As in AWX, the inventory and the project are no errors of their
/// fields.
///
/// # Errors
/// [`Error::BadRequest`] and [`Error::Invalid`]; database errors.
pub async fn check_new_links(engine: &Engine, edit: &Edit<'_>) -> Result<(), Error> {
    if edit.new.integer(&INVENTORY_LINK).is_none() {
        return Err(Error::field(INVENTORY_LINK.name, "This field cannot be blank."));
    }
    for (link, target) in [(&INVENTORY_LINK, &INVENTORY), (&PROJECT_LINK, &PROJECT)] {
        if let Some(id) = edit.new.integer(link)
            && !exists(engine, target, id).await?
        {
            return Err(Error::BadRequest(format!("{} matching query does not exist.", target.label)));
        }
    }
    match edit.new.integer(&CREDENTIAL_LINK) {
        Some(id) if !exists(engine, &CREDENTIAL, id).await? => {
            Err(Error::field(CREDENTIAL_LINK.name, format!("Credential {id} does not exist")))
        }
        _ => Ok(()),
    }
}

async fn exists(engine: &Engine, target: &'static Resource, id: i64) -> Result<bool, Error> {
    let query = Query::select()
        .expr(column(target.table, "id"))
        .from(Alias::new(target.table))
        .and_where(column(target.table, "id").eq(id))
        .and_where_option(target.not_deleted(target.table))
        .to_owned();
    Ok(engine.database.read_first::<i64>(&query).await?.is_some())
}

/// Checks what belongs to the kind of the source: the project, the path and the branch.
///
/// # Errors
/// [`Error::Invalid`]; database errors.
pub async fn check_kind(engine: &Engine, edit: &Edit<'_>) -> Result<(), Error> {
    let kind = edit.new.text(&SOURCE);
    if kind.is_empty() {
        return Err(Error::field(SOURCE.name, "\"\" is not a valid choice."));
    }
    if kind == CONSTRUCTED && edit.changes(&SOURCE) {
        return Err(Error::field("error", "constructed not a valid source for inventory"));
    }
    if edit.changes(&SOURCE_VARS) {
        check_variables(edit.new.text(&SOURCE_VARS))?;
    }
    if !edit.is_new() && ![&SOURCE, &PROJECT_LINK, &SOURCE_PATH, &SCM_BRANCH].iter().any(|field| edit.changes(field)) {
        return Ok(());
    }
    if kind != SCM {
        let is_set = |field: &&Field| edit.new.integer(field).is_some() || !edit.new.text(field).is_empty();
        let set: Vec<&str> =
            [&PROJECT_LINK, &SOURCE_PATH, &SCM_BRANCH].into_iter().filter(is_set).map(|field| field.name).collect();
        if !set.is_empty() {
            return Err(Error::field("detail", format!("Cannot set {} if not SCM type.", set.join(" "))));
        }
        return Ok(());
    }
    let Some(project) = edit.new.integer(&PROJECT_LINK) else {
        return Err(Error::field(PROJECT_LINK.name, "Project required for scm type sources."));
    };
    let branch = edit.new.text(&SCM_BRANCH);
    if !edit.changes(&PROJECT_LINK) && !edit.changes(&SCM_BRANCH) {
        return Ok(());
    }
    let table = PROJECT.table;
    let query = Query::select()
        .exprs(["scm_type", "scm_branch", "allow_override"].map(|name| column(table, name)))
        .from(Alias::new(table))
        .and_where(column(table, "id").eq(project))
        .to_owned();
    let found: Option<(String, String, bool)> = engine.database.read_first(&query).await?;
    let Some((scm_type, own_branch, allow_override)) = found else { return Ok(()) };
    if scm_type.is_empty() {
        return Err(Error::field(PROJECT_LINK.name, "Cannot use manual project for SCM-based inventory."));
    }
    if !branch.is_empty() && branch != own_branch && !allow_override {
        return Err(Error::field(SCM_BRANCH.name, "Project does not allow overriding branch."));
    }
    check_git_name(branch).map_err(|problem| Error::field(SCM_BRANCH.name, problem))
}

fn check_variables(text: &str) -> Result<(), Error> {
    let failed = |problem: String| Error::field(SOURCE_VARS.name, problem);
    let variables = hostler_variables::parse(text).map_err(|problem| failed(problem.to_string()))?;
    match PROHIBITED.iter().find(|name| variables.contains_key(**name)) {
        Some(name) => Err(failed(format!("`{name}` is a prohibited environment variable"))),
        None => Ok(()),
    }
}

/// Checks the credential against the kind of the source.
///
/// # Errors
/// [`Error::Invalid`]; database errors.
pub async fn check_credential(tx: &mut Transaction, edit: &Edit<'_>) -> Result<(), Error> {
    if !edit.changes(&CREDENTIAL_LINK) && !edit.changes(&SOURCE) {
        return Ok(());
    }
    let definition = match edit.new.integer(&CREDENTIAL_LINK) {
        Some(credential) => Some(TypeDefinition::load_for_credential(tx, credential).await?),
        None => None,
    };
    let problem = problem_of_credential(edit.new.text(&SOURCE), definition.as_ref());
    problem.map_or(Ok(()), |problem| Err(Error::field(CREDENTIAL_LINK.name, problem)))
}

/// Why a source of this kind cannot have a credential of this type, or none.
pub fn problem_of_credential(kind: &str, credential: Option<&TypeDefinition>) -> Option<String> {
    let Some(credential) = credential else {
        // The machine on which updates run may have permissions of its own.
        let is_needed = is_service(kind) && kind != "ec2";
        return is_needed.then(|| "Credential is required for a cloud source.".to_owned());
    };
    let wanted = match kind {
        "ec2" => "aws",
        "openshift_virtualization" => "kubernetes_bearer_token",
        kind => kind,
    };
    if is_service(kind) {
        return (credential.namespace.as_deref() != Some(wanted)).then(|| {
            format!(
                "Cloud-based inventory sources (such as {kind}) require credentials for the matching cloud service."
            )
        });
    }
    let is_refused = kind == SCM && ["insights", "vault"].contains(&credential.kind.as_str());
    is_refused.then(|| "Credentials of type insights and vault are disallowed for scm inventory sources.".to_owned())
}

/// Checks the regular expression for names of hosts.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check_host_filter(edit: &Edit<'_>) -> Result<(), Error> {
    if !edit.changes(&HOST_FILTER) {
        return Ok(());
    }
    match regex::Regex::new(edit.new.text(&HOST_FILTER)) {
        Ok(_) => Ok(()),
        Err(problem) => Err(Error::field(HOST_FILTER.name, format!("Not a regular expression: {problem}"))),
    }
}
