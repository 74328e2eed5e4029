//! Roles in AWX's older view: one row for each role of each object. The engine writes their grants.

use async_trait::async_trait;
use hostler_engine::{
    AssociationRequest, DEFINITION_ROLE_PREFIX, Engine, Error, Grantee, Hooks, RenderContext, ResponseObject,
};
use hostler_schema::{
    Access, Action, Actor, Draft, Field, ImpliedBy, Join, ObjectRole, OnDelete, Post, Relation, Resource, Rule,
    Singleton, Sublist, column, fields,
};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use crate::common::{InheritedAccess, types_with_roles, visible_objects};
use crate::{ORGANIZATION, ROLE_DEFINITION, TEAM, USER};

const NAME: Field = fields::computed("name").label("Name").help("The name of the role.");
const DESCRIPTION: Field = fields::computed("description").label("Description").help("What the role allows.");
const ROLE_FIELD: Field =
    fields::text("role_field").label("Role field").read_only().hidden().help("Which role of the object it is.");
const CONTENT_TYPE: Field =
    fields::text("content_type").label("Content type").nullable().read_only().hidden().help("The type of the object.");
const OBJECT_ID: Field =
    fields::integer("object_id").label("Object id").nullable().read_only().hidden().help("The object's id.");

const SINGLETON_NAME: Field = fields::text("singleton_name")
    .label("Singleton name")
    .nullable()
    .read_only()
    .filter_unlisted()
    .hidden()
    .help("The name of a system-wide role.");

const DEFINITION: Field = fields::link("definition", "definition_id", || &ROLE_DEFINITION)
    .label("Definition")
    .nullable()
    .read_only()
    .hidden()
    .not_filterable()
    .on_delete(OnDelete::Cascade)
    .help("The custom role definition of the role.");

/// What AWX's filters know as the content type: `content_type__model=organization`.
static CONTENT_TYPE_MODEL: Resource = {
    const FIELDS: &[Field] = &[fields::id(), fields::text("model").column("content_type").nullable().read_only()];
    let mut resource = Resource::new("content_type", "roles", "ContentType", FIELDS, &InheritedAccess(|| &ROLE));
    resource.search = &["model"];
    resource
};

/// Roles.
pub static ROLE: Resource = Resource {
    list_title: "Role List",
    detail_title: "Role Detail",
    description: "Every object has roles, which are granted to users and teams. A role implies its children.",
    relations: &[
        Relation::new("ancestors", || &ROLE, Join::Condition(parents_of)),
        Relation::new("parents", || &ROLE, Join::Condition(parents_of)),
        Relation::new("children", || &ROLE, Join::Condition(children_of)),
        Relation::new("descendents", || &ROLE, Join::Condition(children_of)),
        Relation::new("content_type", || &CONTENT_TYPE_MODEL, Join::SameRow),
        Relation::new(
            "members",
            || &USER,
            Join::JoinTable { table: "grants", left: "role_id", right: "user_id", filter: None },
        )
        .unlisted(),
    ],
    sublists: &[
        Sublist::new(
            "users",
            "Role Users List",
            || &USER,
            Join::JoinTable { table: "grants", left: "role_id", right: "user_id", filter: None },
        )
        .post(Post::GrantByHook),
        Sublist::new(
            "teams",
            "Role Teams List",
            || &TEAM,
            Join::JoinTable { table: "grants", left: "role_id", right: "team_id", filter: None },
        )
        .post(Post::GrantByHook),
        Sublist::new("parents", "Role Parents List", || &ROLE, Join::Condition(parents_of)).unlinked(),
        Sublist::new("children", "Role Children List", || &ROLE, Join::Condition(children_of)).unlinked(),
    ],
    summarized_as: &["role_field"],
    search: &["role_field", "content_type__model"],
    creatable: false,
    editable: false,
    deletable: false,
    capabilities: false,
    ..Resource::new(
        "role",
        "roles",
        "Role",
        &[fields::id(), NAME, DESCRIPTION, ROLE_FIELD, SINGLETON_NAME, CONTENT_TYPE, OBJECT_ID, DEFINITION],
        &RoleRules,
    )
};

struct RoleRules;

