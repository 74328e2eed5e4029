//! Unified jobs: everything that runs or ran. Each row is an object of one of the variants.

use async_trait::async_trait;
use hostler_access::ByVariant;
use hostler_database::{Transaction, Value};
use hostler_engine::{ActionHandler, Engine, Error, Hooks, ObjectKey, Record, ResponseObject};
use hostler_schema::{Actor, DefaultValue, Field, OnDelete, Resource, Variants, fields};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY};
use crate::{
    AD_HOC_COMMAND, EXECUTION_ENVIRONMENT, INSTANCE_GROUP, INVENTORY_SOURCE, INVENTORY_UPDATE, JOB, JOB_TEMPLATE,
    ORGANIZATION, PROJECT, PROJECT_UPDATE, UNIFIED_JOB_TEMPLATE, USER, dashboard,
};

const STATUSES: &[(&str, &str)] = &[
    ("new", "New"),
    ("pending", "Pending"),
    ("waiting", "Waiting"),
    ("running", "Running"),
    ("successful", "Successful"),
    ("failed", "Failed"),
    ("error", "Error"),
    ("canceled", "Canceled"),
];
/// The statuses of jobs that are not finished.
pub const ACTIVE: [&str; 4] = ["new", "pending", "waiting", "running"];

const LAUNCH_TYPES: &[(&str, &str)] = &[
    ("manual", "Manual"),
    ("relaunch", "Relaunch"),
    ("callback", "Callback"),
    ("scheduled", "Scheduled"),
    ("dependency", "Dependency"),
    ("workflow", "Workflow"),
    ("webhook", "Webhook"),
    ("sync", "Sync"),
    ("scm", "SCM Update"),
];

/// The name.
pub const NAME: Field = fields::text("name").label("Name").read_only().help("The name of the template at the launch.");
/// The description.
pub const DESCRIPTION: Field =
    fields::text("description").label("Description").read_only().help("The description of the template at the launch.");
/// The template.
pub const TEMPLATE: Field = fields::link("unified_job_template", "unified_job_template_id", || &UNIFIED_JOB_TEMPLATE)
    .label("unified job template")
    .nullable()
    .read_only()
    .summarized()
    .help("The template that was launched; null after its deletion.");
/// Why it was launched.
pub const LAUNCH_TYPE: Field =
    fields::choice("launch_type", LAUNCH_TYPES).label("Launch type").read_only().help("How it was launched.");
/// The status.
pub const STATUS: Field =
    fields::choice("status", STATUSES).label("Status").read_only().help("How far it is, or how it ended.");
/// The execution environment.
pub const ENVIRONMENT: Field =
    fields::link("execution_environment", "execution_environment_id", || &EXECUTION_ENVIRONMENT)
        .label("Execution environment")
        .nullable()
        .read_only()
        .summarized()
        .help("The execution environment in which it runs.");
/// Whether it failed.
pub const FAILED: Field = fields::boolean("failed")
    .label("Failed")
    .read_only()
    .help("Whether it ended with the status failed, error or canceled.");
/// When it started.
pub const STARTED: Field = fields::time("started").label("Started").nullable().read_only().help("When it started.");
/// When it ended.
pub const FINISHED: Field = fields::time("finished").label("Finished").nullable().read_only().help("When it ended.");
/// When it was canceled.
pub const CANCELED_ON: Field =
    fields::time("canceled_on").label("Canceled on").nullable().read_only().help("When a user canceled it.");
/// How long it ran; stored in milliseconds.
pub const ELAPSED: Field =
    fields::decimal("elapsed", 12, 3).label("Elapsed").read_only().help("For how many seconds it ran.");
/// The command line.
pub const JOB_ARGS: Field =
    fields::text("job_args").label("Job args").read_only().filter_forbidden().detail_only().help("The command line.");
/// The working directory.
pub const JOB_CWD: Field =
    fields::text("job_cwd").label("Job cwd").read_only().detail_only().help("The working directory.");
