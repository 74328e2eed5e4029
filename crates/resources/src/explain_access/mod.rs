//! `users/N/explain_access/?object=/api/v2/...`: the permissions and roles of a user on an object, and the grants that
//! give them. AWX has no such endpoint.

mod chain;

use std::sync::Arc;

use async_trait::async_trait;
use hostler_access::{has_role, has_role_or_permission, is_organization_admin};
use hostler_database::Type;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, ObjectKey, find_id, summarize};
use hostler_schema::{
    Action, ActionAnswer, ActionMethod, Actor, Field, ObjectRole, Resource, ResourceAction, Rule, column, fields,
};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use self::chain::{AccessChains, Requirement};
use crate::access_list::role_of_action;
use crate::role_definitions::{actions_of, can_be_added};
use crate::{IS_SUPERUSER, ORGANIZATION, USER};

/// The name of the object's table in the rules.
const OBJECT: &str = "object";
const VIEW: &str = "view";
const CHANGE: &str = "change";
const DELETE: &str = "delete";

const OBJECT_PATH: Field = fields::text("object")
    .label("Object")
    .not_filterable()
    .help("The path of an object, such as /api/v2/organizations/1/.");

const fn part(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::json(name).label(label).not_filterable().help(help)
}

const EXPLANATION: &[Field] = &[
    part("user", "User", "A summary of the user."),
    fields::text("type").label("Type").not_filterable().help("The type of the object."),
    fields::text("url").label("URL").not_filterable().help("The path of the object."),
    part("object", "Object", "A summary of the object."),
    part("actions", "Actions", "Whether the user may read, change and delete the object."),
    part("permissions", "Permissions", "Each permission on the object, whether the user has it, and why."),
    part("roles", "Roles", "Each role of the object, whether the user has it, and why."),
];

/// The path of the action.
pub const EXPLAIN_ACCESS: &str = "explain_access";

/// The description of the action.
pub const fn explain_access() -> ResourceAction {
    ResourceAction::new(EXPLAIN_ACCESS, "Access of a User")
        .describe("The permissions and roles of a user on an object, and the grants that give them.")
        .get(
            ActionMethod::new("explain the access to an object", ActionAnswer::Fields(EXPLANATION))
                .input(&[OBJECT_PATH]),
        )
        .types(&[])
        .unlinked()
}

/// Explains what a user may do with an object.
pub struct ExplainAccess;

#[async_trait]
impl ActionHandler for ExplainAccess {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let object = request.input.text(&OBJECT_PATH);
        explain(engine, request.actor, request.id, object)
            .await
            .map(|explanation| ActionResponse::Fields(explanation.into()))
    }
}

/// Explains what user `user` may do with the object at `object_path`, to an
/// actor who may see both.
///
/// Users may ask about themselves. About others, only actors may ask who see everything or administer the object.
///
/// # Errors
/// 400 for a path that names no object, 403 and 404 as for showing the object.
async fn explain(engine: &Engine, actor: &Actor, user: i64, object_path: &str) -> Result<Map<String, Json>, Error> {
    let (resource, target) = parse(engine, object_path)?;
    let id = find_id(engine, actor, resource, &target).await?;
    let subject = subject(engine, actor, user).await?;
    let sees_all = actor.is_superuser || actor.is_system_auditor;
    if !(user == actor.id || sees_all || may_change(engine, actor, resource, id).await?) {
        return Err(Error::forbidden());
    }
    let checks = checks(engine, &subject, resource, id);
    let allowed =
        evaluate(engine, &subject, checks.iter().map(|check| check.rule.clone()).collect(), resource, id).await?;
    let chains = AccessChains::load(engine, actor, &subject, resource, id).await?;
    let (mut roles, mut permissions) = (vec![], vec![]);
    for (check, allowed) in checks.iter().zip(allowed) {
        let because = if allowed { chains.shortest(&check.requirement) } else { None };
        match &check.subject {
            CheckSubject::Role(role) => roles.push(json!({
                "role_field": role.field, "name": role.name, "description": role.description,
                "allowed": allowed, "because": because,
            })),
            CheckSubject::Permission(permission, action) => permissions.push(json!({
                "permission": permission, "action": action, "allowed": allowed, "because": because,
            })),
        }
    }
    let may = |wanted: &str| permissions.iter().any(|one| one["action"] == wanted && one["allowed"] == true);
    let actions = json!({"read": may(VIEW), "change": may(CHANGE), "delete": may(DELETE)});
    let shown = |summaries: Vec<(i64, Map<String, Json>)>| summaries.into_iter().next().map(|(_, summary)| summary);
    let mut answer = Map::new();
    answer.insert("user".into(), shown(summarize(engine, actor, &USER, &[user]).await?).into());
    answer.insert("type".into(), resource.name.into());
    answer.insert("url".into(), resource.url(id).into());
    answer.insert("object".into(), shown(summarize(engine, actor, resource, &[id]).await?).into());
    answer.insert("actions".into(), actions);
    answer.insert("permissions".into(), permissions.into());
    answer.insert("roles".into(), roles.into());
    Ok(answer)
}

