//! Credential input sources: inputs of a credential that are looked up in an external
//! system with another credential.

use async_trait::async_trait;
use hostler_access::{ByParent, OnParent, has_role_or_permission};
use hostler_database::{FromRow, Transaction, typed};
use hostler_engine::{Edit, Engine, Error, Hooks, RenderContext, ResponseObject};
use hostler_schema::{
    Access, Action, Actor, DefaultValue, Draft, Field, Resource, Rule, UniqueConstraint, column, fields,
};
use sea_query::{Alias, ExprTrait, JoinType, Query};
use serde_json::{Value as Json, json};

use crate::CREDENTIAL;
use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY};
use crate::credential_access::can_use;
use crate::credential_inputs::TypeDefinition;

const DESCRIPTION: Field = fields::text("description")
    .label("Description")
    .default(DefaultValue::Text(""))
    .help("A description of this input source.");
const INPUT_FIELD_NAME: Field = fields::text("input_field_name")
    .label("Input field name")
    .max(1024)
    .required()
    .help("The input of the target credential that is looked up.");
const METADATA: Field = fields::json("metadata")
    .label("Metadata")
    .default(DefaultValue::EMPTY_OBJECT)
    .kept_on_put()
    .help("The parameters of the lookup, as the type of the source credential defines them.");
const TARGET: Field = fields::link("target_credential", "target_credential_id", || &CREDENTIAL)
    .label("Target credential")
    .required()
    .summarized()
    .reverse("input_sources")
    .help("The credential that receives the value.");
const SOURCE: Field = fields::link("source_credential", "source_credential_id", || &CREDENTIAL)
    .label("Source credential")
    .required()
    .summarized()
    .reverse("target_input_sources")
    .help("The credential for the external system; its type must be external.");

/// Input sources.
pub static CREDENTIAL_INPUT_SOURCE: Resource = Resource {
    filters_activity: false,
    type_label: "Credential Input Source",
    list_title: "Credential Input Source List",
    detail_title: "Credential Input Source Detail",
    description: "Inputs of credentials that are looked up in an external system. Readers of the target credential see \
                  its input sources. Creating or changing one needs the admin role of the target and the use role of \
                  the source.",
    summarized_as: &["description", "input_field_name"],
    search: &["description", "input_field_name"],
    unique: &[UniqueConstraint {
        fields: &["target_credential", "input_field_name"],
        key: "__all__",
        message: "Credential input source with this Target credential and Input field name already exists.",
    }],
    ..Resource::new(
        "credential_input_source",
        "credential_input_sources",
        "CredentialInputSource",
        &[
            fields::id(),
            CREATED,
            MODIFIED,
            CREATED_BY,
            MODIFIED_BY,
            DESCRIPTION,
            INPUT_FIELD_NAME,
            METADATA,
            TARGET,
            SOURCE,
        ],
        &InputSourceAccess,
    )
};

struct InputSourceAccess;

const BY_TARGET: ByParent = ByParent {
    link: TARGET,
    read: OnParent::Action(Action::Read),
    change: OnParent::Action(Action::Change),
    create: OnParent::RoleOrPermission("admin_role", "change"),
};

/// As in AWX, setting and changing an input source needs permission to use its source.
const USABLE: OnParent = OnParent::RoleOrPermission("use_role", "use");
const BY_SOURCE: ByParent = ByParent { link: SOURCE, read: USABLE, change: USABLE, create: USABLE };

impl Access for InputSourceAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let by_target = BY_TARGET.rows(actor, action, row);
        match action {
            Action::Change => by_target.and(BY_SOURCE.rows(actor, action, row)),
            Action::Read | Action::Delete => by_target,
        }
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let by_source = draft(SOURCE.name).map_or(Rule::All, |id| can_use(actor, id));
        BY_TARGET.create(actor, draft).and(by_source)
    }
}

/// Checks that an input source fits its target and its source.
pub struct InputSourceHooks;

