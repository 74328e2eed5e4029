//! Notification templates: how and where notifications about jobs are sent. They are stored and associated; nothing is
//! sent yet.

use async_trait::async_trait;
use hostler_access::{can_create_in_organization, has_organization_role_or_permission};
use hostler_database::{Transaction, Value};
use hostler_engine::{
    ActionHandler, ActionRequest, ActionResponse, Edit, Engine, Error, Hooks, RenderContext, ResponseObject,
};
use hostler_schema::{
    Access, Action, ActionAnswer, ActionMethod, Actor, COPY_NAME, DefaultValue, Draft, Field, NaturalKeyPart, Resource,
    ResourceAction, Rule, UniqueConstraint, fields,
};
use serde_json::{Map, Value as Json, json};

use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY, can_create_beside, in_audited_organization};
use crate::notification_defaults::documented_messages;
use crate::notification_types::{TYPES, check_configuration, documented_settings, is_secret};
use crate::{ORGANIZATION, encrypted_inputs, notification_messages};

const NAME: Field = fields::text("name")
    .label("Name")
    .max(512)
    .required()
    .help("The name of the notification template; unique in its organization.");
const DESCRIPTION: Field = fields::text("description")
    .label("Description")
    .default(DefaultValue::Text(""))
    .help("What the notifications are for.");
const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .required()
    .summarized()
    .reverse("notification_templates")
    .help("The organization that the notification template belongs to.");
const TYPE: Field = fields::choice("notification_type", TYPES)
    .label("Notification type")
    .required()
    .help("The service that delivers the notifications.");
const CONFIGURATION: Field = fields::inputs("notification_configuration")
    .label("Notification configuration")
    .default(DefaultValue::EMPTY_OBJECT)
    .kept_on_put()
    .details(documented_settings)
    .help(
        "The address and the account, by the type. Secrets are shown as $encrypted$; sending $encrypted$ keeps the \
         stored one.",
    );
const MESSAGES: Field = fields::object("messages")
    .label("Messages")
    .default(DefaultValue::Json(notification_messages::DEFAULT))
    .kept_on_put()
    .details(documented_messages)
    .help("Templates of the subject (message) and the text (body) by event; null for the default text.");

/// The role of an organization that allows everything with its notification templates.
const ADMIN: &str = "notification_admin_role";
/// The roles of an organization that allow to read them.
const READERS: [&str; 2] = [ADMIN, "auditor_role"];

/// Notification templates.
pub static NOTIFICATION_TEMPLATE: Resource = Resource {
    type_label: "Notification Template",
    list_title: "Notification Template List",
    detail_title: "Notification Template Detail",
    description: "How and where notifications about jobs are sent. Notification admins of the organization manage them. \
                  Hostler does not send notifications yet.",
    unimplemented_relations: &["notifications", "workflowjobtemplate_notification_templates_for_approvals"],
    actions: &[
        ResourceAction::new("test", "Notification Template Test")
            .post(ActionMethod::new("send a test notification", ActionAnswer::Accepted(&[])).permit(changeable))
            .types(&[])
            .not_implemented(),
        ResourceAction::unimplemented("notifications"),
        ResourceAction::copy("Notification Template Copy", || &NOTIFICATION_TEMPLATE, can_copy),
    ],
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("organization")],
    unique: &[UniqueConstraint {
        fields: &["organization", "name"],
        key: "__all__",
        message: "Notification template with this Organization and Name already exists.",
    }],
    // Role definitions only.
    role_resource: Some(|| &crate::ROLE),
    ..Resource::new(
        "notification_template",
        "notification_templates",
        "NotificationTemplate",
        &[
            fields::id(),
            CREATED,
            MODIFIED,
            CREATED_BY,
            MODIFIED_BY,
            NAME,
            DESCRIPTION,
            ORGANIZATION_LINK,
            TYPE,
            CONFIGURATION,
            MESSAGES,
        ],
        &NotificationTemplateAccess,
    )
};

struct NotificationTemplateAccess;

