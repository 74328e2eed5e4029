//! `jobs/N/relaunch/`: a new job with the values of another one.

use async_trait::async_trait;
use hostler_database::Transaction;
use hostler_engine::{
    ActionHandler, ActionRequest, ActionResponse, ActivityEntry, CreatedObject, Engine, Error, Record,
};
use hostler_schema::{Action, Actor, Field, HttpMethod, Permit, Resource, column, fields};
use sea_query::{Alias, Asterisk, Expr, ExprTrait, Func, Order, Query};
use serde_json::{Map, Value as Json, json};

use super::new_job::show_in_template;
use super::prompts::find;
use super::secrets::{JobSecrets, sent_passwords};
use super::{HOSTS, RELAUNCH_PASSWORDS};
use crate::attached::{self, CREDENTIALS_OF_JOB, GROUPS_OF_JOB, LABELS_OF_JOB};
use crate::common::CREATED_BY;
use crate::credential_access::usable_credentials;
use crate::encrypted_inputs::decrypted;
use crate::instance_groups::usable_groups;
use crate::job_templates::{copy_rows, usable_inventories};
use crate::jobs::{INVENTORY_LINK, JOB_TEMPLATE_LINK, PROJECT_LINK, SURVEY_PASSWORDS};
use crate::unified_jobs::{ACTIVE, NAME, STATUS, commit_new_job};
use crate::{CREDENTIAL, EXECUTION_ENVIRONMENT, INSTANCE_GROUP, INVENTORY, JOB};

/// The fields of the response to GET.
pub const FIELDS: &[Field] = &[
    fields::computed("passwords_needed_to_start")
        .label("Passwords needed to start")
        .help("The passwords that credentials ask for."),
    fields::computed("retry_counts")
        .label("Retry counts")
        .help("How many hosts the job had, and on how many it failed."),
];

/// The columns that a job takes over from the one that it repeats; the times are changed at once.
const TAKEN_OVER: [&str; 31] = [
    "type",
    "created",
    "modified",
    "organization_id",
    "name",
    "description",
    "unified_job_template_id",
    "custom_virtualenv",
    "timeout",
    "execution_environment_id",
    "task_impact",
    "job_type",
    "job_tags",
    "scm_branch",
    "inventory_id",
    "project_id",
    "playbook",
    "forks",
    "job_limit",
    "verbosity",
    "extra_vars",
    "skip_tags",
    "start_at_task",
    "force_handlers",
    "use_fact_cache",
    "become_enabled",
    "diff_mode",
    "allow_simultaneous",
    "job_slice_number",
    "job_slice_count",
    "launch_config",
];

const SUMMARIES: &str = "job_host_summaries";

/// Says what is needed, and runs jobs again.
pub struct Relaunching;

#[async_trait]
impl ActionHandler for Relaunching {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let actor = request.actor;
        let job = engine.stored_record(&JOB, request.id).await?;
        let credentials = attached::credentials(engine, actor, CREDENTIALS_OF_JOB, &[job.id]).await?;
        let needed = attached::passwords_needed(&credentials, job.id);
        let is_active = ACTIVE.contains(&job.text(&STATUS));
        if request.method == HttpMethod::Get {
            let counts = if is_active {
                "Relaunch by host status not available until job finishes running.".into()
            } else {
                let (all, failed) = host_counts(engine, job.id).await?;
                json!({"all": all, "failed": failed})
            };
            return Ok(ActionResponse::Fields(json!({"passwords_needed_to_start": needed, "retry_counts": counts})));
        }
        let inventory = Vec::from_iter(job.integer(&INVENTORY_LINK));
        // Not found if it is being deleted.
        let inventory = find(engine, actor, &INVENTORY, usable_inventories, &inventory).await?;
        for (exists, name) in [(job.integer(&PROJECT_LINK).is_some(), "Project"), (!inventory.is_empty(), "Inventory")]
        {
            if !exists {
                let message = format!("Job Template {name} is missing or undefined.");
                return Err(Error::Invalid(vec![("errors".into(), vec![message])]));
            }
        }
        let passwords = sent_passwords(request.input.json(&RELAUNCH_PASSWORDS), &needed);
        let missing: Vec<String> = needed.into_iter().filter(|name| !passwords.contains_key(name)).collect();
        if !missing.is_empty() {
            let message = format!("Missing passwords needed to start: {}", missing.join(", "));
            return Err(Error::field(RELAUNCH_PASSWORDS.name, message));
        }
        let limit = if request.input.text(&HOSTS) == "failed" {
            match failed_hosts(engine, job.id, is_active).await? {
                Ok(hosts) => Some(hosts.join(",")),
                Err(message) => return Ok(ActionResponse::Rejected(json!({"hosts": message}))),
            }
        } else {
            None
        };
        let answers = decrypted(engine, &job, &SURVEY_PASSWORDS)?;
        if !actor.is_superuser {
            if !answers.is_empty() && job.integer(&CREATED_BY) != actor.user() {
                let message = "Job was launched with secret prompts provided by another user.";
                return Err(Error::Forbidden(Some(message.into())));
            }
            require_prompts(engine, actor, job.id).await?;
        }
        let secrets = JobSecrets { answers, passwords };
        let mut tx = engine.database.begin().await?;
        let id = copy(engine, &mut tx, actor, &job, limit, secrets).await?;
        let mut json = commit_new_job(engine, tx, actor, &JOB, id).await?;
        json.insert("job".into(), id.into());
        Ok(ActionResponse::NewObject(CreatedObject { id, json }))
    }
}

