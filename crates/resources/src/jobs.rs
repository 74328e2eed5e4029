//! Jobs: runs of job templates. A launch creates them; they are canceled, run again and deleted, but not changed.

use async_trait::async_trait;
use constcat::concat_slices;
use hostler_access::{has_role_or_permission, objects_with_role};
use hostler_engine::{ActionHandler, Engine, Error, Hooks, RenderContext, ResponseObject};
use hostler_schema::{
    Access, Action, Actor, DefaultValue, Draft, Field, Join, Relation, Resource, ResourceAction, Rule, Sublist, column,
    fields,
};
use sea_query::ExprTrait;
use serde_json::json;

use crate::attached::{self, CREDENTIALS_OF_JOB, LABELS_OF_JOB};
use crate::common::{CREATED, CREATED_BY, MODIFIED, activity_stream, in_audited_organization};
use crate::job_events::{ChildrenSummary, EVENTS_OF_JOB, SUMMARIZE_CHILDREN};
use crate::job_host_summaries::{HOSTS_OF_JOB, SUMMARIES_OF_JOB};
use crate::job_templates::{VERBOSITIES, WEBHOOK_SERVICES};
use crate::launch::{CANCEL, Canceling, RELAUNCH, Relaunching};
use crate::stdout::{Stdout, stdout};
use crate::unified_jobs::{self, *};
use crate::{CREDENTIAL, HOST, INVENTORY, JOB_TEMPLATE, LABEL, ORGANIZATION, PROJECT, UNIFIED_JOB};

/// The type of a job: to change hosts or to say what would change. `scan` is a type of old jobs.
const TYPES: &[(&str, &str)] = &[("run", "Run"), ("check", "Check"), ("scan", "Scan")];

const DEPENDENCIES: &str = "unified_job_dependencies";

const DEPENDS_ON: Relation = Relation::new(
    "dependent_jobs",
    || &UNIFIED_JOB,
    Join::JoinTable { table: DEPENDENCIES, left: "unified_job_id", right: "dependency_id", filter: None },
);
const BLOCKS: Relation = Relation::new(
    "unifiedjob_blocked_jobs",
    || &UNIFIED_JOB,
    Join::JoinTable { table: DEPENDENCIES, left: "dependency_id", right: "unified_job_id", filter: None },
);

/// The relations that jobs of all types have.
pub const RELATIONS_OF_ALL: &[Relation] = &[
    DEPENDS_ON,
    BLOCKS,
    Relation::new("credentials", || &CREDENTIAL, CREDENTIALS_OF_JOB),
    Relation::new("labels", || &LABEL, LABELS_OF_JOB),
];

/// The type.
pub const JOB_TYPE: Field = fields::choice("job_type", TYPES)
    .label("Job type")
    .read_only()
    .help("Whether it changes hosts, or says what it would change.");
/// The inventory.
pub const INVENTORY_LINK: Field = fields::link("inventory", "inventory_id", || &INVENTORY)
    .label("Inventory")
    .nullable()
    .read_only()
    .summarized()
    .reverse("jobs")
    .help("The inventory whose hosts it works on.");
/// The project.
pub const PROJECT_LINK: Field = fields::link("project", "project_id", || &PROJECT)
    .label("Project")
    .nullable()
    .read_only()
    .summarized()
    .reverse("jobs")
    .help("The project that contains the playbook.");
/// The job template.
pub const JOB_TEMPLATE_LINK: Field = fields::link("job_template", "unified_job_template_id", || &JOB_TEMPLATE)
    .label("Job template")
    .nullable()
    .read_only()
    .summarized()
    .reverse("jobs")
    .help("The job template that was launched; null after its deletion.");
const WEBHOOK_CREDENTIAL: Field = fields::link("webhook_credential", "webhook_credential_id", || &CREDENTIAL)
    .label("Webhook credential")
    .nullable()
    .read_only()
    .reverse("jobs")
    .help("The credential that sends the status to the sender of the webhook.");
/// The variables, with the answers to questions for passwords masked.
pub const EXTRA_VARS: Field = fields::text("extra_vars")
    .label("Extra vars")
    .type_name("json")
    .read_only()
    .filter_forbidden()
    .help("The variables of the template, the survey and the launch, as JSON.");
