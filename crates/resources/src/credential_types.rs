//! Credential types: the inputs of credentials, and how a job receives them. Managed
//! types are part of Hostler; superusers create custom ones.

use async_trait::async_trait;
use hostler_credential_types::managed::MANAGED_TYPES;
use hostler_credential_types::{InputSchema, check_injectors, check_inputs};
use hostler_database::{Database, Transaction, Type, Value};
use hostler_engine::{ActionHandler, Edit, Engine, Error, Hooks, Record};
use hostler_schema::{
    Access, Action, Actor, DefaultValue, Draft, Field, Join, NaturalKeyPart, Post, Resource, Rule, Sublist,
    UniqueConstraint, column, fields,
};
use sea_query::{Alias, Expr, ExprTrait, Func, Query};
use serde_json::Value as Json;

use crate::CREDENTIAL;
use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY, activity_stream};
use crate::credential_lookup_test::{LOOKUP_TEST, LookupTest, lookup_test};

const KINDS: &[(&str, &str)] = &[
    ("ssh", "Machine"),
    ("vault", "Vault"),
    ("net", "Network"),
    ("scm", "Source Control"),
    ("cloud", "Cloud"),
    ("registry", "Container Registry"),
    ("token", "Personal Access Token"),
    ("insights", "Insights"),
    ("external", "External"),
    ("kubernetes", "Kubernetes"),
    ("galaxy", "Galaxy/Automation Hub"),
    ("cryptography", "Cryptography"),
];
/// The kinds of custom types.
const CUSTOM_KINDS: &[(&str, &str)] = &[("net", "Network"), ("cloud", "Cloud")];

const NAME: Field =
    fields::text("name").label("Name").max(512).required().help("The name of the type; unique within its kind.");
const DESCRIPTION: Field =
    fields::text("description").label("Description").default(DefaultValue::Text("")).help("A description of the type.");
const KIND: Field = fields::choice("kind", KINDS)
    .label("Kind")
    .required()
    .offers(CUSTOM_KINDS)
    .help("The kind of system that credentials of this type are for.");
const NAMESPACE: Field = fields::text("namespace")
    .label("Namespace")
    .nullable()
    .read_only()
    .help("The fixed identifier of a managed type; null for custom types.");
const MANAGED: Field = fields::boolean("managed")
    .label("Managed")
    .read_only()
    .help("Whether the type is part of the server. Managed types cannot be changed.");
const INPUTS: Field = fields::json("inputs")
    .label("Inputs")
    .default(DefaultValue::EMPTY_OBJECT)
    .kept_on_put()
    .help("The inputs of credentials of this type: a list of fields, and which of them are required.");
const INJECTORS: Field =
    fields::json("injectors").label("Injectors").default(DefaultValue::EMPTY_OBJECT).kept_on_put().help(
        "The files, environment variables and extra variables that a job receives from a credential of this type.",
    );

/// Credential types.
pub static CREDENTIAL_TYPE: Resource = Resource {
    type_label: "Credential Type",
    list_title: "Credential Type List",
    detail_title: "Credential Type Detail",
    description: "Credential types define the inputs of credentials. Every user can read all types; superusers create \
                  and change custom ones.",
    sublists: &[
        Sublist::new(
            "credentials",
            "Credential Type Credentials List",
            || &CREDENTIAL,
            Join::Reverse("credential_type_id"),
        )
        .post(Post::Create("credential_type")),
        activity_stream("credential_type", "Credential Type Activity Stream List"),
    ],
    actions: &[lookup_test("Credential Type Test", |actor, _| Rule::from_bool(actor.is_superuser))],
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Field("kind")],
    unique: &[UniqueConstraint {
        fields: &["name", "kind"],
        key: "__all__",
        message: "Credential type with this Name and Kind already exists.",
    }],
    ..Resource::new(
        "credential_type",
        "credential_types",
        "CredentialType",
        &[
            fields::id(),
            CREATED,
            MODIFIED,
            CREATED_BY,
            MODIFIED_BY,
            NAME,
            DESCRIPTION,
            KIND,
            NAMESPACE,
            MANAGED,
            INPUTS,
            INJECTORS,
        ],
        &CredentialTypeAccess,
    )
};

struct CredentialTypeAccess;

impl Access for CredentialTypeAccess {
    fn rows(&self, actor: &Actor, action: Action, _row: &str) -> Rule {
        match action {
            Action::Read => Rule::All,
            // As in AWX, `user_capabilities` of managed types are true; the hooks reject the request with a reason.
            Action::Change | Action::Delete => Rule::from_bool(actor.is_superuser),
        }
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::from_bool(actor.is_superuser)
    }
}

/// Checks definitions, and protects managed types and types in use.
pub struct CredentialTypeHooks;

