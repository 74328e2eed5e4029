//! Stores a directory's entry as a user with flags and roles.
//!
//! Every write goes through the engine as the system actor: its activity stream
//! entries have no actor, as in AWX. Nothing is written where nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use hostler_database::{Type, Value};
use hostler_engine::{Edit, Engine, Error, Grantee, ObjectKey, SystemWrite};
use hostler_ldap::{LdapUser, RoleAssignment};
use hostler_resources::users::{EXTERNAL_ACCOUNT, LDAP_DN, USERNAME};
use hostler_resources::{ORGANIZATION, TEAM, USER};
use hostler_schema::{Actor, Resource, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

/// AWX's name for accounts of a directory.
const LDAP: &str = "ldap";

/// The user to store an entry as.
pub(super) enum Account<'a> {
    Known(i64),
    /// There is no user with this name.
    New(&'a str),
}

/// How often conflicts with concurrent sign-ins are retried: clients send many requests at once, each with the password.
const ATTEMPTS: u32 = 5;

/// Creates or updates the user from the entry. Returns the id.
///
/// # Errors
/// Errors of the engine, such as an invalid name of a new user.
pub(super) async fn store(
    engine: &Engine,
    operator: &Actor,
    account: Account<'_>,
    ldap_user: &LdapUser,
) -> Result<i64, Error> {
    let id = user(engine, operator, account, ldap_user).await?;
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        match apply_maps(engine, operator, id, ldap_user).await {
            // A concurrent sign-in created or granted the same: read again.
            Err(Error::Conflict(_)) if attempts > 0 => {}
            outcome => return outcome.map(|()| id),
        }
    }
}

/// Waits until concurrent writes can be read. Writers share commits, so a write that conflicted may not be visible yet.
///
/// # Errors
/// Errors of the database.
pub(super) async fn wait_for_commits(engine: &Engine) -> Result<(), Error> {
    engine.database.begin().await?.commit().await?;
    Ok(())
}

/// Grants and revokes roles by the maps in the settings. Missing objects are created.
async fn apply_maps(engine: &Engine, operator: &Actor, user: i64, ldap_user: &LdapUser) -> Result<(), Error> {
    let organizations = organizations(engine, operator, &ldap_user.organizations).await?;
    let teams = teams(engine, operator, &organizations, &ldap_user.teams).await?;
    roles(engine, operator, user, &ldap_user.roles, &organizations, &teams).await
}

/// A write of the entry with this distinguished name.
struct EntryWrite<'a>(&'a str);

impl SystemWrite for EntryWrite<'_> {
    fn prefill(&self, edit: &mut Edit<'_>) {
        edit.new.set(&LDAP_DN, Value::Text(self.0.to_owned()));
        edit.new.set(&EXTERNAL_ACCOUNT, Value::Text(LDAP.to_owned()));
    }
}

/// The user with its fields and flags.
async fn user(engine: &Engine, operator: &Actor, account: Account<'_>, ldap_user: &LdapUser) -> Result<i64, Error> {
    let mut body: Map<String, Json> = Map::new();
    body.extend(ldap_user.fields.iter().map(|(field, value)| ((*field).to_owned(), value.as_str().into())));
    body.extend(ldap_user.flags.iter().map(|(flag, is_set)| ((*flag).to_owned(), (*is_set).into())));
    if let Account::New(name) = account {
        body.insert(USERNAME.name.into(), name.into());
    }
    let entry_write = EntryWrite(&ldap_user.dn);
    loop {
        let written = match account {
            Account::Known(id) => {
                engine.update_as_system(operator, &USER, &ObjectKey::Id(id), &body, &entry_write).await.map(|()| id)
            }
            Account::New(_) => engine.create_as_system(operator, &USER, &body, &entry_write).await.map(|made| made.id),
        };
        let problems = match written {
            Err(Error::Invalid(problems)) => problems,
            other => return other,
        };
        // Invalid values are skipped, such as a malformed address, or a flag that would demote the last superuser: they
        // must not prevent the sign-in.
        let (taken, refused): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|(field, _)| field != USERNAME.name && body.contains_key(field));
        if taken.is_empty() || !refused.is_empty() {
            return Err(Error::Invalid(refused));
        }
        for (field, messages) in taken {
            tracing::warn!(dn = ldap_user.dn, field, ?messages, "an LDAP attribute is not valid for the user");
            body.shift_remove(&field);
        }
    }
}

/// The ids of organizations by name; those that do not exist are created.
async fn organizations(engine: &Engine, operator: &Actor, names: &[String]) -> Result<BTreeMap<String, i64>, Error> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = Query::select()
        .exprs(["name", "id"].map(|name| column("organizations", name)))
        .from(Alias::new("organizations"))
        .and_where(column("organizations", "name").is_in(names))
        .to_owned();
    let read = async || {
        let rows = engine.database.read(&query, &[Type::Text, Type::Integer]).await?;
        let pairs = rows.iter().filter_map(|row| Some((row.text(0)?.to_owned(), row.integer(1)?)));
        Ok::<BTreeMap<String, i64>, Error>(pairs.collect())
    };
    let known = read().await?;
    let missing: Vec<&String> = names.iter().filter(|name| !known.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(known);
    }
    for name in missing {
        let body = [("name".to_owned(), Json::from(name.as_str()))].into_iter().collect();
        create(engine, operator, &ORGANIZATION, &body).await?;
    }
    read().await
}

