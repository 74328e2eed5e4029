use hostler_schema::{Actor, Resource, Rule, Singleton, column};
use sea_query::{Alias, Condition, Expr, ExprTrait, JoinType, Query, SelectStatement, UnionType};

use crate::graph::{ImplyingRoles, implying_any};
use crate::user_grants::{USER_GRANTS, is_used_for};

/// The rows on which `actor` has `role`, directly, through a team or through another role.
///
/// `row` is the name of the resource's table in the query.
pub fn has_role(resource: &'static Resource, role: &'static str, actor: &Actor, row: &str) -> Rule {
    granted(resource, &[role], None, actor, row)
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
    granted(resource, &[role], Some(&resource.permission(action)), actor, row)
}

/// The rows on which `actor` has one of these roles, or for which a custom role definition gives this permission, on the
/// object itself or on its organization.
///
/// One subquery finds all grants on the object, and one those on its organization: SQLite counts the tables of
/// `user_grants` again for each reference, and refuses one after a thousand tables.
fn granted(
    resource: &'static Resource,
    roles: &[&'static str],
    permission: Option<&str>,
    actor: &Actor,
    row: &str,
) -> Rule {
    let ImplyingRoles { own, organization, team, system } = implying_any(resource, roles);
    if sees_all(actor, &system) {
        return Rule::All;
    }
    let mut rule = linked_by("id", resource.name, &own, permission, actor, row);
    if let Some(link) = resource.organization_column() {
        rule = rule.or(linked_by(link, "organization", &organization, permission, actor, row));
    }
    if let (Some((link, teams)), false) = (resource.link("team"), team.is_empty()) {
        let ids = granted(teams, &team, None, actor, "owning").ids(teams.table, "owning");
        rule = rule.or(Rule::When(column(row, link).in_subquery(ids)));
    }
    rule
}

/// Whether one of these system-wide roles, or being a superuser, gives the actor the role on all objects.
fn sees_all(actor: &Actor, system: &[Singleton]) -> bool {
    actor.is_superuser || (actor.is_system_auditor && system.contains(&Singleton::Auditor))
}

/// The rows that this column links to an object on which the actor has one of these roles or this permission.
fn linked_by(
    link: &str,
    content_type: &str,
    roles: &[&'static str],
    permission: Option<&str>,
    actor: &Actor,
    row: &str,
) -> Rule {
    if roles.is_empty() && permission.is_none() {
        return Rule::None;
    }
    Rule::When(column(row, link).in_subquery(objects_granted_to(content_type, roles, permission, actor)))
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
    let permission = resource.permission("add");
    rule_on_object(organizations, organization, |row| granted(organizations, &[role], Some(&permission), actor, row))
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
    let ImplyingRoles { own: roles, system, .. } = implying_any(organizations, roles);
    if sees_all(actor, &system) {
        return Rule::All;
    }
    let permission = resource.permission(action);
    let by_definition = linked_by("id", resource.name, &[], Some(&permission), actor, row);
    match resource.organization_column() {
        Some(link) => linked_by(link, organizations.name, &roles, Some(&permission), actor, row).or(by_definition),
        None => by_definition,
    }
}

/// The ids of the objects of this type on which the actor was assigned, directly or through a team, a custom role
/// definition with this permission. The query needs [`crate::with_user_grants`].
pub fn objects_with_permission(content_type: &str, permission: &str, actor: &Actor) -> SelectStatement {
    objects_granted_to(content_type, &[], Some(permission), actor)
}

/// As [`objects_with_permission`], for any user.
pub fn objects_with_permission_of(content_type: &str, permission: &str, user: impl Into<Expr>) -> SelectStatement {
    objects_granted_to_user(content_type, &[], Some(permission), user.into())
}

/// The ids of the objects of this type on which the actor has one of these roles, directly or through a team. The query
/// needs [`crate::with_user_grants`].
pub fn objects_with_role(content_type: &str, fields: &[&'static str], actor: &Actor) -> SelectStatement {
    objects_granted_to(content_type, fields, None, actor)
}

/// As [`objects_with_role`], for any user.
pub fn objects_with_role_of(content_type: &str, fields: &[&'static str], user: impl Into<Expr>) -> SelectStatement {
    objects_granted_to_user(content_type, fields, None, user.into())
}

/// The ids of the objects of this type on which the actor has one of these roles, or a custom role definition with this
/// permission.
fn objects_granted_to(
    content_type: &str,
    roles: &[&'static str],
    permission: Option<&str>,
    actor: &Actor,
) -> SelectStatement {
    if !is_used_for(actor) {
        return objects_granted_to_user(content_type, roles, permission, Expr::val(actor.id));
    }
    Query::select()
        .expr(column(USER_GRANTS, "object_id"))
        .from(Alias::new(USER_GRANTS))
        .and_where(column(USER_GRANTS, "content_type").eq(content_type))
        .cond_where(grants_any(USER_GRANTS, roles, permission))
        .to_owned()
}

/// As [`objects_granted_to`], for any user.
fn objects_granted_to_user(
    content_type: &str,
    roles: &[&'static str],
    permission: Option<&str>,
    user: Expr,
) -> SelectStatement {
    let granted = granted_objects(content_type).cond_where(grants_any("roles", roles, permission)).to_owned();
    granted_directly_or_by_team(granted, user)
}

/// The condition that a row of this table is one of these roles, or of a custom role definition with this permission.
fn grants_any(source: &str, roles: &[&'static str], permission: Option<&str>) -> Condition {
    const PERMISSIONS: &str = "role_definition_permissions";
    let by_role = (!roles.is_empty()).then(|| one_of(source, roles));
    let by_definition = permission.map(|permission| {
        let definitions = Query::select()
            .expr(column(PERMISSIONS, "definition_id"))
            .from(Alias::new(PERMISSIONS))
            .and_where(column(PERMISSIONS, "permission").eq(permission))
            .to_owned();
        column(source, "definition_id").in_subquery(definitions)
    });
    by_role.into_iter().chain(by_definition).fold(Condition::any(), Condition::add)
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
///
/// One SELECT, so that the expression of the actor's grants has few tables.
pub fn teams_of_user(user: impl Into<Expr>) -> SelectStatement {
    const ADMINISTERED: &str = "administered_teams";
    let is_of = |content_type: &str| column("roles", "content_type").eq(content_type);
    let same_organization = column(ADMINISTERED, "organization_id").eq(column("roles", "object_id"));
    let direct = is_of("team").and(one_of("roles", &["admin_role", "member_role"]));
    let by_organization =
        is_of("organization").and(one_of("roles", &["admin_role"])).and(column(ADMINISTERED, "id").is_not_null());
    Query::select()
        .expr(Expr::case(is_of("team"), column("roles", "object_id")).finally(column(ADMINISTERED, "id")))
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .join_as(
            JoinType::LeftJoin,
            Alias::new("teams"),
            Alias::new(ADMINISTERED),
            is_of("organization").and(same_organization),
        )
        .and_where(column("grants", "user_id").eq(user.into()))
        .and_where(direct.or(by_organization))
        .to_owned()
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

#[cfg(test)]
mod tests {
    use sea_query::SqliteQueryBuilder;

    use super::*;

    #[test]
    fn no_role_and_no_permission_give_nothing() {
        let query = objects_with_role_of("project", &[], 1_i64).to_string(SqliteQueryBuilder);
        assert!(query.contains("AND FALSE"), "{query}");
    }
}
