//! Instances: the nodes of the installation. Each server adds itself when it starts; its heartbeat writes what it can run.

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{Edit, Engine, Error, Hooks, RenderContext, ResponseObject};
use hostler_schema::{
    Access, Action, Actor, Association, DefaultValue, Draft, Field, Join, NaturalKeyPart, Post, Resource,
    ResourceAction, Rule, Sublist, UniqueConstraint, column, fields,
};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Value as Json, json};

use crate::common::{CREATED, MODIFIED};
use crate::instance_groups::{self, ITS_GROUPS};
use crate::{INSTANCE_GROUP, UNIFIED_JOB};

/// The type of a node that both serves the API and runs jobs.
pub const HYBRID: &str = "hybrid";

const NODE_TYPES: &[(&str, &str)] = &[
    ("control", "Control plane node"),
    ("execution", "Execution plane node"),
    (HYBRID, "Controller and execution"),
    ("hop", "Message-passing node, no execution capability"),
];
const NODE_STATES: &[(&str, &str)] = &[
    ("provisioning", "Provisioning"),
    ("provision-fail", "Provisioning Failure"),
    ("installed", "Installed"),
    ("ready", "Ready"),
    ("unavailable", "Unavailable"),
    ("deprovisioning", "De-provisioning"),
    ("deprovision-fail", "De-provisioning Failure"),
];

/// The release of AWX whose API the node speaks.
const AWX_VERSION: &str = "24.6.1";
/// The port that AWX shows for its own nodes.
const LISTENER_PORT_NUMBER: i64 = 2222;

const HOSTNAME: Field =
    fields::text("hostname").label("Hostname").max(250).required().help("The name of the node; unique.");
const NODE_TYPE: Field = fields::choice("node_type", NODE_TYPES)
    .label("Node type")
    .default(DefaultValue::Text("execution"))
    .kept_on_put()
    .help("What the node does.");
const NODE_STATE: Field = fields::choice("node_state", NODE_STATES)
    .label("Node state")
    .default(DefaultValue::Text("installed"))
    .kept_on_put()
    .help("The state of the node.");
const ENABLED: Field = fields::boolean("enabled")
    .label("Enabled")
    .default(DefaultValue::Boolean(true))
    .help("Whether jobs may run on the node.");
const MANAGED_BY_POLICY: Field = fields::boolean("managed_by_policy")
    .label("Managed by policy")
    .default(DefaultValue::Boolean(true))
    .help("Whether the policies of instance groups apply to the node.");
const CAPACITY_ADJUSTMENT: Field = fields::decimal("capacity_adjustment", 3, 2)
    .label("Capacity adjustment")
    .at_least(0)
    .example("1.0")
    .help("Where the capacity lies between that of the memory (0) and that of the processors (1).");
const LISTENER_PORT: Field = fields::integer("listener_port")
    .label("Listener port")
    .nullable()
    .not_filterable()
    .help("The port on which the node accepts connections of other nodes.");
const PEERS: Field = fields::json("peers")
    .label("Peers")
    .type_name("field")
    .not_filterable()
    .help("The addresses that the node connects to.");
const PEERS_FROM_CONTROL_NODES: Field = fields::boolean("peers_from_control_nodes")
    .label("Peers from control nodes")
    .not_filterable()
    .help("Whether the control nodes connect to the node.");

const fn number(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::integer(name).label(label).read_only().help(help)
}

const CAPACITY: Field = number("capacity", "Capacity", "How much the node can run, in forks of Ansible.").at_least(0);
const CPU_CAPACITY: Field = number("cpu_capacity", "Cpu capacity", "How many forks the processors allow.");
const MEMORY_CAPACITY: Field = number("mem_capacity", "Mem capacity", "How many forks the memory allows.");

const fn moment(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::time(name).label(label).nullable().read_only().help(help)
}

const fn text(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::text(name).label(label).read_only().help(help)
}

