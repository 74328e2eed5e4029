//! Inventory sources: where hosts and groups of an inventory come from. Their updates are in `inventory_updates.rs`.

mod access;
mod checks;
mod hooks;
mod listed;
mod update_all;

use hostler_schema::{
    Association, DefaultValue, Field, Join, NaturalKeyPart, OnDelete, Post, Relation, Resource, ResourceAction,
    Sublist, UniqueConstraint, fields,
};
use serde_json::Map;

pub use self::checks::CONSTRUCTED;
pub use self::hooks::InventorySourceHooks;
pub use self::update_all::UpdatingAll;
use crate::attached::CREDENTIALS_OF_TEMPLATE;
use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY, activity_stream};
use crate::credential_access::usable_credentials;
use crate::unified_job_templates::{
    ATTACHED, CURRENT_JOB, LAST_JOB, LAST_JOB_FAILED, LAST_JOB_RUN, LAST_UPDATE_FAILED, LAST_UPDATED, NEXT_JOB_RUN,
    SOURCE_STATUSES,
};
use crate::updating::update;
use crate::{
    CREDENTIAL, EXECUTION_ENVIRONMENT, GROUP, HOST, INVENTORY, INVENTORY_UPDATE, ORGANIZATION, PROJECT, UNIFIED_JOB,
    UNIFIED_JOB_TEMPLATE, notification_lists,
};

/// The kinds of sources.
pub const SOURCES: &[(&str, &str)] = &[
    ("file", "File, Directory or Script"),
    ("constructed", "Template additional groups and hostvars at runtime"),
    ("scm", "Sourced from a Project"),
    ("ec2", "Amazon EC2"),
    ("gce", "Google Compute Engine"),
    ("azure_rm", "Microsoft Azure Resource Manager"),
    ("vmware", "VMware vCenter"),
    ("satellite6", "Red Hat Satellite 6"),
    ("openstack", "OpenStack"),
    ("rhv", "Red Hat Virtualization"),
    ("controller", "Red Hat Ansible Automation Platform"),
    ("insights", "Red Hat Insights"),
    ("terraform", "Terraform State"),
    ("openshift_virtualization", "OpenShift Virtualization"),
];
/// How much the output of an update says.
pub const VERBOSITIES: &[(i64, &str)] = &[(0, "0 (WARNING)"), (1, "1 (INFO)"), (2, "2 (DEBUG)")];

const GREATEST: i64 = i32::MAX as i64;

const NAME: Field =
    fields::text("name").label("Name").max(512).required().help("What the source is called; unique in its inventory.");
/// The kind of source.
pub const SOURCE: Field = fields::choice("source", SOURCES)
    .label("Source")
    .nullable()
    .default(DefaultValue::Null)
    .kept_on_put()
    .help("The kind of source: a project, or the service whose plugin is used.");
const SOURCE_PATH: Field =
    text("source_path", "Source path", "The file or folder in the project; empty for all of it.").max(1024);
pub const SOURCE_VARS: Field = fields::variables("source_vars")
    .label("Source vars")
    .type_name("string")
    .help("For a project, environment variables; otherwise the configuration of the plugin. JSON or YAML.");
const SCM_BRANCH: Field =
    text("scm_branch", "Scm branch", "The branch to read instead of that of the project, if the project allows it.")
        .max(1024);
const HOST_FILTER: Field =
    text("host_filter", "Host filter", "A regular expression: only hosts whose names begin with a match are taken.");
/// The inventory.
pub const INVENTORY_LINK: Field = fields::link("inventory", "sourced_inventory_id", || &INVENTORY)
    .label("Inventory")
    .required()
    .nullable()
    .create_only()
    .on_delete(OnDelete::Cascade)
    .summarized()
    .reverse("inventory_sources")
    .help("The inventory that gets the hosts and groups.");
/// The project.
pub const PROJECT_LINK: Field = fields::link("source_project", "source_project_id", || &PROJECT)
    .label("Source project")
    .nullable()
    .on_delete(OnDelete::Cascade)
    .summarized()
    .reverse("scm_inventory_sources")
    .help("The project that contains the source.");
// As in AWX, its summary has other keys than those of other objects: the hooks add it.
const CREDENTIAL_LINK: Field = fields::link("credential", "credential_id", || &CREDENTIAL)
    .label("Credential")
    .nullable()
    .default(DefaultValue::Null)
    .kept_on_put()
    .not_filterable()
    .type_name("integer")
    .details(|| Map::from_iter([("min_value".to_owned(), 1.into())]))
    .help("The credential for the service.");
const ENVIRONMENT: Field = fields::link("execution_environment", "execution_environment_id", || &EXECUTION_ENVIRONMENT)
    .label("Execution environment")
    .nullable()
    .summarized()
    .help("The execution environment of updates.");
/// The organization, which is that of the inventory.
pub const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .nullable()
    .read_only()
    .hidden()
    .summarized()
    .not_in_related()
    .help("The organization of the inventory.");

const fn text(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::text(name).label(label).default(DefaultValue::Text("")).help(help)
}

const fn flag(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::boolean(name).label(label).default(DefaultValue::Boolean(false)).help(help)
}

