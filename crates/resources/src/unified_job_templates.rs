//! Unified job templates: everything that runs as a job. Each row is an object of one of the variants.

use hostler_access::ByVariant;
use hostler_engine::ResponseObject;
use hostler_schema::{Field, Relation, Resource, Variants, fields};
use serde_json::{Map, Value as Json};

use crate::attached::{CREDENTIALS_OF_TEMPLATE, GROUPS_OF_TEMPLATE, LABELS_OF_TEMPLATE};
use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY};
use crate::unified_jobs::shorten_summary;
use crate::{
    CREDENTIAL, EXECUTION_ENVIRONMENT, INSTANCE_GROUP, INVENTORY_SOURCE, JOB_TEMPLATE, LABEL, ORGANIZATION, PROJECT,
    UNIFIED_JOB,
};

type Status = (&'static str, &'static str);

const NEW: Status = ("new", "New");
const PENDING: Status = ("pending", "Pending");
const WAITING: Status = ("waiting", "Waiting");
const RUNNING: Status = ("running", "Running");
const SUCCESSFUL: Status = ("successful", "Successful");
const FAILED: Status = ("failed", "Failed");
const ERROR: Status = ("error", "Error");
const CANCELED: Status = ("canceled", "Canceled");
const NEVER_UPDATED: Status = ("never updated", "Never Updated");
const OK: Status = ("ok", "OK");
const MISSING: Status = ("missing", "Missing");

/// The statuses of templates of all types.
const STATUSES: &[Status] = &[
    NEW,
    PENDING,
    WAITING,
    RUNNING,
    SUCCESSFUL,
    FAILED,
    ERROR,
    CANCELED,
    NEVER_UPDATED,
    OK,
    MISSING,
    ("none", "No Source"),
    ("updating", "Updating"),
];
/// The statuses of projects: those of their updates, and three for projects without any.
pub const PROJECT_STATUSES: &[Status] =
    &[NEW, PENDING, WAITING, RUNNING, SUCCESSFUL, FAILED, ERROR, CANCELED, NEVER_UPDATED, OK, MISSING];
/// The statuses of inventory sources: those of their updates, and two for sources without any.
pub const SOURCE_STATUSES: &[Status] = &[
    NEW,
    PENDING,
    WAITING,
    RUNNING,
    SUCCESSFUL,
    FAILED,
    ERROR,
    CANCELED,
    NEVER_UPDATED,
    ("none", "No External Source"),
];

/// When the last job ended.
pub const LAST_JOB_RUN: Field =
    fields::time("last_job_run").label("Last job run").nullable().read_only().help("When the last job ended.");
/// Whether the last job failed.
pub const LAST_JOB_FAILED: Field =
    fields::boolean("last_job_failed").label("Last job failed").read_only().help("Whether the last job failed.");
/// When the next job is scheduled.
pub const NEXT_JOB_RUN: Field =
    fields::time("next_job_run").label("Next job run").nullable().read_only().help("When the next job is scheduled.");

/// Whether the last update failed: AWX's other name of whether the last job failed.
pub const LAST_UPDATE_FAILED: Field = fields::boolean("last_update_failed")
    .column("last_job_failed")
    .label("Last update failed")
    .read_only()
    .not_filterable()
    .help("Whether the last update failed.");
/// When the last update ended.
pub const LAST_UPDATED: Field = fields::time("last_updated")
    .column("last_job_run")
    .label("Last updated")
    .nullable()
    .read_only()
    .not_filterable()
    .help("When it was updated last.");

/// The last job that ended.
pub const LAST_JOB: Field = fields::link("last_job", "last_job_id", || &UNIFIED_JOB)
    .label("Last job")
    .nullable()
    .read_only()
    .hidden()
    .summarized()
    .help("The last job that ended.");
/// The newest job that did not end.
pub const CURRENT_JOB: Field = fields::link("current_job", "current_job_id", || &UNIFIED_JOB)
    .label("Current job")
    .nullable()
    .read_only()
    .hidden()
    .summarized()
    .help("The newest job that did not end.");

/// What can be attached to templates of all types.
pub const ATTACHED: [Relation; 3] = [
    Relation::new("credentials", || &CREDENTIAL, CREDENTIALS_OF_TEMPLATE),
    Relation::new("labels", || &LABEL, LABELS_OF_TEMPLATE),
    Relation::new("instance_groups", || &INSTANCE_GROUP, GROUPS_OF_TEMPLATE),
];

/// Unified job templates.
pub static UNIFIED_JOB_TEMPLATE: Resource = Resource {
    type_label: "Unified Job Template",
    list_title: "Unified Job Template List",
    description: "Everything that runs as a job, of all types. Users see what they see in the list of each type.",
    variants: Some(Variants { column: "type", resources: &[|| &PROJECT, || &INVENTORY_SOURCE, || &JOB_TEMPLATE] }),
    relations: &ATTACHED,
    unimplemented_relations: &[
        "next_schedule",
        "schedules",
        "system_job_template",
        "workflow_approval_template",
        "workflow_job_template",
        "workflowjobnodes",
        "workflowjobtemplatenodes",
    ],
    creatable: false,
    editable: false,
    deletable: false,
    capabilities: false,
    // As objects of their types.
    recorded: false,
    search: &["name", "description", "jobtemplate__playbook"],
    ..Resource::new(
        "unified_job_template",
        "unified_job_templates",
        "UnifiedJobTemplate",
        &[
            fields::id(),
            CREATED,
            MODIFIED,
            CREATED_BY,
            MODIFIED_BY,
            fields::text("name").label("Name").read_only().help("The name."),
            fields::text("description").label("Description").read_only().help("What it is for."),
            LAST_JOB_RUN,
            LAST_JOB_FAILED,
            NEXT_JOB_RUN,
            fields::choice("status", STATUSES).label("Status").read_only().help("How the last job went."),
            fields::link("execution_environment", "execution_environment_id", || &EXECUTION_ENVIRONMENT)
                .label("Execution Environment")
                .nullable()
                .read_only()
                .reverse("unifiedjobtemplates")
                .help("The execution environment of its jobs."),
            fields::link("organization", "organization_id", || &ORGANIZATION)
                .label("Organization")
                .nullable()
                .read_only()
                .hidden()
                .reverse("unifiedjobtemplates")
                .help("The organization that it belongs to."),
            LAST_JOB,
            CURRENT_JOB,
        ],
        &ACCESS,
    )
};

const ACCESS: ByVariant = ByVariant(|| &UNIFIED_JOB_TEMPLATE);

/// Adds `last_update` and `current_update`, AWX's other names of the last and the current job.
pub fn show_last_update(shown: &mut ResponseObject) {
    for (job, name) in [(&LAST_JOB, "last_update"), (&CURRENT_JOB, "current_update")] {
        shorten_summary(&mut shown.json, job.name);
        let part = |part: &str| shown.json.get(part).and_then(|part| part.get(job.name)).cloned();
        let (summary, link) = (part("summary_fields"), part("related"));
        if let (Some(Json::Object(summary)), Some(link)) = (summary, link) {
            let keys = ["id", "name", "description", "status", "failed"];
            let summary: Map<String, Json> =
                keys.iter().filter_map(|key| Some(((*key).to_owned(), summary.get(*key)?.clone()))).collect();
            shown.add_summary(name, summary.into());
            shown.add_related(name, link);
        }
    }
}
