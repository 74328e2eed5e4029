//! Hooks of credentials: owners, checks of inputs, and grants.

use async_trait::async_trait;
use hostler_access::{implying_roles, objects_with_role_of};
use hostler_database::{Transaction, Type, Value};
use hostler_engine::{
    ActionHandler, Edit, Engine, Error, Grantee, Hooks, RenderContext, ResponseObject, grant_in_transaction,
};
use hostler_schema::{Actor, column};
use sea_query::{Alias, Expr, ExprTrait, Query};

use crate::credential_copy::Copying;
use crate::credential_inputs::{self, TypeDefinition};
use crate::credential_lookup_test::{LOOKUP_TEST, LookupTest};
use crate::credential_owners::add_owners;
use crate::credentials::{CLOUD, INPUTS, KIND, KUBERNETES, ORGANIZATION_LINK, OWNING_TEAM, OWNING_USER, TYPE};
use crate::{
    CREDENTIAL, CREDENTIAL_INPUT_SOURCE, EXECUTION_ENVIRONMENT, INSTANCE_GROUP, ORGANIZATION, PROJECT, TEAM, USER,
    encrypted_inputs,
};

/// Checks and encrypts inputs, and grants the roles of a new credential's owner.
pub struct CredentialHooks;

#[async_trait]
impl Hooks for CredentialHooks {
    async fn prepare(&self, engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Error> {
        if !edit.is_new() {
            return Ok(());
        }
        let owners = [&OWNING_USER, &OWNING_TEAM, &ORGANIZATION_LINK];
        let mut named: Vec<&str> =
            owners.iter().filter(|field| edit.new.integer(field).is_some()).map(|field| field.name).collect();
        if named.len() > 1 {
            named.sort_unstable();
            let message = format!(
                "Only one of 'user', 'team', or 'organization' should be provided, received {} fields.",
                named.join(", ")
            );
            return Err(Error::field("detail", message));
        }
        // A team's credential belongs to the organization of the team.
        if let Some(team) = edit.new.integer(&OWNING_TEAM) {
            let query = Query::select()
                .expr(column(TEAM.table, "organization_id"))
                .from(Alias::new(TEAM.table))
                .and_where(column(TEAM.table, "id").eq(team))
                .to_owned();
            let rows = engine.database.read(&query, &[Type::Integer]).await?;
            if let Some(organization) = rows.first().and_then(|row| row.integer(0)) {
                edit.new.set(&ORGANIZATION_LINK, Value::Integer(organization));
            }
        }
        Ok(())
    }

    async fn validate(&self, engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let owners = [&OWNING_USER, &OWNING_TEAM, &ORGANIZATION_LINK];
        if edit.is_new() && owners.iter().all(|field| edit.new.integer(field).is_none()) {
            return Err(Error::field("detail", "Missing 'user', 'team', or 'organization'."));
        }
        let Some(type_id) = edit.new.integer(&TYPE) else { return Ok(()) };
        if let Some(old) = &edit.old
            && edit.changes(&TYPE)
            && is_referred_to(tx, old.id).await?
        {
            let message = "You cannot change the credential type of the credential, as it may break the functionality \
                           of the resources using it.";
            return Err(Error::field(TYPE.name, message));
        }
        let definition = TypeDefinition::load(tx, type_id).await?;
        if definition.kind == "galaxy" && edit.new.integer(&ORGANIZATION_LINK).is_none() {
            return Err(Error::field(ORGANIZATION_LINK.name, "Galaxy credentials must be owned by an Organization."));
        }
        if edit.changes(&TYPE) {
            edit.new.set(&KIND, definition.namespace.clone().map_or(Value::Null, Value::Text));
            edit.new.set(&CLOUD, Value::Boolean(definition.kind == "cloud"));
            edit.new.set(&KUBERNETES, Value::Boolean(definition.kind == "kubernetes"));
        }
        // A credential that moves to another organization no longer belongs to the team.
        if !edit.is_new() && edit.changes(&ORGANIZATION_LINK) {
            edit.new.set(&OWNING_TEAM, Value::Null);
        }
        if edit.changes(&INPUTS) || edit.changes(&TYPE) {
            credential_inputs::prepare(engine, tx, edit, &INPUTS, &definition).await?;
        }
        Ok(())
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        if !edit.is_new() {
            return Ok(());
        }
        encrypted_inputs::encrypt_new(engine, tx, edit, &INPUTS, id).await?;
        if let Some(user) = edit.new.integer(&OWNING_USER) {
            grant_in_transaction(engine, tx, edit.actor, (&CREDENTIAL, id), "admin_role", Grantee::User(user)).await?;
        }
        if let Some(team) = edit.new.integer(&OWNING_TEAM) {
            grant_in_transaction(engine, tx, edit.actor, (&CREDENTIAL, id), "use_role", Grantee::Team(team)).await?;
        }
        Ok(())
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        add_owners(engine, view.actor, page).await
    }

    async fn authorize_grant(
        &self,
        engine: &Engine,
        actor: &Actor,
        object: i64,
        grantee: Grantee,
    ) -> Result<(), Error> {
        let reject = |message: &str| Err(Error::BadRequestMsg(message.into()));
        let organization = organization_of(engine, object).await?;
        match (grantee, organization) {
            (Grantee::User(_), None) if actor.is_superuser => Ok(()),
            (Grantee::User(_), None) => reject("You cannot grant private credential access to another user"),
            (Grantee::User(user), Some(organization)) if is_member(engine, user, organization).await? => Ok(()),
            (Grantee::User(_), Some(_)) => {
                reject("You cannot grant credential access to a user not in the credentials' organization")
            }
            (Grantee::Team(team), Some(organization)) if is_team_of(engine, team, organization).await? => Ok(()),
            (Grantee::Team(_), _) => reject(
                "You cannot grant credential access to a team when the Organization field isn't set, or belongs to a \
                 different organization",
            ),
        }
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        match path {
            "copy" => Some(&Copying),
            LOOKUP_TEST => Some(&LookupTest),
            _ => None,
        }
    }
}

/// Whether an object uses the credential that may not work with another type.
async fn is_referred_to(tx: &mut Transaction, id: i64) -> Result<bool, Error> {
    let refers = |table: &'static str, link: &'static str| {
        Expr::exists(
            Query::select().expr(Expr::val(1)).from(Alias::new(table)).and_where(column(table, link).eq(id)).to_owned(),
        )
    };
    let query = Query::select()
        .expr(
            refers(PROJECT.table, "credential_id")
                .or(refers(PROJECT.table, "signature_validation_credential_id"))
                .or(refers("organization_galaxy_credentials", "credential_id"))
                .or(refers(EXECUTION_ENVIRONMENT.table, "credential_id"))
                .or(refers(INSTANCE_GROUP.table, "credential_id"))
                .or(refers(CREDENTIAL_INPUT_SOURCE.table, "target_credential_id"))
                .or(refers(CREDENTIAL_INPUT_SOURCE.table, "source_credential_id")),
        )
        .to_owned();
    Ok(tx.read(&query, &[Type::Boolean]).await?.first().is_some_and(|row| row.boolean(0)))
}

async fn organization_of(engine: &Engine, credential: i64) -> Result<Option<i64>, Error> {
    let query = Query::select()
        .expr(column(CREDENTIAL.table, ORGANIZATION_LINK.column))
        .from(Alias::new(CREDENTIAL.table))
        .and_where(column(CREDENTIAL.table, "id").eq(credential))
        .to_owned();
    Ok(engine.database.read(&query, &[Type::Integer]).await?.first().and_then(|row| row.integer(0)))
}

/// Whether the user is a member of the organization, or a superuser.
async fn is_member(engine: &Engine, user: i64, organization: i64) -> Result<bool, Error> {
    let member = implying_roles(&ORGANIZATION, "member_role").own;
    let query = Query::select()
        .expr(column(USER.table, "id"))
        .from(Alias::new(USER.table))
        .and_where(column(USER.table, "id").eq(user))
        .and_where(column(USER.table, "is_superuser").eq(true).or(
            Expr::val(organization).cast_as("bigint").in_subquery(objects_with_role_of(
                ORGANIZATION.name,
                &member,
                user,
            )),
        ))
        .to_owned();
    Ok(!engine.database.read(&query, &[Type::Integer]).await?.is_empty())
}

async fn is_team_of(engine: &Engine, team: i64, organization: i64) -> Result<bool, Error> {
    let query = Query::select()
        .expr(column(TEAM.table, "id"))
        .from(Alias::new(TEAM.table))
        .and_where(column(TEAM.table, "id").eq(team))
        .and_where(column(TEAM.table, "organization_id").eq(organization))
        .to_owned();
    Ok(!engine.database.read(&query, &[Type::Integer]).await?.is_empty())
}
