//! What a launch of a job template needs, and what it may ask for.

use hostler_database::Value;
use hostler_engine::{Engine, Error, Record};
use hostler_schema::{Actor, Field, Resource, column, fields};
use hostler_survey::Survey;
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use crate::attached::{self, CREDENTIALS_OF_TEMPLATE, GROUPS_OF_TEMPLATE, LABELS_OF_TEMPLATE};
use crate::job_templates::{
    ASKS, DESCRIPTION, DIFF_MODE, ENVIRONMENT, EXTRA_VARS, FORKS, INVENTORY_LINK, JOB_SLICE_COUNT, JOB_TAGS, JOB_TYPE,
    LIMIT, NAME, SCM_BRANCH, SKIP_TAGS, SURVEY_ENABLED, SURVEY_SPEC, TIMEOUT, VERBOSITY,
};
use crate::{EXECUTION_ENVIRONMENT, INSTANCE_GROUP, INVENTORY, LABEL};

const fn computed(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::computed(name).label(label).help(help)
}

const fn ask(field: Field) -> Field {
    field.read_only()
}

/// The fields of the response.
pub const FIELDS: &[Field] = &[
    fields::boolean("can_start_without_user_input")
        .label("Can start without user input")
        .read_only()
        .not_filterable()
        .help("Whether a launch needs and asks for nothing."),
    computed("passwords_needed_to_start", "Passwords needed to start", "The passwords that credentials ask for."),
    ask(crate::job_templates::ASK_SCM_BRANCH),
    ask(crate::job_templates::ASK_VARIABLES),
    ask(crate::job_templates::ASK_TAGS),
    ask(crate::job_templates::ASK_DIFF_MODE),
    ask(crate::job_templates::ASK_SKIP_TAGS),
    ask(crate::job_templates::ASK_JOB_TYPE),
    ask(crate::job_templates::ASK_LIMIT),
    ask(crate::job_templates::ASK_VERBOSITY),
    ask(crate::job_templates::ASK_INVENTORY),
    ask(crate::job_templates::ASK_CREDENTIAL),
    ask(crate::job_templates::ASK_ENVIRONMENT),
    ask(crate::job_templates::ASK_LABELS),
    ask(crate::job_templates::ASK_FORKS),
    ask(crate::job_templates::ASK_SLICE_COUNT),
    ask(crate::job_templates::ASK_TIMEOUT),
    ask(crate::job_templates::ASK_INSTANCE_GROUPS),
    ask(SURVEY_ENABLED),
    computed("variables_needed_to_start", "Variables needed to start", "The variables that the survey requires."),
    computed("credential_needed_to_start", "Credential needed to start", "Always false."),
    computed("inventory_needed_to_start", "Inventory needed to start", "Whether the template has no inventory."),
    computed("job_template_data", "Job template data", "The name of the template."),
    computed("defaults", "Defaults", "The values that a launch without others uses."),
];

/// The survey of a template that a launch asks; none if it is not enabled.
pub fn survey_of(template: &Record) -> Option<Survey> {
    let Value::Json(spec) = template.get(&SURVEY_SPEC) else { return None };
    let survey = Survey::read(spec);
    (template.boolean(&SURVEY_ENABLED) && !survey.is_empty()).then_some(survey)
}

/// The response to GET.
///
/// # Errors
/// Database errors.
pub async fn show(engine: &Engine, actor: &Actor, template: &Record) -> Result<Json, Error> {
    let id = template.id;
    let credentials = attached::credentials(engine, actor, CREDENTIALS_OF_TEMPLATE, &[id]).await?;
    let passwords = attached::passwords_needed(&credentials, id);
    let survey = survey_of(template);
    let variables = survey.as_ref().map(Survey::required).unwrap_or_default();
    let asks = ASKS.iter().any(|ask| template.boolean(ask));
    let mut shown = Map::new();
    let mut insert = |name: &str, value: Json| shown.insert(name.to_owned(), value);
    insert("can_start_without_user_input", (!asks && passwords.is_empty() && variables.is_empty()).into());
    insert("passwords_needed_to_start", passwords.into());
    for ask in ASKS {
        insert(ask.name, template.boolean(ask).into());
    }
    insert("survey_enabled", template.boolean(&SURVEY_ENABLED).into());
    insert("variables_needed_to_start", variables.into());
    insert("credential_needed_to_start", false.into());
    let inventory = template.integer(&INVENTORY_LINK);
    insert("inventory_needed_to_start", inventory.is_none().into());
    insert(
        "job_template_data",
        json!({"name": template.text(&NAME), "id": id, "description": template.text(&DESCRIPTION)}),
    );
    insert("defaults", defaults(engine, actor, template, &credentials).await?.into());
    Ok(shown.into())
}