#[async_trait]
impl Hooks for CredentialTypeHooks {
    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        (path == LOOKUP_TEST).then_some(&LookupTest)
    }

    fn authorize(&self, edit: &Edit<'_>) -> Result<(), Error> {
        reject_managed(edit.old.as_ref(), "Modifications not allowed for managed credential types")
    }

    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let kind = edit.new.text(&KIND);
        if !CUSTOM_KINDS.iter().any(|(known, _)| *known == kind) {
            return Err(Error::field(KIND.name, format!("Must be 'cloud' or 'net', not {kind}")));
        }
        // Clients look types up by their name: two types named `Machine` would be ambiguous.
        let name = edit.new.text(&NAME).to_lowercase();
        if edit.changes(&NAME) && MANAGED_TYPES.iter().any(|managed| managed.name.to_lowercase() == name) {
            return Err(Error::field(NAME.name, "A managed credential type has this name."));
        }
        if edit.changes(&INPUTS) || edit.changes(&INJECTORS) {
            check_definition(edit)?;
        }
        if let Some(old) = &edit.old
            && edit.changes(&INPUTS)
            && is_in_use(tx, old.id).await?
        {
            let message = "Modifications to inputs are not allowed for credential types that are in use";
            return Err(Error::Forbidden(Some(message.into())));
        }
        Ok(())
    }

    async fn after_save(&self, _engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        if edit.is_new() || !edit.changes(&KIND) {
            return Ok(());
        }
        // Credentials repeat the kind of their type.
        let kind = edit.new.text(&KIND);
        let update = Query::update()
            .table(Alias::new(CREDENTIAL.table))
            .value(Alias::new("cloud"), kind == "cloud")
            .value(Alias::new("version"), column(CREDENTIAL.table, "version").add(1))
            .and_where(column(CREDENTIAL.table, "credential_type_id").eq(id))
            .to_owned();
        tx.execute(&update).await?;
        Ok(())
    }

    async fn before_delete(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        _actor: &Actor,
        record: &Record,
    ) -> Result<(), Error> {
        reject_managed(Some(record), "Deletion not allowed for managed credential types")?;
        if is_in_use(tx, record.id).await? {
            let message = "Credential types that are in use cannot be deleted";
            return Err(Error::Forbidden(Some(message.into())));
        }
        Ok(())
    }
}

/// Checks the inputs, and that the injectors use only these inputs.
fn check_definition(edit: &mut Edit<'_>) -> Result<(), Error> {
    let json = |field| match edit.new.get(field) {
        Value::Json(json) => json.clone(),
        _ => Json::Null,
    };
    let (mut inputs, injectors) = (json(&INPUTS), json(&INJECTORS));
    let wrong = |field: &Field, messages| Error::Invalid(vec![(field.name.to_owned(), messages)]);
    check_inputs(&mut inputs).map_err(|messages| wrong(&INPUTS, messages))?;
    check_injectors(&injectors, &InputSchema::read(&inputs)).map_err(|messages| wrong(&INJECTORS, messages))?;
    edit.new.set(&INPUTS, Value::Json(inputs));
    Ok(())
}

fn reject_managed(record: Option<&Record>, message: &str) -> Result<(), Error> {
    match record {
        Some(record) if record.boolean(&MANAGED) => Err(Error::Forbidden(Some(message.into()))),
        _ => Ok(()),
    }
}

async fn is_in_use(tx: &mut Transaction, id: i64) -> Result<bool, Error> {
    let query = Query::select()
        .expr(column(CREDENTIAL.table, "id"))
        .from(Alias::new(CREDENTIAL.table))
        .and_where(column(CREDENTIAL.table, "credential_type_id").eq(id))
        .limit(1)
        .to_owned();
    Ok(!tx.read(&query, &[Type::Integer]).await?.is_empty())
}

/// Updates the columns that credentials repeat from their types: a release may turn a
/// custom type into a managed one.
///
/// # Errors
/// Database errors.
pub async fn sync_type_columns(database: &Database) -> Result<(), hostler_database::Error> {
    let from_type = |what: Expr| {
        Query::select()
            .expr(what)
            .from(Alias::new(CREDENTIAL_TYPE.table))
            .and_where(column(CREDENTIAL_TYPE.table, "id").eq(column(CREDENTIAL.table, "credential_type_id")))
            .to_owned()
    };
    let text = |table: &str, name: &str| Expr::from(Func::coalesce([column(table, name), Expr::val("")]));
    let mut outdated = from_type(Expr::val(1));
    outdated.and_where(text(CREDENTIAL_TYPE.table, "namespace").ne(text(CREDENTIAL.table, "kind")));
    let is_kind = |kind: &str| {
        let is_it = column(CREDENTIAL_TYPE.table, "kind").eq(kind);
        Expr::SubQuery(None, Box::new(from_type(is_it).into()))
    };
    let namespace = from_type(column(CREDENTIAL_TYPE.table, "namespace"));
    let update = Query::update()
        .table(Alias::new(CREDENTIAL.table))
        .value(Alias::new("kind"), Expr::SubQuery(None, Box::new(namespace.into())))
        .value(Alias::new("cloud"), is_kind("cloud"))
        .value(Alias::new("kubernetes"), is_kind("kubernetes"))
        .value(Alias::new("version"), column(CREDENTIAL.table, "version").add(1))
        .and_where(Expr::exists(outdated))
        .to_owned();
    let mut tx = database.begin().await?;
    tx.execute(&update).await?;
    tx.commit().await
}
