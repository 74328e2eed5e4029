//! The launch of a job template.

use hostler_database::{Transaction, Value};
use hostler_engine::{ActionInput, ActivityEntry, CreatedObject, Engine, Error, Record};
use hostler_schema::{Actor, Field, IS_DELETED, Join, column};
use hostler_survey::{ENCRYPTED, Survey, json_text};
use sea_query::{Alias, Asterisk, Expr, ExprTrait, Func, Order, Query};
use serde_json::{Map, Value as Json, json};

use super::origin::Origin;
use super::prompts::{Prompts, variables_of};
use super::requirements::survey_of;
use super::secrets::{JobSecrets, sent_passwords};
use super::{CREDENTIAL_PASSWORDS, CREDENTIALS, INSTANCE_GROUPS, LABELS, credential_choice};
use crate::attached::{
    self, AttachedCredential, CREDENTIALS_OF_JOB, CREDENTIALS_OF_TEMPLATE, GROUPS_OF_JOB, LABELS_OF_JOB,
    LABELS_OF_TEMPLATE,
};
use crate::encrypted_inputs::decrypted;
use crate::inventories::hosts_of;
use crate::job_templates::{
    self as template, ALLOW_SIMULTANEOUS, BECOME_ENABLED, DIFF_MODE, ENVIRONMENT, FORCE_HANDLERS, FORKS,
    INVENTORY_LINK, JOB_SLICE_COUNT, JOB_TAGS, JOB_TYPE, LIMIT, ORGANIZATION_LINK, PLAYBOOK, PROJECT_LINK, SCM_BRANCH,
    SKIP_TAGS, START_AT_TASK, TIMEOUT, USE_FACT_CACHE, VERBOSITY, copy_rows,
};
use crate::unified_jobs::commit_new_job;
use crate::{EXECUTION_ENVIRONMENT, INVENTORY, JOB, JOB_TEMPLATE, LABEL, PROJECT};

/// The fields of a template that its jobs take over; the columns have the same names.
const TAKEN_OVER: [Field; 20] = [
    ORGANIZATION_LINK,
    JOB_TYPE,
    INVENTORY_LINK,
    PROJECT_LINK,
    PLAYBOOK,
    SCM_BRANCH,
    FORKS,
    LIMIT,
    VERBOSITY,
    JOB_TAGS,
    FORCE_HANDLERS,
    SKIP_TAGS,
    START_AT_TASK,
    TIMEOUT,
    USE_FACT_CACHE,
    ENVIRONMENT,
    BECOME_ENABLED,
    DIFF_MODE,
    ALLOW_SIMULTANEOUS,
    JOB_SLICE_COUNT,
];

/// How many hosts Ansible works on at the same time by default.
const DEFAULT_FORKS: i64 = 5;

/// A job that is about to be created.
struct NewJob<'a> {
    values: &'a Record,
    /// All variables, without secrets.
    extra_vars: String,
    secrets: JobSecrets,
    /// What the launch asked for.
    config: Json,
    credentials: Vec<&'a AttachedCredential>,
    labels: Vec<i64>,
    groups: Vec<i64>,
    origin: &'a Origin,
}

