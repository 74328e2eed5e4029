//! Projects: the sources of playbooks.

mod access;
mod checks;
mod copy;
mod files;

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{ActionHandler, Edit, Engine, Error, Hooks, Record, RenderContext, ResponseObject};
use hostler_queue::Updated;
use hostler_schema::{
    ActionAnswer, ActionMethod, Actor, Capability, DefaultValue, Field, ImpliedBy, Join, NaturalKeyPart, ObjectRole,
    Relation, Resource, ResourceAction, Singleton, Sublist, UniqueConstraint, column, fields,
};
use sea_query::{Alias, Expr, ExprTrait, Query};

pub use self::access::granted_to_team;
pub use self::files::free_manual_folders;
use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY, activity_stream, roles_of};
use crate::project_sources::slug;
use crate::unified_job_templates::{
    ATTACHED, CURRENT_JOB, LAST_JOB, LAST_JOB_FAILED, LAST_JOB_RUN, LAST_UPDATE_FAILED, LAST_UPDATED, NEXT_JOB_RUN,
    PROJECT_STATUSES, show_last_update,
};
use crate::updating::{Updating, start, update};
use crate::{
    CREDENTIAL, EXECUTION_ENVIRONMENT, INVENTORY_SOURCE, JOB_TEMPLATE, ORGANIZATION, PROJECT_UPDATE, ROLE, TEAM,
    UNIFIED_JOB, UNIFIED_JOB_TEMPLATE, USER, access_paths, execution_environments, notification_lists,
};

/// The kinds of sources.
pub const SCM_TYPES: &[(&str, &str)] = &[
    ("", "Manual"),
    ("git", "Git"),
    ("svn", "Subversion"),
    ("insights", "Red Hat Insights"),
    ("archive", "Remote Archive"),
];

const GREATEST: i64 = 2_147_483_647;

const NAME: Field = fields::text("name")
    .label("Name")
    .max(512)
    .required()
    .help("What the project is called; unique in its organization.");
const DESCRIPTION: Field =
    fields::text("description").label("Description").default(DefaultValue::Text("")).help("What the project is for.");
const LOCAL_PATH: Field = fields::text("local_path").label("Local path").max(1024).help(
    "The folder of a manual project, below the server's folder of projects; chosen by the server for all others.",
);
const SCM_TYPE: Field = fields::choice("scm_type", SCM_TYPES)
    .label("SCM Type")
    .default(DefaultValue::Text(""))
    .help("The kind of source; empty for a folder that is filled manually.");
const SCM_URL: Field = fields::text("scm_url")
    .label("SCM URL")
    .max(1024)
    .default(DefaultValue::Text(""))
    .help("Where the content comes from.");
const SCM_BRANCH: Field = fields::text("scm_branch")
    .label("SCM Branch")
    .max(256)
    .default(DefaultValue::Text(""))
    .help("The branch, tag or commit to take; empty for the source's own default.");
const SCM_REFSPEC: Field = fields::text("scm_refspec")
    .label("SCM refspec")
    .max(1024)
    .default(DefaultValue::Text(""))
    .help("An additional refspec to fetch, for git.");
const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .nullable()
    .summarized()
    .help("The organization that the project belongs to.");

const CREDENTIAL_LINK: Field = fields::link("credential", "credential_id", || &CREDENTIAL)
    .label("Credential")
    .nullable()
    .summarized()
    .reverse("projects")
    .help("The credential for the source.");
const SIGNATURE_LINK: Field =
    fields::link("signature_validation_credential", "signature_validation_credential_id", || &CREDENTIAL)
        .label("Signature validation credential")
        .nullable()
        .summarized()
        .reverse("projects_signature_validation")
        .help("The credential that checks the content's signature.");

const DEFAULT_ENVIRONMENT: Field =
    fields::link("default_environment", "default_environment_id", || &EXECUTION_ENVIRONMENT)
        .label("Default environment")
        .nullable()
        .summarized()
        .help("The execution environment for jobs of this project.");

const fn flag(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::boolean(name).label(label).default(DefaultValue::Boolean(false)).help(help)
}