/// The encrypted answers to questions for passwords, by variable.
pub const SURVEY_PASSWORDS: Field = fields::inputs("survey_passwords")
    .label("Survey passwords")
    .read_only()
    .hidden()
    .detail_only()
    .help("The encrypted answers to questions for passwords.");
/// The encrypted passwords that credentials ask for at launch, by their names.
pub const CREDENTIAL_PASSWORDS: Field = fields::inputs("credential_passwords")
    .label("Credential passwords")
    .read_only()
    .hidden()
    .detail_only()
    .help("The encrypted passwords for credentials that ask for them at launch.");
/// The passwords that credentials ask for.
pub const PASSWORDS_NEEDED: Field = fields::computed("passwords_needed_to_start")
    .label("Passwords needed to start")
    .help("The names of the passwords that its credentials ask for at launch.");

const fn number(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::integer(name).label(label).range(0, i32::MAX as i64).read_only().help(help)
}

const FIELDS: &[Field] = concat_slices!([Field]:
  &[
    fields::id(),
    CREATED,
    MODIFIED,
    CREATED_BY,
    MODIFIER,
    NAME,
    DESCRIPTION,
    JOB_TYPE,
    INVENTORY_LINK,
    PROJECT_LINK,
    text("playbook", "Playbook", "The playbook, a path in the project."),
    text("scm_branch", "Scm branch", "The branch that was asked for instead of the project's own."),
    number("forks", "Forks", "How many hosts it works on at the same time; 0 for Ansible's default."),
    text("limit", "Limit", "The pattern that selects hosts of the inventory.").column("job_limit"),
    fields::integer_choice("verbosity", VERBOSITIES).label("Verbosity").read_only().help("How much Ansible says."),
    EXTRA_VARS,
    text("job_tags", "Job tags", "The tags of the tasks to run, separated by commas."),
    flag("force_handlers", "Force handlers", "Whether handlers run on hosts on which a task failed."),
    text("skip_tags", "Skip tags", "The tags of the tasks to skip, separated by commas."),
    text("start_at_task", "Start at task", "The name of the first task to run."),
    TIMEOUT,
    flag("use_fact_cache", "Use fact cache", "Whether it reads and stores facts of hosts."),
    ORGANIZATION_LINK,
    TEMPLATE,
    LAUNCH_TYPE,
    STATUS,
    ENVIRONMENT,
  ],
  HOW_IT_RAN,
  &[
    CONTROLLER_NODE,
  ],
  HOW_IT_ENDED,
  &[
    JOB_TEMPLATE_LINK,
    PASSWORDS_NEEDED,
    flag("allow_simultaneous", "Allow simultaneous", "Whether it may run while another job of its template runs."),
    fields::object("artifacts").label("Artifacts").read_only().help("The variables that it set with set_stats."),
    text("scm_revision", "SCM Revision", "The commit of the project that it ran."),
    INSTANCE_GROUP_LINK,
    flag("diff_mode", "Diff mode", "Whether Ansible shows changes in files."),
    number("job_slice_number", "Job slice number", "Which part of the inventory it works on, if it is one of several."),
    number("job_slice_count", "Job slice count", "Into how many parts the inventory is divided."),
    fields::choice("webhook_service", WEBHOOK_SERVICES)
        .label("Webhook service")
        .read_only()
        .help("The service whose webhook launched it."),
    WEBHOOK_CREDENTIAL,
    text("webhook_guid", "Webhook guid", "The id of the event that launched it."),
    HOST_STATUS_COUNTS,
    PLAYBOOK_COUNTS,
    text("custom_virtualenv", "Custom virtualenv", "Kept for old clients; execution environments took its place.")
        .nullable()
        .default(DefaultValue::Null)
        .detail_only(),
    SURVEY_PASSWORDS,
    CREDENTIAL_PASSWORDS,
  ],
);

