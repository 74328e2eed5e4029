//! Job templates: what a job runs, on which hosts, and what its launch asks for.

mod access;
pub mod callback;
mod copy;
mod hooks;
mod playbook;
mod survey;
mod webhook_event;
mod webhook_key;
pub mod webhooks;

use hostler_schema::{
    ActionAnswer, ActionMethod, Association, DefaultValue, Field, ImpliedBy, Join, NaturalKeyPart, ObjectRole, Post,
    Relation, Resource, ResourceAction, Singleton, Sublist, UniqueConstraint, fields,
};

pub use self::access::{can_launch, may_use, usable_inventories};
pub use self::copy::copy_rows;
pub use self::hooks::{JobTemplateHooks, multiple_message};
use crate::attached::{CREDENTIALS_OF_TEMPLATE, GROUPS_OF_TEMPLATE, LABELS_OF_TEMPLATE};
use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY, activity_stream, roles_of};
use crate::credential_access::usable_credentials;
use crate::launch::LAUNCH;
use crate::unified_job_templates::{CURRENT_JOB, LAST_JOB, LAST_JOB_FAILED, LAST_JOB_RUN, NEXT_JOB_RUN};
use crate::{
    CREDENTIAL, EXECUTION_ENVIRONMENT, INSTANCE_GROUP, INVENTORY, JOB, LABEL, ORGANIZATION, PROJECT, ROLE, UNIFIED_JOB,
    UNIFIED_JOB_TEMPLATE, USER, access_paths, instance_groups, labels, notification_lists,
};

/// The types of new jobs.
pub const JOB_TYPES: &[(&str, &str)] = &[("run", "Run"), ("check", "Check")];
/// How much Ansible says.
pub const VERBOSITIES: &[(i64, &str)] = &[
    (0, "0 (Normal)"),
    (1, "1 (Verbose)"),
    (2, "2 (More Verbose)"),
    (3, "3 (Debug)"),
    (4, "4 (Connection Debug)"),
    (5, "5 (WinRM Debug)"),
];
/// The services whose webhooks launch jobs.
pub const WEBHOOK_SERVICES: &[(&str, &str)] =
    &[("", "---------"), ("github", "GitHub"), ("gitlab", "GitLab"), ("bitbucket_dc", "BitBucket DataCenter")];
const STATUSES: &[(&str, &str)] = &[
    ("new", "New"),
    ("pending", "Pending"),
    ("waiting", "Waiting"),
    ("running", "Running"),
    ("successful", "Successful"),
    ("failed", "Failed"),
    ("error", "Error"),
    ("canceled", "Canceled"),
    ("never updated", "Never Updated"),
];

const GREATEST: i64 = i32::MAX as i64;

const fn text(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::text(name).label(label).default(DefaultValue::Text("")).help(help)
}

const fn flag(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::boolean(name).label(label).default(DefaultValue::Boolean(false)).help(help)
}

const fn count(name: &'static str, label: &'static str, default: i64, help: &'static str) -> Field {
    fields::integer(name).label(label).range(0, GREATEST).default(DefaultValue::Integer(default)).help(help)
}

/// The name.
pub const NAME: Field = fields::text("name")
    .label("Name")
    .max(512)
    .required()
    .help("The name of the job template; unique in its organization.");
/// The description.
pub const DESCRIPTION: Field = text("description", "Description", "What the job template is for.");
/// The type of its jobs.
pub const JOB_TYPE: Field = fields::choice("job_type", JOB_TYPES)
    .label("Job type")
    .default(DefaultValue::Text("run"))
    .help("Whether jobs change hosts, or say what they would change.");
/// The inventory.
pub const INVENTORY_LINK: Field = fields::link("inventory", "inventory_id", || &INVENTORY)
    .label("Inventory")
    .nullable()
    .summarized()
    .reverse("jobtemplates")
    .help("The inventory with the hosts; may be empty if the launch asks for it.");
/// The project.
pub const PROJECT_LINK: Field = fields::link("project", "project_id", || &PROJECT)
    .label("Project")
    .nullable()
    .summarized()
    .reverse("jobtemplates")
    .help("The project that contains the playbook.");
/// The playbook.
pub const PLAYBOOK: Field = text("playbook", "Playbook", "The playbook, a path in the project.").max(1024);
/// The branch.
pub const SCM_BRANCH: Field =
    text("scm_branch", "Scm branch", "The branch to run instead of that of the project, if the project allows it.")
        .max(1024);
/// How many hosts at the same time.
pub const FORKS: Field =
    count("forks", "Forks", 0, "How many hosts jobs work on at the same time; 0 for Ansible's default.");
/// The pattern of hosts.
pub const LIMIT: Field = text("limit", "Limit", "A pattern that selects hosts of the inventory.").column("job_limit");
/// The verbosity.
pub const VERBOSITY: Field = fields::integer_choice("verbosity", VERBOSITIES)
    .label("Verbosity")
    .default(DefaultValue::Integer(0))
    .help("How much Ansible says.");
