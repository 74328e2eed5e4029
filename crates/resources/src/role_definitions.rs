//! Role definitions: roles in AWX's newer view. Managed ones correspond to the older roles; custom ones are sets of
//! permissions made by superusers.

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{Edit, Engine, Error, Hooks, Record};
use hostler_schema::{
    Access, Action, Actor, DefaultValue, Draft, Field, Join, Resource, Rule, Sublist, UniqueConstraint, column, fields,
};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::Value as Json;

use crate::common::{CREATED, CREATOR, MODIFIED, MODIFIER};
use crate::{TEAM_ASSIGNMENT, USER_ASSIGNMENT};

/// The types of objects on which definitions can be assigned, as AWX names them.
pub(crate) const CONTENT_TYPES: &[(&str, &str)] = &[
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

/// The actions on objects of each type; `add` is granted on their organization.
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

const NAME: Field = fields::text("name").label("Name").max(512).required().help("The name of the role; unique.");
const DESCRIPTION: Field =
    fields::text("description").label("Description").default(DefaultValue::Text("")).help("What the role allows.");
const MANAGED: Field = fields::boolean("managed")
    .label("Managed")
    .read_only()
    .help("Whether the server manages the role. Managed roles cannot be changed.");
const CONTENT_TYPE: Field = fields::choice("content_type", CONTENT_TYPES)
    .label("Content type")
    .type_name("id")
    .normalize(|name| canonical_type(name).map_or_else(|| name.to_owned(), str::to_owned))
    .nullable()
    .create_only()
    .help("The type of the objects on which it can be assigned.");
const PERMISSIONS_FIELD: Field = fields::json("permissions")
    .label("Permissions")
    .type_name("list")
    .filter_unlisted()
    .required()
    .help("The permissions that the role gives, as a list such as [\"awx.view_project\"].");

/// Role definitions.
pub static ROLE_DEFINITION: Resource = Resource {
    filters_activity: false,
    type_label: "Role Definition",
    list_title: "Role Definition List",
    detail_title: "Role Definition Detail",
    description: "Sets of permissions that can be assigned to users and teams on objects. All users see them; superusers \
                  create and change custom ones.",
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
    // AWX shows none.
    capabilities: false,
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
        &[
            fields::id(),
            CREATED,
            MODIFIED,
            CREATOR,
            MODIFIER,
            NAME,
            DESCRIPTION,
            MANAGED,
            CONTENT_TYPE,
            PERMISSIONS_FIELD,
        ],
        &DefinitionAccess,
    )
};

struct DefinitionAccess;

impl Access for DefinitionAccess {
    fn rows(&self, actor: &Actor, action: Action, _row: &str) -> Rule {
        match action {
            Action::Read => Rule::All,
            // The hooks refuse to change managed ones, with 400 as in AWX.
            Action::Change | Action::Delete => Rule::from_bool(actor.is_superuser),
        }
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::from_bool(actor.is_superuser)
    }
}

/// Checks permissions and stores them for access rules.
pub struct RoleDefinitionHooks;

#[async_trait]
impl Hooks for RoleDefinitionHooks {
    fn authorize(&self, edit: &Edit<'_>) -> Result<(), Error> {
        edit.old.as_ref().map_or(Ok(()), require_custom)
    }

    async fn before_delete(
        &self,
        _engine: &Engine,
        _tx: &mut Transaction,
        _actor: &Actor,
        record: &Record,
    ) -> Result<(), Error> {
        require_custom(record)
    }

    async fn validate(&self, _engine: &Engine, _tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let content_type = edit.new.text(&CONTENT_TYPE).to_owned();
        if content_type.is_empty() {
            return Err(Error::field(CONTENT_TYPE.name, "This field is required."));
        }
        if content_type == TEAM_TYPE {
            return Err(Error::field(
                CONTENT_TYPE.name,
                "Custom roles for teams are not supported: use the team's own roles.",
            ));
        }
        let wrong = |message: String| Error::field(PERMISSIONS_FIELD.name, message);
        let permissions = permissions(&edit.new).ok_or_else(|| wrong("Expected a list of permissions.".into()))?;
        edit.new.set(&PERMISSIONS_FIELD, Value::Json(permissions.iter().map(String::as_str).collect()));
        if permissions.is_empty() {
            return Err(wrong("Name at least one permission.".into()));
        }
        for permission in &permissions {
            let Some(model) = type_of(permission) else {
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
                    "Permission \"{permission}\" is granted on the organization, not on the object."
                )));
            }
        }
        let view = permission_name(&content_type, "view");
        if type_of(&view).is_some() && !permissions.contains(&view) {
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
        let rows = permissions(&edit.new).unwrap_or_default().into_iter();
        let rows = rows.map(|permission| [id.into(), permission.into()]);
        tx.insert_rows("role_definition_permissions", ["definition_id", "permission"], rows).await?;
        Ok(())
    }
}

/// Fails for a definition that the server manages.
fn require_custom(definition: &Record) -> Result<(), Error> {
    if definition.boolean(&MANAGED) {
        return Err(Error::BadRequest(
            "The server manages this role definition: it cannot be changed or deleted.".into(),
        ));
    }
    Ok(())
}

/// The permissions in canonical spelling, each once, in the order in which they were sent; none if the value is not a
/// list of texts.
fn permissions(record: &Record) -> Option<Vec<String>> {
    let Value::Json(Json::Array(list)) = record.get(&PERMISSIONS_FIELD) else { return None };
    let mut permissions: Vec<String> = vec![];
    for sent in list {
        let sent = sent.as_str()?;
        let permission = canonical_permission(sent).unwrap_or_else(|| sent.to_owned());
        if !permissions.contains(&permission) {
            permissions.push(permission);
        }
    }
    Some(permissions)
}

/// The name without its application: AWX ignores everything before the last dot.
fn bare(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, name)| name)
}

/// The type that this name means: `shared.organization` for `awx.organization` and `organization`.
fn canonical_type(name: &str) -> Option<&'static str> {
    CONTENT_TYPES.iter().map(|(known, _)| *known).find(|known| bare(known) == bare(name))
}

/// The permission that this name means: `shared.view_organization` for `awx.view_organization` and `view_organization`.
fn canonical_permission(name: &str) -> Option<String> {
    let known = PERMISSIONS
        .iter()
        .flat_map(|(content_type, actions)| actions.iter().map(|action| permission_name(content_type, action)));
    known.into_iter().find(|known| bare(known) == bare(name))
}

/// The permissions on an object of this type, such as `awx.view_project`; none
/// for types on which no definition can be assigned.
pub fn permissions_of(resource: &Resource) -> Vec<String> {
    actions_of(resource).map(|action| resource.permission(action)).collect()
}

/// The actions on an object of this type that definitions can allow: `view`, `change`, ...
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
fn type_of(permission: &str) -> Option<&'static str> {
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