async fn defaults(
    engine: &Engine,
    actor: &Actor,
    template: &Record,
    credentials: &[attached::AttachedCredential],
) -> Result<Map<String, Json>, Error> {
    let mut defaults = Map::new();
    let inventory = match template.integer(&INVENTORY_LINK) {
        Some(id) => visible_name(engine, actor, &INVENTORY, id).await?,
        None => json!({"name": null, "id": null}),
    };
    defaults.insert("inventory".into(), inventory);
    for field in [&LIMIT, &SCM_BRANCH, &JOB_TAGS, &SKIP_TAGS, &EXTRA_VARS, &JOB_TYPE] {
        defaults.insert(field.name.into(), template.text(field).into());
    }
    defaults.insert(DIFF_MODE.name.into(), template.boolean(&DIFF_MODE).into());
    for field in [&VERBOSITY, &FORKS, &JOB_SLICE_COUNT, &TIMEOUT] {
        defaults.insert(field.name.into(), template.integer(field).into());
    }
    let visible: Vec<Json> = credentials.iter().filter(|credential| credential.visible).map(described).collect();
    if !visible.is_empty() {
        defaults.insert("credentials".into(), visible.into());
    }
    let environment = match template.integer(&ENVIRONMENT) {
        Some(id) => visible_name(engine, actor, &EXECUTION_ENVIRONMENT, id).await?,
        None => json!({}),
    };
    defaults.insert(ENVIRONMENT.name.into(), environment);
    let by = |table: &'static str, name: &'static str| (Alias::new(table), Alias::new(name));
    let named = |found: Vec<(i64, i64, String)>| -> Vec<Json> {
        found.into_iter().map(|(_, id, name)| json!({"id": id, "name": name})).collect()
    };
    let owner = [template.id];
    let labels = attached::names(engine, actor, &LABEL, LABELS_OF_TEMPLATE, &owner, by(LABEL.table, "name"));
    let labels = named(labels.await?);
    if !labels.is_empty() {
        defaults.insert("labels".into(), labels.into());
    }
    let order = by("unified_job_template_instance_groups", "id");
    let groups = attached::names(engine, actor, &INSTANCE_GROUP, GROUPS_OF_TEMPLATE, &owner, order);
    defaults.insert("instance_groups".into(), named(groups.await?).into());
    Ok(defaults)
}

/// A credential in the defaults.
fn described(credential: &attached::AttachedCredential) -> Json {
    let mut shown = json!({
        "id": credential.id, "name": credential.name, "credential_type": credential.type_id,
        "passwords_needed": credential.passwords(),
    });
    if credential.is_vault() {
        let id = Some(credential.vault_id()).filter(|id| !id.is_empty());
        shown["vault_id"] = id.into();
    }
    shown
}

/// The id of an object, and its name if the actor may see it.
async fn visible_name(engine: &Engine, actor: &Actor, resource: &'static Resource, id: i64) -> Result<Json, Error> {
    let visible = resource.access.rows(actor, hostler_schema::Action::Read, resource.table);
    let query = Query::select()
        .expr(column(resource.table, "name"))
        .from(Alias::new(resource.table))
        .and_where(column(resource.table, "id").eq(id))
        .cond_where(visible.condition())
        .to_owned();
    let name: Option<String> = engine.read_with_rules_as(actor, query).await?.into_iter().next();
    Ok(json!({"name": name, "id": id}))
}
