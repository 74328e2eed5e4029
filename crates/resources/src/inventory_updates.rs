//! Updates of inventory sources: each reads a source and changes the inventory. They are created by
//! `inventory_sources/N/update/` and before jobs; they are canceled and deleted, but not changed.

use async_trait::async_trait;
use constcat::concat_slices;
use hostler_access::{ByParent, has_role_or_permission};
use hostler_engine::{ActionHandler, Engine, Error, Hooks, RenderContext, ResponseObject, summarize};
use hostler_schema::{
    Action, ActionAnswer, ActionMethod, Actor, Capability, DefaultValue, Field, Join, Relation, Resource,
    ResourceAction, Rule, Sublist, column, fields,
};
use sea_query::{Alias, Expr, ExprTrait, Query};

use crate::attached::{self, CREDENTIALS_OF_JOB};
use crate::common::{CREATED, CREATED_BY, MODIFIED, linking_to};
use crate::inventory_sources::{SOURCES, VERBOSITIES};
use crate::job_events::EVENTS_OF_INVENTORY_UPDATE;
use crate::jobs::RELATIONS_OF_ALL;
use crate::launch::{CANCEL_DETAILS, Canceling};
use crate::stdout::{Stdout, stdout};
use crate::unified_jobs::{self, *};
use crate::{CREDENTIAL, INVENTORY, INVENTORY_SOURCE, PROJECT, PROJECT_UPDATE, UNIFIED_JOB};

const INVENTORY_LINK: Field = fields::link("inventory", "inventory_id", || &INVENTORY)
    .label("Inventory")
    .nullable()
    .read_only()
    .summarized()
    .reverse("inventory_updates")
    .help("The inventory that is updated.");
const SOURCE_LINK: Field = fields::link("inventory_source", "inventory_source_id", || &INVENTORY_SOURCE)
    .label("Inventory source")
    .read_only()
    .summarized()
    .reverse("inventory_updates")
    .help("The source that is read.");
const PROJECT_UPDATE_LINK: Field = fields::link("source_project_update", "project_update_id", || &PROJECT_UPDATE)
    .label("Source project update")
    .nullable()
    .read_only()
    .reverse("scm_inventory_updates")
    .help("The update of the project whose commit is read.");
const SOURCE_PROJECT: Field =
    fields::computed("source_project").label("Source project").detail_only().help("The project whose files are read.");

/// What AWX says of licenses and of limits of hosts, which do not exist here.
const fn never(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::boolean(name).label(label).read_by(|_| Expr::Constant(false.into())).help(help)
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
    fields::choice("source", SOURCES).label("Source").read_only().help("The kind of source."),
    text("source_path", "Source path", "The file or folder in the project."),
    text("source_vars", "Source vars", "Environment variables, or the configuration of the plugin."),
    text("scm_branch", "Scm branch", "The branch that is read instead of that of the project."),
    fields::computed("credential")
        .label("Credential")
        .type_name("integer")
        .at_least(1)
        .help("The credential for the service."),
    text("enabled_var", "Enabled var", "The variable of a host that says whether jobs run on it."),
    text("enabled_value", "Enabled value", "The value of that variable for hosts on which jobs run."),
    text("host_filter", "Host filter", "The regular expression for the names of hosts."),
    flag("overwrite", "Overwrite", "Whether what the source does not contain any more is removed."),
    flag("overwrite_vars", "Overwrite vars", "Whether variables are replaced."),
    text("custom_virtualenv", "Custom virtualenv", "Kept for old clients; execution environments took its place.")
        .nullable()
        .default(DefaultValue::Null),
    TIMEOUT,
    fields::integer_choice("verbosity", VERBOSITIES).label("Verbosity").read_only().help("How much the output says."),
    text("limit", "Limit", "The pattern that selects hosts of the source.").column("job_limit"),
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
    INVENTORY_LINK,
    SOURCE_LINK,
    never("license_error", "License error", "Always false: there are no licenses."),
    never(
        "org_host_limit_error",
        "Org host limit error",
        "Always false: updates do not limit the hosts of an organization.",
    ),
    PROJECT_UPDATE_LINK,
    INSTANCE_GROUP_LINK,
    text("scm_revision", "SCM Revision", "The commit of the project that was read."),
    SOURCE_PROJECT,
    // As in AWX, its summary has no link.
    ORGANIZATION_LINK.hidden().not_in_related(),
  ],
);

