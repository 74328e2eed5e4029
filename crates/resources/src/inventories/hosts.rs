//! Hosts of inventories.

use async_trait::async_trait;
use hostler_access::ByParent;
use hostler_database::{Transaction, Value};
use hostler_engine::{ActionHandler, Edit, Engine, Error, Hooks, Record, RenderContext, ResponseObject, SublistRows};
use hostler_schema::{
    Action, Actor, Association, DefaultValue, Field, Join, NaturalKeyPart, Post, Relation, Resource, Rule, Sublist,
    UniqueConstraint, column, fields,
};
use sea_query::{Alias, Condition, Expr, ExprTrait, Order, Query};
use serde_json::{Map, Value as Json, json};

use super::groups::changeable_groups;
use super::names::{check_characters, check_free, split_port};
use super::{
    actions, activity, bulk, constructed, copies, group_tree, host_filter, inventory_hooks, recent_jobs, smart,
    variable_data,
};
use crate::ad_hoc_commands::{self, COMMANDS, COMMANDS_OF_HOST};
use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY};
use crate::inventory_sources::SOURCES_OF_HOST;
use crate::job_events::{COMMAND_EVENTS_OF_HOST, EVENTS_OF_HOST, job_details};
use crate::job_host_summaries::{JOBS_OF_HOST, SUMMARIES_OF_HOST};
use crate::unified_jobs::summary_mut;
use crate::{ACTIVITY, GROUP, INVENTORY, INVENTORY_SOURCE, JOB, JOB_HOST_SUMMARY};

/// The variable that the port in the name of a host becomes.
const PORT_VARIABLE: &str = "ansible_ssh_port";

pub(super) const NAME: Field = fields::text("name")
    .label("Name")
    .max(512)
    .required()
    .help("The name or address of the host; unique in its inventory. A port, as in web:22, becomes a variable.");
const INVENTORY_LINK: Field = fields::link("inventory", "inventory_id", || &INVENTORY)
    .label("Inventory")
    .required()
    .fixed()
    .summarized()
    .reverse("hosts")
    .help("The inventory that the host belongs to.");
pub(super) const VARIABLES: Field =
    fields::variables("variables").label("Variables").help("Variables of the host, as JSON or YAML.");
pub(super) const DESCRIPTION: Field =
    fields::text("description").label("Description").default(DefaultValue::Text("")).help("What the host is for.");
pub(super) const ENABLED: Field = fields::boolean("enabled")
    .label("Enabled")
    .default(DefaultValue::Boolean(true))
    .help("Whether jobs run on the host.");
pub(super) const INSTANCE_ID: Field = fields::text("instance_id")
    .label("Instance id")
    .max(1024)
    .default(DefaultValue::Text(""))
    .help("The id of the host in the source that it comes from.");
const HAS_ACTIVE_FAILURES: Field = fields::boolean("has_active_failures")
    .label("Has active failures")
    .type_name("field")
    .read_by(has_active_failures)
    .not_filterable()
    .help("Whether the last job failed on the host.");
const HAS_INVENTORY_SOURCES: Field = fields::boolean("has_inventory_sources")
    .label("Has inventory sources")
    .type_name("field")
    .read_by(has_inventory_sources)
    .not_filterable()
    .help("Whether the host comes from a source.");
const LAST_JOB: Field = fields::link("last_job", "last_job_id", || &JOB)
    .label("Last job")
    .nullable()
    .read_only()
    .summarized()
    .help("The last job that ran on the host.");
const HOST_FIELDS: &[Field] = &[
    fields::id(),
    CREATED,
    MODIFIED,
    CREATED_BY,
    MODIFIED_BY,
    NAME,
    DESCRIPTION,
    INVENTORY_LINK,
    ENABLED,
    INSTANCE_ID,
    VARIABLES,
    HAS_ACTIVE_FAILURES,
    HAS_INVENTORY_SOURCES,
    LAST_JOB,
    fields::link("last_job_host_summary", "last_job_host_summary_id", || &JOB_HOST_SUMMARY)
        .label("Last job host summary")
        .nullable()
        .read_only()
        .summarized()
        .help("What the last job did on the host."),
    fields::time("ansible_facts_modified")
        .label("Ansible facts modified")
        .nullable()
        .read_only()
        .help("When the cached facts were last changed."),
];