/// The variables.
pub const EXTRA_VARS: Field = fields::variables("extra_vars")
    .label("Extra vars")
    .filter_forbidden()
    .help("Variables for the playbook, as JSON or YAML.");
/// The tags.
pub const JOB_TAGS: Field = text("job_tags", "Job tags", "The tags of the tasks to run, separated by commas.");
/// The tags to skip.
pub const SKIP_TAGS: Field =
    text("skip_tags", "Skip tags", "The tags of the tasks to skip, separated by commas.").max(1024);
/// The first task.
pub const START_AT_TASK: Field = text("start_at_task", "Start at task", "The name of the first task to run.").max(1024);
/// Whether handlers run on failed hosts.
pub const FORCE_HANDLERS: Field =
    flag("force_handlers", "Force handlers", "Run handlers on hosts on which a task failed too.");
/// The time limit.
pub const TIMEOUT: Field = fields::integer("timeout")
    .label("Timeout")
    .range(-GREATEST - 1, GREATEST)
    .default(DefaultValue::Integer(0))
    .help("After how many seconds a job is ended; 0 for any time.");
/// Whether facts are kept.
pub const USE_FACT_CACHE: Field =
    flag("use_fact_cache", "Use fact cache", "Give stored facts of hosts to jobs, and store those that they gather.");
/// The organization, which is that of the project.
pub const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .nullable()
    .read_only()
    .summarized()
    .help("The organization of the project.");
/// The execution environment.
pub const ENVIRONMENT: Field =
    fields::link("execution_environment", "execution_environment_id", || &EXECUTION_ENVIRONMENT)
        .label("Execution environment")
        .nullable()
        .summarized()
        .help("The execution environment of its jobs.");
/// The key of provisioning callbacks.
pub const HOST_CONFIG_KEY: Field =
    text("host_config_key", "Host config key", "The key with which hosts ask for jobs on themselves.")
        .max(1024)
        .filter_forbidden();
/// Whether the survey is asked.
pub const SURVEY_ENABLED: Field =
    flag("survey_enabled", "Survey enabled", "Ask the questions of the survey at launch.");
/// Whether privileges are raised.
pub const BECOME_ENABLED: Field = flag("become_enabled", "Become enabled", "Run tasks with raised privileges.");
/// Whether changes in files are shown.
pub const DIFF_MODE: Field = flag("diff_mode", "Diff mode", "Show the changes in files.");
/// Whether several jobs may run.
pub const ALLOW_SIMULTANEOUS: Field =
    flag("allow_simultaneous", "Allow simultaneous", "Let several jobs of the template run at the same time.");
/// How many slices.
pub const JOB_SLICE_COUNT: Field = count(
    "job_slice_count",
    "Job slice count",
    1,
    "Into how many parts the inventory is divided, each for a job of its own.",
);
/// The webhook service.
pub const WEBHOOK_SERVICE: Field = fields::choice("webhook_service", WEBHOOK_SERVICES)
    .label("Webhook service")
    .help("The service whose webhooks launch jobs.");
/// The credential for the status in the webhook's service.
pub const WEBHOOK_CREDENTIAL: Field = fields::link("webhook_credential", "webhook_credential_id", || &CREDENTIAL)
    .label("Webhook credential")
    .nullable()
    .summarized()
    .reverse("jobtemplates")
    .help("The personal access token that sends the status of jobs to the service.");
/// The secret of webhooks.
pub const WEBHOOK_KEY: Field = fields::encrypted("webhook_key")
    .label("Webhook key")
    .read_only()
    .hidden()
    .help("The secret that senders of webhooks sign with.");
/// The survey, without the defaults of passwords.
pub const SURVEY_SPEC: Field = fields::object("survey_spec")
    .label("Survey spec")
    .default(DefaultValue::EMPTY_OBJECT)
    .read_only()
    .hidden()
    .filter_forbidden()
    .help("The questions that a launch asks.");
/// The encrypted defaults of questions for passwords, by variable.
pub const SURVEY_PASSWORDS: Field = fields::inputs("survey_passwords")
    .label("Survey passwords")
    .read_only()
    .hidden()
    .help("The encrypted defaults of questions for passwords.");
/// Whether only its own instance groups are used.
pub const PREVENT_FALLBACK: Field = flag(
    "prevent_instance_group_fallback",
    "Prevent instance group fallback",
    "Do not use the instance groups of the inventory and the organization if those of the template are full.",
);