fn parse(engine: &Engine, path: &str) -> Result<(&'static Resource, ObjectKey), Error> {
    let wrong = || Error::field("object", "Name an object by its path, such as /api/v2/organizations/1/.");
    let rest = path.strip_prefix("/api/v2/").and_then(|rest| rest.strip_suffix('/')).ok_or_else(wrong)?;
    let (plural, key) = rest.split_once('/').ok_or_else(wrong)?;
    let resource = engine.registry.by_plural(plural).ok_or_else(wrong)?.resource;
    Ok((resource, ObjectKey::parse(resource, key).map_err(|_| wrong())?))
}

/// The user as an actor, for the same rules that requests are checked by.
async fn subject(engine: &Engine, actor: &Actor, user: i64) -> Result<Actor, Error> {
    let query = Query::select()
        .exprs(["username", IS_SUPERUSER.column, "is_system_auditor"].map(|name| column("users", name)))
        .expr(is_organization_admin(column("users", "id")))
        .from(Alias::new("users"))
        .and_where(column("users", "id").eq(user))
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Text, Type::Boolean, Type::Boolean, Type::Boolean]).await?;
    let row = rows.first().ok_or(Error::NotFound(Some(USER.label)))?;
    Ok(Actor {
        id: user,
        username: row.text(0).unwrap_or_default().to_owned(),
        is_superuser: row.boolean(1),
        is_system_auditor: row.boolean(2),
        is_organization_admin: row.boolean(3),
        can_write: true,
        session: None,
        external_account: None,
        policy: actor.policy,
        job_settings: Arc::clone(&actor.job_settings),
    })
}

/// Whether the actor may change the object.
async fn may_change(engine: &Engine, actor: &Actor, resource: &'static Resource, id: i64) -> Result<bool, Error> {
    let rule = resource.access.rows(actor, Action::Change, OBJECT);
    Ok(evaluate(engine, actor, vec![rule], resource, id).await?.first().copied().unwrap_or(false))
}

/// One role or permission to check.
struct Check {
    subject: CheckSubject,
    /// The rule that requests are checked by, over the table [`OBJECT`].
    rule: Rule,
    /// What gives it.
    requirement: Requirement,
}

/// What a check is about.
enum CheckSubject {
    Role(&'static ObjectRole),
    /// A permission as role definitions name it, and the action in it.
    Permission(String, String),
}

/// A check for every role of the object and every permission on it.
fn checks(engine: &Engine, subject: &Actor, resource: &'static Resource, id: i64) -> Vec<Check> {
    let mut checks = vec![];
    for role in resource.roles {
        let requirement = Requirement { role: Some((resource, role.field)), ..Requirement::default() };
        checks.push(Check {
            subject: CheckSubject::Role(role),
            rule: has_role(resource, role.field, subject, OBJECT),
            requirement,
        });
    }
    let mut actions: Vec<&str> = actions_of(resource).collect();
    // Types without definitions have these permissions too.
    for action in [VIEW, CHANGE, DELETE] {
        if !actions.contains(&action) {
            actions.push(action);
        }
    }
    for action in actions {
        let permission = resource.permission(action);
        let kind = match action {
            VIEW => Some(Action::Read),
            CHANGE => Some(Action::Change),
            DELETE => Some(Action::Delete),
            _ => None,
        };
        let role = role_of_action(resource, action);
        let rule = match (kind, role) {
            (Some(Action::Change), _) if !resource.editable => Rule::None,
            (Some(Action::Delete), _) if !resource.deletable => Rule::None,
            (Some(kind), _) => resource.access.rows(subject, kind, OBJECT),
            (None, Some(role)) => has_role_or_permission(resource, role, action, subject, OBJECT),
            (None, None) => continue,
        };
        let requirement = Requirement {
            role: role.map(|role| (resource, role)),
            organization: kind.map(|kind| resource.access.organization_roles(kind)).unwrap_or_default(),
            permission: Some(permission.clone()),
        };
        checks.push(Check { subject: CheckSubject::Permission(permission, action.to_owned()), rule, requirement });
    }
    if *resource == ORGANIZATION {
        for added in engine.registry.resources().filter(|added| can_be_added(added)) {
            let permission = added.permission("add");
            let own = format!("{}_admin_role", added.name);
            let by_organization = added.access.organization_roles(Action::Change);
            let role = by_organization.first().copied().or(resource.role(&own).map(|role| role.field));
            let role = role.unwrap_or("admin_role");
            let in_it = |name: &str| (name == ORGANIZATION.name).then_some(id);
            let requirement = Requirement {
                role: Some((resource, role)),
                permission: Some(permission.clone()),
                ..Requirement::default()
            };
            checks.push(Check {
                subject: CheckSubject::Permission(permission, "add".to_owned()),
                rule: added.access.create(subject, &in_it),
                requirement,
            });
        }
    }
    checks
}

/// Whether each of the rules for this user allows the object, in one statement.
async fn evaluate(
    engine: &Engine,
    subject: &Actor,
    rules: Vec<Rule>,
    resource: &'static Resource,
    id: i64,
) -> Result<Vec<bool>, Error> {
    let types = vec![Type::Boolean; rules.len()];
    let query = Query::select()
        .exprs(rules.into_iter().map(Rule::expression))
        .from_as(Alias::new(resource.table), Alias::new(OBJECT))
        .and_where(column(OBJECT, "id").eq(id))
        .to_owned();
    let rows = engine.read_with_rules(subject, query, &types).await?;
    let row = rows.first();
    Ok((0..types.len()).map(|place| row.is_some_and(|row| row.boolean(place))).collect())
}