const SCM_UPDATE_ON_LAUNCH: Field =
    flag("scm_update_on_launch", "Scm update on launch", "Update the project whenever a job that uses it starts.");
const SCM_TRACK_SUBMODULES: Field = flag(
    "scm_track_submodules",
    "Scm track submodules",
    "Take the newest commit of each submodule's branch instead of the recorded one.",
);
const ALLOW_OVERRIDE: Field = flag("allow_override", "Allow override", "Let job templates choose another branch.");
const STATUS: Field =
    fields::choice("status", PROJECT_STATUSES).label("Status").read_only().help("How the last update went.");
const PLAYBOOK_FILES: Field = fields::texts("playbook_files")
    .label("Playbook files")
    .read_only()
    .hidden()
    .help("The playbooks that the last update found.");
const INVENTORY_FILES: Field = fields::texts("inventory_files")
    .label("Inventory files")
    .read_only()
    .hidden()
    .help("The inventory files that the last update found.");

const PROJECT_FIELDS: &[Field] = &[
    fields::id(),
    CREATED,
    MODIFIED,
    CREATED_BY,
    MODIFIED_BY,
    NAME,
    DESCRIPTION,
    LOCAL_PATH,
    SCM_TYPE,
    SCM_URL,
    SCM_BRANCH,
    SCM_REFSPEC,
    flag("scm_clean", "Scm clean", "Discard local changes before each update."),
    SCM_TRACK_SUBMODULES,
    flag("scm_delete_on_update", "Scm delete on update", "Remove the local copy before each update."),
    CREDENTIAL_LINK,
    fields::integer("timeout")
        .label("Timeout")
        .range(-GREATEST - 1, GREATEST)
        .default(DefaultValue::Integer(0))
        .help("How many seconds an update may take before it is canceled; 0 for any."),
    fields::text("scm_revision").label("SCM Revision").read_only().help("The commit that was fetched last."),
    LAST_JOB_RUN,
    LAST_JOB_FAILED,
    NEXT_JOB_RUN,
    STATUS,
    ORGANIZATION_LINK,
    SCM_UPDATE_ON_LAUNCH,
    fields::integer("scm_update_cache_timeout")
        .label("Scm update cache timeout")
        .range(0, GREATEST)
        .default(DefaultValue::Integer(0))
        .help("For how many seconds an update counts as fresh, so that a launch does not repeat it."),
    ALLOW_OVERRIDE,
    fields::text("custom_virtualenv")
        .label("Custom virtualenv")
        .nullable()
        .read_only()
        .help("Kept for old clients; execution environments took its place."),
    DEFAULT_ENVIRONMENT,
    SIGNATURE_LINK,
    LAST_UPDATE_FAILED,
    LAST_UPDATED,
    PLAYBOOK_FILES,
    INVENTORY_FILES,
    LAST_JOB,
    CURRENT_JOB,
];

const ROLES: &[ObjectRole] = &[
    ObjectRole::new(
        "admin_role",
        "Admin",
        "Can manage all aspects of the project",
        &[ImpliedBy::Organization("project_admin_role"), ImpliedBy::System(Singleton::Administrator)],
    ),
    ObjectRole::new("use_role", "Use", "Can use the project in a job template", &[ImpliedBy::Own("admin_role")]),
    ObjectRole::new("update_role", "Update", "May update the project", &[ImpliedBy::Own("admin_role")]),
    ObjectRole::new(
        "read_role",
        "Read",
        "May view settings for the project",
        &[
            ImpliedBy::Organization("auditor_role"),
            ImpliedBy::System(Singleton::Auditor),
            ImpliedBy::Own("use_role"),
            ImpliedBy::Own("update_role"),
        ],
    )
    .compatible(&["awx.view_project"]),
];

