use hostler_schema::{Actor, Resource, Rule, Singleton, column};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType};

use crate::graph::{ImplyingRoles, implying_roles};
use crate::user_grants::{USER_GRANTS, is_used_for};

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
        rule = rule.or(Rule::When(column(row, "id").in_subquery(objects_with_role(resource.name, &own, actor))));
    }
    if let (false, Some(link)) = (organization.is_empty(), resource.organization_column()) {
        let organizations = objects_with_role("organization", &organization, actor);
        rule = rule.or(Rule::When(column(row, link).in_subquery(organizations)));
    }
    if let Some((link, teams)) = resource.link("team") {
        for role in team {
            let ids = has_role(teams, role, actor, "owning").ids(teams.table, "owning");
            rule = rule.or(Rule::When(column(row, link).in_subquery(ids)));
        }
    }
    rule
}

/// Whether `actor` has `role` on the object with this id, or on any if the id is `None`. The rule refers to no row.
pub fn has_role_on(resource: &'static Resource, role: &'static str, actor: &Actor, id: Option<i64>) -> Rule {
    rule_on_object(resource, id, |row| has_role(resource, role, actor, row))
}

/// Whether `actor` has `role` on the object with this id, or on any if the id is `None`, or may do `action` with it by
/// a custom role definition. The rule refers to no row.
pub fn has_role_or_permission_on(
    resource: &'static Resource,
    role: &'static str,
    action: &str,
    actor: &Actor,
    id: Option<i64>,
) -> Rule {
    rule_on_object(resource, id, |row| has_role_or_permission(resource, role, action, actor, row))
}

/// Whether the object with this id, or any if the id is `None`, matches a rule. The rule gets the alias of the object's
/// table; the result refers to no row.
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

