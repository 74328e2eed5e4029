//! Access paths: the grants through which users have access to an object.

use hostler_access::implying_roles;
use hostler_engine::{Engine, Error};
use hostler_schema::{Resource, Rule, column};
use sea_query::{Alias, Expr, ExprTrait, JoinType, Query, SelectStatement, UnionType};
use serde_json::Value as Json;

use crate::role_definitions::permissions_of;
use crate::{ORGANIZATION, TEAM};

/// The condition that user `other` has any access to the object: a role on it or on its organization that implies one,
/// directly or through a team, or a system-wide role.
pub fn with_access_to(resource: &'static Resource, this_id: Expr, other: &str) -> Expr {
    let roles = granting_roles(resource, this_id);
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
    let members = hostler_access::users_with_role(
        TEAM.name,
        &["member_role", "admin_role"],
        column("roles", "object_id").in_subquery(teams.clone()),
    );
    // Admins of a team's organization are implicitly its admins.
    let organizations = Query::select()
        .expr(column("granted", "organization_id"))
        .from_as(Alias::new(TEAM.table), Alias::new("granted"))
        .and_where(column("granted", "id").in_subquery(teams))
        .to_owned();
    let admins = hostler_access::users_with_role(
        ORGANIZATION.name,
        &["admin_role"],
        column("roles", "object_id").in_subquery(organizations),
    );
    // Selected first, so that the database looks these users up instead of testing all.
    let mut all = users_with_flag("is_superuser");
    for some in [users_with_flag("is_system_auditor"), holders, members, admins] {
        all.union(UnionType::All, some);
    }
    column(other, "id").in_subquery(all)
}

/// The ids of the users with this flag. A constant, unlike a parameter, lets the planner know that they are few.
fn users_with_flag(flag: &'static str) -> SelectStatement {
    Query::select()
        .expr(column("above", "id"))
        .from_as(Alias::new("users"), Alias::new("above"))
        .and_where(column("above", flag).eq(Expr::Constant(true.into())))
        .to_owned()
}

/// The condition that user `other` has a system-wide role.
pub fn is_system_wide(other: &str) -> Expr {
    let mut all = users_with_flag("is_superuser");
    all.union(UnionType::All, users_with_flag("is_system_auditor"));
    column(other, "id").in_subquery(all)
}

/// The ids of the roles that give access to the object: its own roles, and roles of its organization and its team that
/// imply one of them, including custom definitions.
fn granting_roles(resource: &'static Resource, this_id: Expr) -> SelectStatement {
    let own =
        column("granting", "content_type").eq(resource.name).and(column("granting", "object_id").eq(this_id.clone()));
    let mut rule = Rule::When(own);
    let definitions = Query::select()
        .expr(column("role_definition_permissions", "definition_id"))
        .from(Alias::new("role_definition_permissions"))
        .and_where(column("role_definition_permissions", "permission").is_in(permissions_of(resource)))
        .to_owned();
    let by_definition = column("granting", "definition_id").in_subquery(definitions);
    let closures = resource.roles.iter().map(|role| implying_roles(resource, role.field));
    let (organization, team): (Vec<_>, Vec<_>) = closures.map(|closure| (closure.organization, closure.team)).unzip();
    let of_organization = column("granting", "role_field").is_in(organization.concat()).or(by_definition);
    let of_team = column("granting", "role_field").is_in(team.concat());
    for (owner, implies) in [(&ORGANIZATION, of_organization), (&TEAM, of_team)] {
        let Some((link, _)) = resource.link(owner.name) else { continue };
        let owners = Query::select()
            .expr(column("owned", link))
            .from_as(Alias::new(resource.table), Alias::new("owned"))
            .and_where(column("owned", "id").eq(this_id.clone()))
            .to_owned();
        let of_owner = column("granting", "content_type").eq(owner.name).and(implies);
        rule = rule.or(Rule::When(of_owner.and(column("granting", "object_id").in_subquery(owners))));
    }
    rule.ids("roles", "granting")
}

/// One grant through which a user has access.
pub struct AccessPath {
    /// The user.
    pub user: i64,
    /// The id of the role that was granted.
    pub role: i64,
    /// The type of the object whose role it is; none for a system-wide role.
    pub content_type: Option<String>,
    /// The id of that object.
    pub object: Option<i64>,
    /// Which of its roles it is.
    pub field: String,
    /// The custom definition of the role, if it is not one of the object's own roles.
    pub definition: Option<Definition>,
    /// The team that was granted the role, if it was not the user.
    pub team: Option<TeamMembership>,
}

/// A custom role definition.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The permissions that it gives.
    pub permissions: Vec<String>,
}

/// Why a role of a team applies to a user.
pub struct TeamMembership {
    /// The team's id.
    pub id: i64,
    /// Whether the user administers the team's organization, and so the team.
    pub as_organization_admin: bool,
    /// Otherwise the role of the team that the user has.
    pub field: String,
}

/// A grant: the user, the id of the role, its object's type and id, its field, and its custom definition.
type GrantRow = (i64, i64, Option<String>, Option<i64>, String, Option<i64>);
/// A grant of a team: as a [`GrantRow`], then the team, and the type and field of the role that makes the user a member.
type GrantByTeamRow = (i64, i64, Option<String>, Option<i64>, String, Option<i64>, i64, String, String);

