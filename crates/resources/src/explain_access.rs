//! Why somebody may do something: `users/N/explain_access/?object=/api/v2/...`.
//! AWX has no such thing.

use hostler_access::path;
use hostler_database::Type;
use hostler_resource::{Action, Actor, ImpliedBy, ObjectRole, Resource, Singleton, column};
use hostler_rest::{Engine, Failure, Target, find_id, summarize};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use crate::access_list::object_names;
use crate::ways::{Way, ways};
use crate::{IS_SUPERUSER, ORGANIZATION, TEAM, USER};

/// Explains what user `user` may do with the object at `object_path`, to an
/// actor who may see both.
///
/// Of somebody else only those learn it who see everything or administer
/// the object: how rights hang together is nobody else's business.
///
/// # Errors
/// 400 for a path that names no object, 403 and 404 as for showing the object.
pub async fn explain(
    engine: &Engine,
    actor: &Actor,
    user: i64,
    object_path: &str,
) -> Result<Map<String, Json>, Failure> {
    let (resource, target) = parse(engine, object_path)?;
    let id = find_id(engine, actor, resource, &target).await?;
    let subject = subject(engine, actor, user).await?;
    let (_, may_change, _) = actions(engine, actor, resource, id).await?;
    if !(user == actor.id || actor.is_superuser || actor.is_system_auditor || may_change) {
        return Err(Failure::forbidden());
    }
    let (read, change, delete) = actions(engine, &subject, resource, id).await?;
    let ways = ways(engine, resource, id, &[user]).await?;
    let names = object_names(engine, actor, &ways).await?;
    let mut roles = vec![];
    for role in resource.roles {
        let mut chains: Vec<Vec<Json>> = ways
            .iter()
            .filter(|way| all_visible(way, &names))
            .filter_map(|way| chain(way, &subject, resource, id, role, &names))
            .collect();
        chains.sort_by_key(Vec::len);
        let allowed = holds(engine, &subject, resource, role, id).await?;
        roles.push(json!({
            "role_field": role.field, "name": role.name, "description": role.description,
            "allowed": allowed, "because": chains.into_iter().next().filter(|_| allowed),
        }));
    }
    let shown = |summaries: Vec<(i64, Map<String, Json>)>| summaries.into_iter().next().map(|(_, summary)| summary);
    let mut answer = Map::new();
    answer.insert("user".into(), shown(summarize(engine, actor, &USER, &[user]).await?).into());
    answer.insert("type".into(), resource.name.into());
    answer.insert("url".into(), resource.url(id).into());
    answer.insert("object".into(), shown(summarize(engine, actor, resource, &[id]).await?).into());
    answer.insert("actions".into(), json!({"read": read, "change": change, "delete": delete}));
    answer.insert("roles".into(), roles.into());
    Ok(answer)
}

fn parse(engine: &Engine, path: &str) -> Result<(&'static Resource, Target), Failure> {
    let wrong = || Failure::field("object", "Name an object by its path, such as /api/v2/organizations/1/.");
    let rest = path.strip_prefix("/api/v2/").and_then(|rest| rest.strip_suffix('/')).ok_or_else(wrong)?;
    let (plural, key) = rest.split_once('/').ok_or_else(wrong)?;
    let resource = engine.registry.by_plural(plural).ok_or_else(wrong)?.resource;
    Ok((resource, Target::parse(resource, key).map_err(|_| wrong())?))
}

/// The user as an actor, so that the real rules can be asked.
async fn subject(engine: &Engine, actor: &Actor, user: i64) -> Result<Actor, Failure> {
    let query = Query::select()
        .exprs(["username", IS_SUPERUSER.column, "is_system_auditor"].map(|name| column("users", name)))
        .from(Alias::new("users"))
        .and_where(column("users", "id").eq(user))
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Text, Type::Boolean, Type::Boolean]).await?;
    let row = rows.first().ok_or(Failure::NotFound(Some(USER.label)))?;
    Ok(Actor {
        id: user,
        username: row.text(0).unwrap_or_default().to_owned(),
        is_superuser: row.boolean(1),
        is_system_auditor: row.boolean(2),
        can_write: true,
        session: None,
        external_account: None,
        policy: actor.policy,
    })
}