/// Whether `actor` may put an object of this resource into the organization with this id, or into any if it is `None`:
/// by this role of the organization, or by a custom role definition with the permission to add such objects. The rule
/// refers to no row.
pub fn can_create_in_organization(
    resource: &'static Resource,
    organizations: &'static Resource,
    role: &'static str,
    actor: &Actor,
    organization: Option<i64>,
) -> Rule {
    let defined = objects_with_permission(organizations.name, &resource.permission("add"), actor);
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

/// The rows whose organization gives `actor` one of these roles, or on which a custom role definition allows `action`.
pub fn has_organization_role_or_permission(
    resource: &'static Resource,
    organizations: &'static Resource,
    roles: &[&'static str],
    action: &str,
    actor: &Actor,
    row: &str,
) -> Rule {
    let implying: Vec<ImplyingRoles> = roles.iter().map(|role| implying_roles(organizations, role)).collect();
    let by_auditor = implying.iter().any(|roles| roles.system.contains(&Singleton::Auditor));
    if actor.is_superuser || (actor.is_system_auditor && by_auditor) {
        return Rule::All;
    }
    let by_definition = by_definition(resource, &resource.permission(action), actor, row);
    match resource.organization_column() {
        Some(link) => {
            let roles: Vec<&'static str> = implying.into_iter().flat_map(|roles| roles.own).collect();
            let granting = objects_with_role(organizations.name, &roles, actor);
            Rule::When(column(row, link).in_subquery(granting)).or(by_definition)
        }
        None => by_definition,
    }
}

/// The rows for which a custom role definition gives the actor this permission,
/// on the object itself or on its organization.
fn by_definition(resource: &'static Resource, permission: &str, actor: &Actor, row: &str) -> Rule {
    let within = |link: &str, content_type: &str| {
        Rule::When(column(row, link).in_subquery(objects_with_permission(content_type, permission, actor)))
    };
    let own = within("id", resource.name);
    match resource.organization_column() {
        Some(link) => own.or(within(link, "organization")),
        None => own,
    }
}

/// The ids of the objects of this type on which the actor was assigned, directly or through a team, a custom role
/// definition with this permission. The query needs [`crate::with_user_grants`].
pub fn objects_with_permission(content_type: &str, permission: &str, actor: &Actor) -> SelectStatement {
    if !is_used_for(actor) {
        return objects_with_permission_of(content_type, permission, actor.id);
    }
    with_permission(objects_of_actor(content_type), USER_GRANTS, permission)
}

/// As [`objects_with_permission`], for any user.
pub fn objects_with_permission_of(content_type: &str, permission: &str, user: impl Into<Expr>) -> SelectStatement {
    granted_directly_or_by_team(with_permission(granted_objects(content_type), "roles", permission), user.into())
}

/// The ids of the objects of this type on which the actor has one of these roles, directly or through a team. The query
/// needs [`crate::with_user_grants`].
pub fn objects_with_role(content_type: &str, fields: &[&'static str], actor: &Actor) -> SelectStatement {
    if !is_used_for(actor) {
        return objects_with_role_of(content_type, fields, actor.id);
    }
    objects_of_actor(content_type).and_where(one_of(USER_GRANTS, fields)).to_owned()
}

/// As [`objects_with_role`], for any user.
pub fn objects_with_role_of(content_type: &str, fields: &[&'static str], user: impl Into<Expr>) -> SelectStatement {
    granted_directly_or_by_team(objects_with_granted_role(content_type, fields), user.into())
}

fn with_permission(mut query: SelectStatement, source: &str, permission: &str) -> SelectStatement {
    const PERMISSIONS: &str = "role_definition_permissions";
    let same_definition = column(PERMISSIONS, "definition_id").eq(column(source, "definition_id"));
    query
        .inner_join(Alias::new(PERMISSIONS), same_definition)
        .and_where(column(PERMISSIONS, "permission").eq(permission))
        .to_owned()
}

/// `SELECT object_id` of the objects of this type on which the actor has any role.
fn objects_of_actor(content_type: &str) -> SelectStatement {
    Query::select()
        .expr(column(USER_GRANTS, "object_id"))
        .from(Alias::new(USER_GRANTS))
        .and_where(column(USER_GRANTS, "content_type").eq(content_type))
        .to_owned()
}

/// `SELECT object_id` of the objects of this type on which any role is granted, over `grants` and `roles`.
fn granted_objects(content_type: &str) -> SelectStatement {
    Query::select()
        .expr(column("roles", "object_id"))
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("roles", "content_type").eq(content_type))
        .to_owned()
}

/// The rows of `query`, over `grants`, of the user and of the user's teams. A UNION instead of an OR, so that each part
/// uses its index.
pub(crate) fn granted_directly_or_by_team(query: SelectStatement, user: Expr) -> SelectStatement {
    let mut own = query.clone();
    own.and_where(column("grants", "user_id").eq(user.clone()));
    let mut by_team = query;
    by_team.and_where(column("grants", "team_id").in_subquery(teams_of_user(user)));
    own.union(UnionType::All, by_team);
    own
}

/// Whether this user is an admin of any organization. Only users are granted that role, never teams.
pub fn is_organization_admin(user: Expr) -> Expr {
    let mut administered = objects_with_granted_role("organization", &["admin_role"]);
    administered.and_where(column("grants", "user_id").eq(user));
    Expr::exists(administered)
}

/// The ids of the teams whose grants extend to this user: as member or admin
/// of the team, or as admin of its organization (who is implied to be both, as in AWX).
pub fn teams_of_user(user: impl Into<Expr>) -> SelectStatement {
    let user = user.into();
    let mut direct = objects_with_granted_role("team", &["admin_role", "member_role"]);
    direct.and_where(column("grants", "user_id").eq(user.clone()));
    let mut administered = objects_with_granted_role("organization", &["admin_role"]);
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
        .and_where(one_of("roles", fields))
        .and_where(column("grants", "user_id").is_not_null())
        .and_where(condition)
        .to_owned()
}

/// The ids of the objects of this type on which one of these roles is granted, over `grants` and `roles`.
fn objects_with_granted_role(content_type: &str, fields: &[&'static str]) -> SelectStatement {
    granted_objects(content_type).and_where(one_of("roles", fields)).to_owned()
}

fn one_of(source: &str, fields: &[&'static str]) -> Expr {
    column(source, "role_field").is_in(fields.iter().copied())
}
