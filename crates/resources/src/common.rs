//! What many resources have in common.

use hostler_access::{ImplyingRoles, has_role_on, implying_roles, objects_with_permission, objects_with_role};
use hostler_database::{Row, Type};
use hostler_engine::{Engine, Error, can_grant_roles};
use hostler_schema::{Access, Action, Actor, Draft, Field, Join, Relation, Resource, Rule, Summary, column, fields};
use sea_query::{Alias, Expr, ExprTrait, Query, UnionType};

use crate::users::USER;

/// The types whose objects have roles.
pub const TYPES_WITH_ROLES: &[fn() -> &'static Resource] =
    &[|| &crate::ORGANIZATION, || &crate::TEAM, || &crate::PROJECT, || &crate::CREDENTIAL];

/// When the object was created.
pub const CREATED: Field = fields::time("created").label("Created").help("When this object was created.").read_only();
/// When the object was last changed.
pub const MODIFIED: Field =
    fields::time("modified").label("Modified").help("When this object was last changed.").read_only();

/// Who created the object.
pub const CREATED_BY: Summary = Summary { name: "created_by", column: "created_by_id", target: || &USER, linked: true };
/// Who changed the object last.
pub const MODIFIED_BY: Summary =
    Summary { name: "modified_by", column: "modified_by_id", target: || &USER, linked: true };

/// Filters by who created the object.
pub const BY_CREATOR: Relation = Relation::new("created_by", || &USER, Join::Column("created_by_id"));
/// Filters by who changed the object last.
pub const BY_MODIFIER: Relation = Relation::new("modified_by", || &USER, Join::Column("modified_by_id"));

/// A relation that AWX's filters know and whose objects Hostler does not keep.
pub const fn absent(name: &'static str, stand_in: fn() -> &'static Resource) -> Relation {
    Relation::new(name, stand_in, Join::Unavailable)
}

/// To the entries of the activity stream about an object of this type.
pub const fn activity_of(content_type: &'static str) -> Join {
    Join::JoinTable {
        table: "activity_links",
        left: "object_id",
        right: "activity_id",
        filter: Some(("content_type", content_type)),
    }
}

/// The condition that `other` is a role of this object.
pub fn roles_of(content_type: &'static str, this_id: Expr, other: &str) -> Expr {
    // Custom role definitions are assigned in the newer view only.
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

/// The condition that this user sees whatever there is.
pub fn sees_everything(user: Expr) -> Expr {
    Expr::exists(
        Query::select()
            .expr(column("above", "id"))
            .from_as(Alias::new("users"), Alias::new("above"))
            .and_where(column("above", "id").eq(user))
            .and_where(column("above", "is_superuser").eq(true).or(column("above", "is_system_auditor").eq(true)))
            .to_owned(),
    )
}

/// The condition that `other` is an object of this resource, which has roles,
/// that this user may see by what they hold: see [`sees_everything`] for those who need nothing.
pub fn readable_by(resource: &'static Resource, user: Expr, other: &str) -> Expr {
    let readable = implying_roles(resource, "read_role");
    let view = resource.permission("view");
    let among = |condition: Expr| {
        Query::select()
            .expr(column("readable", "id"))
            .from_as(Alias::new(resource.table), Alias::new("readable"))
            .and_where(condition)
            .to_owned()
    };
    // Gathered first, so that a list looks at these objects and not at all there are.
    let mut all = objects_with_role(resource.name, &readable.own, user.clone());
    all.union(UnionType::All, objects_with_permission(resource.name, &view, user.clone()));
    if let Some(link) = resource.organization_column() {
        let organizations = objects_with_role(crate::ORGANIZATION.name, &readable.organization, user.clone());
        all.union(UnionType::All, among(column("readable", link).in_subquery(organizations)));
        let organizations = objects_with_permission(crate::ORGANIZATION.name, &view, user.clone());
        all.union(UnionType::All, among(column("readable", link).in_subquery(organizations)));
    }
    if let Some((link, teams)) = resource.link("team") {
        let leading: Vec<ImplyingRoles> = readable.team.iter().map(|role| implying_roles(teams, role)).collect();
        let own: Vec<_> = leading.iter().flat_map(|closure| closure.own.clone()).collect();
        let above: Vec<_> = leading.iter().flat_map(|closure| closure.organization.clone()).collect();
        let own = column("owning", "id").in_subquery(objects_with_role(teams.name, &own, user.clone()));
        let organizations = objects_with_role(crate::ORGANIZATION.name, &above, user);
        let above = column("owning", "organization_id").in_subquery(organizations);
        let owning = Rule::When(own).or(Rule::When(above)).ids(teams.table, "owning");
        all.union(UnionType::All, among(column("readable", link).in_subquery(owning)));
    }
    column(other, "id").in_subquery(all)
}

/// To the roles which a user or team (`holder` names the column) was granted.
pub const fn granted_roles(holder: &'static str) -> Join {
    Join::JoinTable { table: "grants", left: holder, right: "role_id", filter: None }
}

/// The rules for a table that belongs to another resource's row of the same id:
/// who sees that row sees this one; nobody writes it.
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

/// Whether the actor administers any organization: a condition that refers to no row.
pub fn administers_any_organization(actor: &Actor) -> Rule {
    has_role_on(&crate::ORGANIZATION, "admin_role", actor, None)
}

/// One object whose roles are being shown.
pub struct ObjectWithRoles {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Whether the actor may grant its roles and take them away.
    pub administered: bool,
}

/// Those of these objects that the actor may see.
///
/// # Errors
/// What the database says.
pub async fn visible_objects(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    ids: Vec<i64>,
) -> Result<Vec<ObjectWithRoles>, Error> {
    let query = Query::select()
        .expr(column("holding", "id"))
        .expr(column("holding", "name"))
        .expr(can_grant_roles(resource, actor, "holding").expression())
        .from_as(Alias::new(resource.table), Alias::new("holding"))
        .and_where(column("holding", "id").is_in(ids))
        .cond_where(resource.access.rows(actor, Action::Read, "holding").condition())
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Integer, Type::Text, Type::Boolean]).await?;
    let holding = |row: &Row| {
        Some(ObjectWithRoles { id: row.integer(0)?, name: row.text(1)?.to_owned(), administered: row.boolean(2) })
    };
    Ok(rows.iter().filter_map(holding).collect())
}