/// What a launch may ask for.
macro_rules! asks {
    ($($constant:ident $name:literal $label:literal $what:literal),+ $(,)?) => {
        $(
            #[doc = concat!("Whether a launch asks for ", $what, ".")]
            pub const $constant: Field = flag($name, $label, concat!("Ask for ", $what, " at launch."));
        )+
        /// All fields that say what a launch asks for.
        pub const ASKS: &[Field] = &[$($constant),+];
    };
}

asks! {
    ASK_SCM_BRANCH "ask_scm_branch_on_launch" "Ask scm branch on launch" "the branch",
    ASK_DIFF_MODE "ask_diff_mode_on_launch" "Ask diff mode on launch" "the diff mode",
    ASK_VARIABLES "ask_variables_on_launch" "Ask variables on launch" "variables",
    ASK_LIMIT "ask_limit_on_launch" "Ask limit on launch" "the limit",
    ASK_TAGS "ask_tags_on_launch" "Ask tags on launch" "tags",
    ASK_SKIP_TAGS "ask_skip_tags_on_launch" "Ask skip tags on launch" "tags to skip",
    ASK_JOB_TYPE "ask_job_type_on_launch" "Ask job type on launch" "the job type",
    ASK_VERBOSITY "ask_verbosity_on_launch" "Ask verbosity on launch" "the verbosity",
    ASK_INVENTORY "ask_inventory_on_launch" "Ask inventory on launch" "the inventory",
    ASK_CREDENTIAL "ask_credential_on_launch" "Ask credential on launch" "credentials",
    ASK_ENVIRONMENT "ask_execution_environment_on_launch" "Ask execution environment on launch"
        "the execution environment",
    ASK_LABELS "ask_labels_on_launch" "Ask labels on launch" "labels",
    ASK_FORKS "ask_forks_on_launch" "Ask forks on launch" "the number of forks",
    ASK_SLICE_COUNT "ask_job_slice_count_on_launch" "Ask job slice count on launch" "the number of slices",
    ASK_TIMEOUT "ask_timeout_on_launch" "Ask timeout on launch" "the time limit",
    ASK_INSTANCE_GROUPS "ask_instance_groups_on_launch" "Ask instance groups on launch" "instance groups",
}

const FIELDS: &[Field] = &[
    fields::id(),
    CREATED,
    MODIFIED,
    CREATED_BY,
    MODIFIED_BY,
    NAME,
    DESCRIPTION,
    JOB_TYPE,
    INVENTORY_LINK,
    PROJECT_LINK,
    PLAYBOOK,
    SCM_BRANCH,
    FORKS,
    LIMIT,
    VERBOSITY,
    EXTRA_VARS,
    JOB_TAGS,
    FORCE_HANDLERS,
    SKIP_TAGS,
    START_AT_TASK,
    TIMEOUT,
    USE_FACT_CACHE,
    ORGANIZATION_LINK,
    LAST_JOB_RUN,
    LAST_JOB_FAILED,
    NEXT_JOB_RUN,
    fields::choice("status", STATUSES).label("Status").read_only().help("The status of the last or current job."),
    ENVIRONMENT,
    HOST_CONFIG_KEY,
    ASK_SCM_BRANCH,
    ASK_DIFF_MODE,
    ASK_VARIABLES,
    ASK_LIMIT,
    ASK_TAGS,
    ASK_SKIP_TAGS,
    ASK_JOB_TYPE,
    ASK_VERBOSITY,
    ASK_INVENTORY,
    ASK_CREDENTIAL,
    ASK_ENVIRONMENT,
    ASK_LABELS,
    ASK_FORKS,
    ASK_SLICE_COUNT,
    ASK_TIMEOUT,
    ASK_INSTANCE_GROUPS,
    SURVEY_ENABLED,
    BECOME_ENABLED,
    DIFF_MODE,
    ALLOW_SIMULTANEOUS,
    fields::text("custom_virtualenv")
        .label("Custom virtualenv")
        .nullable()
        .read_only()
        .help("Kept for old clients; execution environments took its place."),
    JOB_SLICE_COUNT,
    WEBHOOK_SERVICE,
    WEBHOOK_CREDENTIAL,
    PREVENT_FALLBACK,
    LAST_JOB,
    CURRENT_JOB,
    SURVEY_SPEC,
    SURVEY_PASSWORDS,
    WEBHOOK_KEY,
];

const ROLES: &[ObjectRole] = &[
    ObjectRole::new(
        "admin_role",
        "Admin",
        "Can manage all aspects of the job template",
        &[ImpliedBy::Organization("job_template_admin_role"), ImpliedBy::System(Singleton::Administrator)],
    ),
    ObjectRole::new(
        "execute_role",
        "Execute",
        "May run the job template",
        &[ImpliedBy::Own("admin_role"), ImpliedBy::Organization("execute_role")],
    ),
    ObjectRole::new(
        "read_role",
        "Read",
        "May view settings for the job template",
        &[
            ImpliedBy::Organization("auditor_role"),
            ImpliedBy::System(Singleton::Auditor),
            ImpliedBy::Own("execute_role"),
            ImpliedBy::Own("admin_role"),
        ],
    )
    .compatible(&["awx.view_jobtemplate"]),
];

