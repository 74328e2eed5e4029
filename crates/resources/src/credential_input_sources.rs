//! Input sources: values of a credential that are looked up elsewhere, by means
//! of another credential of an external type.

use async_trait::async_trait;
use hostler_database::{Transaction, Type};
use hostler_engine::{Edit, Engine, Error, Hooks, RenderContext, ResponseObject};
use hostler_schema::{
    Access, Action, Actor, DefaultValue, Draft, Field, Join, Relation, Resource, Rule, Summary, UniqueConstraint,
    column, fields,
};
use sea_query::{Alias, ExprTrait, JoinType, Query};
use serde_json::json;

use crate::common::{BY_CREATOR, BY_MODIFIER, CREATED, CREATED_BY, MODIFIED, MODIFIED_BY};
use crate::credential_inputs::TypeDefinition;
use crate::{CREDENTIAL, credential_access};

const DESCRIPTION: Field = fields::text("description")
    .label("Description")
    .default(DefaultValue::Text(""))
    .help("What the value is looked up for.");
const INPUT_FIELD_NAME: Field = fields::text("input_field_name")
    .label("Input field name")
    .max(1024)
    .required()
    .help("The field of the target credential whose value is looked up.");
const METADATA: Field = fields::json("metadata")
    .label("Metadata")
    .default(DefaultValue::EmptyObject)
    .kept_on_put()
    .help("Where the value is found, as the type of the source credential defines it.");
const TARGET: Field = fields::link("target_credential", "target_credential_id", || &CREDENTIAL)
    .label("Target credential")
    .required()
    .help("The credential whose value is looked up.");
const SOURCE: Field = fields::link("source_credential", "source_credential_id", || &CREDENTIAL)
    .label("Source credential")
    .required()
    .help("The credential of an external type with which it is looked up.");

/// Input sources.
pub static CREDENTIAL_INPUT_SOURCE: Resource = Resource {
    type_label: "Credential Input Source",
    list_title: "Credential Input Source List",
    detail_title: "Credential Input Source Detail",
    description: "Values of credentials that are looked up in an external store. Whoever sees the target credential sees \
                  its sources; whoever administers the target may name a source that they may use.",
    relations: &[
        BY_CREATOR,
        BY_MODIFIER,
        Relation::new("source_credential", || &CREDENTIAL, Join::Column("source_credential_id")),
        Relation::new("target_credential", || &CREDENTIAL, Join::Column("target_credential_id")),
    ],
    summaries: &[
        Summary { name: "source_credential", column: "source_credential_id", target: || &CREDENTIAL, linked: true },
        Summary { name: "target_credential", column: "target_credential_id", target: || &CREDENTIAL, linked: true },
        CREATED_BY,
        MODIFIED_BY,
    ],
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
        &[fields::id(), CREATED, MODIFIED, DESCRIPTION, INPUT_FIELD_NAME, METADATA, TARGET, SOURCE],
        &InputSourceAccess,
    )
};

struct InputSourceAccess;

impl Access for InputSourceAccess {
    /// Who may do with the target what is asked may do it with its sources.
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        // Taking a source away changes the target.
        let action = if action == Action::Delete { Action::Change } else { action };
        match CREDENTIAL.access.rows(actor, action, "target_of") {
            targets @ Rule::When(_) => {
                Rule::When(column(row, "target_credential_id").in_subquery(targets.ids(CREDENTIAL.table, "target_of")))
            }
            rule => rule,
        }
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let target = credential_access::can_administer(actor, draft(TARGET.name));
        let source = draft(SOURCE.name).map_or(Rule::All, |id| credential_access::can_use(actor, id));
        target.and(source)
    }
}

/// Checks that sources fit their targets.
pub struct InputSourceHooks;

#[async_trait]
impl Hooks for InputSourceHooks {
    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let (Some(target), Some(source)) = (edit.new.integer(&TARGET), edit.new.integer(&SOURCE)) else {
            return Ok(());
        };
        let target = TypeDefinition::load_for_credential(tx, target).await?;
        let source = TypeDefinition::load_for_credential(tx, source).await?;
        if target.is_external() {
            return Err(Error::field(TARGET.name, "Target must be a non-external credential"));
        }
        if !source.is_external() {
            return Err(Error::field(SOURCE.name, "Source must be an external credential"));
        }
        let field = edit.new.text(&INPUT_FIELD_NAME);
        let mut known = target.field_names();
        if !known.contains(&field) {
            known.sort_unstable();
            let message =
                format!("Input field must be defined on target credential (options are {}).", known.join(", "));
            return Err(Error::field(INPUT_FIELD_NAME.name, message));
        }
        source.check_metadata(&METADATA, edit.new.get(&METADATA))
    }

    async fn enrich(
        &self,
        _engine: &Engine,
        view: RenderContext<'_>,
        page: &mut [ResponseObject],
    ) -> Result<(), Error> {
        for shown in page {
            // As in AWX they tell only whether one may take the source away.
            let may = view.actor.can_write && shown.loaded.deletable;
            shown.add_summary("user_capabilities", json!({"delete": may}));
        }
        Ok(())
    }
}

/// Gives a credential the sources of another, as far as the actor may use them.
///
/// # Errors
/// What the database says.
pub async fn copy(engine: &Engine, tx: &mut Transaction, actor: &Actor, from: i64, to: i64) -> Result<(), Error> {
    let usable = hostler_access::has_role_or_permission(&CREDENTIAL, "use_role", "use", actor, "usable");
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
    for row in tx.read(&query, &[Type::Text, Type::Text, Type::Text, Type::Integer]).await? {
        let text = |place| row.text(place).unwrap_or_default().to_owned();
        let insert = Query::insert()
            .into_table(Alias::new(CREDENTIAL_INPUT_SOURCE.table))
            .columns(
                [
                    CREATED.column,
                    MODIFIED.column,
                    "created_by_id",
                    "modified_by_id",
                    DESCRIPTION.column,
                    INPUT_FIELD_NAME.column,
                    METADATA.column,
                    SOURCE.column,
                    TARGET.column,
                ]
                .map(Alias::new),
            )
            .values_panic([
                now.into(),
                now.into(),
                actor.user().into(),
                actor.user().into(),
                text(0).into(),
                text(1).into(),
                text(2).into(),
                row.integer(3).into(),
                to.into(),
            ])
            .to_owned();
        tx.insert(&insert).await?;
    }
    Ok(())
}
