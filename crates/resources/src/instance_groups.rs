//! Instance groups: the nodes, or the Kubernetes clusters, in which jobs run.

use async_trait::async_trait;
use hostler_access::has_role_or_permission;
use hostler_database::{Transaction, Value};
use hostler_engine::{Edit, Engine, Error, Hooks, RenderContext, ResponseObject, create_roles};
use hostler_schema::{
    Access, Action, Actor, Association, DefaultValue, Draft, Field, ImpliedBy, Join, NaturalKeyPart, ObjectRole, Post,
    Resource, Rule, Singleton, Sublist, UniqueConstraint, column, fields,
};
use sea_query::{Alias, Asterisk, Expr, ExprTrait, Func, Query};
use serde_json::Value as Json;

use crate::common::{CREATED, MODIFIED, roles_of, rows_by_roles};
use crate::credential_access::can_use;
use crate::credential_inputs::TypeDefinition;
use crate::{CREDENTIAL, INSTANCE, ROLE, UNIFIED_JOB, USER, access_paths, instances};

/// The names of the groups that every server has: for jobs, and for what the control nodes run.
pub const DEFAULT: &str = "default";
/// See [`DEFAULT`].
pub const CONTROL_PLANE: &str = "controlplane";

/// The table of the instances of the groups.
const INSTANCES_TABLE: &str = "instance_group_instances";

/// Leads from a group to its instances.
pub const ITS_INSTANCES: Join =
    Join::JoinTable { table: INSTANCES_TABLE, left: "instance_group_id", right: "instance_id", filter: None };
/// Leads from an instance to its groups.
pub const ITS_GROUPS: Join =
    Join::JoinTable { table: INSTANCES_TABLE, left: "instance_id", right: "instance_group_id", filter: None };
/// Leads from an organization to its groups.
pub const OF_ORGANIZATION: Join = Join::JoinTable {
    table: "organization_instance_groups",
    left: "organization_id",
    right: "instance_group_id",
    filter: None,
};

/// What Kubernetes clusters start for a job unless the group says otherwise.
const POD_SPEC: &str = r#"{
    "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default"},
    "spec": {
        "serviceAccountName": "default", "automountServiceAccountToken": false,
        "containers": [{
            "image": "quay.io/ansible/awx-ee:latest", "name": "worker",
            "args": ["ansible-runner", "worker", "--private-data-dir=/runner"],
            "resources": {"requests": {"cpu": "250m", "memory": "100Mi"}}
        }]
    }
}"#;

const NAME: Field = fields::text("name").label("Name").max(250).required().help("The name of the group; unique.");
const MAX_CONCURRENT_JOBS: Field = limit(
    "max_concurrent_jobs",
    "Max Concurrent Jobs",
    "How many jobs may run in the group at the same time; 0 for any number.",
);
const MAX_FORKS: Field = limit(
    "max_forks",
    "Max Forks",
    "How many forks all running jobs of the group may have together; 0 for any number.",
);
const IS_CONTAINER_GROUP: Field = fields::boolean("is_container_group")
    .label("Is container group")
    .help("Whether jobs run in a Kubernetes cluster instead of on instances.");
const CREDENTIAL_LINK: Field = fields::link("credential", "credential_id", || &CREDENTIAL)
    .label("Credential")
    .nullable()
    .summarized()
    .reverse("instancegroups")
    .help("The credential of the Kubernetes cluster.");
const POLICY_PERCENTAGE: Field = fields::integer("policy_instance_percentage")
    .label("Policy Instance Percentage")
    .range(0, 100)
    .default(DefaultValue::Integer(0))
    .help("The share of all instances that new instances fill the group to.");
const POLICY_MINIMUM: Field = limit(
    "policy_instance_minimum",
    "Policy Instance Minimum",
    "The number of instances that new instances fill the group to.",
);
const POLICY_LIST: Field = fields::texts("policy_instance_list")
    .label("Policy Instance List")
    .help("The hostnames of the instances that always belong to the group.");
