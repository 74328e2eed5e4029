//! Ad hoc commands: each runs one module on hosts of an inventory. POST creates and starts them; they are canceled, run again
//! and deleted, but not changed.

mod access;
mod checks;
mod hooks;
mod relaunch;

use constcat::concat_slices;
use hostler_engine::{Engine, Error};
use hostler_schema::{
    ActionAnswer, ActionMethod, Actor, DefaultValue, Field, Join, Post, Relation, Resource, ResourceAction, Sublist,
    column, fields,
};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use serde_json::{Map, Value as Json};

use self::access::{AdHocCommandAccess, can_cancel, can_start};
pub use self::hooks::AdHocCommandHooks;
use crate::common::{CREATED, CREATED_BY, MODIFIED, activity_stream};
use crate::inventories::hosts_below;
use crate::job_events::{EVENTS_OF_AD_HOC_COMMAND, is_of_job};
use crate::job_templates::{JOB_TYPES, VERBOSITIES};
use crate::jobs::{CREDENTIAL_PASSWORDS, PASSWORDS_NEEDED, RELATIONS_OF_ALL};
use crate::launch::CANCEL_DETAILS;
use crate::stdout::stdout;
use crate::unified_jobs::*;
use crate::{AD_HOC_COMMAND_EVENT, CREDENTIAL, EXECUTION_ENVIRONMENT, HOST, INVENTORY, ORGANIZATION, UNIFIED_JOB};

const JOB_TYPE: Field = fields::choice("job_type", JOB_TYPES)
    .label("Job type")
    .default(DefaultValue::Text("run"))
    .help("Whether it changes hosts, or says what it would change.");
const INVENTORY_LINK: Field = fields::link("inventory", "inventory_id", || &INVENTORY)
    .label("Inventory")
    .nullable()
    .summarized()
    .reverse("ad_hoc_commands")
    .help("The inventory whose hosts it runs on.");
const LIMIT: Field = option("limit", "Limit", "The pattern that selects hosts; empty for all.").column("job_limit");
const CREDENTIAL_LINK: Field = fields::link("credential", "credential_id", || &CREDENTIAL)
    .label("Credential")
    .nullable()
    .summarized()
    .reverse("ad_hoc_commands")
    .help("The machine credential for its connections.");
const MODULE_NAME: Field = fields::setting_choice("module_name", |settings| &settings.ad_hoc_modules)
    .label("Module name")
    .default(DefaultValue::Text("command"))
    .help("The module, one of the setting AD_HOC_COMMANDS.");
const MODULE_ARGS: Field = option("module_args", "Module args", "The arguments of the module.");
const FORKS: Field = fields::integer("forks")
    .label("Forks")
    .range(0, i32::MAX as i64)
    .default(DefaultValue::Integer(0))
    .help("How many hosts it works on at the same time; 0 for Ansible's default.");
const VERBOSITY: Field = fields::integer_choice("verbosity", VERBOSITIES)
    .label("Verbosity")
    .default(DefaultValue::Integer(0))
    .help("How much Ansible says.");
const EXTRA_VARS: Field =
    option("extra_vars", "Extra vars", "Variables, as JSON or YAML; none that begin with ansible_.");
const BECOME_ENABLED: Field = fields::boolean("become_enabled")
    .label("Become enabled")
    .default(DefaultValue::Boolean(false))
    .help("Whether it becomes another user on the hosts, as the credential says.");
const DIFF_MODE: Field = fields::boolean("diff_mode")
    .label("Diff mode")
    .default(DefaultValue::Boolean(false))
    .help("Whether Ansible shows changes in files.");
const CHOSEN_ENVIRONMENT: Field =
    fields::link("execution_environment", "execution_environment_id", || &EXECUTION_ENVIRONMENT)
        .label("Execution environment")
        .nullable()
        .summarized()
        .help("The execution environment in which it runs.");
/// That of the inventory, which has instance groups and a default environment. As in AWX, responses do not contain it.
const ORGANIZATION_OF_INVENTORY: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .nullable()
    .read_only()
    .hidden()
    .help("The organization of the inventory.");

const fn option(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::text(name).label(label).default(DefaultValue::Text("")).help(help)
}

/// A password that the credential asks for, which the request contains beside the fields. The hooks store it with the others.
const fn password(name: &'static str, label: &'static str) -> Field {
    let field = fields::encrypted(name).label(label).column("").hidden().unrecorded().not_filterable();
    field.help("The password, if the credential asks for it at launch.")
}

/// The passwords that a request can contain.
const PASSWORDS: [Field; 3] = [
    password("ssh_password", "Ssh password"),
    password("become_password", "Become password"),
    password("ssh_key_unlock", "Ssh key unlock"),
];

const FIELDS: &[Field] = concat_slices!([Field]:
  &[
    fields::id(),
    CREATED,
    MODIFIED,
    CREATED_BY,
    MODIFIER,
    NAME,
    DESCRIPTION.hidden(),
    LAUNCH_TYPE,
    STATUS,
    CHOSEN_ENVIRONMENT,
  ],
  HOW_IT_RAN,
  &[
    CONTROLLER_NODE,
  ],
  HOW_IT_ENDED,
  &[
    JOB_TYPE,
    INVENTORY_LINK,
    LIMIT,
    CREDENTIAL_LINK,
    MODULE_NAME,
    MODULE_ARGS,
    FORKS,
    VERBOSITY,
    EXTRA_VARS,
    BECOME_ENABLED,
    DIFF_MODE,
    HOST_STATUS_COUNTS,
    TEMPLATE.hidden(),
    INSTANCE_GROUP_LINK.hidden(),
    ORGANIZATION_OF_INVENTORY,
    PASSWORDS[0],
    PASSWORDS[1],
    PASSWORDS[2],
    CREDENTIAL_PASSWORDS,
  ],
);