const FIELDS: &[Field] = &[
    fields::id(),
    CREATED,
    MODIFIED,
    CREATED_BY,
    MODIFIED_BY,
    NAME,
    text("description", "Description", "What the source is for."),
    SOURCE,
    SOURCE_PATH,
    SOURCE_VARS,
    SCM_BRANCH,
    CREDENTIAL_LINK,
    text(
        "enabled_var",
        "Enabled var",
        "The variable of a host, with dots between its parts, that says whether jobs run on it.",
    ),
    text(
        "enabled_value",
        "Enabled value",
        "The value of that variable for hosts on which jobs run; empty for any that is true.",
    ),
    HOST_FILTER,
    flag("overwrite", "Overwrite", "Remove what the source has brought and does not contain any more."),
    flag("overwrite_vars", "Overwrite vars", "Replace variables by those of the source instead of merging them."),
    fields::text("custom_virtualenv")
        .label("Custom virtualenv")
        .nullable()
        .read_only()
        .help("Kept for old clients; execution environments took its place."),
    fields::integer("timeout")
        .label("Timeout")
        .range(-GREATEST - 1, GREATEST)
        .default(DefaultValue::Integer(0))
        .help("After how many seconds an update is ended; 0 for any time."),
    fields::integer_choice("verbosity", VERBOSITIES)
        .label("Verbosity")
        .default(DefaultValue::Integer(1))
        .help("How much the output of updates says."),
    text("limit", "Limit", "A pattern that selects hosts of the source.").column("job_limit"),
    LAST_JOB_RUN,
    LAST_JOB_FAILED,
    NEXT_JOB_RUN,
    fields::choice("status", SOURCE_STATUSES).label("Status").read_only().help("How the last update went."),
    ENVIRONMENT,
    INVENTORY_LINK,
    flag("update_on_launch", "Update on launch", "Update the source whenever a job that uses the inventory starts."),
    fields::integer("update_cache_timeout")
        .label("Update cache timeout")
        .range(0, GREATEST)
        .default(DefaultValue::Integer(0))
        .help("For how many seconds an update counts as fresh, so that a launch does not repeat it."),
    PROJECT_LINK,
    LAST_UPDATE_FAILED,
    LAST_UPDATED,
    ORGANIZATION_LINK,
    LAST_JOB,
    CURRENT_JOB,
];

/// From a source to the hosts that it has brought.
const ITS_HOSTS: Join =
    Join::JoinTable { table: "inventory_source_hosts", left: "inventory_source_id", right: "host_id", filter: None };
/// From a source to the groups that it has brought.
const ITS_GROUPS: Join =
    Join::JoinTable { table: "inventory_source_groups", left: "inventory_source_id", right: "group_id", filter: None };
/// From a host to the sources that have brought it.
pub const SOURCES_OF_HOST: Join =
    Join::JoinTable { table: "inventory_source_hosts", left: "host_id", right: "inventory_source_id", filter: None };
/// From a group to the sources that have brought it.
pub const SOURCES_OF_GROUP: Join =
    Join::JoinTable { table: "inventory_source_groups", left: "group_id", right: "inventory_source_id", filter: None };

const SUBLISTS: &[Sublist] = &[
    Sublist::new(
        "inventory_updates",
        "Inventory Source Updates List",
        || &INVENTORY_UPDATE,
        Join::Reverse("inventory_source_id"),
    ),
    Sublist::new("credentials", "Inventory Source Credentials List", || &CREDENTIAL, CREDENTIALS_OF_TEMPLATE).post(
        Post::Associate(Association::new(
            "awx.main.models.unified_jobs.UnifiedJobTemplate_credentials",
            usable_credentials,
        )),
    ),
    Sublist::new("hosts", "Inventory Source Hosts List", || &HOST, ITS_HOSTS).filter_name("hosts").emptied_by_delete(),
    Sublist::new("groups", "Inventory Source Groups List", || &GROUP, ITS_GROUPS)
        .filter_name("groups")
        .emptied_by_delete(),
    activity_stream("inventory_source", "Inventory Source Activity Stream List"),
    notification_lists::started("Inventory Source Notification Templates Started List"),
    notification_lists::success("Inventory Source Notification Templates Success List"),
    notification_lists::error("Inventory Source Notification Templates Error List"),
];

/// Inventory sources.
pub static INVENTORY_SOURCE: Resource = Resource {
    type_label: "Inventory Source",
    list_title: "Inventory Source List",
    detail_title: "Inventory Source Detail",
    description: "A source brings hosts and groups into an inventory: from files of a project, or from a service by a \
                  plugin of Ansible. Each source owns what it has brought.",
    relations: &[
        Relation::new("unifiedjobtemplate_ptr", || &UNIFIED_JOB_TEMPLATE, Join::Column("id")),
        Relation::new("unifiedjob_unified_jobs", || &UNIFIED_JOB, Join::Reverse("unified_job_template_id")),
        ATTACHED[1],
        ATTACHED[2],
    ],
    unimplemented_relations: &["next_schedule", "schedules", "workflowjobnodes", "workflowjobtemplatenodes"],
    sublists: SUBLISTS,
    actions: &[
        update("Inventory Source Update", access::can_update).capabilities(&["start", "schedule"]),
        ResourceAction::unimplemented("schedules"),
    ],
    summarized_as: &["name", "source", "last_updated", "status"],
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("inventory")],
    unique: &[UniqueConstraint {
        fields: &["inventory", "name"],
        key: "__all__",
        message: "InventorySource with this (inventory, name) combination already exists.",
    }],
    variant_of: Some(|| &UNIFIED_JOB_TEMPLATE),
    ..Resource::new("inventory_source", "inventory_sources", "InventorySource", FIELDS, &access::InventorySourceAccess)
};