/// The environment variables, without secrets.
pub const JOB_ENV: Field = fields::object("job_env")
    .label("Job env")
    .read_only()
    .filter_forbidden()
    .detail_only()
    .help("The environment variables, with secrets masked.");
/// Why it waits, or why it ended.
pub const JOB_EXPLANATION: Field = fields::text("job_explanation")
    .label("Job explanation")
    .read_only()
    .help("Why it waits or how it ended, if the output does not show it.");
/// Where it runs.
pub const EXECUTION_NODE: Field =
    fields::text("execution_node").label("Execution node").read_only().help("The node on which it runs.");
/// Which server manages it.
pub const CONTROLLER_NODE: Field =
    fields::text("controller_node").label("Controller node").read_only().help("The node that manages it.");
/// An error of the server.
pub const RESULT_TRACEBACK: Field = fields::text("result_traceback")
    .label("Result traceback")
    .read_only()
    .detail_only()
    .help("The error of the server that ended it.");
/// Whether all its events are stored.
pub const EVENT_PROCESSING_FINISHED: Field = fields::boolean("event_processing_finished")
    .label("Event processing finished")
    .read_only()
    .not_filterable()
    .detail_only()
    .help("Whether all its events are stored.");
/// Who or what launched it.
pub const LAUNCHED_BY: Field = fields::computed("launched_by").label("Launched by").help("Who or what launched it.");
/// The unit of work of a remote node.
pub const WORK_UNIT_ID: Field = fields::text("work_unit_id")
    .label("Work unit id")
    .nullable()
    .read_only()
    .help("The unit of work on a remote node.");
/// The organization.
pub const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .nullable()
    .read_only()
    .summarized()
    .help("The organization of the template at the launch.");
/// The instance group. As in AWX, its summary has no link.
pub const INSTANCE_GROUP_LINK: Field = fields::link("instance_group", "instance_group_id", || &INSTANCE_GROUP)
    .label("Instance group")
    .nullable()
    .read_only()
    .summarized()
    .not_in_related()
    .help("The instance group in which it runs.");
/// Who changed it last; filters only.
pub const MODIFIER: Field = fields::link("modified_by", "modified_by_id", || &USER)
    .label("Modified by")
    .nullable()
    .read_only()
    .hidden()
    .help("The user who changed this object last.");
/// The counts of hosts by status.
pub const HOST_STATUS_COUNTS: Field = fields::object("host_status_counts")
    .label("Host status counts")
    .nullable()
    .default(DefaultValue::Null)
    .read_only()
    .detail_only()
    .help("How many hosts ended with each status.");
/// The counts of plays and tasks.
pub const PLAYBOOK_COUNTS: Field = fields::object("playbook_counts")
    .label("Playbook counts")
    .read_only()
    .not_filterable()
    .type_name("field")
    .detail_only()
    .help("How many plays and tasks started.");

/// The time limit.
pub const TIMEOUT: Field = fields::integer("timeout")
    .label("Timeout")
    .range(i32::MIN as i64, i32::MAX as i64)
    .read_only()
    .help("After how many seconds it is ended; 0 for any time.");

/// A text of a job of one type.
pub const fn text(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::text(name).label(label).read_only().help(help)
}

/// A truth value of a job of one type.
pub const fn flag(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::boolean(name).label(label).read_only().help(help)
}

/// The project of a project update, which is deleted with it.
const UPDATED_PROJECT: Field = fields::link("updated_project", "updated_project_id", || &PROJECT)
    .label("Updated project")
    .nullable()
    .on_delete(OnDelete::Cascade)
    .read_only()
    .hidden()
    .not_filterable()
    .help("The project that a project update updates.");