/// Creates a job.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Forbidden`]; database errors.
pub async fn launch(
    engine: &Engine,
    actor: &Actor,
    template: &Record,
    input: &ActionInput,
    origin: &Origin,
) -> Result<CreatedObject, Error> {
    let of_template = attached::credentials(engine, actor, CREDENTIALS_OF_TEMPLATE, &[template.id]).await?;
    let own: Vec<i64> = of_template.iter().map(|credential| credential.id).collect();
    let mut prompts = Prompts::read(engine, actor, template, &own, input).await?;
    if let Some(limit) = &origin.limit {
        prompts.set_limit(limit);
    }
    let sent = match prompts.list(&CREDENTIALS) {
        Some(ids) => Some(attached::credentials_with_ids(engine, actor, &ids).await?),
        None => None,
    };
    let mut problems = std::mem::take(&mut prompts.problems);
    let linked = LinkedObjects::load(engine, &prompts.values, prompts.list(&LABELS).is_some()).await?;
    problems.extend(linked.problems());
    for (link, name) in [(&PROJECT_LINK, "project"), (&INVENTORY_LINK, "inventory")] {
        if prompts.values.integer(link).is_none() {
            let message = format!("Job Template {name} is missing or undefined.");
            problems.push(("resources_needed_to_start".into(), vec![message]));
        }
    }
    let credentials: Vec<&AttachedCredential> = match &sent {
        None => of_template.iter().collect(),
        Some(sent) => credential_choice::choose(&of_template, sent).unwrap_or_else(|wrong| {
            problems.push((CREDENTIALS.name.into(), wrong));
            vec![]
        }),
    };
    let needed: Vec<String> = credentials.iter().flat_map(|credential| credential.passwords()).collect();
    let passwords = sent_passwords(input.json(&CREDENTIAL_PASSWORDS), &needed);
    let missing: Vec<String> = needed.into_iter().filter(|name| !passwords.contains_key(name)).collect();
    if !missing.is_empty() {
        problems.push(("passwords_needed_to_start".into(), missing));
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    if !prompts.permitted {
        return Err(Error::forbidden());
    }
    let (variables, answers) = job_variables(engine, template, &prompts, origin)?;
    let job = NewJob {
        values: &prompts.values,
        extra_vars: json_text(&variables),
        secrets: JobSecrets { answers, passwords },
        config: launch_config(template, &own, &prompts),
        credentials,
        labels: prompts.list(&LABELS).unwrap_or_default(),
        groups: prompts.list(&INSTANCE_GROUPS).unwrap_or_default(),
        origin,
    };
    let mut tx = engine.database.begin().await?;
    let id = write(engine, &mut tx, actor, job, &linked).await?;
    let shown = commit_new_job(engine, tx, actor, &JOB, id).await?;
    let mut json = Map::new();
    json.insert("job".into(), id.into());
    json.insert("ignored_fields".into(), prompts.ignored.into());
    json.extend(shown);
    Ok(CreatedObject { id, json })
}

/// All variables of the job, and the answers to questions for passwords, which are masked in them. Variables of the launch
/// win over defaults of the survey, and these over variables of the template.
fn job_variables(
    engine: &Engine,
    template: &Record,
    prompts: &Prompts,
    origin: &Origin,
) -> Result<(Json, Map<String, Json>), Error> {
    let mut variables = variables_of(template)?;
    let survey = survey_of(template).unwrap_or_default();
    let mut sent = prompts.variables.clone();
    let mut secrets = Map::new();
    if !survey.is_empty() {
        let stored = decrypted(engine, template, &template::SURVEY_PASSWORDS)?;
        variables.extend(survey.defaults(|variable| stored.get(variable)?.as_str().map(str::to_owned)));
        for variable in survey.passwords() {
            // It asks for the default.
            if sent.get(variable).is_some_and(|answer| answer == ENCRYPTED) {
                sent.shift_remove(variable);
            }
        }
    }
    variables.extend(sent);
    variables.extend(origin.variables.clone());
    for variable in survey.passwords() {
        if let Some(value) = variables.get_mut(variable) {
            let plain = std::mem::replace(value, ENCRYPTED.into());
            let text = plain.as_str().map_or_else(|| plain.to_string(), str::to_owned);
            secrets.insert(variable.to_owned(), text.into());
        }
    }
    Ok((variables.into(), secrets))
}

/// What the launch asked for, with passwords masked: for a schedule with the same values, and to know who may run the job
/// again.
fn launch_config(template: &Record, own: &[i64], prompts: &Prompts) -> Json {
    let mut config = prompts.accepted.clone();
    if let Some(Json::Array(credentials)) = config.get_mut(CREDENTIALS.name) {
        credentials.retain(|id| !id.as_i64().is_some_and(|id| own.contains(&id)));
    }
    let mut variables = prompts.variables.clone();
    for variable in survey_of(template).iter().flat_map(Survey::passwords) {
        if let Some(value) = variables.get_mut(variable) {
            *value = ENCRYPTED.into();
        }
    }
    if !variables.is_empty() {
        config.insert("extra_data".into(), variables.into());
    }
    config.into()
}

/// What a launch has to know about the objects that the job links to.
#[derive(Default)]
struct LinkedObjects {
    inventory: String,
    is_inventory_deleted: bool,
    /// `None` if there is none.
    project: Option<ProjectOfJob>,
    environment: String,
    has_labels: bool,
}

#[derive(Default)]
struct ProjectOfJob {
    name: String,
    status: String,
    updates_on_launch: bool,
}

impl LinkedObjects {
    async fn load(engine: &Engine, values: &Record, sends_labels: bool) -> Result<Self, Error> {
        let of = |table: &'static str, id: Option<i64>, name: &'static str| {
            let query = Query::select()
                .expr(column(table, name))
                .from(Alias::new(table))
                .and_where(column(table, "id").eq(id))
                .to_owned();
            Expr::SubQuery(None, Box::new(query.into()))
        };
        let inventory = |name| of(INVENTORY.table, values.integer(&INVENTORY_LINK), name);
        let project = |name| of(PROJECT.table, values.integer(&PROJECT_LINK), name);
        let labels = Query::select()
            .expr(Expr::val(1))
            .from(Alias::new("unified_job_template_labels"))
            .and_where(column("unified_job_template_labels", "unified_job_template_id").eq(values.id))
            .to_owned();
        let query = Query::select()
            .exprs([inventory("name"), inventory(IS_DELETED)])
            .exprs(["name", "status", "scm_update_on_launch"].map(project))
            .expr(of(EXECUTION_ENVIRONMENT.table, values.integer(&ENVIRONMENT), "name"))
            .expr(Expr::exists(labels))
            .to_owned();
        type Columns =
            (Option<String>, Option<bool>, Option<String>, Option<String>, Option<bool>, Option<String>, bool);
        let (inventory, deleted, project, status, updates_on_launch, environment, has_labels) =
            engine.database.read_first::<Columns>(&query).await?.unwrap_or_default();
        Ok(LinkedObjects {
            inventory: inventory.unwrap_or_default(),
            is_inventory_deleted: deleted.unwrap_or_default(),
            project: project.map(|name| ProjectOfJob {
                name,
                status: status.unwrap_or_default(),
                updates_on_launch: updates_on_launch.unwrap_or_default(),
            }),
            environment: environment.unwrap_or_default(),
            has_labels: has_labels || sends_labels,
        })
    }

    /// Why no job can use them, with AWX's keys.
    fn problems(&self) -> Vec<(String, Vec<String>)> {
        // An update before the job can get the revision.
        let has_no_revision = self.project.as_ref().is_some_and(|project| {
            ["error", "failed"].contains(&project.status.as_str()) && !project.updates_on_launch
        });
        let problems = [
            (self.project.is_none(), "project", "A project is required to run a job."),
            (has_no_revision, "playbook", "Missing a revision to run due to failed project update."),
            (
                self.is_inventory_deleted,
                "inventory",
                "The inventory associated with this Job Template is being deleted.",
            ),
        ];
        let found = problems.into_iter().filter(|(is_true, ..)| *is_true);
        found.map(|(_, key, message)| (key.to_owned(), vec![message.to_owned()])).collect()
    }
}

/// Writes the job and what is attached to it, and returns its id.
async fn write(
    engine: &Engine,
    tx: &mut Transaction,
    actor: &Actor,
    job: NewJob<'_>,
    linked: &LinkedObjects,
) -> Result<i64, Error> {
    let now = engine.clock.now();
    let values = job.values;
    let mut columns = vec![
        "type",
        "created",
        "modified",
        "created_by_id",
        "name",
        "description",
        "unified_job_template_id",
        "launch_type",
        "status",
        "extra_vars",
        "launch_config",
        "task_impact",
        "webhook_service",
        "webhook_credential_id",
        "webhook_guid",
    ];
    let webhook = job.origin.webhook.as_ref();
    let mut row: Vec<Expr> = vec![
        JOB.name.into(),
        now.into(),
        now.into(),
        actor.user().into(),
        values.text(&template::NAME).into(),
        values.text(&template::DESCRIPTION).into(),
        values.id.into(),
        job.origin.launch_type.into(),
        hostler_queue::Status::Pending.as_str().into(),
        job.extra_vars.as_str().into(),
        job.config.to_string().into(),
        task_impact(engine, tx, values).await?,
        webhook.map_or("", |webhook| webhook.service).into(),
        webhook.and_then(|webhook| webhook.credential).into(),
        webhook.map_or("", |webhook| webhook.guid.as_str()).into(),
    ];
    for field in &TAKEN_OVER {
        columns.push(field.column);
        row.push(match values.get(field) {
            Value::Text(text) => text.as_str().into(),
            Value::Integer(number) => (*number).into(),
            Value::Boolean(boolean) => (*boolean).into(),
            // Only links can be null.
            Value::Null | Value::Time(_) | Value::Json(_) | Value::Bytes(_) => Option::<i64>::None.into(),
        });
    }
    let insert = Query::insert()
        .into_table(Alias::new(JOB.stored_in()))
        .columns(columns.into_iter().map(Alias::new))
        .values_panic(row)
        .to_owned();
    let id = tx.insert(&insert).await?;
    attach(tx, CREDENTIALS_OF_JOB, id, job.credentials.iter().map(|credential| credential.id)).await?;
    copy_rows(tx, LABELS_OF_TEMPLATE, values.id, LABELS_OF_JOB, id).await?;
    attach(tx, LABELS_OF_JOB, id, job.labels.iter().copied()).await?;
    attach(tx, GROUPS_OF_JOB, id, job.groups.iter().copied()).await?;
    show_in_template(tx, values.id, id).await?;
    record(engine, tx, actor, &job, id, linked).await?;
    job.secrets.store(engine, tx, id).await?;
    Ok(id)
}

/// What the job takes of the capacity: as in AWX one more than the hosts that it works on at the same time.
async fn task_impact(engine: &Engine, tx: &mut Transaction, values: &Record) -> Result<Expr, Error> {
    let forks = match values.integer(&FORKS) {
        None | Some(0) => DEFAULT_FORKS,
        Some(forks) => forks,
    };
    let Some(inventory) = values.integer(&INVENTORY_LINK) else { return Ok(Expr::val(1)) };
    let hosts = Query::select()
        .expr(column("hosts", "id"))
        .from(Alias::new("hosts"))
        .cond_where(hosts_of(engine, tx, inventory, "hosts").await?)
        .limit(u64::try_from(forks).unwrap_or(0))
        .to_owned();
    let count =
        Query::select().expr(Func::count(Expr::col(Asterisk))).from_subquery(hosts, Alias::new("some")).to_owned();
    Ok(Expr::SubQuery(None, Box::new(count.into())).add(1))
}

/// Attaches objects to a job; those that are attached already stay.
async fn attach(tx: &mut Transaction, join: Join, job: i64, ids: impl Iterator<Item = i64>) -> Result<(), Error> {
    let Join::JoinTable { table, left, right, .. } = join else { return Ok(()) };
    let mut insert = Query::insert();
    insert.into_table(Alias::new(table)).columns([left, right].map(Alias::new));
    let mut is_empty = true;
    for id in ids {
        insert.values_panic([job.into(), id.into()]);
        is_empty = false;
    }
    if is_empty {
        return Ok(());
    }
    insert.on_conflict(sea_query::OnConflict::new().do_nothing().to_owned());
    tx.execute_deferred(&insert).await?;
    Ok(())
}

/// The template shows its newest job.
///
/// # Errors
/// Database errors.
pub async fn show_in_template(tx: &mut Transaction, template: i64, job: i64) -> Result<(), Error> {
    let update = Query::update()
        .table(Alias::new(JOB_TEMPLATE.stored_in()))
        .value(Alias::new("status"), hostler_queue::Status::Pending.as_str())
        .value(Alias::new("current_job_id"), job)
        .and_where(column(JOB_TEMPLATE.stored_in(), "id").eq(template))
        .to_owned();
    tx.execute_deferred(&update).await?;
    Ok(())
}

/// The names of the labels of a job.
async fn label_names(tx: &mut Transaction, job: i64) -> Result<Vec<String>, Error> {
    let Join::JoinTable { table, left, right, .. } = LABELS_OF_JOB else { return Ok(vec![]) };
    let query = Query::select()
        .expr(column(LABEL.table, "name"))
        .from(Alias::new(table))
        .inner_join(Alias::new(LABEL.table), column(LABEL.table, "id").eq(column(table, right)))
        .and_where(column(table, left).eq(job))
        .order_by((Alias::new(LABEL.table), Alias::new("name")), Order::Asc)
        .to_owned();
    Ok(tx.read_as(&query).await?)
}

/// Records the launch in the activity stream.
async fn record(
    engine: &Engine,
    tx: &mut Transaction,
    actor: &Actor,
    job: &NewJob<'_>,
    id: i64,
    linked: &LinkedObjects,
) -> Result<(), Error> {
    if !actor.policy.activity_stream {
        return Ok(());
    }
    let values = job.values;
    let named = |name: &str, id: Option<i64>| id.map(|id| format!("{name}-{id}"));
    let mut changes = Map::new();
    changes.insert("name".into(), values.text(&template::NAME).into());
    changes.insert("description".into(), values.text(&template::DESCRIPTION).into());
    let recorded = |field: &&Field| field.target().is_none() && field.name != BECOME_ENABLED.name;
    for field in TAKEN_OVER.iter().filter(recorded) {
        let value = match values.get(field) {
            Value::Text(text) => Json::from(text.as_str()),
            Value::Integer(number) => (*number).into(),
            Value::Boolean(boolean) => (*boolean).into(),
            _ => Json::Null,
        };
        changes.insert(field.name.into(), value);
    }
    changes.insert("inventory".into(), named(&linked.inventory, values.integer(&INVENTORY_LINK)).into());
    let project = linked.project.as_ref().map(|project| project.name.as_str()).unwrap_or_default();
    changes.insert("project".into(), named(project, values.integer(&PROJECT_LINK)).into());
    changes.insert("job_template".into(), named(values.text(&template::NAME), Some(values.id)).into());
    changes.insert("extra_vars".into(), job.extra_vars.as_str().into());
    changes.insert("execution_environment".into(), named(&linked.environment, values.integer(&ENVIRONMENT)).into());
    let webhook = job.origin.webhook.as_ref();
    for (name, value) in [
        ("instance_group", Json::Null),
        ("job_slice_number", 0.into()),
        ("webhook_service", webhook.map_or("", |webhook| webhook.service).into()),
        ("webhook_credential", webhook.and_then(|webhook| webhook.credential).into()),
        ("webhook_guid", webhook.map_or("", |webhook| webhook.guid.as_str()).into()),
    ] {
        changes.insert(name.into(), value);
    }
    let credentials: Vec<String> =
        job.credentials.iter().map(|credential| format!("{} ({})", credential.name, credential.id)).collect();
    changes.insert("credentials".into(), json!(credentials));
    let labels = if linked.has_labels { label_names(tx, id).await? } else { vec![] };
    changes.insert("labels".into(), json!(labels));
    changes.insert("id".into(), id.into());
    ActivityEntry::about(&JOB, id, "create", changes).write(engine, tx, actor).await
}