/// Hosts.
pub static HOST: Resource = Resource {
    list_title: "Host List",
    detail_title: "Host Detail",
    description: "A host belongs to one inventory and to any number of its groups.",
    relations: &[
        Relation::new("jobs", || &JOB, JOBS_OF_HOST),
        Relation::new("inventory_sources", || &INVENTORY_SOURCE, SOURCES_OF_HOST),
    ],
    unimplemented_relations: &["smart_inventories"],
    sublists: &[
        Sublist::new("groups", "Host Groups List", || &GROUP, group_tree::ITS_GROUPS).post(Post::Associate(
            Association::new("awx.main.models.inventory.Group_hosts", changeable_groups)
                .permit_removal()
                .or_create()
                .inheriting("inventory")
                .or_find(),
        )),
        Sublist::new("all_groups", "Host All Groups List", || &GROUP, Join::Condition(group_tree::contains_host)),
        // The hooks find them.
        Sublist::new(
            SMART_INVENTORIES,
            "Host Smart Inventories List",
            || &INVENTORY,
            Join::Condition(|_, _| Expr::Constant(false.into())),
        ),
        Sublist::new("inventory_sources", "Host Inventory Sources List", || &INVENTORY_SOURCE, SOURCES_OF_HOST),
        EVENTS_OF_HOST,
        SUMMARIES_OF_HOST,
        COMMANDS_OF_HOST,
        COMMAND_EVENTS_OF_HOST,
        Sublist::new(
            "activity_stream",
            "Host Activity Stream List",
            || &ACTIVITY,
            Join::Condition(activity::about_host),
        ),
    ],
    actions: &[bulk::ROOT, bulk::HOST_CREATE, bulk::HOST_DELETE, actions::HOST_VARIABLE_DATA, actions::ANSIBLE_FACTS],
    own_parameters: &[host_filter::PARAMETER],
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("inventory")],
    unique: &[UniqueConstraint {
        fields: &["inventory", "name"],
        key: "__all__",
        message: "Host with this Name and Inventory already exists.",
    }],
    ..Resource::new("host", "hosts", "Host", HOST_FIELDS, &ACCESS)
};

const SMART_INVENTORIES: &str = "smart_inventories";

const ACCESS: ByParent = ByParent::same(INVENTORY_LINK);

/// The hosts that the actor may change.
pub(super) fn changeable_hosts(actor: &Actor, row: &str) -> Rule {
    HOST.access.rows(actor, Action::Change, row)
}

fn has_active_failures(row: &str) -> Expr {
    const LAST: &str = "last";
    Expr::exists(
        Query::select()
            .expr(column(LAST, "id"))
            .from_as(Alias::new("job_host_summaries"), Alias::new(LAST))
            .and_where(column(LAST, "id").eq(column(row, "last_job_host_summary_id")))
            .and_where(column(LAST, "failed").eq(true))
            .to_owned(),
    )
}

fn has_inventory_sources(row: &str) -> Expr {
    const BROUGHT: &str = "brought";
    Expr::exists(
        Query::select()
            .expr(column(BROUGHT, "id"))
            .from_as(Alias::new("inventory_source_hosts"), Alias::new(BROUGHT))
            .and_where(column(BROUGHT, "host_id").eq(column(row, "id")))
            .to_owned(),
    )
}

/// Checks names and memberships, and shows the groups of hosts.
pub struct HostHooks;

