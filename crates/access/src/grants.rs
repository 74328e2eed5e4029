use hostler_database::{GRANTED_USER, USER_GRANTS};
use hostler_schema::{Actor, Resource, Rule, Singleton, column};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType};

use crate::by_organization::has_role_on;
use crate::graph::{ImplyingRoles, implying_roles};

/// The rows on which `actor` has `role`, directly, through a team or through another role.
///
/// `row` is the name of the resource's table in the query.
pub fn has_role(resource: &'static Resource, role: &'static str, actor: &Actor, row: &str) -> Rule {
    let ImplyingRoles { own, organization, team, system } = implying_roles(resource, role);
    if actor.is_superuser || (actor.is_system_auditor && system.contains(&Singleton::Auditor)) {
        return Rule::All;
    }
    let mut rule = Rule::None;
    if !own.is_empty() {
        rule = rule.or(Rule::When(column(row, "id").in_subquery(objects_with_role(resource.name, &own, actor.id))));
    }
    if let (false, Some(link)) = (organization.is_empty(), resource.organization_column()) {
        rule = rule.or(Rule::When(column(row, link).in_subquery(objects_with_role(
            "organization",
            &organization,
            actor.id,
        ))));
    }
    if let Some((link, teams)) = resource.link("team") {
        for role in team {
            let ids = has_role(teams, role, actor, "owning").ids(teams.table, "owning");
            rule = rule.or(Rule::When(column(row, link).in_subquery(ids)));
        }
    }
    rule
}

/// Whether `actor` has `role` on the object with this id, or on any if none is
/// named, or may do `action` with it by a custom role definition; refers to no row.
pub fn has_role_or_permission_on(
    resource: &'static Resource,
    role: &'static str,
    action: &str,
    actor: &Actor,
    id: Option<i64>,
) -> Rule {
    rule_on_object(resource, id, |row| has_role_or_permission(resource, role, action, actor, row))
}

/// Whether the object with this id, or any if none is named, meets a rule; refers to no row. The rule gets the
/// alias of the object's table.
pub fn rule_on_object(resource: &'static Resource, id: Option<i64>, rule: impl FnOnce(&str) -> Rule) -> Rule {
    const OBJECT: &str = "target";
    match rule(OBJECT) {
        Rule::When(condition) => Rule::When(Expr::exists(
            Query::select()
                .expr(Expr::val(1))
                .from_as(Alias::new(resource.table), Alias::new(OBJECT))
                .and_where_option(id.map(|id| column(OBJECT, "id").eq(id)))
                .and_where(condition)
                .to_owned(),
        )),
        rule => rule,
    }
}

/// Whether `actor` may put an object of this resource into the organization with
/// this id, or into any if none is named: by this role of the organization, or by
/// a custom role definition that lets them add such objects. Refers to no row.
pub fn can_create_in_organization(
    resource: &'static Resource,
    organizations: &'static Resource,
    role: &'static str,
    actor: &Actor,
    organization: Option<i64>,
) -> Rule {
    let defined = objects_with_permission(organizations.name, &resource.permission("add"), actor.id);
    let by_definition = match organization {
        Some(id) => Expr::val(id).cast_as("bigint").in_subquery(defined),
        None => Expr::exists(defined),
    };
    has_role_on(organizations, role, actor, organization).or(Rule::When(by_definition))
}

/// The rows on which `actor` has `role`, or a custom role definition with the
/// permission to do `action` (`view`, `change`, `delete`, ...).
pub fn has_role_or_permission(
    resource: &'static Resource,
    role: &'static str,
    action: &str,
    actor: &Actor,
    row: &str,
) -> Rule {
    match has_role(resource, role, actor, row) {
        Rule::All => Rule::All,
        by_role => by_role.or(by_definition(resource, &resource.permission(action), actor, row)),
    }
}

/// The rows for which a custom role definition gives `actor` this permission,
/// on the object itself or on its organization.
fn by_definition(resource: &'static Resource, permission: &str, actor: &Actor, row: &str) -> Rule {
    let own = Rule::When(column(row, "id").in_subquery(objects_with_permission(resource.name, permission, actor.id)));
    match resource.organization_column() {
        Some(link) => own.or(Rule::When(column(row, link).in_subquery(objects_with_permission(
            "organization",
            permission,
            actor.id,
        )))),
        None => own,
    }
}

