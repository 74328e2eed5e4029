//! `access_list` of every object with roles: who has access to it, and through which grants.

use std::collections::BTreeMap;

use hostler_access::{implied_roles, implying_roles};
use hostler_engine::{Engine, Error, ResponseObject};
use hostler_schema::{Action, Actor, Resource, Singleton, column};
use sea_query::{Alias, ExprTrait, JoinType, Query};
use serde_json::{Map, Value as Json, json};

use crate::access_paths::{AccessPath, Definition, access_paths};
use crate::common::{types_with_roles, visible_objects};
use crate::role_definitions::actions_of;
use crate::{ORGANIZATION, TEAM};

/// Adds `direct_access` and `indirect_access` to the users of a page, and removes what AWX does not show in this list.
///
/// # Errors
/// Errors of the database.
pub async fn show(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    id: i64,
    page: &mut [ResponseObject],
) -> Result<(), Error> {
    let users: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
    let paths = access_paths(engine, resource, id, &users).await?;
    let names = VisibleNames::read(engine, actor, &paths).await?;
    for shown in page {
        let user = shown.loaded.record.id;
        let (mut direct, mut indirect) = (vec![], vec![]);
        for path in paths.iter().filter(|path| path.user == user) {
            // A team's role on the object itself counts as direct, as in AWX.
            let own = path.content_type.as_deref() == Some(resource.name) && path.object == Some(id);
            let list = if own { &mut direct } else { &mut indirect };
            list.extend(describe(path, resource, actor, &names));
        }
        if let Some(Json::Object(summary)) = shown.json.get_mut("summary_fields") {
            summary.shift_remove("user_capabilities");
        }
        shown.add_summary("direct_access", direct.into());
        shown.add_summary("indirect_access", indirect.into());
    }
    Ok(())
}

/// What the actor may know of the objects on access paths.
#[derive(Default)]
pub struct VisibleNames {
    objects: BTreeMap<(&'static str, i64), VisibleObject>,
    /// The names of the teams' organizations, by team.
    team_organizations: BTreeMap<i64, String>,
}

/// An object that the actor may see.
struct VisibleObject {
    name: String,
    /// Whether the actor may grant and revoke its roles.
    administered: bool,
}

impl VisibleNames {
    /// Reads the names of the objects and teams on these paths, as far as the actor may see them.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn read(engine: &Engine, actor: &Actor, paths: &[AccessPath]) -> Result<Self, Error> {
        let mut names = Self::default();
        let teams: Vec<i64> = paths.iter().filter_map(|path| path.team.as_ref()).map(|team| team.id).collect();
        for resource in types_with_roles() {
            let of_type = paths.iter().filter(|path| path.content_type.as_deref() == Some(resource.name));
            let mut ids: Vec<i64> = of_type.filter_map(|path| path.object).collect();
            if *resource == TEAM {
                ids.extend(&teams);
            }
            if ids.is_empty() {
                continue;
            }
            for object in visible_objects(engine, actor, resource, ids).await? {
                let visible = VisibleObject { name: object.name, administered: object.administered };
                names.objects.insert((resource.name, object.id), visible);
            }
        }
        if !teams.is_empty() {
            names.team_organizations = team_organizations(engine, actor, &teams).await?;
        }
        Ok(names)
    }

    /// The name of an object, if the actor may see it.
    pub fn name(&self, content_type: &str, id: i64) -> Option<&str> {
        self.object(content_type, id).map(|object| object.name.as_str())
    }

    fn object(&self, content_type: &str, id: i64) -> Option<&VisibleObject> {
        let mut objects = self.objects.iter();
        objects.find(|((name, object), _)| *name == content_type && *object == id).map(|(_, object)| object)
    }
}

/// The names of the organizations of these teams that the actor may see, by team.
async fn team_organizations(engine: &Engine, actor: &Actor, teams: &[i64]) -> Result<BTreeMap<i64, String>, Error> {
    const OWNER: &str = "owner";
    let query = Query::select()
        .expr(column(TEAM.table, "id"))
        .expr(column(OWNER, "name"))
        .from(Alias::new(TEAM.table))
        .join_as(
            JoinType::InnerJoin,
            Alias::new(ORGANIZATION.table),
            Alias::new(OWNER),
            column(OWNER, "id").eq(column(TEAM.table, "organization_id")),
        )
        .and_where(column(TEAM.table, "id").is_in(teams.iter().copied()))
        .cond_where(ORGANIZATION.access.rows(actor, Action::Read, OWNER).condition())
        .to_owned();
    let rows: Vec<(i64, String)> = engine.read_with_rules_as(actor, query).await?;
    Ok(rows.into_iter().collect())
}

