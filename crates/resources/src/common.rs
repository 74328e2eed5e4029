//! Fields, relations, conditions and rules that several resources share.

use hostler_access::{
    ImplyingRoles, has_organization_role_or_permission, has_role_on, has_role_or_permission, implying_roles,
    objects_with_permission_of, objects_with_role, objects_with_role_of, rule_on_object,
};
use hostler_engine::{Engine, Error, can_grant_roles};
use hostler_schema::{Access, Action, Actor, Draft, Field, Join, Resource, Rule, Sublist, column, fields};
use sea_query::{Alias, Expr, ExprTrait, Query, UnionType};

use crate::users::USER;
use crate::{ACTIVITY, REGISTRY};

/// The types of objects on which roles are granted.
pub fn types_with_roles() -> impl Iterator<Item = &'static Resource> {
    REGISTRY.resources_with_roles()
}

/// When the object was created.
pub const CREATED: Field = fields::time("created").label("Created").help("When this object was created.").read_only();
/// When the object was last changed.
pub const MODIFIED: Field =
    fields::time("modified").label("Modified").help("When this object was last changed.").read_only();

/// The user who created the object, in responses of the newer views of roles.
pub const CREATOR: Field = fields::link("created_by", "created_by_id", || &USER)
    .label("Created by")
    .nullable()
    .read_only()
    .summarized()
    .help("The user who created this object.");
/// The user who changed the object last, in responses of the newer views of roles.
pub const MODIFIER: Field = fields::link("modified_by", "modified_by_id", || &USER)
    .label("Modified by")
    .nullable()
    .read_only()
    .summarized()
    .help("The user who changed this object last.");
/// Who created the object: in `summary_fields` only.
pub const CREATED_BY: Field = CREATOR.hidden();
/// Who changed the object last: in `summary_fields` only.
pub const MODIFIED_BY: Field = MODIFIER.hidden();

/// The list of the entries of the activity stream about an object of this type.
pub const fn activity_stream(content_type: &'static str, title: &'static str) -> Sublist {
    let links = Join::JoinTable {
        table: "activity_links",
        left: "object_id",
        right: "activity_id",
        filter: Some(("content_type", content_type)),
    };
    Sublist::new("activity_stream", title, || &ACTIVITY, links)
}

/// The rows that belong, by this link, to organizations that the actor administers or audits.
pub fn in_audited_organization(actor: &Actor, row: &str, link: &str) -> Rule {
    let audited = objects_with_role(crate::ORGANIZATION.name, &["admin_role", "auditor_role"], actor);
    Rule::When(column(row, link).in_subquery(audited))
}

/// The rows on which the actor may do this by the object's own roles, with AWX's names, or by a role definition.
pub fn rows_by_roles(resource: &'static Resource, actor: &Actor, action: Action, row: &str) -> Rule {
    let (role, permission) = match action {
        Action::Read => ("read_role", "view"),
        Action::Change => ("admin_role", "change"),
        Action::Delete => ("admin_role", "delete"),
    };
    has_role_or_permission(resource, role, permission, actor, row)
}

/// The rows in whose organization the actor may create objects of the same resource, by this role of the organization or by
/// a role definition.
pub fn can_create_beside(resource: &'static Resource, role: &'static str, actor: &Actor, row: &str) -> Rule {
    has_organization_role_or_permission(resource, &crate::ORGANIZATION, &[role], "add", actor, row)
}

/// The rows that link to an object that matches a rule over `linked`. A rule without a condition stays as it is.
pub fn linking_to(row: &str, link: &Field, resource: &'static Resource, linked: &str, rule: Rule) -> Rule {
    match rule {
        Rule::When(_) => Rule::When(column(row, link.column).in_subquery(rule.ids(resource.table, linked))),
        rule => rule,
    }
}

/// The condition that `other` is a role of this object.
pub fn roles_of(content_type: &'static str, this_id: Expr, other: &str) -> Expr {
    // Roles of custom definitions show only in the newer view.
    column(other, "content_type")
        .eq(content_type)
        .and(column(other, "object_id").eq(this_id))
        .and(column(other, "definition_id").is_null())
}

/// The condition that `other` is a user who was granted this role of the object directly.
pub fn users_with_role(content_type: &'static str, field: &'static str, this_id: Expr, other: &str) -> Expr {
    let object = column("roles", "object_id").eq(this_id);
    column(other, "id").in_subquery(hostler_access::users_with_role(content_type, &[field], object))
}

/// The condition that `other` is an object of which this user was granted one of these roles directly.
pub fn granted_to_user(content_type: &'static str, roles: &[&'static str], user: Expr, other: &str) -> Expr {
    column(other, "id").in_subquery(
        Query::select()
            .expr(column("roles", "object_id"))
            .from(Alias::new("grants"))
            .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
            .and_where(column("roles", "content_type").eq(content_type))
            .and_where(column("roles", "role_field").is_in(roles.iter().copied()))
            .and_where(column("grants", "user_id").eq(user))
            .to_owned(),
    )
}