/// Jobs.
pub static JOB: Resource = Resource {
    list_title: "Job List",
    detail_title: "Job Detail",
    description: "Runs of job templates. Users see the jobs of the templates that they see; admins and auditors of an \
                  organization see all of its jobs.",
    relations: &[
        DEPENDS_ON,
        BLOCKS,
        Relation::new("hosts", || &HOST, HOSTS_OF_JOB),
        Relation::new("unifiedjob_ptr", || &UNIFIED_JOB, Join::Column("id")),
    ],
    unimplemented_relations: &["launch_config", "notifications", "project_update", "schedule", "unified_job_node"],
    sublists: &[
        Sublist::new("credentials", "Job Credentials List", || &CREDENTIAL, CREDENTIALS_OF_JOB)
            .filter_name("credentials")
            .reverse("unifiedjobs"),
        Sublist::new("labels", "Job Label List", || &LABEL, LABELS_OF_JOB)
            .filter_name("labels")
            .reverse("unifiedjob_labels"),
        EVENTS_OF_JOB,
        SUMMARIES_OF_JOB,
        activity_stream("job", "Job Activity Stream List"),
    ],
    actions: &[
        RELAUNCH,
        CANCEL,
        SUMMARIZE_CHILDREN,
        stdout("Job Stdout"),
        ResourceAction::unimplemented("notifications"),
        ResourceAction::unimplemented("create_schedule"),
    ],
    type_label: "Playbook Run",
    summarized_as: &["name", "description", "status", "failed"],
    creatable: false,
    editable: false,
    variant_of: Some(|| &UNIFIED_JOB),
    ..Resource::new("job", "jobs", "Job", FIELDS, &JobAccess)
};

struct JobAccess;

impl Access for JobAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        match action {
            Action::Read => match JOB_TEMPLATE.access.rows(actor, Action::Read, "template") {
                Rule::All => Rule::All,
                rule => of_templates(row, rule).or(in_audited_organization(actor, row, ORGANIZATION_LINK.column)),
            },
            Action::Change => Rule::None,
            Action::Delete if actor.is_superuser => Rule::All,
            Action::Delete => in_organization_with(actor, row, "admin_role"),
        }
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        self.rows(actor, Action::Read, row)
    }

    fn create(&self, _actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::None
    }
}

/// The jobs of the templates that match a rule over `template`.
fn of_templates(row: &str, rule: Rule) -> Rule {
    Rule::When(column(row, JOB_TEMPLATE_LINK.column).in_subquery(rule.ids(JOB_TEMPLATE.table, "template")))
}

/// The jobs whose organization gives the actor this role.
fn in_organization_with(actor: &Actor, row: &str, role: &'static str) -> Rule {
    let implying = hostler_access::implying_roles(&ORGANIZATION, role).own;
    Rule::When(column(row, ORGANIZATION_LINK.column).in_subquery(objects_with_role(
        ORGANIZATION.name,
        &implying,
        actor,
    )))
}

/// The jobs whose template is deleted, in organizations that give the actor this role.
fn left_behind(actor: &Actor, row: &str, role: &'static str) -> Rule {
    in_organization_with(actor, row, role).within(column(row, JOB_TEMPLATE_LINK.column).is_null())
}

/// The jobs that the actor may run again: those of templates that the actor may launch.
pub fn can_relaunch(actor: &Actor, row: &str) -> Rule {
    match has_role_or_permission(&JOB_TEMPLATE, "execute_role", "execute", actor, "template") {
        Rule::All => Rule::All,
        rule => of_templates(row, rule).or(left_behind(actor, row, "admin_role")),
    }
}

/// The jobs that the actor may cancel: the actor's own, and those of templates that the actor administers.
pub fn can_cancel(actor: &Actor, row: &str) -> Rule {
    match has_role_or_permission(&JOB_TEMPLATE, "admin_role", "change", actor, "template") {
        Rule::All => Rule::All,
        rule => Rule::When(column(row, CREATED_BY.column).eq(actor.id)).or(of_templates(row, rule)).or(left_behind(
            actor,
            row,
            "job_template_admin_role",
        )),
    }
}

/// Shows what is attached to jobs.
pub struct JobHooks;

#[async_trait]
impl Hooks for JobHooks {
    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        unified_jobs::complete(engine, page, JOB.name);
        let ids: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
        let credentials = attached::credentials(engine, view.actor, CREDENTIALS_OF_JOB, &ids).await?;
        attached::show_credentials(page, &credentials);
        attached::show_labels(engine, &JOB, &ids, page).await?;
        for shown in page {
            let needed = attached::passwords_needed(&credentials, shown.loaded.record.id);
            shown.json.insert(PASSWORDS_NEEDED.name.into(), json!(needed));
        }
        Ok(())
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        match path {
            "relaunch" => Some(&Relaunching),
            "stdout" => Some(&Stdout),
            "job_events/children_summary" => Some(&ChildrenSummary),
            "cancel" => Some(&Canceling),
            _ => None,
        }
    }
}
