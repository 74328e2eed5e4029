//! The demo: what an empty database gets, so that a job can be run at once and without a network. The names are AWX's.

use std::sync::Arc;

use hostler_engine::{Engine, Error};
use hostler_schema::{Actor, Policy, Resource, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use crate::{CREDENTIAL, HOST, INVENTORY, JOB_TEMPLATE, ORGANIZATION, PROJECT};

/// The name of the playbook of the demo.
const PLAYBOOK: &str = "hello_world.yml";

/// The files of the repository of the demo.
pub const DEMO_FILES: &[(&str, &str)] = &[(PLAYBOOK, include_str!("demo/hello_world.yml"))];

/// Creates the organization Default, and the demo: an inventory with this machine, a credential, a project with the
/// repository at this URL, and a job template. They belong to the superuser with this name.
///
/// # Errors
/// Errors of the database, and of the checks that all objects go through.
pub async fn create_demo(engine: &Engine, superuser: &str, repository: &str) -> Result<(), Error> {
    let actor = &superuser_named(engine, superuser).await?;
    let create = async |resource: &'static Resource, body: Json| {
        let Json::Object(body) = body else { return Ok(0) };
        engine.create(actor, resource, &body, None).await.map(|created| created.id)
    };
    let associate = async |resource: &'static Resource, id: i64, list: &str, other: i64| {
        let mut body = Map::new();
        body.insert("id".into(), other.into());
        match resource.sublist(list) {
            Some(sublist) => engine.post_sublist(actor, (resource, id), sublist, &body).await.map(|_| ()),
            None => Err(Error::Internal(format!("there is no list {list}"))),
        }
    };
    let organization = create(&ORGANIZATION, json!({"name": "Default", "description": "The default organization."}));
    let organization = organization.await?;
    if let Some(galaxy) = managed(engine, "credentials", "kind", "galaxy_api_token").await? {
        associate(&ORGANIZATION, organization, "galaxy_credentials", galaxy).await?;
    }
    let inventory = create(&INVENTORY, json!({"name": "Demo Inventory", "organization": organization})).await?;
    let variables = "ansible_connection: local\nansible_python_interpreter: '{{ ansible_playbook_python }}'";
    create(&HOST, json!({"name": "localhost", "inventory": inventory, "variables": variables})).await?;
    let Some(machine) = managed(engine, "credential_types", "namespace", "ssh").await? else {
        return Err(Error::Internal("there is no credential type for machines".into()));
    };
    let credential = json!({
        "name": "Demo Credential", "organization": organization, "credential_type": machine,
        "inputs": {"username": superuser},
    });
    let credential = create(&CREDENTIAL, credential).await?;
    let project = json!({
        "name": "Demo Project", "organization": organization, "scm_type": "git", "scm_url": repository,
    });
    let project = create(&PROJECT, project).await?;
    let template = json!({
        "name": "Demo Job Template", "inventory": inventory, "project": project, "playbook": PLAYBOOK,
    });
    let template = create(&JOB_TEMPLATE, template).await?;
    associate(&JOB_TEMPLATE, template, "credentials", credential).await
}

async fn superuser_named(engine: &Engine, username: &str) -> Result<Actor, Error> {
    let query = Query::select()
        .expr(column("users", "id"))
        .from(Alias::new("users"))
        .and_where(column("users", "username").eq(username))
        .and_where(column("users", "is_superuser").eq(true))
        .to_owned();
    let id = engine.database.read_first::<i64>(&query).await?;
    Ok(Actor {
        id: id.ok_or(Error::NotFound(None))?,
        username: username.into(),
        is_superuser: true,
        is_system_auditor: false,
        is_organization_admin: false,
        can_write: true,
        session: None,
        external_account: None,
        policy: Policy::default(),
        job_settings: Arc::default(),
    })
}

/// The managed row of a table with this value.
async fn managed(engine: &Engine, table: &'static str, name: &'static str, value: &str) -> Result<Option<i64>, Error> {
    let query = Query::select()
        .expr(column(table, "id"))
        .from(Alias::new(table))
        .and_where(column(table, "managed").eq(true))
        .and_where(column(table, name).eq(value))
        .limit(1)
        .to_owned();
    Ok(engine.database.read_first(&query).await?)
}
