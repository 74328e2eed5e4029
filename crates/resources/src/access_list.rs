//! Who has access to an object, and by which way: the `access_list` of every object that has roles.

use std::collections::BTreeMap;

use hostler_access::{closure, implied_fields};
use hostler_database::Type;
use hostler_resource::{Action, Actor, Resource, column};
use hostler_rest::{Engine, Failure, Shown, administers_role};
use sea_query::{Alias, Expr, ExprTrait, JoinType, Query, SelectStatement};
use serde_json::{Map, Value as Json, json};

use crate::{ORGANIZATION, TEAM};

/// The condition that user `other` has any access to the object: a role on it
/// or on its organization that implies one, directly or through a team, or a
/// role above all objects.
pub fn with_access_to(resource: &'static Resource, this_id: Expr, other: &str) -> Expr {
    let roles = leading_roles(resource, this_id);
    let holders = Query::select()
        .expr(column("grants", "user_id"))
        .from(Alias::new("grants"))
        .and_where(column("grants", "user_id").is_not_null())
        .and_where(column("grants", "role_id").in_subquery(roles.clone()))
        .to_owned();
    let teams = Query::select()
        .expr(column("grants", "team_id"))
        .from(Alias::new("grants"))
        .and_where(column("grants", "team_id").is_not_null())
        .and_where(column("grants", "role_id").in_subquery(roles))
        .to_owned();
    let members = hostler_access::holders_of(
        "team",
        &["member_role", "admin_role"],
        column("roles", "object_id").in_subquery(teams),
    );
    column(other, "is_superuser")
        .eq(true)
        .or(column(other, "is_system_auditor").eq(true))
        .or(column(other, "id").in_subquery(holders))
        .or(column(other, "id").in_subquery(members))
}

/// The ids of the roles that give access to the object: its own, and those of
/// its organization that imply any of them.
fn leading_roles(resource: &'static Resource, this_id: Expr) -> SelectStatement {
    let mut own =
        column("leading", "content_type").eq(resource.name).and(column("leading", "object_id").eq(this_id.clone()));
    let above: Vec<&str> = resource.roles.iter().flat_map(|role| closure(resource, role.field).organization).collect();
    if let (false, Some(link)) = (above.is_empty(), resource.organization_column()) {
        let organization = Query::select()
            .expr(column("belonging", link))
            .from_as(Alias::new(resource.table), Alias::new("belonging"))
            .and_where(column("belonging", "id").eq(this_id))
            .to_owned();
        own = own.or(column("leading", "content_type")
            .eq(ORGANIZATION.name)
            .and(column("leading", "role_field").is_in(above))
            .and(column("leading", "object_id").in_subquery(organization)));
    }
    Query::select()
        .expr(column("leading", "id"))
        .from_as(Alias::new("roles"), Alias::new("leading"))
        .and_where(own)
        .to_owned()
}

/// One way by which a user has access.
struct Way {
    user: i64,
    role: i64,
    content_type: Option<String>,
    object: Option<i64>,
    field: String,
    team: Option<i64>,
}

/// Adds `direct_access` and `indirect_access` to the users of a page, and takes
/// away what AWX does not show in this list.
///
/// # Errors
/// What the database says.
pub async fn show(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    id: i64,
    page: &mut [Shown],
) -> Result<(), Failure> {
    let users: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
    let ways = ways(engine, resource, id, &users).await?;
    let names = object_names(engine, actor, &ways).await?;
    for shown in page {
        let user = shown.loaded.record.id;
        let (mut direct, mut indirect) = (vec![], vec![]);
        for way in ways.iter().filter(|way| way.user == user) {
            let own = way.content_type.as_deref() == Some(resource.name) && way.object == Some(id);
            let list = if own && way.team.is_none() { &mut direct } else { &mut indirect };
            list.extend(describe(way, resource, actor, &names));
        }
        if let Some(Json::Object(summary)) = shown.json.get_mut("summary_fields") {
            summary.shift_remove("user_capabilities");
        }
        shown.summarize("direct_access", direct.into());
        shown.summarize("indirect_access", indirect.into());
    }
    Ok(())
}

async fn ways(engine: &Engine, resource: &'static Resource, id: i64, users: &[i64]) -> Result<Vec<Way>, Failure> {
    if resource.roles.is_empty() {
        // Objects without roles are open only to those above all objects.
        return system_ways(engine, users).await;
    }
    let columns = |query: &mut SelectStatement, user: Expr| {
        query.expr(user).exprs(["id", "content_type", "object_id", "role_field"].map(|name| column("roles", name)));
    };
    let leading = leading_roles(resource, Expr::val(id));
    let mut direct = Query::select();
    columns(&mut direct, column("grants", "user_id"));
    direct
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("grants", "user_id").is_in(users.iter().copied()))
        .and_where(column("roles", "id").in_subquery(leading.clone()))
        .order_by((Alias::new("grants"), Alias::new("id")), sea_query::Order::Asc);
    let types = [Type::Integer, Type::Integer, Type::Text, Type::Integer, Type::Text, Type::Integer];
    let mut rows = engine.database.read(&direct, &types[..5]).await?;

    // A member's or admin's grant on a team (`held`), and the team's grant on the object.
    let mut by_team = Query::select();
    columns(&mut by_team, column("membership", "user_id"));
    by_team
        .expr(column("teams", "id"))
        .distinct()
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .inner_join(Alias::new("teams"), column("teams", "id").eq(column("grants", "team_id")))
        .join_as(
            JoinType::InnerJoin,
            Alias::new("roles"),
            Alias::new("held"),
            column("held", "content_type")
                .eq(TEAM.name)
                .and(column("held", "object_id").eq(column("teams", "id")))
                .and(column("held", "role_field").is_in(["member_role", "admin_role"])),
        )
        .join_as(
            JoinType::InnerJoin,
            Alias::new("grants"),
            Alias::new("membership"),
            column("membership", "role_id").eq(column("held", "id")),
        )
        .and_where(column("membership", "user_id").is_in(users.iter().copied()))
        .and_where(column("roles", "id").in_subquery(leading));
    rows.extend(engine.database.read(&by_team, &types).await?);
    let mut ways: Vec<Way> = rows
        .iter()
        .map(|row| Way {
            user: row.integer(0).unwrap_or_default(),
            role: row.integer(1).unwrap_or_default(),
            content_type: row.text(2).map(str::to_owned),
            object: row.integer(3),
            field: row.text(4).unwrap_or_default().to_owned(),
            team: (row.0.len() > 5).then(|| row.integer(5).unwrap_or_default()),
        })
        .collect();
    ways.extend(system_ways(engine, users).await?);
    Ok(ways)
}