/// An access path as AWX shows it, without the names of objects that the actor may not see.
fn describe(path: &AccessPath, resource: &'static Resource, actor: &Actor, names: &VisibleNames) -> Option<Json> {
    let granted_on = types_with_roles().find(|r| Some(r.name) == path.content_type.as_deref());
    let Some(granted_on) = granted_on else {
        // It follows from a flag of the user, so it cannot be revoked here.
        let singleton = match path.field == Singleton::Administrator.field() {
            true => Singleton::Administrator,
            false => Singleton::Auditor,
        };
        let (name, description) = match singleton {
            Singleton::Administrator => ("System Administrator", "Can manage all aspects of the system"),
            Singleton::Auditor => ("System Auditor", "Can view all aspects of the system"),
        };
        let capabilities = json!({"unattach": false});
        return Some(json!({
            "role": {"id": null, "name": name, "description": description, "user_capabilities": capabilities},
            "descendant_roles": roles_of_singleton(resource, singleton),
        }));
    };
    let object = path.object?;
    let visible = names.object(granted_on.name, object);
    let (name, description, descendants) = match (&path.definition, granted_on.role(&path.field)) {
        (Some(definition), _) => {
            (definition.name.as_str(), definition.description.as_str(), roles_of_definition(resource, definition))
        }
        (None, Some(role)) => (role.name, role.description, descendants(resource, granted_on, role.field)),
        (None, None) => return None,
    };
    let mut role = Map::new();
    role.insert("id".into(), path.role.into());
    role.insert("name".into(), name.into());
    role.insert("description".into(), description.into());
    if let Some(visible) = visible {
        role.insert("resource_name".into(), visible.name.as_str().into());
    }
    role.insert("resource_type".into(), granted_on.name.into());
    if visible.is_some() {
        role.insert("related".into(), json!({ granted_on.name: granted_on.url(object) }));
    }
    if let Some(team) = &path.team {
        role.insert("team_id".into(), team.id.into());
        if let Some(team_name) = names.name(TEAM.name, team.id) {
            role.insert("team_name".into(), team_name.into());
        }
        if let Some(organization_name) = names.team_organizations.get(&team.id) {
            role.insert("team_organization_name".into(), organization_name.as_str().into());
        }
    }
    let can_unattach = actor.can_write && visible.is_some_and(|visible| visible.administered);
    role.insert("user_capabilities".into(), json!({ "unattach": can_unattach }));
    Some(json!({"role": role, "descendant_roles": descendants}))
}

/// The roles of `resource`'s object that a system-wide role implies. The administrator has all of them, even those
/// without an edge in the graph.
fn roles_of_singleton(resource: &'static Resource, singleton: Singleton) -> Vec<&'static str> {
    let implied =
        |field| singleton == Singleton::Administrator || implying_roles(resource, field).system.contains(&singleton);
    resource.roles.iter().map(|role| role.field).filter(|field| implied(field)).collect()
}

/// The roles of `resource`'s object that correspond to a custom definition, as in AWX: one for each permission.
fn roles_of_definition(resource: &'static Resource, definition: &Definition) -> Vec<&'static str> {
    let given = |action: &str| definition.permissions.contains(&resource.permission(action));
    let mut fields: Vec<_> = actions_of(resource)
        .filter(|action| *action != "delete" && given(action))
        .filter_map(|action| role_of_action(resource, action))
        .collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// The role of an object that allows an action, by AWX's pairs; only the admin role allows to delete.
pub fn role_of_action(resource: &'static Resource, action: &str) -> Option<&'static str> {
    let field = match action {
        "view" => "read_role",
        "change" | "delete" => "admin_role",
        "use" => "use_role",
        "update" => "update_role",
        "adhoc" => "adhoc_role",
        "execute" => "execute_role",
        "approve" => "approval_role",
        "audit" => "auditor_role",
        "member" => "member_role",
        _ => return None,
    };
    resource.role(field).map(|role| role.field)
}

/// The roles of `resource`'s object that this role of an object of type `granted_on` implies.
fn descendants(resource: &'static Resource, granted_on: &'static Resource, field: &'static str) -> Vec<&'static str> {
    let mut fields = if resource == granted_on {
        implied_roles(resource, field)
    } else {
        resource
            .roles
            .iter()
            .map(|role| role.field)
            .filter(|role| {
                let closure = implying_roles(resource, role);
                let implying = if *granted_on == TEAM { closure.team } else { closure.organization };
                implying.contains(&field)
            })
            .collect()
    };
    // AWX lists the weakest role first.
    fields.reverse();
    fields
}
