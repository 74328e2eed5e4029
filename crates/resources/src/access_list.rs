//! Who has access to an object, and by which path: the `access_list` of every object that has roles.

use std::collections::BTreeMap;

use hostler_access::{implied_roles, implying_roles};
use hostler_engine::{Engine, Error, ResponseObject};
use hostler_schema::{Actor, Resource, Singleton};
use serde_json::{Map, Value as Json, json};

use crate::TEAM;
use crate::access_paths::{AccessPath, Definition, access_paths};
use crate::common::{TYPES_WITH_ROLES, visible_objects};
use crate::role_definitions::actions_of;

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
    page: &mut [ResponseObject],
) -> Result<(), Error> {
    let users: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
    let paths = access_paths(engine, resource, id, &users).await?;
    let names = object_names(engine, actor, &paths).await?;
    for shown in page {
        let user = shown.loaded.record.id;
        let (mut direct, mut indirect) = (vec![], vec![]);
        for path in paths.iter().filter(|path| path.user == user) {
            // What a team of the user holds on the object itself counts as direct, as in AWX.
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

/// Names of the objects whose roles lead here, as far as the actor may see
/// them, and whether the actor may take those roles away.
///
/// # Errors
/// What the database says.
pub async fn object_names(
    engine: &Engine,
    actor: &Actor,
    paths: &[AccessPath],
) -> Result<BTreeMap<(&'static str, i64), (String, bool)>, Error> {
    let mut names = BTreeMap::new();
    for resource in TYPES_WITH_ROLES.iter().map(|resource| resource()) {
        let held = paths
            .iter()
            .filter(|path| path.content_type.as_deref() == Some(resource.name))
            .filter_map(|path| path.object);
        let teams =
            paths.iter().filter(|_| *resource == TEAM).filter_map(|path| path.team.as_ref()).map(|team| team.id);
        let ids: Vec<i64> = held.chain(teams).collect();
        if ids.is_empty() {
            continue;
        }
        for object in visible_objects(engine, actor, resource, ids).await? {
            names.insert((resource.name, object.id), (object.name, object.administered));
        }
    }
    Ok(names)
}

/// The path as AWX words it; none if it leads through an object that the actor may not see.
fn describe(
    path: &AccessPath,
    resource: &'static Resource,
    actor: &Actor,
    names: &BTreeMap<(&'static str, i64), (String, bool)>,
) -> Option<Json> {
    let holding =
        TYPES_WITH_ROLES.iter().map(|resource| resource()).find(|r| Some(r.name) == path.content_type.as_deref());
    let Some(holding) = holding else {
        // Both come from flags of the user: AWX names no role to take away here.
        let singleton = |name: &str, description: &str, roles: Vec<&str>| {
            let may = json!({"unattach": false});
            let role = json!({"id": null, "name": name, "description": description, "user_capabilities": may});
            json!({"role": role, "descendant_roles": roles})
        };
        return Some(match path.field == Singleton::Administrator.field() {
            true => singleton(
                "System Administrator",
                "Can manage all aspects of the system",
                resource.roles.iter().map(|role| role.field).collect(),
            ),
            false => singleton("System Auditor", "Can view all aspects of the system", vec!["read_role"]),
        });
    };
    let object = path.object?;
    let (object_name, administers) = names.get(&(holding.name, object))?;
    let (name, description, descendants) = match (&path.definition, holding.role(&path.field)) {
        (Some(definition), _) => {
            (definition.name.as_str(), definition.description.as_str(), roles_of_definition(resource, definition))
        }
        (None, Some(known)) => (known.name, known.description, descendants(resource, holding, known.field)),
        (None, None) => return None,
    };
    let mut role = Map::new();
    role.insert("id".into(), path.role.into());
    role.insert("name".into(), name.into());
    role.insert("description".into(), description.into());
    role.insert("resource_name".into(), object_name.as_str().into());
    role.insert("resource_type".into(), holding.name.into());
    role.insert("related".into(), json!({ holding.name: holding.url(object) }));
    if let Some(team) = &path.team {
        let (team_name, _) = names.get(&(TEAM.name, team.id))?;
        role.insert("team_id".into(), team.id.into());
        role.insert("team_name".into(), team_name.as_str().into());
    }
    role.insert("user_capabilities".into(), json!({"unattach": actor.can_write && *administers}));
    Some(json!({"role": role, "descendant_roles": descendants}))
}

/// The roles of `resource`'s object that a definition comes to, as AWX tells
/// them: for each permission the role that stands for it.
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

/// The role of an object that stands for what can be done with it, as AWX pairs
/// them; only the admin role allows to delete.
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

/// The roles of `resource`'s object that this role of `holding`'s object gives.
fn descendants(resource: &'static Resource, holding: &'static Resource, field: &'static str) -> Vec<&'static str> {
    let mut fields = if resource == holding {
        implied_roles(resource, field)
    } else {
        resource
            .roles
            .iter()
            .map(|role| role.field)
            .filter(|role| {
                let closure = implying_roles(resource, role);
                let above = if *holding == TEAM { closure.team } else { closure.organization };
                above.contains(&field)
            })
            .collect()
    };
    // AWX lists the least role first.
    fields.reverse();
    fields
}