/// All access paths of these users to the object.
///
/// # Errors
/// Errors of the database.
pub async fn access_paths(
    engine: &Engine,
    resource: &'static Resource,
    id: i64,
    users: &[i64],
) -> Result<Vec<AccessPath>, Error> {
    if resource.roles.is_empty() {
        // Only system-wide roles give access to objects without roles.
        return system_access_paths(engine, users).await;
    }
    let columns = |query: &mut SelectStatement, user: Expr| {
        let names = ["id", "content_type", "object_id", "role_field", "definition_id"];
        query.expr(user).exprs(names.map(|name| column("roles", name)));
    };
    let granting = granting_roles(resource, Expr::val(id));
    let mut direct = Query::select();
    columns(&mut direct, column("grants", "user_id"));
    direct
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("grants", "user_id").is_in(users.iter().copied()))
        .and_where(column("roles", "id").in_subquery(granting.clone()))
        .order_by((Alias::new("grants"), Alias::new("id")), sea_query::Order::Asc);
    let direct: Vec<GrantRow> = engine.database.read_as(&direct).await?;

    // The roles that make a user a member of the team: its member or admin role, or the admin role of its organization.
    let in_team = column("membership_role", "content_type")
        .eq(TEAM.name)
        .and(column("membership_role", "object_id").eq(column("teams", "id")))
        .and(column("membership_role", "role_field").is_in(["member_role", "admin_role"]));
    let above_team = column("membership_role", "content_type")
        .eq(ORGANIZATION.name)
        .and(column("membership_role", "object_id").eq(column("teams", "organization_id")))
        .and(column("membership_role", "role_field").eq("admin_role"));
    let mut by_team = Query::select();
    columns(&mut by_team, column("membership", "user_id"));
    by_team
        .expr(column("teams", "id"))
        .expr(column("membership_role", "content_type"))
        .expr(column("membership_role", "role_field"))
        .distinct()
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .inner_join(Alias::new("teams"), column("teams", "id").eq(column("grants", "team_id")))
        .join_as(JoinType::InnerJoin, Alias::new("roles"), Alias::new("membership_role"), in_team.or(above_team))
        .join_as(
            JoinType::InnerJoin,
            Alias::new("grants"),
            Alias::new("membership"),
            column("membership", "role_id").eq(column("membership_role", "id")),
        )
        .and_where(column("membership", "user_id").is_in(users.iter().copied()))
        .and_where(column("roles", "id").in_subquery(granting));
    let by_team: Vec<GrantByTeamRow> = engine.database.read_as(&by_team).await?;
    let by_team = by_team.into_iter().map(|(user, role, content_type, object, field, definition, team, kind, name)| {
        let team = TeamMembership { id: team, as_organization_admin: kind == ORGANIZATION.name, field: name };
        ((user, role, content_type, object, field, definition), Some(team))
    });
    let grants: Vec<_> = direct.into_iter().map(|grant| (grant, None)).chain(by_team).collect();
    let definitions = definitions(engine, grants.iter().filter_map(|(grant, _)| grant.5).collect()).await?;
    let mut paths: Vec<AccessPath> = grants
        .into_iter()
        .map(|((user, role, content_type, object, field, definition), team)| {
            let definition = definitions.iter().find(|known| Some(known.id) == definition).cloned();
            AccessPath { user, role, content_type, object, field, definition, team }
        })
        .collect();
    paths.extend(system_access_paths(engine, users).await?);
    Ok(paths)
}

/// The custom definitions with these ids.
async fn definitions(engine: &Engine, ids: Vec<i64>) -> Result<Vec<Definition>, Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let query = Query::select()
        .exprs(["id", "name", "description", "permissions"].map(|name| column("role_definitions", name)))
        .from(Alias::new("role_definitions"))
        .and_where(column("role_definitions", "id").is_in(ids))
        .to_owned();
    let rows: Vec<(i64, String, String, Json)> = engine.database.read_as(&query).await?;
    let definition = |(id, name, description, permissions): (i64, String, String, Json)| {
        let permissions = permissions.as_array().into_iter().flatten();
        let permissions = permissions.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        Definition { id, name, description, permissions }
    };
    Ok(rows.into_iter().map(definition).collect())
}

/// The grants of the two system-wide roles.
async fn system_access_paths(engine: &Engine, users: &[i64]) -> Result<Vec<AccessPath>, Error> {
    let query = Query::select()
        .expr(column("grants", "user_id"))
        .expr(column("roles", "id"))
        .expr(column("roles", "role_field"))
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("grants", "user_id").is_in(users.iter().copied()))
        .and_where(column("roles", "content_type").is_null())
        .to_owned();
    let rows: Vec<(i64, i64, String)> = engine.database.read_as(&query).await?;
    let path = |(user, role, field)| AccessPath {
        user,
        role,
        content_type: None,
        object: None,
        field,
        definition: None,
        team: None,
    };
    Ok(rows.into_iter().map(path).collect())
}