/// The condition that this user sees all objects.
pub fn sees_everything(user: Expr) -> Expr {
    Expr::exists(
        Query::select()
            .expr(column("privileged", "id"))
            .from_as(Alias::new("users"), Alias::new("privileged"))
            .and_where(column("privileged", "id").eq(user))
            .and_where(
                column("privileged", "is_superuser").eq(true).or(column("privileged", "is_system_auditor").eq(true)),
            )
            .to_owned(),
    )
}

/// The condition that `other` is an object of this resource, which has roles, that this user may see because of a
/// grant. Superusers and auditors need none: see [`sees_everything`].
pub fn readable_by(resource: &'static Resource, user: Expr, other: &str) -> Expr {
    let readable = implying_roles(resource, "read_role");
    let view = resource.permission("view");
    let with = |condition: Expr| {
        Query::select()
            .expr(column("readable", "id"))
            .from_as(Alias::new(resource.table), Alias::new("readable"))
            .and_where(condition)
            .to_owned()
    };
    // Selected first, so that a list reads these objects instead of testing all.
    let mut all = objects_with_role_of(resource.name, &readable.own, user.clone());
    all.union(UnionType::All, objects_with_permission_of(resource.name, &view, user.clone()));
    if let Some(link) = resource.organization_column() {
        let organizations = objects_with_role_of(crate::ORGANIZATION.name, &readable.organization, user.clone());
        all.union(UnionType::All, with(column("readable", link).in_subquery(organizations)));
        let organizations = objects_with_permission_of(crate::ORGANIZATION.name, &view, user.clone());
        all.union(UnionType::All, with(column("readable", link).in_subquery(organizations)));
    }
    if let Some((link, teams)) = resource.link("team") {
        let implying: Vec<ImplyingRoles> = readable.team.iter().map(|role| implying_roles(teams, role)).collect();
        let own: Vec<_> = implying.iter().flat_map(|closure| closure.own.clone()).collect();
        let of_organization: Vec<_> = implying.iter().flat_map(|closure| closure.organization.clone()).collect();
        let own = column("owning", "id").in_subquery(objects_with_role_of(teams.name, &own, user.clone()));
        let organizations = objects_with_role_of(crate::ORGANIZATION.name, &of_organization, user);
        let by_organization = column("owning", "organization_id").in_subquery(organizations);
        let owning = Rule::When(own).or(Rule::When(by_organization)).ids(teams.table, "owning");
        all.union(UnionType::All, with(column("readable", link).in_subquery(owning)));
    }
    column(other, "id").in_subquery(all)
}

/// To the roles that were granted to a user or team; `grantee` is the column of `grants`.
pub const fn granted_roles(grantee: &'static str) -> Join {
    Join::JoinTable { table: "grants", left: grantee, right: "role_id", filter: None }
}

/// The rules for a resource over the table of another one: its rows are visible with the other's, and read-only.
pub struct InheritedAccess(pub fn() -> &'static Resource);

impl Access for InheritedAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        match action {
            Action::Read => (self.0)().access.rows(actor, Action::Read, row),
            Action::Change | Action::Delete => Rule::None,
        }
    }

    fn create(&self, _actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::None
    }
}

/// The identity of an object across systems, as filters know it: `resource__ansible_id`.
pub const fn identity(table: &'static str, access: &'static dyn Access) -> Resource {
    const FIELDS: &[Field] = &[fields::id(), fields::uuid("ansible_id").read_only()];
    let mut resource = Resource::new("resource", table, "Resource", FIELDS, access);
    resource.search = &["ansible_id"];
    resource
}

/// Whether the actor may do this with the object with this id, or with any if none is named; the rule refers to no row.
pub fn rows_of(resource: &'static Resource, id: Option<i64>, actor: &Actor, action: Action) -> Rule {
    rule_on_object(resource, id, |row| resource.access.rows(actor, action, row))
}

/// Whether the actor administers any organization; the rule refers to no row.
pub fn administers_any_organization(actor: &Actor) -> Rule {
    has_role_on(&crate::ORGANIZATION, "admin_role", actor, None)
}

/// An object with roles that the actor may see.
pub struct ObjectWithRoles {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Whether the actor may grant and revoke its roles.
    pub administered: bool,
}

/// The objects among these that the actor may see.
///
/// # Errors
/// Errors of the database.
pub async fn visible_objects(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    ids: Vec<i64>,
) -> Result<Vec<ObjectWithRoles>, Error> {
    let query = Query::select()
        .expr(column("visible", "id"))
        .expr(column("visible", "name"))
        .expr(can_grant_roles(resource, actor, "visible").expression())
        .from_as(Alias::new(resource.table), Alias::new("visible"))
        .and_where(column("visible", "id").is_in(ids))
        .cond_where(resource.access.rows(actor, Action::Read, "visible").condition())
        .to_owned();
    let rows: Vec<(i64, String, Option<bool>)> = engine.read_with_rules_as(actor, query).await?;
    let object = |(id, name, administered)| ObjectWithRoles { id, name, administered: administered == Some(true) };
    Ok(rows.into_iter().map(object).collect())
}