/// The source of an inventory update, which is deleted with it.
const UPDATED_SOURCE: Field = fields::link("updated_source", "inventory_source_id", || &INVENTORY_SOURCE)
    .label("Updated source")
    .nullable()
    .on_delete(OnDelete::Cascade)
    .read_only()
    .hidden()
    .not_filterable()
    .help("The source that an inventory update reads.");

/// The fields of all jobs that say how one ran, in the order of responses.
pub const HOW_IT_RAN: &[Field] =
    &[FAILED, STARTED, FINISHED, CANCELED_ON, ELAPSED, JOB_ARGS, JOB_CWD, JOB_ENV, JOB_EXPLANATION, EXECUTION_NODE];
/// Those that say what came of it.
pub const HOW_IT_ENDED: &[Field] = &[RESULT_TRACEBACK, EVENT_PROCESSING_FINISHED, LAUNCHED_BY, WORK_UNIT_ID];

/// Unified jobs.
pub static UNIFIED_JOB: Resource = Resource {
    type_label: "Unified Job",
    list_title: "Unified Job List",
    description: "Everything that runs or ran, of all types. Users see what they see in the list of each type.",
    variants: Some(Variants {
        column: "type",
        resources: &[|| &PROJECT_UPDATE, || &INVENTORY_UPDATE, || &JOB, || &AD_HOC_COMMAND],
    }),
    unimplemented_relations: &[
        "job_launch_config",
        "notifications",
        "schedule",
        "system_job",
        "workflow_approval",
        "workflow_job",
        "workflow_job_node",
    ],
    relations: crate::jobs::RELATIONS_OF_ALL,
    actions: &[dashboard::DASHBOARD, dashboard::JOBS_GRAPH],
    creatable: false,
    editable: false,
    deletable: false,
    capabilities: false,
    // As objects of their types.
    recorded: false,
    summarized_as: &["name", "description", "finished", "canceled_on", "status", "failed"],
    search: &["name", "description", "job__playbook"],
    ..Resource::new(
        "unified_job",
        "unified_jobs",
        "UnifiedJob",
        &[
            fields::id(),
            CREATED,
            MODIFIED,
            CREATED_BY,
            MODIFIED_BY,
            NAME,
            DESCRIPTION,
            TEMPLATE.reverse("unifiedjob_unified_jobs"),
            LAUNCH_TYPE,
            STATUS,
            ENVIRONMENT.reverse("unifiedjobs"),
            FAILED,
            STARTED,
            FINISHED,
            CANCELED_ON,
            ELAPSED,
            JOB_EXPLANATION,
            EXECUTION_NODE,
            CONTROLLER_NODE,
            LAUNCHED_BY,
            WORK_UNIT_ID,
            ORGANIZATION_LINK.hidden().reverse("unifiedjobs"),
            INSTANCE_GROUP_LINK.hidden(),
            UPDATED_PROJECT,
            UPDATED_SOURCE,
        ],
        &ACCESS,
    )
};

const ACCESS: ByVariant = ByVariant(|| &UNIFIED_JOB);

/// Keeps jobs of all types that have not ended, or whose events are not stored, from being deleted; shows the dashboard.
pub struct UnifiedJobHooks;

#[async_trait]
impl Hooks for UnifiedJobHooks {
    async fn before_delete(
        &self,
        _engine: &Engine,
        _tx: &mut Transaction,
        _actor: &Actor,
        record: &Record,
    ) -> Result<(), Error> {
        if ACTIVE.contains(&record.text(&STATUS)) {
            return Err(Error::Forbidden(Some("Cannot delete running job resource.".into())));
        }
        Ok(())
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        dashboard::handler(path)
    }
}

/// Adds to unified jobs of any type what is computed, and corrects what AWX shows in other forms.
pub fn complete(engine: &Engine, page: &mut [ResponseObject], job_type: &str) {
    let now = engine.clock.now();
    for shown in page {
        let record = &shown.loaded.record;
        let elapsed = elapsed_milliseconds(record, now);
        // As in AWX a number, not a text.
        shown.json.insert(ELAPSED.name.into(), json!(elapsed as f64 / 1000.0));
        show_counts(&mut shown.json);
        let launcher = launched_by(&shown.json);
        shown.json.insert(LAUNCHED_BY.name.into(), launcher);
        if let Some(template) = summary_mut(&mut shown.json, TEMPLATE.name) {
            template.insert("unified_job_type".into(), job_type.into());
        }
    }
}