const POD_SPEC_OVERRIDE: Field = fields::text("pod_spec_override")
    .label("Pod spec override")
    .example(POD_SPEC)
    .help("YAML that replaces parts of the pod in which a job runs.");
const INSTANCES: Field =
    fields::computed("instances").label("Instances").help("How many instances belong to the group.");

const fn limit(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::integer(name).label(label).at_least(0).default(DefaultValue::Integer(0)).help(help)
}

const ROLES: &[ObjectRole] = &[
    ObjectRole::new(
        "admin_role",
        "Admin",
        "Can manage all aspects of the instance group",
        &[ImpliedBy::System(Singleton::Administrator)],
    ),
    ObjectRole::new("use_role", "Use", "Can use the instance group in a job template", &[ImpliedBy::Own("admin_role")]),
    ObjectRole::new(
        "read_role",
        "Read",
        "May view settings for the instance group",
        &[ImpliedBy::System(Singleton::Auditor), ImpliedBy::Own("use_role"), ImpliedBy::Own("admin_role")],
    )
    .compatible(&["awx.view_instancegroup"]),
];

/// Instance groups.
pub static INSTANCE_GROUP: Resource = Resource {
    type_label: "Instance Group",
    list_title: "Instance Groups",
    detail_title: "Instance Group Detail",
    description: "Groups of instances, or Kubernetes clusters, in which jobs run. Superusers create them.",
    unimplemented_relations: &[
        "joblaunchconfigs",
        "schedule_instance_groups",
        "workflow_job_instance_groups",
        "workflow_job_node_instance_groups",
        "workflow_job_template_node_instance_groups",
    ],
    sublists: &[
        Sublist::new("instances", "Instance Group's Instance List", || &INSTANCE, ITS_INSTANCES).post(Post::Associate(
            Association::new("awx.main.models.ha.InstanceGroup_instances", |actor, _| {
                Rule::from_bool(actor.is_superuser)
            })
            .permit_removal()
            .or_create(),
        )),
        Sublist::new(
            "access_list",
            "Instance Group Access List",
            || &USER,
            Join::Condition(|id, other| access_paths::with_access_to(&INSTANCE_GROUP, id, other)),
        )
        .visible_to_readers(),
        Sublist::new(
            "object_roles",
            "Instance Group Object Roles List",
            || &ROLE,
            Join::Condition(|id, other| roles_of("instance_group", id, other)),
        ),
        Sublist::new("jobs", "Instance Group Running Jobs", || &UNIFIED_JOB, Join::Reverse("instance_group_id")),
    ],
    summarized_as: &["name", "is_container_group"],
    search: &["name"],
    natural_key: &[NaturalKeyPart::Field("name")],
    unique: &[UniqueConstraint {
        fields: &["name"],
        key: "name",
        message: "Instance group with this Name already exists.",
    }],
    roles: ROLES,
    role_resource: Some(|| &ROLE),
    ..Resource::new(
        "instance_group",
        "instance_groups",
        "InstanceGroup",
        &[
            fields::id(),
            NAME,
            CREATED,
            MODIFIED,
            fields::computed("capacity").label("Capacity").help("How much the group can run, in forks of Ansible."),
            fields::computed("consumed_capacity")
                .label("Consumed capacity")
                .help("How much of the capacity running jobs take."),
            fields::computed("percent_capacity_remaining")
                .label("Percent capacity remaining")
                .help("The share of the capacity that is free."),
            fields::computed("jobs_running").label("Jobs running").help("How many jobs run in the group."),
            MAX_CONCURRENT_JOBS,
            MAX_FORKS,
            fields::computed("jobs_total")
                .label("Jobs total")
                .type_name("integer")
                .help("How many jobs have run in the group."),
            INSTANCES,
            IS_CONTAINER_GROUP,
            CREDENTIAL_LINK,
            POLICY_PERCENTAGE,
            POLICY_MINIMUM,
            POLICY_LIST,
            POD_SPEC_OVERRIDE,
        ],
        &InstanceGroupAccess,
    )
};

struct InstanceGroupAccess;