#[async_trait]
impl Hooks for HostHooks {
    fn authorize(&self, edit: &Edit<'_>) -> Result<(), Error> {
        match !edit.is_new() && edit.changes(&INVENTORY_LINK) {
            true => Err(Error::Forbidden(Some("Unable to change inventory on a host.".into()))),
            false => Ok(()),
        }
    }

    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let Some(inventory) = edit.new.integer(&INVENTORY_LINK) else { return Ok(()) };
        if edit.is_new() {
            inventory_hooks::require_own_hosts(tx, inventory, HOST.label).await?;
        }
        if !edit.is_new() && edit.changes(&INSTANCE_ID) && constructed::is_constructed(tx, inventory).await? {
            let message = "In a constructed inventory it is the id of the original host.";
            return Err(Error::field(INSTANCE_ID.name, message));
        }
        if !edit.changes(&NAME) {
            return Ok(());
        }
        let sent = edit.new.text(&NAME).to_owned();
        let (name, variables) = name_and_variables(&sent, edit.new.text(&VARIABLES))?;
        if let Some(variables) = variables {
            edit.new.set(&VARIABLES, Value::Text(variables));
            edit.new.set(&NAME, Value::Text(name.into()));
            if edit.changes(&NAME) {
                refuse_existing(tx, inventory, name).await?;
            }
        }
        check_free(tx, &GROUP, inventory, name).await
    }

    fn jobs_that_use(&self, record: &Record) -> Option<Expr> {
        record.integer(&INVENTORY_LINK).map(inventory_hooks::jobs_of_inventory)
    }

    async fn check_association(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        parent: i64,
        sublist: &'static Sublist,
        id: i64,
    ) -> Result<(), Error> {
        match sublist.name {
            "groups" => require_same_inventory(tx, (HOST.table, parent), (GROUP.table, id)).await,
            _ => Ok(()),
        }
    }

    fn own_filter(
        &self,
        engine: &Engine,
        actor: &Actor,
        parameters: &[(String, String)],
        row: &str,
    ) -> Result<Option<Condition>, Error> {
        host_filter::of_list(engine, actor, parameters, row)
    }

    async fn sublist_rows(
        &self,
        engine: &Engine,
        parent: i64,
        sublist: &'static Sublist,
        row: &str,
    ) -> Result<Option<SublistRows>, Error> {
        match sublist.name {
            SMART_INVENTORIES => smart::inventories_with(engine, parent, row).await.map(Some),
            name if name == EVENTS_OF_HOST.name => copies::events(engine, parent, row).await,
            name if name == SUMMARIES_OF_HOST.name => copies::summaries(engine, parent, row).await,
            _ => Ok(None),
        }
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let groups = groups_of(engine, page).await?;
        let last_jobs = page.iter().filter_map(|shown| shown.loaded.record.integer(&LAST_JOB));
        let last_jobs = job_details(engine, last_jobs).await?;
        let jobs = recent_jobs::of_hosts(engine, view.actor, page).await?;
        for shown in page {
            let id = shown.loaded.record.id;
            let own = groups.iter().filter(|(host, ..)| *host == id);
            let results: Vec<Json> =
                own.clone().take(MAX_SUMMARIZED).map(|(_, id, name)| json!({"id": id, "name": name})).collect();
            shown.add_summary("groups", json!({"count": own.count(), "results": results}));
            let last = shown.loaded.record.integer(&LAST_JOB).and_then(|job| last_jobs.get(&job));
            if let Some((details, summary)) = last.zip(summary_mut(&mut shown.json, LAST_JOB.name)) {
                details.complete_last_job(summary);
            }
            shown.add_summary("recent_jobs", recent_jobs::shown(&jobs, id));
            copies::link_original(shown, &INSTANCE_ID);
        }
        Ok(())
    }

    async fn post_sublist(
        &self,
        engine: &Engine,
        actor: &Actor,
        parent: i64,
        sublist: &'static Sublist,
        body: &Map<String, Json>,
    ) -> Result<Option<Map<String, Json>>, Error> {
        match sublist.name {
            COMMANDS => ad_hoc_commands::run_on(engine, actor, &HOST, parent, body).await.map(Some),
            _ => Err(Error::MethodNotAllowed),
        }
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        match path {
            variable_data::PATH => Some(&variable_data::VariableData),
            actions::FACTS_PATH => Some(&actions::Facts),
            bulk::ROOT_PATH | bulk::HOST_CREATE_PATH | bulk::HOST_DELETE_PATH => Some(&bulk::Bulk),
            _ => None,
        }
    }
}