/// Whether the actor may read, change and delete the object.
async fn actions(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    id: i64,
) -> Result<(bool, bool, bool), Failure> {
    let rule = |action| resource.access.rows(actor, action, "object").expression();
    let query = Query::select()
        .expr(rule(Action::Read))
        .expr(rule(Action::Change))
        .expr(rule(Action::Delete))
        .from_as(Alias::new(resource.table), Alias::new("object"))
        .and_where(column("object", "id").eq(id))
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Boolean; 3]).await?;
    let row = rows.first();
    let answer = |place: usize| row.is_some_and(|row| row.boolean(place));
    Ok((answer(0), resource.editable && answer(1), resource.deletable && answer(2)))
}

async fn holds(
    engine: &Engine,
    subject: &Actor,
    resource: &'static Resource,
    role: &'static ObjectRole,
    id: i64,
) -> Result<bool, Failure> {
    match engine.require(hostler_access::holds(resource, role.field, subject, Some(id))).await {
        Ok(()) => Ok(true),
        Err(Failure::Forbidden(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

type Names = std::collections::BTreeMap<(&'static str, i64), (String, bool)>;

/// Whether the actor may see every object that a way leads through.
fn all_visible(way: &Way, names: &Names) -> bool {
    let known =
        |content_type: &str, id: i64| names.iter().any(|((name, known), _)| *name == content_type && *known == id);
    let object = match (&way.content_type, way.object) {
        (Some(content_type), Some(id)) => known(content_type, id),
        _ => true,
    };
    object && way.team.as_ref().is_none_or(|team| known(TEAM.name, team.id))
}

/// The steps from what the user holds to this role, if the way leads there.
fn chain(
    way: &Way,
    subject: &Actor,
    resource: &'static Resource,
    id: i64,
    role: &'static ObjectRole,
    names: &Names,
) -> Option<Vec<Json>> {
    let above = |field: &str| Singleton::Administrator.field() == field;
    let held = match (way.content_type.as_deref(), way.object) {
        (None, _) if above(&way.field) => ImpliedBy::System(Singleton::Administrator),
        (None, _) => ImpliedBy::System(Singleton::Auditor),
        (Some(name), Some(object)) if name == resource.name && object == id => {
            ImpliedBy::Own(resource.role(&way.field)?.field)
        }
        (Some(_), _) => ImpliedBy::Organization(ORGANIZATION.role(&way.field)?.field),
    };
    let steps = match path(resource, role.field, held) {
        Some(steps) => steps,
        // Superusers may do everything, whether or not the graph says so.
        None if held == ImpliedBy::System(Singleton::Administrator) => vec![held, ImpliedBy::Own(role.field)],
        None => return None,
    };
    let mut chain = vec![];
    let mut holder = json!({"type": USER.name, "id": subject.id, "name": subject.username});
    if let Some(team) = &way.team {
        let (team_name, _) = names.get(&(TEAM.name, team.id))?;
        let what = if team.as_organization_admin { ORGANIZATION.name } else { TEAM.name };
        chain.push(json!({"holder": holder, "holds": team.field, "of": what, "and_so_belongs_to": team_name}));
        holder = json!({"type": TEAM.name, "id": team.id, "name": team_name});
    }
    let granted = match (way.content_type.as_deref(), way.object) {
        (Some(content_type), Some(object)) => {
            let (_, (name, _)) = names.iter().find(|((known, id), _)| *known == content_type && *id == object)?;
            json!({"type": content_type, "id": object, "name": name})
        }
        _ => Json::Null,
    };
    chain.push(
        json!({"holder": holder, "holds": way.field, "of": granted, "role": format!("/api/v2/roles/{}/", way.role)}),
    );
    for step in &steps[1..] {
        let (of, field) = match step {
            ImpliedBy::Own(field) => (resource.name, *field),
            ImpliedBy::Organization(field) => (ORGANIZATION.name, *field),
            ImpliedBy::System(singleton) => ("system", singleton.field()),
        };
        chain.push(json!({"implies": field, "of": of}));
    }
    Some(chain)
}