/// The ids of the objects of this type on which the user was assigned, directly
/// or through a team, a custom role definition with this permission.
pub fn objects_with_permission(content_type: &str, permission: &str, user: impl Into<Expr>) -> SelectStatement {
    const PERMISSIONS: &str = "role_definition_permissions";
    let permitted = |source: &str| {
        let given = column(PERMISSIONS, "definition_id").eq(column(source, "definition_id"));
        let mut query = objects(source, content_type);
        query.inner_join(Alias::new(PERMISSIONS), given).and_where(column(PERMISSIONS, "permission").eq(permission));
        query
    };
    among_grants(permitted, user.into())
}

/// The ids of the objects of this type on which the user has one of these
/// roles, directly or through a team.
pub fn objects_with_role(content_type: &str, fields: &[&'static str], user: impl Into<Expr>) -> SelectStatement {
    let with_role = |source: &str| {
        let mut query = objects(source, content_type);
        query.and_where(column(source, "role_field").is_in(fields.iter().copied()));
        query
    };
    among_grants(with_role, user.into())
}

/// What `query` selects from the effective grants of the user. For a user who is known before the statement runs, this
/// reads [`USER_GRANTS`]; for users that the statement itself finds, it is a subquery over the tables.
fn among_grants(query: impl Fn(&str) -> SelectStatement, user: Expr) -> SelectStatement {
    match user {
        Expr::Value(user) => query(USER_GRANTS).and_where(column(USER_GRANTS, GRANTED_USER).eq(user)).to_owned(),
        user => directly_or_by_team(query("roles"), user),
    }
}

/// `SELECT object_id` from [`USER_GRANTS`], or from the grants with their roles, for objects of this type.
fn objects(source: &str, content_type: &str) -> SelectStatement {
    let mut query = Query::select();
    query.column((Alias::new(source), Alias::new("object_id")));
    if source == USER_GRANTS {
        query.from(Alias::new(USER_GRANTS));
    } else {
        query
            .from(Alias::new("grants"))
            .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")));
    }
    query.and_where(column(source, "content_type").eq(content_type)).to_owned()
}

/// The rows of `query`, over `grants`, of the user and of the user's teams. A UNION instead of an OR, so that each part
/// uses its index.
fn directly_or_by_team(query: SelectStatement, user: Expr) -> SelectStatement {
    let mut own = query.clone();
    own.and_where(column("grants", "user_id").eq(user.clone()));
    let mut by_team = query;
    by_team.and_where(column("grants", "team_id").in_subquery(teams_of_user(user)));
    own.union(UnionType::All, by_team);
    own
}

/// Whether this user administers any organization. Only users are granted that
/// role, never teams.
pub fn is_organization_admin(user: Expr) -> Expr {
    let mut administered = granted_objects("organization", &["admin_role"]);
    administered.and_where(column("grants", "user_id").eq(user));
    Expr::exists(administered)
}

/// The ids of the teams whose grants extend to this user: as member or admin
/// of the team, or as admin of its organization (who is implied to be both, as in AWX).
/// [`USER_GRANTS`] has the same rule for a user who is known before the statement runs.
pub fn teams_of_user(user: impl Into<Expr>) -> SelectStatement {
    let user = user.into();
    let mut direct = granted_objects("team", &["admin_role", "member_role"]);
    direct.and_where(column("grants", "user_id").eq(user.clone()));
    let mut administered = granted_objects("organization", &["admin_role"]);
    administered.and_where(column("grants", "user_id").eq(user));
    let by_organization = Query::select()
        .column((Alias::new("administered_teams"), Alias::new("id")))
        .from_as(Alias::new("teams"), Alias::new("administered_teams"))
        .and_where(column("administered_teams", "organization_id").in_subquery(administered))
        .to_owned();
    direct.union(UnionType::Distinct, by_organization);
    direct
}

/// The ids of the users who were granted one of these roles directly, on the
/// objects of this type that meet `condition` (over the table `roles`).
pub fn users_with_role(content_type: &str, fields: &[&'static str], condition: Expr) -> SelectStatement {
    Query::select()
        .column((Alias::new("grants"), Alias::new("user_id")))
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("roles", "content_type").eq(content_type))
        .and_where(one_of(fields))
        .and_where(column("grants", "user_id").is_not_null())
        .and_where(condition)
        .to_owned()
}

/// The ids of the objects of this type of which these roles were granted to any user or team.
fn granted_objects(content_type: &str, fields: &[&'static str]) -> SelectStatement {
    objects("roles", content_type).and_where(one_of(fields)).to_owned()
}

fn one_of(fields: &[&'static str]) -> Expr {
    column("roles", "role_field").is_in(fields.iter().copied())
}
