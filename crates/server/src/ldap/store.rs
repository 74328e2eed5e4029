//! What a directory says of somebody becomes a user with flags and roles.
//!
//! Every write goes through the engine, as whoever works on the data itself:
//! entries of the activity stream have no actor, as AWX's have none for what a
//! sign-in does. Nothing is written, nor recorded, where all is so already.

use std::collections::{BTreeMap, BTreeSet};

use hostler_database::{Type, Value};
use hostler_engine::{Edit, Engine, Error, Grantee, ObjectKey, SystemWrite};
use hostler_ldap::{LdapUser, RoleAssignment};
use hostler_resources::users::{EXTERNAL_ACCOUNT, LDAP_DN, USERNAME};
use hostler_resources::{ORGANIZATION, TEAM, USER};
use hostler_schema::{Actor, Resource, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

/// What AWX calls the accounts of a directory.
const LDAP: &str = "ldap";

/// A user whom a directory vouches for, or is about to.
pub(super) enum Account<'a> {
    Known(i64),
    /// There is none of this name.
    New(&'a str),
}

/// How often is tried what loses against other sign-ins: clients send many requests at once, each with the password.
const ATTEMPTS: u32 = 5;

/// Makes the user what the directory says; tells the id.
///
/// # Errors
/// What the engine says, such as that the name of a new user cannot be one.
pub(super) async fn store(
    engine: &Engine,
    operator: &Actor,
    account: Account<'_>,
    person: &LdapUser,
) -> Result<i64, Error> {
    let id = user(engine, operator, account, person).await?;
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        match map(engine, operator, id, person).await {
            // Another sign-in has made or granted the same; what it left is read again.
            Err(Error::Conflict(_)) if attempts > 0 => {}
            outcome => return outcome.map(|()| id),
        }
    }
}

/// Waits until all can read what others have written: whoever was refused because of it may have come before its
/// commit, which writers share.
///
/// # Errors
/// What the database says.
pub(super) async fn settle(engine: &Engine) -> Result<(), Error> {
    engine.database.begin().await?.commit().await?;
    Ok(())
}

/// Gives the user the roles that the maps say, on objects that are created if need be.
async fn map(engine: &Engine, operator: &Actor, user: i64, person: &LdapUser) -> Result<(), Error> {
    let organizations = organizations(engine, operator, &person.organizations).await?;
    let teams = teams(engine, operator, &organizations, &person.teams).await?;
    roles(engine, operator, user, &person.roles, &organizations, &teams).await
}

/// The directory's word.
struct Word<'a>(&'a str);

impl SystemWrite for Word<'_> {
    fn prefill(&self, edit: &mut Edit<'_>) {
        edit.new.set(&LDAP_DN, Value::Text(self.0.to_owned()));
        edit.new.set(&EXTERNAL_ACCOUNT, Value::Text(LDAP.to_owned()));
    }
}

/// The user with its fields and flags.
async fn user(engine: &Engine, operator: &Actor, account: Account<'_>, person: &LdapUser) -> Result<i64, Error> {
    let mut body: Map<String, Json> = Map::new();
    body.extend(person.fields.iter().map(|(field, value)| ((*field).to_owned(), value.as_str().into())));
    body.extend(person.flags.iter().map(|(flag, is_set)| ((*flag).to_owned(), (*is_set).into())));
    if let Account::New(name) = account {
        body.insert(USERNAME.name.into(), name.into());
    }
    let word = Word(&person.dn);
    loop {
        let written = match account {
            Account::Known(id) => {
                engine.update_as_system(operator, &USER, &ObjectKey::Id(id), &body, &word).await.map(|()| id)
            }
            Account::New(_) => engine.create_as_system(operator, &USER, &body, &word).await.map(|made| made.id),
        };
        let problems = match written {
            Err(Error::Invalid(problems)) => problems,
            other => return other,
        };
        // What cannot be taken over is left as it is, such as an address that is none, or the flag of the last
        // superuser: that must not keep anybody out.
        let (taken, refused): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|(field, _)| field != USERNAME.name && body.contains_key(field));
        if taken.is_empty() || !refused.is_empty() {
            return Err(Error::Invalid(refused));
        }
        for (field, messages) in taken {
            tracing::warn!(dn = person.dn, field, ?messages, "a value of the directory cannot be taken over");
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

/// Creates an object that a map names.
async fn create(
    engine: &Engine,
    operator: &Actor,
    resource: &'static Resource,
    body: &Map<String, Json>,
) -> Result<(), Error> {
    match engine.create(operator, resource, body, None).await {
        Ok(_) => Ok(()),
        // Another sign-in was faster; or there is no such object to be had, which is told where it is missing.
        Err(Error::Invalid(problems)) => {
            tracing::debug!(resource = resource.name, ?problems, "an object that a map names was not created");
            settle(engine).await
        }
        Err(failure) => Err(failure),
    }
}

/// Grants the roles that the user is to hold, and takes those that the user is not to hold.
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
    let held = held(engine, user).await?;
    let mut changes = BTreeMap::new();
    for role in wanted {
        let organization = organizations.get(&role.organization).copied();
        let object = match (&role.team, organization) {
            (None, Some(organization)) => Some((ORGANIZATION.name, organization)),
            (Some(team), Some(organization)) => teams.get(&(organization, team.clone())).map(|id| (TEAM.name, *id)),
            _ => None,
        };
        let Some(id) = object.and_then(|(kind, id)| known.get(&(kind.to_owned(), id, role.field.to_owned()))) else {
            tracing::warn!(?role, "a map of a directory names an object that could not be created");
            continue;
        };
        // Two maps may decide one role: who is among them in any holds it.
        let holds = changes.entry(*id).or_insert(false);
        *holds |= role.granted;
    }
    // What is lost goes first, so that nobody holds more for a moment than before or after.
    let (granted, taken): (Vec<_>, Vec<_>) =
        changes.into_iter().filter(|(id, holds)| held.contains(id) != *holds).partition(|(_, holds)| *holds);
    for (role, holds) in taken.into_iter().chain(granted) {
        engine.change_grant(operator, role, Grantee::User(user), holds).await?;
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
async fn held(engine: &Engine, user: i64) -> Result<BTreeSet<i64>, Error> {
    let query = Query::select()
        .expr(column("grants", "role_id"))
        .from(Alias::new("grants"))
        .and_where(column("grants", "user_id").eq(user))
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Integer]).await?;
    Ok(rows.iter().filter_map(|row| row.integer(0)).collect())
}