const SUBLISTS: &[Sublist] = &[
    Sublist::new("teams", "Project Teams List", || &TEAM, Join::Condition(access::teams_with_access)),
    Sublist::new(
        "object_roles",
        "Project Object Roles List",
        || &ROLE,
        Join::Condition(|id, other| roles_of("project", id, other)),
    ),
    notification_lists::started("Project Notification Templates Started List"),
    notification_lists::success("Project Notification Templates Success List"),
    notification_lists::error("Project Notification Templates Error List"),
    Sublist::new("project_updates", "Project Updates List", || &PROJECT_UPDATE, Join::Reverse("updated_project_id")),
    Sublist::new(
        "scm_inventory_sources",
        "Project SCM Inventory Sources",
        || &INVENTORY_SOURCE,
        Join::Reverse("source_project_id"),
    ),
    activity_stream("project", "Project Activity Stream List"),
    Sublist::new(
        "access_list",
        "Project Access List",
        || &USER,
        Join::Condition(|id, other| access_paths::with_access_to(&PROJECT, id, other)),
    )
    .visible_to_readers(),
];

// The responses are arrays; OPTIONS show them as these fields, as in AWX.
static LISTED_PLAYBOOKS: Field =
    fields::computed("playbooks").label("Playbooks").help("The playbooks, by their paths in the project.");
static LISTED_INVENTORY_FILES: Field = fields::json("inventory_files")
    .read_only()
    .label("Inventory files")
    .help("The inventory files, by their paths in the project.");

const ACTIONS: &[ResourceAction] = &[
    ResourceAction::new("playbooks", "Project Playbooks")
        .describe("The playbooks that the last update found, or those in the folder of a manual project.")
        .get(ActionMethod::new("playbooks", ActionAnswer::Document(&LISTED_PLAYBOOKS))),
    ResourceAction::new("inventories", "Project Inventories")
        .describe("The inventory files that the last update found, or those in the folder of a manual project.")
        .get(ActionMethod::new("inventory files", ActionAnswer::Document(&LISTED_INVENTORY_FILES)))
        .linked_as("inventory_files"),
    update("Project Update", access::can_update),
    ResourceAction::unimplemented("schedules"),
    ResourceAction::copy("Project Copy", || &PROJECT, access::can_copy),
];

/// Projects.
pub static PROJECT: Resource = Resource {
    list_title: "Project List",
    detail_title: "Project Detail",
    description: "A project is a source of playbooks. Its updates fetch the content from a git repository; an administrator fills the folder of a manual one.",
    relations: &[
        Relation::new("unifiedjobtemplate_ptr", || &UNIFIED_JOB_TEMPLATE, Join::Column("id")),
        Relation::new("unifiedjob_unified_jobs", || &UNIFIED_JOB, Join::Reverse("unified_job_template_id")),
        ATTACHED[0],
        ATTACHED[1],
        ATTACHED[2],
    ],
    unimplemented_relations: &[
        "execution_environment",
        "next_schedule",
        "schedules",
        "workflowjobnodes",
        "workflowjobtemplatenodes",
    ],
    sublists: SUBLISTS,
    actions: ACTIONS,
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("organization")],
    unique: &[UniqueConstraint {
        fields: &["organization", "name"],
        key: "__all__",
        message: "Project with this (organization, name) combination already exists.",
    }],
    roles: ROLES,
    role_resource: Some(|| &crate::ROLE),
    other_capabilities: &[
        Capability { name: "start", permit: access::can_start },
        Capability { name: "schedule", permit: access::can_start },
    ],
    summarized_as: &["name", "description", "status", "scm_type", "allow_override"],
    variant_of: Some(|| &UNIFIED_JOB_TEMPLATE),
    ..Resource::new("project", "projects", "Project", PROJECT_FIELDS, &access::ProjectAccess)
};

static UPDATING: Updating = Updating {
    updates: &PROJECT_UPDATE,
    of: Updated::Project,
    can_update: |project| !project.text(&SCM_TYPE).is_empty(),
};

/// The fields whose change is followed by an update.
const SOURCE: [&Field; 4] = [&SCM_TYPE, &SCM_URL, &SCM_BRANCH, &SCM_REFSPEC];

/// Checks sources, and chooses the folders of projects.
pub struct ProjectHooks;