impl Access for NotificationTemplateAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let permission = match action {
            Action::Read => "view",
            Action::Change => "change",
            Action::Delete => "delete",
        };
        let roles = self.organization_roles(action);
        has_organization_role_or_permission(&NOTIFICATION_TEMPLATE, &ORGANIZATION, &roles, permission, actor, row)
    }

    fn organization_roles(&self, action: Action) -> Vec<&'static str> {
        match action {
            Action::Read => READERS.to_vec(),
            Action::Change | Action::Delete => vec![ADMIN],
        }
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        in_audited_organization(actor, row, ORGANIZATION_LINK.column)
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let organization = draft(ORGANIZATION_LINK.name);
        can_create_in_organization(&NOTIFICATION_TEMPLATE, &ORGANIZATION, ADMIN, actor, organization)
    }
}

/// Checks configurations and messages, encrypts secrets, and copies notification templates.
pub struct NotificationTemplateHooks;

#[async_trait]
impl Hooks for NotificationTemplateHooks {
    async fn validate(&self, engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        if edit.changes(&MESSAGES) {
            let messages = checked_messages(edit).map_err(|message| Error::field(MESSAGES.name, message))?;
            edit.new.set(&MESSAGES, Value::Json(messages));
        }
        if edit.changes(&CONFIGURATION) || edit.changes(&TYPE) {
            let type_name = edit.new.text(&TYPE).to_owned();
            let stays_secret = |name: &str| is_secret(&type_name, name);
            let mut plain =
                encrypted_inputs::merge_with_stored(engine, edit, &CONFIGURATION, |_, _| false, stays_secret)?;
            check_configuration(&type_name, &mut plain)
                .map_err(|messages| Error::Invalid(vec![("__all__".into(), messages)]))?;
            let secret = |name: &str, value: &str| !value.is_empty() && is_secret(&type_name, name);
            encrypted_inputs::store(engine, tx, edit, &CONFIGURATION, plain, secret).await?;
        }
        Ok(())
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        if edit.is_new() { encrypted_inputs::encrypt_new(engine, tx, edit, &CONFIGURATION, id).await } else { Ok(()) }
    }

    async fn enrich(
        &self,
        _engine: &Engine,
        _view: RenderContext<'_>,
        page: &mut [ResponseObject],
    ) -> Result<(), Error> {
        for shown in page {
            shown.add_summary("recent_notifications", json!([]));
        }
        Ok(())
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        (path == "copy").then_some(&Copying)
    }
}

/// The notification templates that the actor may change: only those may be associated, and sent in tests.
pub fn changeable(actor: &Actor, row: &str) -> Rule {
    NOTIFICATION_TEMPLATE.access.rows(actor, Action::Change, row)
}

/// Copying needs permission to change the notification template and to add others to its organization.
fn can_copy(actor: &Actor, row: &str) -> Rule {
    changeable(actor, row).and(can_create_beside(&NOTIFICATION_TEMPLATE, ADMIN, actor, row))
}

/// Copies a notification template with its secrets.
struct Copying;

#[async_trait]
impl ActionHandler for Copying {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let (actor, original) = (request.actor, engine.original(&request).await?);
        let mut body = Map::new();
        body.insert(NAME.name.into(), request.input.text(&COPY_NAME).into());
        for field in [&DESCRIPTION, &TYPE] {
            body.insert(field.name.into(), original.text(field).into());
        }
        body.insert(ORGANIZATION_LINK.name.into(), original.integer(&ORGANIZATION_LINK).into());
        let configuration = encrypted_inputs::decrypted(engine, &original, &CONFIGURATION)?;
        body.insert(CONFIGURATION.name.into(), configuration.into());
        if let Value::Json(messages) = original.get(&MESSAGES) {
            body.insert(MESSAGES.name.into(), messages.clone());
        }
        engine.create(actor, &NOTIFICATION_TEMPLATE, &body, None).await.map(ActionResponse::NewObject)
    }
}

/// The messages to store. As in AWX, those that the request does not name stay.
fn checked_messages(edit: &Edit<'_>) -> Result<Json, String> {
    let empty = Json::Null;
    let stored = match edit.old.as_ref().map(|old| old.get(&MESSAGES)) {
        Some(Value::Json(stored)) => stored,
        _ => &empty,
    };
    let Value::Json(Json::Object(sent)) = edit.new.get(&MESSAGES) else { return Ok(stored.clone()) };
    notification_messages::check(sent)?;
    Ok(notification_messages::merge(sent, stored))
}