const FIELDS: &[Field] = &[
    fields::id(),
    HOSTNAME,
    fields::uuid("uuid").label("Uuid").read_only().help("The identity of the node."),
    CREATED,
    MODIFIED,
    moment("last_seen", "Last seen", "When the node was last seen."),
    moment("health_check_started", "Health check started", "When the last health check began."),
    fields::computed("health_check_pending").label("Health check pending").help("Whether a health check is running."),
    moment("last_health_check", "Last health check", "When the last health check ended."),
    text("errors", "Errors", "What the last health check found."),
    CAPACITY_ADJUSTMENT,
    text("version", "Version", "The release of AWX whose API the node speaks.").column("awx_version"),
    CAPACITY,
    fields::computed("consumed_capacity")
        .label("Consumed capacity")
        .help("How much of the capacity running jobs take."),
    fields::computed("percent_capacity_remaining")
        .label("Percent capacity remaining")
        .help("The share of the capacity that is free."),
    fields::computed("jobs_running").label("Jobs running").type_name("integer").help("How many jobs run on the node."),
    fields::computed("jobs_total").label("Jobs total").type_name("integer").help("How many jobs have run on the node."),
    fields::decimal("cpu", 4, 1).label("Cpu").read_only().help("The number of processors."),
    number("memory", "Memory", "The memory in bytes."),
    CPU_CAPACITY,
    MEMORY_CAPACITY,
    ENABLED,
    MANAGED_BY_POLICY,
    NODE_TYPE,
    NODE_STATE,
    fields::boolean("managed").label("Managed").read_only().help("Whether the node belongs to the control plane."),
    text("ip_address", "Ip address", "The address of the node."),
    PEERS,
    fields::computed("reverse_peers").label("Reverse peers").help("The nodes that connect to this one."),
    LISTENER_PORT,
    PEERS_FROM_CONTROL_NODES,
    fields::computed("protocol").label("Protocol").help("The protocol of the listener."),
];

/// Instances.
pub static INSTANCE: Resource = Resource {
    list_title: "Instances",
    detail_title: "Instance Detail",
    description: "The nodes of the installation. Each server adds itself. Users see the instances of the instance groups \
                  that they see; superusers change them.",
    unimplemented_relations: &["peers", "receptor_addresses"],
    sublists: &[
        Sublist::new("instance_groups", "Instance's Instance Groups", || &INSTANCE_GROUP, ITS_GROUPS)
            .filter_name("rampart_groups")
            .post(Post::Associate(
                Association::new("awx.main.models.ha.InstanceGroup_instances", instance_groups::changeable_groups)
                    .permit_removal()
                    .or_create(),
            )),
        Sublist::new("jobs", "Instance Jobs", || &UNIFIED_JOB, Join::Condition(executed_on)),
    ],
    actions: &[ResourceAction::unimplemented("receptor_addresses"), ResourceAction::unimplemented("peers")],
    summarized_as: &["hostname"],
    search: &["hostname"],
    natural_key: &[NaturalKeyPart::Field("hostname")],
    unique: &[UniqueConstraint {
        fields: &["hostname"],
        key: "hostname",
        message: "Instance with this Hostname already exists.",
    }],
    deletable: false,
    capabilities: false,
    ..Resource::new("instance", "instances", "Instance", FIELDS, &InstanceAccess)
};

/// The condition that job `other` was given to this instance.
fn executed_on(instance: Expr, other: &str) -> Expr {
    column(other, "execution_node").in_subquery(
        Query::select()
            .expr(column("executing", "hostname"))
            .from_as(Alias::new("instances"), Alias::new("executing"))
            .and_where(column("executing", "id").eq(instance))
            .to_owned(),
    )
}

struct InstanceAccess;

impl Access for InstanceAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        match action {
            Action::Read => match INSTANCE_GROUP.access.rows(actor, Action::Read, "seen_group") {
                Rule::When(groups) => {
                    let Join::JoinTable { table, left, right, .. } = ITS_GROUPS else { return Rule::None };
                    let instances = Query::select()
                        .expr(column(table, left))
                        .from(Alias::new(table))
                        .and_where(
                            column(table, right)
                                .in_subquery(Rule::When(groups).ids(INSTANCE_GROUP.table, "seen_group")),
                        )
                        .to_owned();
                    Rule::When(column(row, "id").in_subquery(instances))
                }
                rule => rule,
            },
            Action::Change => Rule::from_bool(actor.is_superuser),
            Action::Delete => Rule::None,
        }
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::from_bool(actor.is_superuser)
    }
}

/// Rejects new instances and changes of what a node is.
pub struct InstanceHooks;

#[async_trait]
impl Hooks for InstanceHooks {
    async fn derive(&self, _engine: &Engine, _tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        if !edit.is_new() && edit.changes(&CAPACITY_ADJUSTMENT) {
            let number = |field| edit.new.integer(field).unwrap_or_default();
            let capacity = hostler_queue::adjusted_capacity(
                number(&CPU_CAPACITY),
                number(&MEMORY_CAPACITY),
                number(&CAPACITY_ADJUSTMENT),
            );
            edit.new.set(&CAPACITY, Value::Integer(capacity));
        }
        Ok(())
    }