/// The name of the lists of ad hoc commands below other objects.
pub const COMMANDS: &str = "ad_hoc_commands";

/// The list of the ad hoc commands of an inventory.
pub const COMMANDS_OF_INVENTORY: Sublist =
    Sublist::new(COMMANDS, "Inventory Ad Hoc Commands List", || &AD_HOC_COMMAND, Join::Reverse(INVENTORY_LINK.column))
        .post(Post::Create(INVENTORY_LINK.name));

/// The list of the ad hoc commands that ran on a host.
pub const COMMANDS_OF_HOST: Sublist = Sublist::new(
    COMMANDS,
    "Host Ad Hoc Commands List",
    || &AD_HOC_COMMAND,
    Join::Condition(|host, other| column(other, "id").in_subquery(commands_on(host))),
)
.filter_name(COMMANDS)
.post(Post::Hook);

/// The list of the ad hoc commands that ran on hosts of a group or of the groups below it.
pub const COMMANDS_OF_GROUP: Sublist = Sublist::new(
    COMMANDS,
    "Group Ad Hoc Commands List",
    || &AD_HOC_COMMAND,
    Join::Condition(|group, other| {
        let hosts =
            events("job_id").and_where(column(EVENTS, HOST_OF_EVENT).in_subquery(hosts_below(group))).to_owned();
        column(other, "id").in_subquery(hosts)
    }),
)
.post(Post::Hook);

const EVENTS: &str = "command_events";
const HOST_OF_EVENT: &str = "host_id";

/// A column of the events of ad hoc commands on hosts.
fn events(name: &'static str) -> SelectStatement {
    Query::select()
        .expr(column(EVENTS, name))
        .from_as(Alias::new(AD_HOC_COMMAND_EVENT.table), Alias::new(EVENTS))
        .and_where(column(EVENTS, HOST_OF_EVENT).is_not_null())
        .to_owned()
}

/// The ids of the commands that ran on this host.
fn commands_on(host: Expr) -> SelectStatement {
    events("job_id").and_where(column(EVENTS, HOST_OF_EVENT).eq(host)).to_owned()
}

/// From a command to the hosts on which it ran.
const HOSTS: Join = Join::Condition(|command, other| {
    column(other, "id").in_subquery(events(HOST_OF_EVENT).and_where(is_of_job(command, EVENTS)).to_owned())
});

/// Ad hoc commands.
pub static AD_HOC_COMMAND: Resource = Resource {
    type_label: "Command",
    list_title: "Ad Hoc Command List",
    detail_title: "Ad Hoc Command Detail",
    description: "An ad hoc command runs one module on hosts of an inventory, without a playbook. POST starts it. Passwords \
                  that the credential asks for are sent as ssh_password, become_password and ssh_key_unlock. Users see the \
                  commands of the inventories that they see.",
    relations: concat_slices!([Relation]: RELATIONS_OF_ALL, &[
        Relation::new("hosts", || &HOST, HOSTS),
        Relation::new("unifiedjob_ptr", || &UNIFIED_JOB, Join::Column("id")),
    ]),
    unimplemented_relations: &["launch_config", "notifications", "schedule", "unified_job_node"],
    actions: &[
        ResourceAction::new("relaunch", "Ad Hoc Command Relaunch")
            .describe("GET says what is needed. POST creates a command with the values of this one.")
            .get(ActionMethod::new("what is needed", ActionAnswer::Fields(&[PASSWORDS_NEEDED])))
            .post(
                ActionMethod::new("relaunch", ActionAnswer::NewObject(|| &AD_HOC_COMMAND))
                    .permit(can_start)
                    .input(&PASSWORDS),
            )
            .capabilities(&["start"]),
        ResourceAction::new("cancel", "Ad Hoc Command Cancel")
            .describe("GET says whether the command can be canceled. POST cancels it.")
            .get(ActionMethod::new("whether it can be canceled", ActionAnswer::Fields(CANCEL_DETAILS)))
            .post(ActionMethod::new("cancel", ActionAnswer::Accepted(&[])).permit(can_cancel)),
        stdout("Ad Hoc Command Stdout"),
        ResourceAction::unimplemented("notifications"),
    ],
    sublists: &[EVENTS_OF_AD_HOC_COMMAND, activity_stream("ad_hoc_command", "Ad Hoc Command Activity Stream List")],
    search: &["name", "description"],
    summarized_as: &["name", "description", "status", "failed"],
    editable: false,
    variant_of: Some(|| &UNIFIED_JOB),
    ..Resource::new("ad_hoc_command", "ad_hoc_commands", "Ad Hoc Command", FIELDS, &AdHocCommandAccess)
};

/// Runs a command on a host or on the hosts of a group: the body does not choose its inventory and its hosts.
///
/// # Errors
/// As [`Engine::create`].
pub async fn run_on(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    id: i64,
    body: &Map<String, Json>,
) -> Result<Map<String, Json>, Error> {
    let query = Query::select()
        .exprs(["inventory_id", "name"].map(|name| column(resource.table, name)))
        .from(Alias::new(resource.table))
        .and_where(column(resource.table, "id").eq(id))
        .to_owned();
    let found: Option<(i64, String)> = engine.database.read_first(&query).await?;
    let (inventory, name) = found.ok_or(Error::NotFound(Some(resource.label)))?;
    let mut body = body.clone();
    body.insert(INVENTORY_LINK.name.into(), inventory.into());
    body.insert(LIMIT.name.into(), name.into());
    Ok(engine.create(actor, &AD_HOC_COMMAND, &body, None).await?.json)
}