/// The grants of the two roles above all objects.
async fn system_ways(engine: &Engine, users: &[i64]) -> Result<Vec<Way>, Failure> {
    let query = Query::select()
        .expr(column("grants", "user_id"))
        .expr(column("roles", "id"))
        .expr(column("roles", "role_field"))
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("grants", "user_id").is_in(users.iter().copied()))
        .and_where(column("roles", "content_type").is_null())
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Integer, Type::Integer, Type::Text]).await?;
    Ok(rows
        .iter()
        .map(|row| Way {
            user: row.integer(0).unwrap_or_default(),
            role: row.integer(1).unwrap_or_default(),
            content_type: None,
            object: None,
            field: row.text(2).unwrap_or_default().to_owned(),
            team: None,
        })
        .collect())
}

/// Names of the objects whose roles lead here, as far as the actor may see
/// them, and whether the actor may take those roles away.
async fn object_names(
    engine: &Engine,
    actor: &Actor,
    ways: &[Way],
) -> Result<BTreeMap<(&'static str, i64), (String, bool)>, Failure> {
    let mut names = BTreeMap::new();
    for resource in [&ORGANIZATION, &TEAM] {
        let ids: Vec<i64> = ways
            .iter()
            .filter(|way| way.content_type.as_deref() == Some(resource.name))
            .filter_map(|way| way.object)
            .chain(ways.iter().filter(|_| resource.name == TEAM.name).filter_map(|way| way.team))
            .collect();
        if ids.is_empty() {
            continue;
        }
        let query = Query::select()
            .expr(column("holding", "id"))
            .expr(column("holding", "name"))
            .expr(administers_role(resource, actor, "holding").expression())
            .from_as(Alias::new(resource.table), Alias::new("holding"))
            .and_where(column("holding", "id").is_in(ids))
            .cond_where(resource.access.rows(actor, Action::Read, "holding").condition())
            .to_owned();
        for row in engine.database.read(&query, &[Type::Integer, Type::Text, Type::Boolean]).await? {
            if let (Some(id), Some(name)) = (row.integer(0), row.text(1)) {
                names.insert((resource.name, id), (name.to_owned(), row.boolean(2)));
            }
        }
    }
    Ok(names)
}

/// The way as AWX words it; none if it leads through an object that the actor may not see.
fn describe(
    way: &Way,
    resource: &'static Resource,
    actor: &Actor,
    names: &BTreeMap<(&'static str, i64), (String, bool)>,
) -> Option<Json> {
    let holding: Option<&'static Resource> =
        [&ORGANIZATION, &TEAM].into_iter().find(|r| Some(r.name) == way.content_type.as_deref());
    let Some(holding) = holding else {
        let (name, description) = match way.field.as_str() {
            "system_administrator" => ("System Administrator", "Can manage all aspects of the system"),
            _ => ("System Auditor", "Can view all aspects of the system"),
        };
        let may = json!({"unattach": actor.can_write && actor.is_superuser});
        let role = json!({"id": way.role, "name": name, "description": description, "user_capabilities": may});
        let all: Vec<&str> = resource.roles.iter().rev().map(|role| role.field).collect();
        return Some(json!({"role": role, "descendant_roles": all}));
    };
    let object = way.object?;
    let (object_name, administers) = names.get(&(holding.name, object))?;
    let known = holding.role(&way.field)?;
    let mut role = Map::new();
    role.insert("id".into(), way.role.into());
    role.insert("name".into(), known.name.into());
    role.insert("description".into(), known.description.into());
    role.insert("resource_name".into(), object_name.as_str().into());
    role.insert("resource_type".into(), holding.name.into());
    role.insert("related".into(), json!({ holding.name: holding.url(object) }));
    // A team of another organization, where the actor may not see it, has no name here.
    if let Some((team, (name, _))) = way.team.and_then(|team| Some((team, names.get(&(TEAM.name, team))?))) {
        role.insert("team_id".into(), team.into());
        role.insert("team_name".into(), name.as_str().into());
    }
    role.insert("user_capabilities".into(), json!({"unattach": actor.can_write && *administers}));
    Some(json!({"role": role, "descendant_roles": descendants(resource, holding, known.field)}))
}

/// The roles of `resource`'s object that this role of `holding`'s object gives.
fn descendants(resource: &'static Resource, holding: &'static Resource, field: &'static str) -> Vec<&'static str> {
    let mut fields = if resource == holding {
        implied_fields(resource, field)
    } else {
        resource
            .roles
            .iter()
            .map(|role| role.field)
            .filter(|role| closure(resource, role).organization.contains(&field))
            .collect()
    };
    // AWX lists the least role first.
    fields.reverse();
    fields
}
