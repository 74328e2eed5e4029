//! What is wrong with a new ad hoc command.

use hostler_database::{Transaction, Value};
use hostler_engine::{Edit, Engine, Error};
use hostler_schema::{Action, Permit, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::Map;

use super::{
    CHOSEN_ENVIRONMENT, CREDENTIAL_LINK, EXTRA_VARS, INVENTORY_LINK, MODULE_ARGS, MODULE_NAME,
    ORGANIZATION_OF_INVENTORY, PASSWORDS,
};
use crate::attached;
use crate::credential_inputs::TypeDefinition;
use crate::jobs::CREDENTIAL_PASSWORDS;
use crate::launch::{find, sent_passwords};
use crate::{CREDENTIAL, EXECUTION_ENVIRONMENT, INVENTORY};

/// The modules that do nothing without arguments.
const NEED_ARGUMENTS: [&str; 2] = ["command", "shell"];
/// What the names of variables that Ansible itself reads begin with.
const OF_ANSIBLE: &str = "ansible_";

/// Checks the objects that the command uses, and takes over the organization of its inventory.
pub(super) async fn check_links(engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Error> {
    if let Some(inventory) = edit.new.integer(&INVENTORY_LINK) {
        let query = Query::select()
            .expr(column(INVENTORY.table, "organization_id"))
            .from(Alias::new(INVENTORY.table))
            .and_where(column(INVENTORY.table, "id").eq(inventory))
            .and_where_option(INVENTORY.not_deleted(INVENTORY.table))
            .to_owned();
        let organization: Option<Option<i64>> = engine.database.read_first(&query).await?;
        let organization = organization.ok_or_else(|| missing(INVENTORY.label))?;
        let organization = organization.map_or(Value::Null, Value::Integer);
        edit.new.set(&ORGANIZATION_OF_INVENTORY, organization);
    }
    if let Some(environment) = edit.new.integer(&CHOSEN_ENVIRONMENT) {
        let readable: Permit = |actor, row| EXECUTION_ENVIRONMENT.access.rows(actor, Action::Read, row);
        let found = find(engine, edit.actor, &EXECUTION_ENVIRONMENT, readable, &[environment]).await?;
        if !found.iter().all(|(_, permitted)| *permitted) {
            return Err(Error::forbidden());
        }
    }
    Ok(())
}

/// AWX's answer for an object that does not exist.
fn missing(label: &str) -> Error {
    Error::BadRequest(format!("{label} matching query does not exist."))
}

/// Takes the sent passwords, and fails if one is missing that the credential asks for.
pub(super) async fn take_passwords(engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Error> {
    let sent: Map<_, _> = PASSWORDS
        .iter()
        .filter_map(|field| Some((field.name.to_owned(), edit.secrets.remove(field.name)?.into())))
        .collect();
    let Some(id) = edit.new.integer(&CREDENTIAL_LINK) else { return Ok(()) };
    let found = attached::credentials_with_ids(engine, edit.actor, &[id]).await?;
    let credential = found.first().ok_or_else(|| missing(CREDENTIAL.label))?;
    let needed = credential.passwords();
    let passwords = sent_passwords(Some(&sent.into()), &needed);
    if passwords.len() < needed.len() {
        return Err(Error::Invalid(vec![("passwords_needed_to_start".into(), needed)]));
    }
    if !passwords.is_empty() {
        edit.secrets.insert(CREDENTIAL_PASSWORDS.name, serde_json::Value::Object(passwords).to_string());
    }
    Ok(())
}

/// Checks the variables. Those of Ansible could change how it connects to hosts, and as whom.
pub(super) fn check_variables(edit: &Edit<'_>) -> Result<(), Error> {
    let variables = hostler_variables::parse(edit.new.text(&EXTRA_VARS))
        .map_err(|problem| Error::field(EXTRA_VARS.name, problem.to_string()))?;
    let mut refused: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| name.starts_with(OF_ANSIBLE)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    // As in AWX.
    refused.sort_unstable_by(|one, other| other.cmp(one));
    let message = format!("{} are prohibited from use in ad hoc commands.", refused.join(", "));
    Err(Error::field(EXTRA_VARS.name, message))
}

/// Checks that nothing is missing, and the kind of the credential.
pub(super) async fn check_command(tx: &mut Transaction, edit: &Edit<'_>) -> Result<(), Error> {
    let mut problems = vec![];
    let mut problem = |field: &str, message: String| problems.push((field.to_owned(), vec![message]));
    if edit.new.integer(&INVENTORY_LINK).is_none() {
        problem(INVENTORY_LINK.name, "No valid inventory.".into());
    }
    match edit.new.integer(&CREDENTIAL_LINK) {
        None => problem(CREDENTIAL_LINK.name, "This field cannot be blank.".into()),
        Some(id) if TypeDefinition::load_for_credential(tx, id).await?.kind != "ssh" => {
            problem(CREDENTIAL_LINK.name, "You must provide a machine / SSH credential.".into());
        }
        Some(_) => {}
    }
    let module = edit.new.text(&MODULE_NAME);
    if NEED_ARGUMENTS.contains(&module) && edit.new.text(&MODULE_ARGS).is_empty() {
        problem(MODULE_ARGS.name, format!("No argument passed to {module} module."));
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}
