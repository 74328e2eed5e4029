//! Role definitions: roles in AWX's newer view. Managed ones stand for the
//! older roles; custom ones are sets of permissions that superusers put together.

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{Edit, Engine, Error, Hooks, Record};
use hostler_schema::{
    Access, Action, Actor, DefaultValue, Draft, Field, Join, Resource, Rule, Sublist, UniqueConstraint, column, fields,
};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::Value as Json;

use crate::common::{BY_CREATOR, BY_MODIFIER, CREATED, CREATED_BY, MODIFIED, MODIFIED_BY};
use crate::{TEAM_ASSIGNMENT, USER_ASSIGNMENT};

/// The types of objects that definitions are about, as AWX names them.
const CONTENT_TYPES: &[(&str, &str)] = &[
    ("awx.credential", "Credential"),
    ("awx.executionenvironment", "Execution Environment"),
    ("awx.instancegroup", "Instance Group"),
    ("awx.inventory", "Inventory"),
    ("awx.jobtemplate", "Job Template"),
    ("awx.notificationtemplate", "Notification Template"),
    ("awx.project", "Project"),
    ("awx.workflowjobtemplate", "Workflow Job Template"),
    ("shared.organization", "Organization"),
    ("shared.team", "Team"),
];
const ORGANIZATION_TYPE: &str = "shared.organization";
const TEAM_TYPE: &str = "shared.team";

/// What can be done with objects of each type; `add` only through their organization.
const PERMISSIONS: &[(&str, &[&str])] = &[
    ("awx.credential", &["add", "change", "delete", "use", "view"]),
    ("awx.executionenvironment", &["add", "change", "delete"]),
    ("awx.instancegroup", &["change", "delete", "use", "view"]),
    ("awx.inventory", &["add", "adhoc", "change", "delete", "update", "use", "view"]),
    ("awx.jobtemplate", &["change", "delete", "execute", "view"]),
    ("awx.notificationtemplate", &["add", "change", "delete", "view"]),
    ("awx.project", &["add", "change", "delete", "update", "use", "view"]),
    ("awx.workflowjobtemplate", &["add", "approve", "change", "delete", "execute", "view"]),
    (ORGANIZATION_TYPE, &["audit", "change", "delete", "member", "view"]),
    (TEAM_TYPE, &["add", "change", "delete", "member", "view"]),
];

const ADD: &str = "add";

const NAME: Field = fields::text("name")
    .label("Name")
    .max(512)
    .required()
    .help("What the role is called; no other may have this name.");
const DESCRIPTION: Field =
    fields::text("description").label("Description").default(DefaultValue::Text("")).help("What its holders may do.");
const MANAGED: Field = fields::boolean("managed")
    .label("Managed")
    .read_only()
    .help("Whether the server made it: then it cannot be changed.");
const CONTENT_TYPE: Field = fields::choice("content_type", CONTENT_TYPES)
    .label("Content type")
    .nullable()
    .create_only()
    .help("The type of the objects on which it can be assigned.");
const PERMISSIONS_FIELD: Field = fields::json("permissions")
    .label("Permissions")
    .required()
    .help("What its holders may do, as a list such as [\"awx.view_project\"].");

/// Role definitions.
pub static ROLE_DEFINITION: Resource = Resource {
    type_label: "Role Definition",
    list_title: "Role Definition List",
    detail_title: "Role Definition Detail",
    description: "Sets of permissions that can be assigned to users and teams on objects. Everybody sees them; superusers \
                  make and change those that the server does not manage.",
    relations: &[BY_CREATOR, BY_MODIFIER],
    sublists: &[
        Sublist::new(
            "user_assignments",
            "Role Definition User Assignments",
            || &USER_ASSIGNMENT,
            Join::Reverse("role_definition_id"),
        ),
        Sublist::new(
            "team_assignments",
            "Role Definition Team Assignments",
            || &TEAM_ASSIGNMENT,
            Join::Reverse("role_definition_id"),
        ),
    ],
    summaries: &[CREATED_BY, MODIFIED_BY],
    summarized_as: &["name", "description", "managed"],
    unique: &[UniqueConstraint {
        fields: &["name"],
        key: "name",
        message: "role definition with this name already exists.",
    }],
    ..Resource::new(
        "role_definition",
        "role_definitions",
        "RoleDefinition",
        &[fields::id(), CREATED, MODIFIED, NAME, DESCRIPTION, MANAGED, CONTENT_TYPE, PERMISSIONS_FIELD],
        &DefinitionAccess,
    )
};

struct DefinitionAccess;