/// The ids of teams by organization and name; those that do not exist are created.
async fn teams(
    engine: &Engine,
    operator: &Actor,
    organizations: &BTreeMap<String, i64>,
    names: &[(String, String)],
) -> Result<BTreeMap<(i64, String), i64>, Error> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = Query::select()
        .exprs(["organization_id", "name", "id"].map(|name| column("teams", name)))
        .from(Alias::new("teams"))
        .and_where(column("teams", "organization_id").is_in(organizations.values().copied()))
        .and_where(column("teams", "name").is_in(names.iter().map(|(_, team)| team.as_str())))
        .to_owned();
    let read = async || {
        let rows = engine.database.read(&query, &[Type::Integer, Type::Text, Type::Integer]).await?;
        let teams = rows.iter().filter_map(|row| Some(((row.integer(0)?, row.text(1)?.to_owned()), row.integer(2)?)));
        Ok::<BTreeMap<(i64, String), i64>, Error>(teams.collect())
    };
    let known = read().await?;
    let mut has_created = false;
    for (organization, name) in names {
        let Some(organization) = organizations.get(organization) else { continue };
        if !known.contains_key(&(*organization, name.clone())) {
            let name = ("name".to_owned(), Json::from(name.as_str()));
            let body = [name, ("organization".to_owned(), (*organization).into())].into_iter().collect();
            create(engine, operator, &TEAM, &body).await?;
            has_created = true;
        }
    }
    if has_created { read().await } else { Ok(known) }
}

/// Creates an object that a map needs.
async fn create(
    engine: &Engine,
    operator: &Actor,
    resource: &'static Resource,
    body: &Map<String, Json>,
) -> Result<(), Error> {
    match engine.create(operator, resource, body, None).await {
        Ok(_) => Ok(()),
        // A concurrent sign-in created it, or it cannot be created: that is logged where it is missing.
        Err(Error::Invalid(problems)) => {
            tracing::debug!(resource = resource.name, ?problems, "an object of an LDAP map was not created");
            wait_for_commits(engine).await
        }
        Err(failure) => Err(failure),
    }
}

/// Grants and revokes roles as the maps say.
async fn roles(
    engine: &Engine,
    operator: &Actor,
    user: i64,
    wanted: &[RoleAssignment],
    organizations: &BTreeMap<String, i64>,
    teams: &BTreeMap<(i64, String), i64>,
) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let known = object_roles(engine, organizations, teams).await?;
    let granted_roles = granted_roles(engine, user).await?;
    let mut changes = BTreeMap::new();
    for role in wanted {
        let organization = organizations.get(&role.organization).copied();
        let object = match (&role.team, organization) {
            (None, Some(organization)) => Some((ORGANIZATION.name, organization)),
            (Some(team), Some(organization)) => teams.get(&(organization, team.clone())).map(|id| (TEAM.name, *id)),
            _ => None,
        };
        let Some(id) = object.and_then(|(kind, id)| known.get(&(kind.to_owned(), id, role.field.to_owned()))) else {
            tracing::warn!(?role, "an object of an LDAP map does not exist");
            continue;
        };
        // Two maps may name one role: a member by either of them gets it.
        let is_granted = changes.entry(*id).or_insert(false);
        *is_granted |= role.granted;
    }
    // Revoked first, so that the user never has more than before or after.
    let (granted, taken): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .filter(|(id, is_granted)| granted_roles.contains(id) != *is_granted)
        .partition(|(_, is_granted)| *is_granted);
    for (role, is_granted) in taken.into_iter().chain(granted) {
        engine.change_grant(operator, role, Grantee::User(user), is_granted).await?;
    }
    Ok(())
}

/// The ids of the roles of these objects, by type, object and field.
async fn object_roles(
    engine: &Engine,
    organizations: &BTreeMap<String, i64>,
    teams: &BTreeMap<(i64, String), i64>,
) -> Result<BTreeMap<(String, i64, String), i64>, Error> {
    let of = |kind: &str, ids: Vec<i64>| {
        column("roles", "content_type").eq(kind).and(column("roles", "object_id").is_in(ids))
    };
    let query = Query::select()
        .exprs(["content_type", "object_id", "role_field", "id"].map(|name| column("roles", name)))
        .from(Alias::new("roles"))
        .and_where(
            of(ORGANIZATION.name, organizations.values().copied().collect())
                .or(of(TEAM.name, teams.values().copied().collect())),
        )
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Text, Type::Integer, Type::Text, Type::Integer]).await?;
    let roles = rows
        .iter()
        .filter_map(|row| Some(((row.text(0)?.to_owned(), row.integer(1)?, row.text(2)?.to_owned()), row.integer(3)?)));
    Ok(roles.collect())
}

/// The roles that were granted to the user directly.
async fn granted_roles(engine: &Engine, user: i64) -> Result<BTreeSet<i64>, Error> {
    let query = Query::select()
        .expr(column("grants", "role_id"))
        .from(Alias::new("grants"))
        .and_where(column("grants", "user_id").eq(user))
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Integer]).await?;
    Ok(rows.iter().filter_map(|row| row.integer(0)).collect())
}