    async fn validate(&self, _engine: &Engine, _tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        if edit.is_new() {
            return Err(match edit.new.text(&NODE_TYPE) {
                "execution" | "hop" => Error::field("__all__", "Can only create instances on Kubernetes or OpenShift."),
                _ => Error::field(NODE_TYPE.name, "Can only create execution or hop nodes."),
            });
        }
        let mut problems = vec![];
        let mut reject = |field: &Field, message: String| problems.push((field.name.to_owned(), vec![message]));
        for (field, message) in [
            (&HOSTNAME, "Cannot change hostname."),
            (&NODE_TYPE, "Cannot change node type."),
            (&NODE_STATE, "Can only change the state on Kubernetes or OpenShift."),
            (&LISTENER_PORT, "Cannot change listener port."),
            (&PEERS_FROM_CONTROL_NODES, "Cannot change peers_from_control_nodes for managed nodes."),
        ] {
            if edit.changes(field) {
                reject(field, message.into());
            }
        }
        if edit.changes(&PEERS) {
            // No receptor address exists, so no id is valid.
            match edit.new.get(&PEERS) {
                Value::Json(Json::Array(items)) => {
                    if let Some(item) = items.first() {
                        reject(&PEERS, format!("Invalid pk \"{item}\" - object does not exist."));
                    }
                }
                _ => reject(&PEERS, "Expected a list of items.".into()),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }

    async fn after_association(
        &self,
        tx: &mut Transaction,
        parent: i64,
        _sublist: &'static Sublist,
        id: i64,
        attach: bool,
    ) -> Result<(), Error> {
        instance_groups::change_policy_list(tx, id, parent, attach).await
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let usages = hostler_queue::usages(&engine.database).await?;
        let totals = Query::select()
            .expr(column(INSTANCE.table, "id"))
            .expr(column(INSTANCE.table, "jobs_total"))
            .from(Alias::new(INSTANCE.table))
            .and_where(column(INSTANCE.table, "id").is_in(page.iter().map(|shown| shown.loaded.record.id)))
            .to_owned();
        let totals: Vec<(i64, i64)> = engine.database.read_as(&totals).await?;
        for shown in page {
            let record = &shown.loaded.record;
            let usage = usages.nodes.get(record.text(&HOSTNAME)).copied().unwrap_or_default();
            let total = totals.iter().find(|(id, _)| *id == record.id).map_or(0, |(_, total)| *total);
            let remaining = percent_remaining(record.integer(&CAPACITY).unwrap_or_default(), usage.capacity);
            shown.json.insert("consumed_capacity".into(), usage.capacity.into());
            shown.json.insert("jobs_running".into(), usage.jobs.into());
            shown.json.insert("jobs_total".into(), total.into());
            shown.json.insert("percent_capacity_remaining".into(), remaining.into());
            shown.json.insert("health_check_pending".into(), false.into());
            shown.json.insert("reverse_peers".into(), json!([]));
            shown.json.insert("protocol".into(), "tcp".into());
            // As in AWX outside of Kubernetes, though superusers may change some fields.
            shown.add_summary("user_capabilities", json!({"edit": false}));
            if view.detail {
                shown.add_summary("links", json!([]));
            }
        }
        Ok(())
    }
}

/// The share of a capacity that is free, in percent with two decimals.
pub fn percent_remaining(capacity: i64, used: i64) -> f64 {
    if capacity <= 0 || used >= capacity {
        return 0.0;
    }
    (10_000.0 * (capacity - used) as f64 / capacity as f64).round() / 100.0
}

/// Creates the instance of this node.
///
/// # Errors
/// Database errors.
pub async fn create(engine: &Engine, tx: &mut Transaction) -> Result<i64, hostler_database::Error> {
    let now = engine.clock.now();
    let insert = Query::insert()
        .into_table(Alias::new(INSTANCE.table))
        .columns(
            [
                "created",
                "modified",
                "last_seen",
                "last_health_check",
                "uuid",
                "hostname",
                "node_type",
                "node_state",
                "managed",
                "listener_port",
                "awx_version",
            ]
            .map(Alias::new),
        )
        .values_panic([
            now.into(),
            now.into(),
            now.into(),
            now.into(),
            uuid::Uuid::new_v4().to_string().into(),
            engine.node.to_string().into(),
            HYBRID.into(),
            "ready".into(),
            true.into(),
            LISTENER_PORT_NUMBER.into(),
            AWX_VERSION.into(),
        ])
        .to_owned();
    tx.insert(&insert).await
}