impl Access for DefinitionAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        match action {
            Action::Read => Rule::All,
            Action::Change | Action::Delete if actor.is_superuser => Rule::When(column(row, "managed").eq(false)),
            Action::Change | Action::Delete => Rule::None,
        }
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::from_bool(actor.is_superuser)
    }
}

/// Checks permissions and keeps them where access conditions find them.
pub struct RoleDefinitionHooks;

#[async_trait]
impl Hooks for RoleDefinitionHooks {
    async fn validate(&self, _engine: &Engine, _tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let content_type = edit.new.text(&CONTENT_TYPE);
        if content_type.is_empty() {
            return Err(Error::field(CONTENT_TYPE.name, "This field is required."));
        }
        if content_type == TEAM_TYPE {
            return Err(Error::field(
                CONTENT_TYPE.name,
                "Custom roles for teams are not possible: who is in a team is for its own roles to say.",
            ));
        }
        let wrong = |message: String| Error::field(PERMISSIONS_FIELD.name, message);
        let permissions = permissions(&edit.new).ok_or_else(|| wrong("Expected a list of permissions.".into()))?;
        if permissions.is_empty() {
            return Err(wrong("Name at least one permission.".into()));
        }
        for permission in &permissions {
            let Some(model) = model_of(permission) else {
                return Err(wrong(format!("\"{permission}\" is not a known permission.")));
            };
            if model != content_type && content_type != ORGANIZATION_TYPE {
                return Err(wrong(format!(
                    "Permission \"{permission}\" is not valid for content type \"{content_type}\"."
                )));
            }
            if model == TEAM_TYPE
                || ["shared.member_organization", "shared.audit_organization"].contains(&permission.as_str())
            {
                return Err(wrong(format!("Permission \"{permission}\" cannot be part of a custom role.")));
            }
            if model == content_type && permission.contains(".add_") {
                return Err(wrong(format!(
                    "Permission \"{permission}\" is for the organization in which something is added."
                )));
            }
        }
        let view = permission_name(content_type, "view");
        if model_of(&view).is_some() && !permissions.contains(&view) {
            return Err(wrong(format!("Permissions for {content_type} need to include {view}.")));
        }
        Ok(())
    }

    async fn after_save(&self, _engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        let clear = Query::delete()
            .from_table(Alias::new("role_definition_permissions"))
            .and_where(column("role_definition_permissions", "definition_id").eq(id))
            .to_owned();
        tx.execute(&clear).await?;
        let mut insert = Query::insert();
        insert
            .into_table(Alias::new("role_definition_permissions"))
            .columns(["definition_id", "permission"].map(Alias::new));
        for permission in permissions(&edit.new).unwrap_or_default() {
            insert.values_panic([id.into(), permission.into()]);
        }
        tx.execute(&insert).await?;
        Ok(())
    }
}

/// The permissions as a sorted list without repetitions; none if the value is no list of texts.
fn permissions(record: &Record) -> Option<Vec<String>> {
    let Value::Json(Json::Array(list)) = record.get(&PERMISSIONS_FIELD) else { return None };
    let mut names: Vec<String> = list.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    names.sort();
    names.dedup();
    Some(names)
}

/// The permissions on an object of this type, such as `awx.view_project`; none
/// for types on which no definition can be assigned.
pub fn permissions_of(resource: &Resource) -> Vec<String> {
    actions_of(resource).map(|action| resource.permission(action)).collect()
}

/// What can be done with an object of this type that definitions know: `view`, `change`, ...
pub fn actions_of(resource: &Resource) -> impl Iterator<Item = &'static str> + use<> {
    let content_type = resource.content_type();
    let known = PERMISSIONS.iter().filter(move |(name, _)| *name == content_type);
    known.flat_map(|(_, actions)| actions.iter().copied()).filter(|action| *action != ADD)
}

/// Whether definitions on an organization can allow to add objects of this type to it.
pub fn can_be_added(resource: &Resource) -> bool {
    let content_type = resource.content_type();
    PERMISSIONS.iter().any(|(name, actions)| *name == content_type && actions.contains(&ADD))
}

/// The type of objects that a permission is about, if there is such a permission.
fn model_of(permission: &str) -> Option<&'static str> {
    PERMISSIONS
        .iter()
        .find(|(content_type, actions)| {
            actions.iter().any(|action| permission_name(content_type, action) == permission)
        })
        .map(|(content_type, _)| *content_type)
}

fn permission_name(content_type: &str, action: &str) -> String {
    let (app, model) = content_type.split_once('.').unwrap_or(("awx", content_type));
    format!("{app}.{action}_{model}")
}