/// Corrects the counts of a detail view as AWX shows them: those of hosts are null unless Ansible came to its end, and those
/// of plays and tasks are never missing.
fn show_counts(json: &mut Map<String, Json>) {
    let is_successful = json.get(STATUS.name).is_some_and(|status| status == "successful");
    if let Some(hosts) = json.get_mut(HOST_STATUS_COUNTS.name)
        && !is_successful
        && hosts.as_object().is_none_or(Map::is_empty)
    {
        *hosts = Json::Null;
    }
    if let Some(plays) = json.get_mut(PLAYBOOK_COUNTS.name)
        && plays.as_object().is_none_or(Map::is_empty)
    {
        *plays = json!({"play_count": 0, "task_count": 0});
    }
}

/// How long a job ran, or has been running.
fn elapsed_milliseconds(record: &Record, now: Timestamp) -> i64 {
    match (record.get(&STARTED), record.get(&FINISHED)) {
        (Value::Time(started), Value::Null) => Ord::max(now.as_millisecond() - started.as_millisecond(), 0),
        _ => record.integer(&ELAPSED).unwrap_or(0),
    }
}

/// What launched a job, from its summaries: the user, or the template that a webhook is for.
fn launched_by(json: &Map<String, Json>) -> Json {
    let user = &json.get("summary_fields").map(|summaries| &summaries["created_by"]);
    match user.and_then(|user| Some((user["id"].as_i64()?, user["username"].as_str()?))) {
        Some((id, name)) => json!({"id": id, "name": name, "type": USER.name, "url": USER.url(id)}),
        None if json.get(LAUNCH_TYPE.name).is_some_and(|launch_type| launch_type == "dependency") => {
            // AWX's words for what a job needs.
            json!({"id": null, "name": "Generated by AWX", "type": "Dependency", "url": null})
        }
        None if json.get(LAUNCH_TYPE.name).is_some_and(|launch_type| launch_type == "webhook") => {
            let template = json.get("summary_fields").map(|summaries| &summaries[JOB_TEMPLATE.name]);
            match template.and_then(|template| Some((template["id"].as_i64()?, template["name"].as_str()?))) {
                Some((id, name)) => {
                    json!({"id": id, "name": name, "type": JOB_TEMPLATE.name, "url": JOB_TEMPLATE.url(id)})
                }
                None => json!({}),
            }
        }
        None => json!({}),
    }
}

/// Commits the transaction of a new job, and returns its JSON. The dispatcher is woken after the job was read, so that the
/// response has the status of the creation.
///
/// # Errors
/// Database errors.
pub async fn commit_new_job(
    engine: &Engine,
    tx: Transaction,
    actor: &Actor,
    resource: &'static Resource,
    id: i64,
) -> Result<Map<String, Json>, Error> {
    tx.commit().await?;
    let shown = engine.show(actor, resource, &ObjectKey::Id(id)).await;
    engine.jobs.wake();
    let (json, _) = shown?;
    Ok(json)
}

/// One of the summaries of an object.
pub fn summary_mut<'a>(json: &'a mut Map<String, Json>, name: &str) -> Option<&'a mut Map<String, Json>> {
    json.get_mut("summary_fields")?.get_mut(name)?.as_object_mut()
}

/// Corrects the summary of a job in its template: as in AWX, it has no keys that are null.
pub fn shorten_summary(json: &mut Map<String, Json>, name: &str) {
    if let Some(job) = summary_mut(json, name) {
        job.retain(|_, value| !value.is_null());
    }
}