impl Access for RoleRules {
    /// A role is visible to users who see its object, and to users who were granted it.
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        if action != Action::Read {
            return Rule::None;
        }
        if actor.is_superuser || actor.is_system_auditor {
            return Rule::All;
        }
        let types = types_with_roles();
        let visible =
            types.filter(|resource| matches!(resource.access.rows(actor, Action::Read, "visible"), Rule::All));
        let visible: Vec<&str> = visible.map(|resource| resource.name).collect();
        if visible.is_empty() {
            return visible_roles(actor, row);
        }
        // Every role of a type of which the actor sees all objects.
        Rule::When(column(row, "content_type").is_in(visible)).or(visible_roles(actor, row))
    }

    fn create(&self, _actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::None
    }
}

/// The roles that the actor was granted, and those of objects that the actor sees by a rule.
fn visible_roles(actor: &Actor, row: &str) -> Rule {
    let granted = Query::select()
        .expr(column("grants", "role_id"))
        .from(Alias::new("grants"))
        .and_where(column("grants", "user_id").eq(actor.id))
        .to_owned();
    let mut rule = Rule::When(column(row, "id").in_subquery(granted));
    for resource in types_with_roles() {
        if let visible @ Rule::When(_) = resource.access.rows(actor, Action::Read, "visible") {
            let objects = visible.ids(resource.table, "visible");
            let of_type = column(row, "content_type").eq(resource.name);
            rule = rule.or(Rule::When(of_type.and(column(row, "object_id").in_subquery(objects))));
        }
    }
    rule
}

/// The condition that `other` implies the role with this id directly.
fn parents_of(this_id: Expr, other: &str) -> Expr {
    edges(
        |child| role_is("edge", child).and(column("edge", "id").eq(this_id.clone())),
        |parent| role_is(other, parent),
        "edge",
        other,
    )
}

/// The condition that the role with this id implies `other` directly.
fn children_of(this_id: Expr, other: &str) -> Expr {
    edges(
        |child| role_is(other, child),
        |parent| role_is("edge", parent).and(column("edge", "id").eq(this_id.clone())),
        other,
        "edge",
    )
}

/// One end of an edge in the graph of roles: a type (none for system-wide) and its role.
type End = (Option<&'static str>, &'static str);

fn role_is(row: &str, (content_type, field): End) -> Expr {
    let content_type = match content_type {
        Some(name) => column(row, "content_type").eq(name),
        None => column(row, "content_type").is_null(),
    };
    content_type.and(column(row, "role_field").eq(field))
}

/// The condition that the rows `child` and `parent` of `roles`, one of which is
/// named `edge` and found by a subquery, are connected by an edge of the graph.
fn edges(is_child: impl Fn(End) -> Expr, is_parent: impl Fn(End) -> Expr, child: &str, parent: &str) -> Expr {
    let mut any = Expr::Constant(false.into());
    for resource in types_with_roles() {
        for role in resource.roles {
            for cause in role.implied_by {
                let (end, same_object) = match cause {
                    ImpliedBy::Own(field) => {
                        ((Some(resource.name), *field), column(child, "object_id").eq(column(parent, "object_id")))
                    }
                    ImpliedBy::Organization(field) => {
                        ((Some(ORGANIZATION.name), *field), linked(resource, "organization", child, parent))
                    }
                    ImpliedBy::Team(field) => ((Some(TEAM.name), *field), linked(resource, "team", child, parent)),
                    ImpliedBy::System(singleton) => ((None, singleton.field()), Expr::Constant(true.into())),
                };
                any = any.or(is_child((Some(resource.name), role.field)).and(is_parent(end)).and(same_object));
            }
        }
    }
    Expr::exists(
        Query::select().expr(Expr::val(1)).from_as(Alias::new("roles"), Alias::new("edge")).and_where(any).to_owned(),
    )
}

/// The condition that the object of role `child` links by `link` to that of role `parent`.
fn linked(resource: &'static Resource, link: &str, child: &str, parent: &str) -> Expr {
    let link = resource.link(link).map_or("id", |(column, _)| column);
    let linked = Query::select()
        .expr(column("linked", link))
        .from_as(Alias::new(resource.table), Alias::new("linked"))
        .and_where(column("linked", "id").eq(column(child, "object_id")))
        .to_owned();
    column(parent, "object_id").in_subquery(linked)
}

/// Adds names and objects of roles to answers, and grants roles.
pub struct RoleHooks;

