//! The ways by which users come to have access to an object.

use hostler_access::closure;
use hostler_database::Type;
use hostler_resource::{Resource, column};
use hostler_rest::{Engine, Failure};
use sea_query::{Alias, Expr, ExprTrait, JoinType, Query, SelectStatement};

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
        TEAM.name,
        &["member_role", "admin_role"],
        column("roles", "object_id").in_subquery(teams.clone()),
    );
    // Admins of a team's organization are implied to be its admins.
    let organizations = Query::select()
        .expr(column("granted", "organization_id"))
        .from_as(Alias::new(TEAM.table), Alias::new("granted"))
        .and_where(column("granted", "id").in_subquery(teams))
        .to_owned();
    let admins = hostler_access::holders_of(
        ORGANIZATION.name,
        &["admin_role"],
        column("roles", "object_id").in_subquery(organizations),
    );
    column(other, "is_superuser")
        .eq(true)
        .or(column(other, "is_system_auditor").eq(true))
        .or(column(other, "id").in_subquery(holders))
        .or(column(other, "id").in_subquery(members))
        .or(column(other, "id").in_subquery(admins))
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
pub struct Way {
    /// The user.
    pub user: i64,
    /// The id of the role that was granted.
    pub role: i64,
    /// The type of the object whose role it is; none for a role above all objects.
    pub content_type: Option<String>,
    /// The id of that object.
    pub object: Option<i64>,
    /// Which of its roles it is.
    pub field: String,
    /// The team that was granted the role, if it was not the user.
    pub team: Option<ThroughTeam>,
}

/// How a user has what a team was granted.
pub struct ThroughTeam {
    /// The team's id.
    pub id: i64,
    /// Whether the user administers the team's organization, and so the team.
    pub as_organization_admin: bool,
    /// Otherwise which role of the team the user holds.
    pub field: String,
}

/// Every way by which these users have access to the object.
///
/// # Errors
/// What the database says.
pub async fn ways(engine: &Engine, resource: &'static Resource, id: i64, users: &[i64]) -> Result<Vec<Way>, Failure> {
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
    let types =
        [Type::Integer, Type::Integer, Type::Text, Type::Integer, Type::Text, Type::Integer, Type::Text, Type::Text];
    let mut rows = engine.database.read(&direct, &types[..5]).await?;

    // What makes one belong to a team (`held`): its member or admin role, or the admin role of its
    // organization; and the team's grant on the object.
    let in_team = column("held", "content_type")
        .eq(TEAM.name)
        .and(column("held", "object_id").eq(column("teams", "id")))
        .and(column("held", "role_field").is_in(["member_role", "admin_role"]));
    let above_team = column("held", "content_type")
        .eq(ORGANIZATION.name)
        .and(column("held", "object_id").eq(column("teams", "organization_id")))
        .and(column("held", "role_field").eq("admin_role"));
    let mut by_team = Query::select();
    columns(&mut by_team, column("membership", "user_id"));
    by_team
        .expr(column("teams", "id"))
        .expr(column("held", "content_type"))
        .expr(column("held", "role_field"))
        .distinct()
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .inner_join(Alias::new("teams"), column("teams", "id").eq(column("grants", "team_id")))
        .join_as(JoinType::InnerJoin, Alias::new("roles"), Alias::new("held"), in_team.or(above_team))
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
            team: (row.0.len() > 5).then(|| ThroughTeam {
                id: row.integer(5).unwrap_or_default(),
                as_organization_admin: row.text(6) == Some(ORGANIZATION.name),
                field: row.text(7).unwrap_or_default().to_owned(),
            }),
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
