//! Launches: new jobs of job templates, and jobs that run again. A launch is one transaction; the dispatcher is woken after
//! its commit.

mod cancel;
mod credential_choice;
mod new_job;
mod origin;
mod prompts;
mod relaunch;
mod requirements;
mod secrets;

use async_trait::async_trait;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_schema::{ActionAnswer, ActionMethod, DefaultValue, Field, HttpMethod, ResourceAction, fields};

pub use self::cancel::{Canceling, DETAILS as CANCEL_DETAILS};
pub use self::new_job::launch;
pub use self::origin::{Origin, WebhookOfJob};
pub use self::prompts::find;
pub use self::relaunch::Relaunching;
pub use self::requirements::survey_of;
pub use self::secrets::{JobSecrets, sent_passwords};
use crate::job_templates::{JOB_TYPES, VERBOSITIES, can_launch};
use crate::jobs::{can_cancel, can_relaunch};
use crate::{EXECUTION_ENVIRONMENT, INVENTORY, JOB, JOB_TEMPLATE};

/// The variables of a launch.
pub const EXTRA_VARS: Field = prompt(fields::json("extra_vars"))
    .label("Extra vars")
    .nullable()
    .help("Variables, as an object or as a text with JSON or YAML.");
const INVENTORY_LINK: Field =
    prompt(fields::link("inventory", "inventory_id", || &INVENTORY)).label("Inventory").help("The inventory.");
const SCM_BRANCH: Field = prompt(fields::text("scm_branch")).label("Scm branch").max(1024).help("The branch.");
const LIMIT: Field = prompt(fields::text("limit")).label("Limit").help("The pattern of hosts.");
const JOB_TAGS: Field = prompt(fields::text("job_tags")).label("Job tags").help("The tags.");
const SKIP_TAGS: Field = prompt(fields::text("skip_tags")).label("Skip tags").max(1024).help("The tags to skip.");
const JOB_TYPE: Field = prompt(fields::choice("job_type", JOB_TYPES)).label("Job type").help("The job type.");
const VERBOSITY: Field =
    prompt(fields::integer_choice("verbosity", VERBOSITIES)).label("Verbosity").help("The verbosity.");
const DIFF_MODE: Field = prompt(fields::boolean("diff_mode")).label("Diff mode").help("The diff mode.");
const ENVIRONMENT: Field =
    prompt(fields::link("execution_environment", "execution_environment_id", || &EXECUTION_ENVIRONMENT))
        .label("Execution environment")
        .help("The execution environment.");
const FORKS: Field = prompt(fields::integer("forks")).at_least(0).label("Forks").help("The number of forks.");
const SLICE_COUNT: Field =
    prompt(fields::integer("job_slice_count")).at_least(0).label("Job slice count").help("The number of slices.");
const TIMEOUT: Field = prompt(fields::integer("timeout")).label("Timeout").help("The time limit in seconds.");
const CREDENTIALS: Field = prompt(fields::json("credentials"))
    .type_name("list_of_ids")
    .not_filterable()
    .label("Credentials")
    .help("The ids of all credentials.");
const LABELS: Field = prompt(fields::json("labels"))
    .type_name("field")
    .not_filterable()
    .label("Labels")
    .help("The ids of labels to add.");
const INSTANCE_GROUPS: Field = prompt(fields::json("instance_groups"))
    .type_name("field")
    .not_filterable()
    .label("Instance groups")
    .help("The ids of the instance groups, in the order in which they are tried.");
const CREDENTIAL_PASSWORDS: Field = prompt(fields::json("credential_passwords"))
    .not_filterable()
    .label("Credential passwords")
    .help("The passwords that credentials ask for, by name.");

const fn prompt(field: Field) -> Field {
    field.hidden()
}

const INPUT: &[Field] = &[
    EXTRA_VARS,
    INVENTORY_LINK,
    SCM_BRANCH,
    LIMIT,
    JOB_TAGS,
    SKIP_TAGS,
    JOB_TYPE,
    VERBOSITY,
    CREDENTIALS,
    DIFF_MODE,
    ENVIRONMENT,
    LABELS,
    FORKS,
    SLICE_COUNT,
    TIMEOUT,
    INSTANCE_GROUPS,
    CREDENTIAL_PASSWORDS,
];

/// `job_templates/N/launch/`.
pub const LAUNCH: ResourceAction = ResourceAction::new("launch", "Job Template Launch")
    .describe("GET says what a launch needs. POST creates a job of the template.")
    .get(ActionMethod::new("what a launch needs", ActionAnswer::Fields(requirements::FIELDS)))
    .post(ActionMethod::new("launch", ActionAnswer::NewObject(|| &JOB)).permit(can_launch).input(INPUT))
    .capabilities(&["start", "schedule"]);

/// The hosts of a job that runs again.
const HOSTS: Field =
    fields::choice("hosts", &[("all", "No change to job limit"), ("failed", "All failed and unreachable hosts")])
        .label("Hosts")
        .nullable()
        .hidden()
        .not_filterable()
        .default(DefaultValue::Text("all"))
        .help("Whether the job runs on all hosts, or on those on which it failed.");
const RELAUNCH_PASSWORDS: Field = prompt(fields::json("credential_passwords"))
    .not_filterable()
    .label("Credential passwords")
    .help("The passwords that credentials ask for, by name.");

/// `jobs/N/relaunch/`.
pub const RELAUNCH: ResourceAction = ResourceAction::new("relaunch", "Job Relaunch")
    .describe("GET says what is needed. POST creates a job with the values of this one.")
    .get(ActionMethod::new("what is needed", ActionAnswer::Fields(relaunch::FIELDS)))
    .post(
        ActionMethod::new("relaunch", ActionAnswer::NewObject(|| &JOB))
            .permit(can_relaunch)
            .input(&[HOSTS, RELAUNCH_PASSWORDS]),
    )
    .capabilities(&["start"]);

/// `jobs/N/cancel/`.
pub const CANCEL: ResourceAction = ResourceAction::new("cancel", "Job Cancel")
    .describe("GET says whether the job can be canceled. POST cancels it.")
    .get(ActionMethod::new("whether it can be canceled", ActionAnswer::Fields(cancel::FIELDS)))
    .post(ActionMethod::new("cancel", ActionAnswer::Accepted(&[])).permit(can_cancel));

/// Launches job templates.
pub struct Launching;

#[async_trait]
impl ActionHandler for Launching {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let template = engine.stored_record(&JOB_TEMPLATE, request.id).await?;
        if request.method == HttpMethod::Get {
            return requirements::show(engine, request.actor, &template).await.map(ActionResponse::Fields);
        }
        let created = launch(engine, request.actor, &template, &request.input, &Origin::manual()).await?;
        Ok(ActionResponse::NewObject(created))
    }
}
