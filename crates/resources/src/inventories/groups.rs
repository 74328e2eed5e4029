//! Groups of hosts in inventories, which can contain other groups.

use async_trait::async_trait;
use hostler_access::ByParent;
use hostler_database::Transaction;
use hostler_engine::{ActionHandler, Edit, Engine, Error, Hooks, Record};
use hostler_schema::{
    Action, Actor, Association, Capability, DefaultValue, Field, Join, NaturalKeyPart, Post, Relation, Resource, Rule,
    Sublist, UniqueConstraint, column, fields,
};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use super::hosts::{changeable_hosts, require_same_inventory};
use super::names::{check_free, check_group_name};
use super::{actions, group_deletion, group_tree, inventory_hooks, variable_data};
use crate::ad_hoc_commands::{self, COMMANDS, COMMANDS_OF_GROUP};
use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY, activity_stream};
use crate::inventory_sources::SOURCES_OF_GROUP;
use crate::job_events::EVENTS_OF_GROUP;
use crate::job_host_summaries::SUMMARIES_OF_GROUP;
use crate::{HOST, INVENTORY, INVENTORY_SOURCE};

const NAME: Field = fields::text("name")
    .label("Name")
    .max(512)
    .required()
    .help("What the group is called; unique in its inventory, also among the names of hosts.");
pub(super) const INVENTORY_LINK: Field = fields::link("inventory", "inventory_id", || &INVENTORY)
    .label("Inventory")
    .required()
    .fixed()
    .summarized()
    .reverse("groups")
    .help("The inventory that the group belongs to.");

const GROUP_FIELDS: &[Field] = &[
    fields::id(),
    CREATED,
    MODIFIED,
    CREATED_BY,
    MODIFIED_BY,
    NAME,
    fields::text("description").label("Description").default(DefaultValue::Text("")).help("What the group is for."),
    INVENTORY_LINK,
    fields::variables("variables").label("Variables").help("Variables of the hosts in the group, as JSON or YAML."),
];

/// Groups.
pub static GROUP: Resource = Resource {
    table: "inventory_groups",
    list_title: "Group List",
    detail_title: "Group Detail",
    description: "A group contains hosts and other groups of its inventory. Deleting it also deletes the groups and hosts \
                  that are in no other group.",
    relations: &[Relation::new("inventory_sources", || &INVENTORY_SOURCE, SOURCES_OF_GROUP)],
    sublists: &[
        Sublist::new("hosts", "Group Hosts List", || &HOST, group_tree::ITS_HOSTS).post(Post::Associate(
            Association::new("awx.main.models.inventory.Group_hosts", changeable_hosts)
                .permit_removal()
                .or_create()
                .inheriting("inventory")
                .or_find(),
        )),
        Sublist::new(CHILDREN, "Group Children List", || &GROUP, group_tree::ITS_CHILDREN).reverse("parents").post(
            Post::Associate(
                Association::new("awx.main.models.inventory.Group_parents", changeable_groups)
                    .permit_removal()
                    .or_create()
                    .inheriting("inventory"),
            ),
        ),
        Sublist::new(
            "potential_children",
            "Group Potential Children List",
            || &GROUP,
            Join::Condition(group_tree::is_potential_child),
        ),
        Sublist::new("all_hosts", "Group All Hosts List", || &HOST, Join::Condition(group_tree::is_host_below)),
        Sublist::new("inventory_sources", "Group Inventory Sources List", || &INVENTORY_SOURCE, SOURCES_OF_GROUP),
        EVENTS_OF_GROUP,
        SUMMARIES_OF_GROUP,
        COMMANDS_OF_GROUP,
        activity_stream("group", "Group Activity Stream List"),
    ],
    actions: &[actions::GROUP_VARIABLE_DATA],
    other_capabilities: &[Capability { name: "copy", permit: changeable_groups }],
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("inventory")],
    unique: &[UniqueConstraint {
        fields: &["inventory", "name"],
        key: "__all__",
        message: "Group with this Name and Inventory already exists.",
    }],
    ..Resource::new("group", "groups", "Group", GROUP_FIELDS, &ACCESS)
};

const CHILDREN: &str = "children";

const ACCESS: ByParent = ByParent::same(INVENTORY_LINK);

/// The groups that the actor may change.
pub(super) fn changeable_groups(actor: &Actor, row: &str) -> Rule {
    GROUP.access.rows(actor, Action::Change, row)
}

/// Checks names and memberships, and deletes what is only in a deleted group.
pub struct GroupHooks;

#[async_trait]
impl Hooks for GroupHooks {
    fn authorize(&self, edit: &Edit<'_>) -> Result<(), Error> {
        match !edit.is_new() && edit.changes(&INVENTORY_LINK) {
            true => Err(Error::Forbidden(Some("Unable to change inventory on a group.".into()))),
            false => Ok(()),
        }
    }

    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let Some(inventory) = edit.new.integer(&INVENTORY_LINK) else { return Ok(()) };
        if edit.is_new() {
            inventory_hooks::require_own_hosts(tx, inventory, GROUP.label).await?;
        }
        if !edit.changes(&NAME) {
            return Ok(());
        }
        check_group_name(edit.new.text(&NAME))?;
        check_free(tx, &HOST, inventory, edit.new.text(&NAME)).await
    }

    fn jobs_that_use(&self, record: &Record) -> Option<Expr> {
        record.integer(&INVENTORY_LINK).map(inventory_hooks::jobs_of_inventory)
    }

    async fn before_delete(
        &self,
        engine: &Engine,
        tx: &mut Transaction,
        _actor: &Actor,
        record: &Record,
    ) -> Result<(), Error> {
        if let Some(inventory) = record.integer(&INVENTORY_LINK) {
            group_deletion::delete_content(engine, tx, inventory, record.id).await?;
        }
        Ok(())
    }

    async fn check_association(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        parent: i64,
        sublist: &'static Sublist,
        id: i64,
    ) -> Result<(), Error> {
        let target = (sublist.target)();
        require_same_inventory(tx, (GROUP.table, parent), (target.table, id)).await?;
        if sublist.name == CHILDREN { refuse_cycle(tx, parent, id).await } else { Ok(()) }
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
            COMMANDS => ad_hoc_commands::run_on(engine, actor, &GROUP, parent, body).await.map(Some),
            _ => Err(Error::MethodNotAllowed),
        }
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        (path == variable_data::PATH).then_some(&variable_data::VariableData)
    }
}

/// Fails if the group contains its future parent.
///
/// Two such changes at once could close a cycle together, so each locks the inventory.
async fn refuse_cycle(tx: &mut Transaction, parent: i64, child: i64) -> Result<(), Error> {
    let cycle = || Error::BadRequestError("Cyclical Group association.".into());
    if parent == child {
        return Err(cycle());
    }
    let inventory = Query::select()
        .expr(column(GROUP.table, INVENTORY_LINK.column))
        .from(Alias::new(GROUP.table))
        .and_where(column(GROUP.table, "id").eq(parent))
        .to_owned();
    if let Some(inventory) = tx.read_first::<i64>(&inventory).await? {
        tx.lock(&format!("groups of inventory {inventory}")).await?;
    }
    let above = group_tree::ancestors(Expr::val(parent));
    let found = Query::select()
        .expr(column(GROUP.table, "id"))
        .from(Alias::new(GROUP.table))
        .and_where(column(GROUP.table, "id").eq(child))
        .and_where(group_tree::is_in(column(GROUP.table, "id"), above))
        .to_owned();
    if tx.read_first::<i64>(&found).await?.is_some() { Err(cycle()) } else { Ok(()) }
}