#[async_trait]
impl Hooks for ProjectHooks {
    async fn validate(&self, engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        checks::check_source(edit)?;
        let manual = edit.new.text(&SCM_TYPE).is_empty();
        if manual {
            // Nothing is fetched for a manual project.
            edit.new.set(&CREDENTIAL_LINK, Value::Null);
            edit.new.set(&SCM_URL, Value::Text(String::new()));
        }
        checks::check_credentials(tx, edit).await?;
        if edit.changes(&ALLOW_OVERRIDE) && !edit.is_new() && !edit.new.boolean(&ALLOW_OVERRIDE) {
            checks::refuse_while_overridden(tx, edit.new.id).await?;
        }
        if manual {
            if edit.changes(&LOCAL_PATH) && !checks::is_free_folder(&engine.manual_projects, tx, edit).await? {
                let message = "This path is already being used by another manual project.";
                return Err(Error::field(LOCAL_PATH.name, message));
            }
        } else {
            checks::keep_folder(edit)?;
        }
        Ok(())
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        if !edit.is_new() && edit.changes(&ORGANIZATION_LINK) {
            move_job_templates(tx, id, edit.new.integer(&ORGANIZATION_LINK)).await?;
        }
        let has_new_source = edit.is_new() || SOURCE.iter().any(|field| edit.changes(field));
        if edit.new.text(&SCM_TYPE).is_empty() {
            if has_new_source || edit.changes(&LOCAL_PATH) {
                let status = if edit.new.text(&LOCAL_PATH).is_empty() { "missing" } else { "ok" };
                set(tx, id, &STATUS, status).await?;
            }
            return Ok(());
        }
        if edit.new.text(&LOCAL_PATH).is_empty() {
            set(tx, id, &LOCAL_PATH, &format!("_{id}__{}", slug(edit.new.text(&NAME)))).await?;
        }
        if has_new_source {
            start(engine, tx, edit.actor, Updated::Project(id)).await?;
        }
        Ok(())
    }

    fn after_commit(&self, engine: &Engine) {
        engine.jobs.wake();
    }

    fn jobs_that_use(&self, record: &Record) -> Option<Expr> {
        let uses = |name: &str| column(UNIFIED_JOB.table, name).eq(record.id);
        Some(uses("project_id").or(uses("updated_project_id")))
    }

    async fn before_delete(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        _actor: &Actor,
        record: &Record,
    ) -> Result<(), Error> {
        // A playbook is a path in the project.
        let table = JOB_TEMPLATE.stored_in();
        let playbooks = Query::update()
            .table(Alias::new(table))
            .value(Alias::new("playbook"), "")
            .value(Alias::new("version"), Expr::col(Alias::new("version")).add(1))
            .and_where(column(table, "project_id").eq(record.id))
            .to_owned();
        tx.execute_deferred(&playbooks).await?;
        Ok(())
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        page.iter_mut().for_each(show_last_update);
        if let (true, false, [shown]) = (view.detail, view.created, page) {
            let organization = shown.loaded.record.integer(&ORGANIZATION_LINK);
            execution_environments::show_resolved(engine, view.actor, shown, None, organization).await?;
        }
        Ok(())
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        match path {
            "playbooks" => Some(&files::PLAYBOOKS),
            "inventories" => Some(&files::INVENTORIES),
            "update" => Some(&UPDATING),
            "copy" => Some(&copy::Copying),
            _ => None,
        }
    }
}

/// Moves the job templates of a project to its new organization.
async fn move_job_templates(tx: &mut Transaction, project: i64, organization: Option<i64>) -> Result<(), Error> {
    let table = JOB_TEMPLATE.stored_in();
    let update = Query::update()
        .table(Alias::new(table))
        .value(Alias::new("organization_id"), organization)
        .value(Alias::new("version"), Expr::col(Alias::new("version")).add(1))
        .and_where(column(table, "project_id").eq(project))
        .and_where(column(table, "type").eq(JOB_TEMPLATE.name))
        .to_owned();
    tx.execute_inline(&update).await?;
    Ok(())
}

/// Sets a value that clients cannot set.
async fn set(tx: &mut Transaction, id: i64, field: &Field, value: &str) -> Result<(), Error> {
    let table = PROJECT.stored_in();
    let update = Query::update()
        .table(Alias::new(table))
        .value(Alias::new(field.column), value)
        .and_where(column(table, "id").eq(id))
        .to_owned();
    tx.execute_inline(&update).await?;
    Ok(())
}