#[async_trait]
impl Hooks for InputSourceHooks {
    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let (Some(target), Some(source)) = (edit.new.integer(&TARGET), edit.new.integer(&SOURCE)) else {
            return Ok(());
        };
        let target = TypeDefinition::load_for_credential(tx, target).await?;
        let source = TypeDefinition::load_for_credential(tx, source).await?;
        let mut errors = vec![];
        let mut add = |field: &Field, message: String| errors.push((field.name.to_owned(), vec![message]));
        if target.is_external() {
            add(&TARGET, "Target must be a non-external credential".into());
        }
        if !source.is_external() {
            add(&SOURCE, "Source must be an external credential".into());
        }
        let mut ids = target.field_names();
        if !ids.contains(&edit.new.text(&INPUT_FIELD_NAME)) {
            ids.sort_unstable();
            let options = ids.join(", ");
            add(
                &INPUT_FIELD_NAME,
                format!("Input field must be defined on target credential (options are {options})."),
            );
        }
        // As in AWX, the errors of all fields are reported together.
        match source.check_metadata(&METADATA, edit.new.get(&METADATA)) {
            Ok(()) if errors.is_empty() => Ok(()),
            Ok(()) => Err(Error::Invalid(errors)),
            Err(Error::Invalid(found)) => Err(Error::Invalid([errors, found].concat())),
            Err(Error::InvalidNested { field, parts, .. }) => {
                Err(Error::InvalidNested { field, parts, others: errors })
            }
            Err(other) => Err(other),
        }
    }

    async fn enrich(
        &self,
        _engine: &Engine,
        view: RenderContext<'_>,
        page: &mut [ResponseObject],
    ) -> Result<(), Error> {
        for shown in page {
            // AWX shows only this capability.
            let can_delete = view.actor.can_write && shown.loaded.deletable;
            shown.add_summary("user_capabilities", json!({"delete": can_delete}));
            // AWX leaves this key out here, though other summaries of credentials have it.
            let summaries = shown.json.get_mut("summary_fields").and_then(Json::as_object_mut);
            for (_, summary) in summaries.into_iter().flatten() {
                if let Some(summary) = summary.as_object_mut() {
                    summary.shift_remove("kubernetes");
                }
            }
        }
        Ok(())
    }
}

/// Copies the input sources of a credential to another one. Sources that the actor may
/// not use are left out.
///
/// # Errors
/// Database errors.
pub async fn copy(engine: &Engine, tx: &mut Transaction, actor: &Actor, from: i64, to: i64) -> Result<(), Error> {
    let usable = has_role_or_permission(&CREDENTIAL, "use_role", "use", actor, "usable");
    let query = Query::select()
        .exprs(
            [&DESCRIPTION, &INPUT_FIELD_NAME, &METADATA, &SOURCE]
                .map(|field| column(CREDENTIAL_INPUT_SOURCE.table, field.column)),
        )
        .from(Alias::new(CREDENTIAL_INPUT_SOURCE.table))
        .join_as(
            JoinType::InnerJoin,
            Alias::new(CREDENTIAL.table),
            Alias::new("usable"),
            column("usable", "id").eq(column(CREDENTIAL_INPUT_SOURCE.table, SOURCE.column)),
        )
        .and_where(column(CREDENTIAL_INPUT_SOURCE.table, TARGET.column).eq(from))
        .cond_where(usable.condition())
        .to_owned();
    let now = engine.clock.now();
    let rows = engine.read_with_rules_in(tx, actor, query, InputSourceRow::TYPES).await?;
    let rows = typed::<InputSourceRow>(rows)?.into_iter().map(|(description, input_field_name, metadata, source)| {
        [
            now.into(),
            now.into(),
            actor.user().into(),
            actor.user().into(),
            description.into(),
            input_field_name.into(),
            metadata.into(),
            source.into(),
            to.into(),
        ]
    });
    let columns = [
        CREATED.column,
        MODIFIED.column,
        "created_by_id",
        "modified_by_id",
        DESCRIPTION.column,
        INPUT_FIELD_NAME.column,
        METADATA.column,
        SOURCE.column,
        TARGET.column,
    ];
    tx.insert_rows(CREDENTIAL_INPUT_SOURCE.table, columns, rows).await?;
    Ok(())
}

/// The description, the name of the input, the metadata as text, and the source credential.
type InputSourceRow = (String, String, String, i64);
