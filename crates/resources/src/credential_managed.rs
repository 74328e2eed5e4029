//! The managed credential for public collections and roles.

use hostler_database::Error;
use hostler_engine::{Engine, create_roles};
use hostler_schema::column;
use sea_query::{Alias, ExprTrait, Query, SelectStatement};
use serde_json::json;

use crate::{CREDENTIAL, CREDENTIAL_TYPE};

/// AWX's name of it, which playbooks refer to.
const NAME: &str = "Ansible Galaxy";
const NAMESPACE: &str = "galaxy_api_token";

/// Creates the managed credential `Ansible Galaxy` unless it exists. It has no
/// organization, no secret, and nobody can change or delete it.
///
/// # Errors
/// Database errors.
pub async fn create_galaxy_credential(engine: &Engine) -> Result<(), Error> {
    let existing = existing();
    if engine.database.read_first::<i64>(&existing).await?.is_some() {
        return Ok(());
    }
    let mut tx = engine.database.begin().await?;
    // Several servers may start at the same time.
    tx.lock("managed credentials").await?;
    if tx.read_first::<i64>(&existing).await?.is_some() {
        return Ok(());
    }
    let credential_type = Query::select()
        .expr(column(CREDENTIAL_TYPE.table, "id"))
        .from(Alias::new(CREDENTIAL_TYPE.table))
        .and_where(column(CREDENTIAL_TYPE.table, "namespace").eq(NAMESPACE))
        .to_owned();
    let Some(credential_type) = tx.read_first::<i64>(&credential_type).await? else {
        return Err(Error::Internal(format!("no credential type has the namespace {NAMESPACE}")));
    };
    let now = engine.clock.now();
    let insert = Query::insert()
        .into_table(Alias::new(CREDENTIAL.table))
        .columns(["created", "modified", "name", "credential_type_id", "managed", "inputs", "kind"].map(Alias::new))
        .values_panic([
            now.into(),
            now.into(),
            NAME.into(),
            credential_type.into(),
            true.into(),
            json!({"url": "https://galaxy.ansible.com/"}).to_string().into(),
            NAMESPACE.into(),
        ])
        .to_owned();
    let id = tx.insert(&insert).await?;
    create_roles(&mut tx, &CREDENTIAL, id).await?;
    tx.commit().await
}

fn existing() -> SelectStatement {
    Query::select()
        .expr(column(CREDENTIAL.table, "id"))
        .from(Alias::new(CREDENTIAL.table))
        .and_where(column(CREDENTIAL.table, "name").eq(NAME))
        .and_where(column(CREDENTIAL.table, "managed").eq(true))
        .to_owned()
}