#[async_trait]
impl Hooks for RoleHooks {
    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let unattach = view.below.is_some_and(|(_, _, sublist)| sublist.name == "roles");
        let definitions = definitions_of(engine, page).await?;
        for shown in page.iter_mut() {
            let field = shown.loaded.record.text(&ROLE_FIELD).to_owned();
            let known = type_of_object(shown).and_then(|resource| resource.role(&field));
            let id = shown.loaded.record.id;
            if let Some((_, name, description)) = definitions.iter().find(|(role, _, _)| *role == id) {
                shown.json.insert(NAME.name.into(), name.as_str().into());
                shown.json.insert(DESCRIPTION.name.into(), description.as_str().into());
                continue;
            }
            let (name, description) = match known {
                Some(ObjectRole { name, description, .. }) => (*name, *description),
                None if field == Singleton::Administrator.field() => {
                    ("System Administrator", "Can manage all aspects of the system")
                }
                None => ("System Auditor", "Can view all aspects of the system"),
            };
            shown.json.insert(NAME.name.into(), name.into());
            shown.json.insert(DESCRIPTION.name.into(), description.into());
            if unattach && known.is_none() {
                let may = view.actor.can_write && view.actor.is_superuser;
                shown.add_summary("user_capabilities", json!({"unattach": may}));
            }
        }
        for resource in types_with_roles() {
            let ids: Vec<i64> = page.iter().filter(|shown| is_of(shown, resource)).filter_map(object_id).collect();
            if ids.is_empty() {
                continue;
            }
            let objects = visible_objects(engine, view.actor, resource, ids).await?;
            for shown in page.iter_mut().filter(|shown| is_of(shown, resource)) {
                let Some(id) = object_id(shown) else { continue };
                let Some(object) = objects.iter().find(|object| object.id == id) else { continue };
                if unattach {
                    let may = view.actor.can_write && object.administered;
                    shown.add_summary("user_capabilities", json!({"unattach": may}));
                }
                shown.add_summary("resource_name", object.name.as_str().into());
                shown.add_summary("resource_type", resource.name.into());
                shown.add_summary("resource_type_display_name", resource.type_label.into());
                shown.add_summary("resource_id", id.into());
                shown.add_related(resource.name, resource.url(id).into());
            }
        }
        Ok(())
    }

    async fn post_sublist(
        &self,
        engine: &Engine,
        actor: &Actor,
        parent: i64,
        sublist: &'static Sublist,
        body: &Map<String, Json>,
    ) -> Result<Option<Map<String, Json>>, Error> {
        let missing = |what: &str| Error::BadRequestMsg(format!("{what} 'id' field is missing."));
        let grantee = |id| if sublist.name == "teams" { Grantee::Team(id) } else { Grantee::User(id) };
        let asked = AssociationRequest::parse(body)?
            .ok_or_else(|| missing(if sublist.name == "teams" { "Team" } else { "User" }))?;
        engine.change_grant(actor, parent, grantee(asked.id), asked.attach).await?;
        Ok(None)
    }
}

/// The names and descriptions of the custom role definitions of the roles on this page, by role.
async fn definitions_of(engine: &Engine, page: &[ResponseObject]) -> Result<Vec<(i64, String, String)>, Error> {
    let defined = |shown: &&ResponseObject| shown.loaded.record.text(&ROLE_FIELD).starts_with(DEFINITION_ROLE_PREFIX);
    let ids: Vec<i64> = page.iter().filter(defined).map(|shown| shown.loaded.record.id).collect();
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let query = Query::select()
        .expr(column("roles", "id"))
        .exprs(["name", "description"].map(|name| column("role_definitions", name)))
        .from(Alias::new("roles"))
        .inner_join(
            Alias::new("role_definitions"),
            column("role_definitions", "id").eq(column("roles", "definition_id")),
        )
        .and_where(column("roles", "id").is_in(ids))
        .to_owned();
    Ok(engine.database.read_as(&query).await?)
}

fn is_of(shown: &ResponseObject, resource: &Resource) -> bool {
    shown.loaded.record.text(&CONTENT_TYPE) == resource.name
}

fn object_id(shown: &ResponseObject) -> Option<i64> {
    shown.loaded.record.integer(&OBJECT_ID)
}

fn type_of_object(shown: &ResponseObject) -> Option<&'static Resource> {
    types_with_roles().find(|resource| is_of(shown, resource))
}