const SUBLISTS: &[Sublist] = &[
    Sublist::new("labels", "Job Template Label List", || &LABEL, LABELS_OF_TEMPLATE)
        .reverse("unifiedjobtemplate_labels")
        .post(Post::Associate(
            Association::new("awx.main.models.unified_jobs.UnifiedJobTemplate_labels", labels::readable_labels)
                .or_create(),
        )),
    Sublist::new("credentials", "Job Template Credentials List", || &CREDENTIAL, CREDENTIALS_OF_TEMPLATE)
        .reverse("unifiedjobtemplates")
        .post(Post::Associate(
            Association::new("awx.main.models.unified_jobs.UnifiedJobTemplate_credentials", usable_credentials)
                .or_create(),
        )),
    Sublist::new("instance_groups", "Job Template Instance Groups List", || &INSTANCE_GROUP, GROUPS_OF_TEMPLATE)
        .ordered()
        .post(Post::Associate(
            Association::new(
                "awx.main.models.unified_jobs.UnifiedJobTemplate_instance_groups",
                instance_groups::usable_groups,
            )
            .permit_removal()
            .or_create(),
        )),
    Sublist::new("jobs", "Job Template Jobs List", || &JOB, Join::Reverse("unified_job_template_id")),
    activity_stream("job_template", "Job Template Activity Stream List"),
    notification_lists::started("Job Template Notification Templates Started List"),
    notification_lists::success("Job Template Notification Templates Success List"),
    notification_lists::error("Job Template Notification Templates Error List"),
    Sublist::new(
        "access_list",
        "Job Template Access List",
        || &USER,
        Join::Condition(|id, other| access_paths::with_access_to(&JOB_TEMPLATE, id, other)),
    )
    .visible_to_readers(),
    Sublist::new(
        "object_roles",
        "Job Template Object Roles List",
        || &ROLE,
        Join::Condition(|id, other| roles_of("job_template", id, other)),
    ),
];

const ACTIONS: &[ResourceAction] = &[
    LAUNCH,
    ResourceAction::new("survey_spec", "Job Template Survey Spec")
        .describe("The questions that a launch asks.")
        .get(ActionMethod::new("the survey", ActionAnswer::Fields(survey::PARTS)))
        .post(
            ActionMethod::new("replace the survey", ActionAnswer::Fields(&[]))
                .permit(access::changeable)
                .input(survey::PARTS),
        )
        .delete(ActionMethod::new("remove the survey", ActionAnswer::Fields(&[])).permit(access::changeable)),
    ResourceAction::new("webhook_key", "Webhook Key")
        .describe("The secret that senders of webhooks sign with. POST replaces it.")
        .get(ActionMethod::new("the key", ActionAnswer::Fields(webhook_key::PARTS)).permit(access::changeable))
        .post(
            ActionMethod::new("replace the key", ActionAnswer::NewFields(webhook_key::PARTS))
                .permit(access::changeable),
        ),
    ResourceAction::copy("Job Template Copy", || &JOB_TEMPLATE, access::can_copy),
    ResourceAction::unimplemented("schedules"),
    ResourceAction::unimplemented("slice_workflow_jobs"),
    callback::CALLBACK,
    webhooks::GITHUB,
    webhooks::GITLAB,
    webhooks::BITBUCKET_DC,
];

/// Job templates.
pub static JOB_TEMPLATE: Resource = Resource {
    type_label: "Job Template",
    list_title: "Job Template List",
    detail_title: "Job Template Detail",
    description: "A job template says what a job runs, on which hosts, and what its launch asks for. Users who may use a \
                  project and an inventory may create one.",
    relations: &[
        Relation::new("unifiedjobtemplate_ptr", || &UNIFIED_JOB_TEMPLATE, Join::Column("id")),
        Relation::new("unifiedjob_unified_jobs", || &UNIFIED_JOB, Join::Reverse("unified_job_template_id")),
    ],
    unimplemented_relations: &[
        "next_schedule",
        "schedules",
        "slice_workflow_jobs",
        "workflowjobnodes",
        "workflowjobtemplatenodes",
    ],
    sublists: SUBLISTS,
    actions: ACTIONS,
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("organization")],
    unique: &[UniqueConstraint {
        fields: &["organization", "name"],
        key: "__all__",
        message: "JobTemplate with this (organization, name) combination already exists.",
    }],
    roles: ROLES,
    role_resource: Some(|| &crate::ROLE),
    variant_of: Some(|| &UNIFIED_JOB_TEMPLATE),
    ..Resource::new("job_template", "job_templates", "JobTemplate", FIELDS, &access::JobTemplateAccess)
};