/// Updates of inventory sources.
pub static INVENTORY_UPDATE: Resource = Resource {
    type_label: "Inventory Sync",
    list_title: "Inventory Update List",
    detail_title: "Inventory Update Detail",
    description: "An update reads an inventory source and changes the inventory. Users see the updates of the inventories \
                  that they see.",
    relations: &[
        RELATIONS_OF_ALL[0],
        RELATIONS_OF_ALL[1],
        RELATIONS_OF_ALL[3],
        Relation::new("unifiedjob_ptr", || &UNIFIED_JOB, Join::Column("id")),
    ],
    unimplemented_relations: &["launch_config", "notifications", "schedule", "unified_job_node"],
    actions: &[
        ResourceAction::new("cancel", "Inventory Update Cancel")
            .describe("GET says whether the update can be canceled. POST cancels it.")
            .get(ActionMethod::new("whether it can be canceled", ActionAnswer::Fields(CANCEL_DETAILS)))
            .post(ActionMethod::new("cancel", ActionAnswer::Accepted(&[])).permit(can_cancel)),
        stdout("Inventory Update Stdout"),
        ResourceAction::unimplemented("notifications"),
    ],
    sublists: &[
        EVENTS_OF_INVENTORY_UPDATE,
        Sublist::new("credentials", "Inventory Update Credentials List", || &CREDENTIAL, CREDENTIALS_OF_JOB)
            .filter_name("credentials"),
    ],
    other_capabilities: &[Capability { name: "start", permit: can_start }],
    summarized_as: &["name", "description", "status", "failed"],
    creatable: false,
    editable: false,
    variant_of: Some(|| &UNIFIED_JOB),
    ..Resource::new("inventory_update", "inventory_updates", "InventoryUpdate", FIELDS, &ACCESS)
};

const ACCESS: ByParent = ByParent::same(SOURCE_LINK);

/// The updates of inventories that match a rule over `inventory`.
fn of_inventories(row: &str, rule: Rule) -> Rule {
    linking_to(row, &INVENTORY_LINK, &INVENTORY, "inventory", rule)
}

/// The updates of inventories that the actor may update.
fn can_start(actor: &Actor, row: &str) -> Rule {
    of_inventories(row, has_role_or_permission(&INVENTORY, "update_role", "update", actor, "inventory"))
}

/// The updates that the actor may cancel: the actor's own, and those of inventories that the actor administers.
fn can_cancel(actor: &Actor, row: &str) -> Rule {
    match of_inventories(row, INVENTORY.access.rows(actor, Action::Change, "inventory")) {
        rule @ Rule::When(_) => Rule::When(column(row, CREATED_BY.column).eq(actor.id)).or(rule),
        rule => rule,
    }
}

/// Shows updates.
pub struct InventoryUpdateHooks;

#[async_trait]
impl Hooks for InventoryUpdateHooks {
    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        unified_jobs::complete(engine, page, INVENTORY_UPDATE.name);
        let ids: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
        let credentials = attached::credentials(engine, view.actor, CREDENTIALS_OF_JOB, &ids).await?;
        for shown in page.iter_mut() {
            attached::show_single_credential(shown, &credentials);
            shorten_summary(&mut shown.json, SOURCE_LINK.name);
            if let Some(update) = shown.loaded.record.integer(&PROJECT_UPDATE_LINK) {
                shown.add_related(PROJECT_UPDATE_LINK.name, PROJECT_UPDATE.url(update).into());
            }
        }
        if let (true, [shown]) = (view.detail, page) {
            show_project(engine, view.actor, shown).await?;
        }
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

/// Adds the project whose commit was read. As in AWX, it is that of the project update.
async fn show_project(engine: &Engine, actor: &Actor, shown: &mut ResponseObject) -> Result<(), Error> {
    let Some(update) = shown.loaded.record.integer(&PROJECT_UPDATE_LINK) else { return Ok(()) };
    let table = PROJECT_UPDATE.table;
    let query = Query::select()
        .expr(column(table, "updated_project_id"))
        .from(Alias::new(table))
        .and_where(column(table, "id").eq(update))
        .to_owned();
    let Some(project) = engine.database.read_first::<Option<i64>>(&query).await?.flatten() else { return Ok(()) };
    shown.json.insert(SOURCE_PROJECT.name.into(), project.into());
    if let Some((_, summary)) = summarize(engine, actor, &PROJECT, &[project]).await?.into_iter().next() {
        shown.add_summary(SOURCE_PROJECT.name, summary.into());
        shown.add_related(SOURCE_PROJECT.name, PROJECT.url(project).into());
    }
    Ok(())
}