/// The name of a new host without its port, and if it has a port, the variables with that port.
///
/// # Errors
/// A message about a field.
pub(super) fn name_and_variables<'a>(sent: &'a str, variables: &str) -> Result<(&'a str, Option<String>), Error> {
    let (name, port) = split_port(sent).map_err(|message| Error::field(NAME.name, message))?;
    if name.is_empty() {
        return Err(Error::field(NAME.name, "This field may not be blank."));
    }
    check_characters(name)?;
    let Some(port) = port else { return Ok((name, None)) };
    let mut variables =
        hostler_variables::parse(variables).map_err(|problem| Error::field(VARIABLES.name, problem.to_string()))?;
    variables.insert(PORT_VARIABLE.into(), port.into());
    Ok((name, Some(hostler_variables::to_text(&variables))))
}

/// How many groups the summary of a host names.
const MAX_SUMMARIZED: usize = 5;

/// The groups that the hosts of a page are directly in: the host, and id and name of the group.
async fn groups_of(engine: &Engine, page: &[ResponseObject]) -> Result<Vec<(i64, i64, String)>, Error> {
    const MEMBERS: &str = "inventory_group_hosts";
    let query = Query::select()
        .expr(column(MEMBERS, "host_id"))
        .expr(column(GROUP.table, "id"))
        .expr(column(GROUP.table, "name"))
        .from(Alias::new(MEMBERS))
        .inner_join(Alias::new(GROUP.table), column(GROUP.table, "id").eq(column(MEMBERS, "group_id")))
        .and_where(column(MEMBERS, "host_id").is_in(page.iter().map(|shown| shown.loaded.record.id)))
        .order_by((Alias::new(GROUP.table), Alias::new("id")), Order::Asc)
        .to_owned();
    Ok(engine.database.read_as(&query).await?)
}

/// Fails if the inventory has a host with this name: the engine has checked the name with its port.
async fn refuse_existing(tx: &mut Transaction, inventory: i64, name: &str) -> Result<(), Error> {
    match check_free(tx, &HOST, inventory, name).await {
        Err(Error::Invalid(_)) => Err(Error::field("__all__", "Host with this Name and Inventory already exists.")),
        other => other,
    }
}

/// Fails unless both objects, each with its table, belong to the same inventory.
pub(super) async fn require_same_inventory(
    tx: &mut Transaction,
    one: (&'static str, i64),
    other: (&'static str, i64),
) -> Result<(), Error> {
    let inventory = |(table, id): (&'static str, i64)| {
        let query = Query::select()
            .expr(column(table, "inventory_id"))
            .from(Alias::new(table))
            .and_where(column(table, "id").eq(id))
            .to_owned();
        Expr::SubQuery(None, Box::new(query.into()))
    };
    let query = Query::select().expr(inventory(one).eq(inventory(other))).to_owned();
    match tx.read_first::<Option<bool>>(&query).await? {
        Some(Some(true)) => Ok(()),
        _ => Err(Error::BadRequest("Cannot associate two items from different inventories.".into())),
    }
}

/// The cached facts of a host.
///
/// # Errors
/// Database errors.
pub(super) async fn facts(engine: &Engine, id: i64) -> Result<Json, Error> {
    let query = Query::select()
        .expr(column(HOST.table, "ansible_facts"))
        .from(Alias::new(HOST.table))
        .and_where(column(HOST.table, "id").eq(id))
        .to_owned();
    let facts: Option<Json> = engine.database.read_first(&query).await?;
    Ok(facts.unwrap_or_else(|| json!({})))
}