impl Access for InstanceGroupAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let rule = rows_by_roles(&INSTANCE_GROUP, actor, action, row);
        match action {
            Action::Delete => rule.and(Rule::When(column(row, NAME.column).is_not_in([DEFAULT, CONTROL_PLANE]))),
            _ => rule,
        }
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::from_bool(actor.is_superuser)
    }

    fn relink(&self, actor: &Actor, name: &str, _from: Option<i64>, to: Option<i64>) -> Rule {
        match (name, to) {
            ("credential", Some(credential)) => can_use(actor, credential),
            ("credential", None) => Rule::All,
            _ => Rule::None,
        }
    }
}

/// The groups that the actor may use.
pub fn usable_groups(actor: &Actor, row: &str) -> Rule {
    has_role_or_permission(&INSTANCE_GROUP, "use_role", "use", actor, row)
}

/// The groups that the actor may change.
pub fn changeable_groups(actor: &Actor, row: &str) -> Rule {
    INSTANCE_GROUP.access.rows(actor, Action::Change, row)
}

/// Checks policies and container groups, and keeps the policy list in step with the instances.
pub struct InstanceGroupHooks;

#[async_trait]
impl Hooks for InstanceGroupHooks {
    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let mut problems = vec![];
        let mut reject = |field: &Field, message: String| problems.push((field.name.to_owned(), vec![message]));
        let old_name = edit.old.as_ref().map(|old| old.text(&NAME)).unwrap_or_default();
        let is_preloaded = [DEFAULT, CONTROL_PLANE].contains(&old_name);
        let is_container_group = edit.old.as_ref().is_some_and(|old| old.boolean(&IS_CONTAINER_GROUP));
        for field in [&NAME, &IS_CONTAINER_GROUP, &POLICY_PERCENTAGE, &POLICY_MINIMUM, &POLICY_LIST] {
            if !edit.changes(field) {
                continue;
            }
            let is_policy = [POLICY_PERCENTAGE.name, POLICY_MINIMUM.name, POLICY_LIST.name].contains(&field.name);
            if is_preloaded {
                let initial = if is_policy && field.name != POLICY_LIST.name {
                    " from the initial value set by the installer"
                } else {
                    ""
                };
                reject(field, format!("{old_name} instance group {} may not be changed{initial}.", field.name));
            } else if let (true, Err(message)) =
                (field.name == POLICY_LIST.name, check_hostnames(tx, edit.new.get(&POLICY_LIST)).await?)
            {
                reject(field, message);
            } else if is_policy && is_container_group {
                reject(field, "Containerized instances may not be managed via the API".into());
            }
        }
        if edit.changes(&POD_SPEC_OVERRIDE) && !is_mapping(edit.new.text(&POD_SPEC_OVERRIDE)) {
            reject(&POD_SPEC_OVERRIDE, "The pod specification must be a YAML mapping.".into());
        }
        if let Some(credential) = edit.new.integer(&CREDENTIAL_LINK) {
            let is_changed = edit.changes(&CREDENTIAL_LINK);
            if is_changed && TypeDefinition::load_for_credential(tx, credential).await?.kind != "kubernetes" {
                let message = "Only Kubernetes credentials can be associated with an Instance Group";
                reject(&CREDENTIAL_LINK, message.into());
            } else if (is_changed || edit.changes(&IS_CONTAINER_GROUP)) && !edit.new.boolean(&IS_CONTAINER_GROUP) {
                let message = "is_container_group must be True when associating a credential to an Instance Group";
                reject(&IS_CONTAINER_GROUP, message.into());
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }

    async fn after_association(
        &self,
        tx: &mut Transaction,
        parent: i64,
        sublist: &'static Sublist,
        id: i64,
        attach: bool,
    ) -> Result<(), Error> {
        if sublist.name == INSTANCES.name { change_policy_list(tx, parent, id, attach).await } else { Ok(()) }
    }

    async fn enrich(
        &self,
        engine: &Engine,
        _view: RenderContext<'_>,
        page: &mut [ResponseObject],
    ) -> Result<(), Error> {
        let group = || column(INSTANCES_TABLE, "instance_group_id");
        let usages = hostler_queue::usages(&engine.database).await?;
        let totals = Query::select()
            .expr(column(INSTANCE_GROUP.table, "id"))
            .expr(column(INSTANCE_GROUP.table, "jobs_total"))
            .from(Alias::new(INSTANCE_GROUP.table))
            .and_where(column(INSTANCE_GROUP.table, "id").is_in(page.iter().map(|shown| shown.loaded.record.id)))
            .to_owned();
        let totals: Vec<(i64, i64)> = engine.database.read_as(&totals).await?;
        let counts = Query::select()
            .expr(group())
            .expr(Func::count(Expr::col(Asterisk)))
            .expr(Expr::cust("CAST(SUM(instances.capacity) AS BIGINT)"))
            .from(Alias::new(INSTANCES_TABLE))
            .inner_join(
                Alias::new(INSTANCE.table),
                column(INSTANCE.table, "id").eq(column(INSTANCES_TABLE, "instance_id")),
            )
            .and_where(group().is_in(page.iter().map(|shown| shown.loaded.record.id)))
            .add_group_by([group()])
            .to_owned();
        let counts: Vec<(i64, i64, i64)> = engine.database.read_as(&counts).await?;
        for shown in page {
            let group = shown.loaded.record.id;
            let found = counts.iter().find(|(id, ..)| *id == group);
            let (count, capacity) = found.map_or((0, 0), |(_, count, capacity)| (*count, *capacity));
            let usage = usages.groups.get(&group).copied().unwrap_or_default();
            let total = totals.iter().find(|(id, _)| *id == group).map_or(0, |(_, total)| *total);
            let remaining = instances::percent_remaining(capacity, usage.capacity);
            shown.json.insert(INSTANCES.name.into(), count.into());
            shown.json.insert("capacity".into(), capacity.into());
            shown.json.insert("consumed_capacity".into(), usage.capacity.into());
            shown.json.insert("jobs_running".into(), usage.jobs.into());
            shown.json.insert("jobs_total".into(), total.into());
            shown.json.insert("percent_capacity_remaining".into(), remaining.into());
        }
        Ok(())
    }
}

/// The deepest nesting of a pod specification. Kubernetes needs some ten levels; parsing recurses.
const MAX_DEPTH: usize = 32;

/// Whether a text is empty or a YAML mapping.
fn is_mapping(text: &str) -> bool {
    let options = serde_saphyr::options! { budget: serde_saphyr::budget! { max_depth: MAX_DEPTH } };
    text.is_empty()
        || serde_saphyr::from_str_with_options::<Json>(text, options).is_ok_and(|document| document.is_object())
}

/// Checks that a list contains hostnames of instances, each once. The inner error is the message for the client.
async fn check_hostnames(tx: &mut Transaction, list: &Value) -> Result<Result<(), String>, Error> {
    let Value::Json(Json::Array(items)) = list else { return Ok(Ok(())) };
    let names: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
    if names.is_empty() {
        return Ok(Ok(()));
    }
    let query = Query::select()
        .expr(column(INSTANCE.table, "hostname"))
        .from(Alias::new(INSTANCE.table))
        .and_where(column(INSTANCE.table, "hostname").is_in(names.iter().copied()))
        .to_owned();
    let known: Vec<String> = tx.read_as(&query).await?;
    for (index, name) in names.iter().enumerate() {
        if !known.iter().any(|known| known == name) {
            return Ok(Err(format!("{name} is not a valid hostname of an existing instance.")));
        }
        if names[..index].contains(name) {
            return Ok(Err(format!("{name} occurs more than once.")));
        }
    }
    Ok(Ok(()))
}

/// Adds the hostname of an instance to the policy list of a group that it was associated with, or removes it.
///
/// # Errors
/// 400 for removing a hybrid node from the control plane, and database errors.
pub async fn change_policy_list(tx: &mut Transaction, group: i64, instance: i64, attach: bool) -> Result<(), Error> {
    let of_group = |name| column(INSTANCE_GROUP.table, name);
    let query = Query::select()
        .expr(of_group("version"))
        .expr(of_group(NAME.column))
        .expr(of_group(POLICY_LIST.column))
        .expr(column(INSTANCE.table, "hostname"))
        .expr(column(INSTANCE.table, "node_type"))
        .from(Alias::new(INSTANCE_GROUP.table))
        .from(Alias::new(INSTANCE.table))
        .and_where(of_group("id").eq(group))
        .and_where(column(INSTANCE.table, "id").eq(instance))
        .to_owned();
    let row: Option<(i64, String, Json, String, String)> = tx.read_first(&query).await?;
    let Some((version, name, list, hostname, node_type)) = row else { return Ok(()) };
    let Json::Array(mut list) = list else {
        return Err(Error::Internal(format!("the policy list of instance group {group} is not a list")));
    };
    if !attach && name == CONTROL_PLANE && node_type == instances::HYBRID {
        let message = format!("{hostname} is a hybrid node, which cannot be removed from {CONTROL_PLANE}.");
        return Err(Error::BadRequestMsg(message));
    }
    let before = list.len();
    list.retain(|item| item.as_str() != Some(hostname.as_str()));
    match (attach, before == list.len()) {
        (true, false) | (false, true) => return Ok(()),
        (true, true) => list.push(hostname.into()),
        (false, false) => {}
    }
    let update = Query::update()
        .table(Alias::new(INSTANCE_GROUP.table))
        .value(Alias::new(POLICY_LIST.column), Json::Array(list).to_string())
        .value(Alias::new("version"), Expr::col(Alias::new("version")).add(1))
        .and_where(of_group("id").eq(group))
        .and_where(of_group("version").eq(version))
        .to_owned();
    // Another request changed the group since it was read here: its change must not be lost.
    if tx.execute(&update).await? == 0 {
        return Err(Error::Conflict("The instance group was changed at the same moment: try again.".into()));
    }
    Ok(())
}

/// Creates the groups of every server and the instance of this node, unless they exist, with the instance in both.
///
/// # Errors
/// Database errors.
pub async fn preload(engine: &Engine) -> Result<(), hostler_database::Error> {
    let of_node = Query::select()
        .expr(column(INSTANCE.table, "id"))
        .from(Alias::new(INSTANCE.table))
        .and_where(column(INSTANCE.table, "hostname").eq(&*engine.node))
        .to_owned();
    if engine.database.read_first::<i64>(&of_node).await?.is_some() {
        return Ok(());
    }
    let mut tx = engine.database.begin().await?;
    // Several servers may start at the same time.
    tx.lock("instance groups").await?;
    if tx.read_first::<i64>(&of_node).await?.is_some() {
        return Ok(());
    }
    let instance = instances::create(engine, &mut tx).await?;
    for name in [CONTROL_PLANE, DEFAULT] {
        let group = find_or_create(engine, &mut tx, name).await?;
        let insert = Query::insert()
            .into_table(Alias::new(INSTANCES_TABLE))
            .columns(["instance_group_id", "instance_id"].map(Alias::new))
            .values_panic([group.into(), instance.into()])
            .to_owned();
        tx.execute(&insert).await?;
    }
    tx.commit().await
}

/// The id of a group that every server has.
async fn find_or_create(
    engine: &Engine,
    tx: &mut Transaction,
    name: &'static str,
) -> Result<i64, hostler_database::Error> {
    let query = Query::select()
        .expr(column(INSTANCE_GROUP.table, "id"))
        .from(Alias::new(INSTANCE_GROUP.table))
        .and_where(column(INSTANCE_GROUP.table, NAME.column).eq(name))
        .to_owned();
    if let Some(id) = tx.read_first(&query).await? {
        return Ok(id);
    }
    let now = engine.clock.now();
    let insert = Query::insert()
        .into_table(Alias::new(INSTANCE_GROUP.table))
        .columns(["created", "modified", NAME.column, POLICY_PERCENTAGE.column].map(Alias::new))
        .values_panic([now.into(), now.into(), name.into(), 100.into()])
        .to_owned();
    let id = tx.insert(&insert).await?;
    create_roles(tx, &INSTANCE_GROUP, id).await?;
    Ok(id)
}