/// How many hosts a job had, and on how many it failed.
async fn host_counts(engine: &Engine, job: i64) -> Result<(i64, i64), Error> {
    let count = |only_failed: bool| {
        let mut query = Query::select();
        query
            .expr(Func::count(Expr::col(Asterisk)))
            .from(Alias::new(SUMMARIES))
            .and_where(column(SUMMARIES, "job_id").eq(job));
        if only_failed {
            query.and_where(has_failed());
        }
        Expr::SubQuery(None, Box::new(query.into()))
    };
    let query = Query::select().expr(count(false)).expr(count(true)).to_owned();
    Ok(engine.database.read_first(&query).await?.unwrap_or_default())
}

/// The condition that the job failed on the host, or did not reach it.
fn has_failed() -> Expr {
    column(SUMMARIES, "failures").gt(0).or(column(SUMMARIES, "dark").gt(0))
}

/// The hosts on which a job failed. The inner error is the message for the client.
async fn failed_hosts(engine: &Engine, job: i64, is_active: bool) -> Result<Result<Vec<String>, String>, Error> {
    if is_active {
        return Ok(Err("Wait until job finishes before retrying on failed hosts.".into()));
    }
    let query = Query::select()
        .expr(column(SUMMARIES, "host_name"))
        .expr(has_failed())
        .from(Alias::new(SUMMARIES))
        .and_where(column(SUMMARIES, "job_id").eq(job))
        .order_by((Alias::new(SUMMARIES), Alias::new("host_name")), Order::Asc)
        .to_owned();
    let hosts: Vec<(String, bool)> = engine.database.read_as(&query).await?;
    if hosts.is_empty() {
        return Ok(Err("Cannot retry on failed hosts, playbook stats not available.".into()));
    }
    let failed: Vec<String> = hosts.into_iter().filter(|(_, failed)| *failed).map(|(name, _)| name).collect();
    Ok(if failed.is_empty() {
        Err("Cannot relaunch because previous job had 0 failed hosts.".into())
    } else {
        Ok(failed)
    })
}

/// Fails unless the actor may use what the launch of the job asked for.
async fn require_prompts(engine: &Engine, actor: &Actor, job: i64) -> Result<(), Error> {
    let query = Query::select()
        .expr(column(JOB.table, "launch_config"))
        .from(Alias::new(JOB.table))
        .and_where(column(JOB.table, "id").eq(job))
        .to_owned();
    let config: Option<Json> = engine.database.read_first::<Option<Json>>(&query).await?.flatten();
    let Some(Json::Object(config)) = config else { return Ok(()) };
    let readable: Permit = |actor, row| EXECUTION_ENVIRONMENT.access.rows(actor, Action::Read, row);
    let objects: [(&str, &'static Resource, Permit); 4] = [
        ("inventory", &INVENTORY, usable_inventories),
        ("execution_environment", &EXECUTION_ENVIRONMENT, readable),
        ("credentials", &CREDENTIAL, usable_credentials),
        ("instance_groups", &INSTANCE_GROUP, usable_groups),
    ];
    for (name, resource, permit) in objects {
        let ids: Vec<i64> = match config.get(name) {
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_i64).collect(),
            Some(id) => id.as_i64().into_iter().collect(),
            None => continue,
        };
        if !find(engine, actor, resource, permit, &ids).await?.iter().all(|(_, permitted)| *permitted) {
            let message = "Job was launched with prompts that you do not have access to.";
            return Err(Error::Forbidden(Some(message.into())));
        }
    }
    Ok(())
}

/// Writes the new job, and returns its id.
async fn copy(
    engine: &Engine,
    tx: &mut Transaction,
    actor: &Actor,
    job: &Record,
    limit: Option<String>,
    secrets: JobSecrets,
) -> Result<i64, Error> {
    let now = engine.clock.now();
    let own: [(&str, Expr); 5] = [
        ("created", now.into()),
        ("modified", now.into()),
        ("created_by_id", actor.user().into()),
        ("launch_type", "relaunch".into()),
        ("status", hostler_queue::Status::Pending.as_str().into()),
    ];
    let table = JOB.stored_in();
    let select = Query::select()
        .exprs(TAKEN_OVER.map(|name| column(table, name)))
        .from(Alias::new(table))
        .and_where(column(table, "id").eq(job.id))
        .to_owned();
    let mut insert = Query::insert();
    insert.into_table(Alias::new(table)).columns(TAKEN_OVER.map(Alias::new));
    if insert.select_from(select).is_err() {
        return Err(Error::Internal("the columns of a repeated job do not fit".into()));
    }
    let id = tx.insert(&insert).await?;
    let mut update = Query::update();
    update.table(Alias::new(table)).and_where(column(table, "id").eq(id));
    for (name, value) in own {
        update.value(Alias::new(name), value);
    }
    if let Some(limit) = limit {
        update.value(Alias::new("job_limit"), limit);
    }
    tx.execute_deferred(&update).await?;
    secrets.store(engine, tx, id).await?;
    for join in [CREDENTIALS_OF_JOB, LABELS_OF_JOB, GROUPS_OF_JOB] {
        copy_rows(tx, join, job.id, join, id).await?;
    }
    if let Some(template) = job.integer(&JOB_TEMPLATE_LINK) {
        show_in_template(tx, template, id).await?;
    }
    let mut changes = Map::new();
    changes.insert("name".into(), job.text(&NAME).into());
    changes.insert("launch_type".into(), "relaunch".into());
    changes.insert("id".into(), id.into());
    ActivityEntry::about(&JOB, id, "create", changes).write(engine, tx, actor).await?;
    Ok(id)
}
