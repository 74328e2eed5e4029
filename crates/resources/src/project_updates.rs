//! Updates of projects: each fetches the source of a project. They are created by `projects/N/update/`, by changes of a
//! project's source, and before jobs; they are canceled and deleted, but not changed.

use async_trait::async_trait;
use constcat::concat_slices;
use hostler_access::{ByParent, has_role_or_permission};
use hostler_engine::{ActionHandler, Engine, Error, Hooks, RenderContext, ResponseObject};
use hostler_schema::{
    Action, ActionAnswer, ActionMethod, Actor, Capability, Field, Join, Relation, Resource, ResourceAction, Rule,
    Sublist, column, fields,
};
use sea_query::ExprTrait;

use crate::common::{CREATED, CREATED_BY, MODIFIED};
use crate::job_events::EVENTS_OF_PROJECT_UPDATE;
use crate::jobs::RELATIONS_OF_ALL;
use crate::launch::{CANCEL_DETAILS, Canceling};
use crate::projects::SCM_TYPES;
use crate::stdout::{Stdout, stdout};
use crate::unified_jobs::{self, *};
use crate::{CREDENTIAL, INVENTORY_UPDATE, PROJECT, UNIFIED_JOB};

const TYPES: &[(&str, &str)] = &[("run", "Run"), ("check", "Check")];

/// The project.
const PROJECT_LINK: Field = fields::link("project", "updated_project_id", || &PROJECT)
    .label("Project")
    .read_only()
    .summarized()
    .reverse("project_updates")
    .help("The project that is updated.");
const CREDENTIAL_LINK: Field = fields::link("credential", "credential_id", || &CREDENTIAL)
    .label("Credential")
    .nullable()
    .read_only()
    .summarized()
    .reverse("projectupdates")
    .help("The credential for the source.");

const FIELDS: &[Field] = concat_slices!([Field]:
  &[
    fields::id(),
    CREATED,
    MODIFIED,
    CREATED_BY,
    MODIFIER,
    NAME,
    DESCRIPTION,
    text("local_path", "Local path", "The folder of the project at that time."),
    fields::choice("scm_type", SCM_TYPES).label("SCM Type").read_only().help("The kind of source."),
    text("scm_url", "SCM URL", "Where the content comes from."),
    text("scm_branch", "SCM Branch", "The branch, tag or commit; empty for the default branch."),
    text("scm_refspec", "SCM refspec", "The additional refspec that is fetched."),
    flag("scm_clean", "Scm clean", "Whether local changes are discarded."),
    flag("scm_track_submodules", "Scm track submodules", "Whether the newest commits of submodules are taken."),
    flag("scm_delete_on_update", "Scm delete on update", "Whether everything is fetched again."),
    CREDENTIAL_LINK,
    TIMEOUT,
    text("scm_revision", "SCM Revision", "The commit that was fetched."),
    TEMPLATE,
    LAUNCH_TYPE,
    STATUS,
    ENVIRONMENT,
  ],
  HOW_IT_RAN,
  HOW_IT_ENDED,
  &[
    PROJECT_LINK,
    fields::choice("job_type", TYPES)
        .label("Job type")
        .read_only()
        .help("check updates the project; run only fetches what a job needs."),
    text("job_tags", "Job tags", "What it does, as tags."),
    HOST_STATUS_COUNTS,
    PLAYBOOK_COUNTS,
    // As in AWX, its summary has no link.
    ORGANIZATION_LINK.hidden().not_in_related(),
    INSTANCE_GROUP_LINK.hidden(),
  ],
);

/// Updates of projects.
pub static PROJECT_UPDATE: Resource = Resource {
    type_label: "SCM Update",
    list_title: "Project Update List",
    detail_title: "Project Update Detail",
    description: "An update fetches the source of a project. Users see the updates of the projects that they see.",
    relations: concat_slices!([Relation]: RELATIONS_OF_ALL, &[
        Relation::new("unifiedjob_ptr", || &UNIFIED_JOB, Join::Column("id")),
    ]),
    unimplemented_relations: &["launch_config", "notifications", "schedule", "unified_job_node"],
    actions: &[
        ResourceAction::new("cancel", "Project Update Cancel")
            .describe("GET says whether the update can be canceled. POST cancels it.")
            .get(ActionMethod::new("whether it can be canceled", ActionAnswer::Fields(CANCEL_DETAILS)))
            .post(ActionMethod::new("cancel", ActionAnswer::Accepted(&[])).permit(can_cancel)),
        stdout("Project Update Stdout"),
        ResourceAction::unimplemented("notifications"),
    ],
    sublists: &[
        EVENTS_OF_PROJECT_UPDATE,
        Sublist::new(
            "scm_inventory_updates",
            "Project Update SCM Inventory Updates",
            || &INVENTORY_UPDATE,
            Join::Reverse("project_update_id"),
        ),
    ],
    other_capabilities: &[Capability { name: "start", permit: can_start }],
    summarized_as: &["name", "description", "status", "failed"],
    creatable: false,
    editable: false,
    variant_of: Some(|| &UNIFIED_JOB),
    ..Resource::new("project_update", "project_updates", "ProjectUpdate", FIELDS, &ACCESS)
};

const ACCESS: ByParent = ByParent::same(PROJECT_LINK);

/// The updates of the projects that match a rule over `project`.
fn of_projects(row: &str, rule: Rule) -> Rule {
    match rule {
        Rule::When(_) => Rule::When(column(row, PROJECT_LINK.column).in_subquery(rule.ids(PROJECT.table, "project"))),
        rule => rule,
    }
}

/// The updates of projects that the actor may update.
fn can_start(actor: &Actor, row: &str) -> Rule {
    of_projects(row, has_role_or_permission(&PROJECT, "update_role", "update", actor, "project"))
}

/// The updates that the actor may cancel: the actor's own, and those of projects that the actor administers.
fn can_cancel(actor: &Actor, row: &str) -> Rule {
    match of_projects(row, PROJECT.access.rows(actor, Action::Change, "project")) {
        rule @ Rule::When(_) => Rule::When(column(row, CREATED_BY.column).eq(actor.id)).or(rule),
        rule => rule,
    }
}

/// Shows updates.
pub struct ProjectUpdateHooks;

#[async_trait]
impl Hooks for ProjectUpdateHooks {
    async fn enrich(
        &self,
        engine: &Engine,
        _view: RenderContext<'_>,
        page: &mut [ResponseObject],
    ) -> Result<(), Error> {
        unified_jobs::complete(engine, page, PROJECT_UPDATE.name);
        Ok(())
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        match path {
            "cancel" => Some(&Canceling),
            "stdout" => Some(&Stdout),
            _ => None,
        }
    }
}
