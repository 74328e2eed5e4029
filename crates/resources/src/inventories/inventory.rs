//! The description of inventories and its access rules.

use constcat::concat_slices;
use hostler_access::{can_create_in_organization, has_role_or_permission};
use hostler_schema::{
    Access, Action, Actor, Association, Capability, DefaultValue, Draft, Field, HideDeleted, ImpliedBy, Join,
    NaturalKeyPart, ObjectRole, Post, Resource, ResourceAction, Rule, Singleton, Sublist, UniqueConstraint, fields,
};

use super::{actions, activity, constructed, counts, group_tree};
use crate::ad_hoc_commands::COMMANDS_OF_INVENTORY;
use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY, can_create_beside, roles_of, rows_by_roles};
use crate::{
    ACTIVITY, GROUP, HOST, INSTANCE_GROUP, INVENTORY_SOURCE, JOB_TEMPLATE, LABEL, ORGANIZATION, ROLE, USER,
    access_paths, instance_groups, labels,
};

const KINDS: &[(&str, &str)] = &[
    ("", "Hosts have a direct link to this inventory."),
    ("smart", "Hosts for inventory generated using the host_filter property."),
    ("constructed", "Parse list of source inventories with the constructed inventory plugin."),
];

pub(super) const NAME: Field = fields::text("name")
    .label("Name")
    .max(512)
    .required()
    .help("What the inventory is called; unique in its organization.");
pub(super) const DESCRIPTION: Field =
    fields::text("description").label("Description").default(DefaultValue::Text("")).help("What the inventory is for.");
pub(super) const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .required()
    .summarized()
    .reverse("inventories")
    .help("The organization that the inventory belongs to.");
pub(super) const KIND: Field =
    fields::choice("kind", KINDS).label("Kind").default(DefaultValue::Text("")).help("Where the hosts come from.");
pub(super) const HOST_FILTER: Field = fields::text("host_filter")
    .label("Host filter")
    .nullable()
    .default(DefaultValue::Null)
    .help("The filter that selects the hosts of a smart inventory.");
pub(super) const VARIABLES: Field =
    fields::variables("variables").label("Variables").help("Variables of all hosts, as JSON or YAML.");
/// What is counted and computed of an inventory.
const COUNTED: &[Field] = &[
    counts::HAS_ACTIVE_FAILURES,
    counts::TOTAL_HOSTS,
    counts::HOSTS_WITH_ACTIVE_FAILURES,
    counts::TOTAL_GROUPS,
    counts::HAS_INVENTORY_SOURCES,
    counts::TOTAL_INVENTORY_SOURCES,
    counts::INVENTORY_SOURCES_WITH_FAILURES,
    fields::boolean("pending_deletion")
        .column("is_deleted")
        .label("Pending deletion")
        .read_only()
        .help("Whether the inventory is being deleted."),
];
const NO_FALLBACK: Field = fields::boolean("prevent_instance_group_fallback")
    .label("Prevent instance group fallback")
    .default(DefaultValue::Boolean(false))
    .help("Whether jobs may only run in the instance groups of the inventory, and not in those of its organization.");

/// The fields of all inventories before those of their kind.
pub(super) const FIRST_FIELDS: &[Field] =
    &[fields::id(), CREATED, MODIFIED, CREATED_BY, MODIFIED_BY, NAME, DESCRIPTION, ORGANIZATION_LINK];
/// Those after them.
pub(super) const LAST_FIELDS: &[Field] = concat_slices!([Field]: &[VARIABLES], COUNTED, &[NO_FALLBACK]);

const INVENTORY_FIELDS: &[Field] = concat_slices!([Field]: FIRST_FIELDS, &[KIND, HOST_FILTER], LAST_FIELDS);

const ROLES: &[ObjectRole] = &[
    ObjectRole::new(
        "admin_role",
        "Admin",
        "Can manage all aspects of the inventory",
        &[ImpliedBy::Organization("inventory_admin_role"), ImpliedBy::System(Singleton::Administrator)],
    ),
    ObjectRole::new("update_role", "Update", "May update the inventory", &[ImpliedBy::Own("admin_role")]),
    ObjectRole::new(
        "adhoc_role",
        "Ad Hoc",
        "May run ad hoc commands on the inventory",
        &[ImpliedBy::Own("admin_role")],
    ),
    ObjectRole::new("use_role", "Use", "Can use the inventory in a job template", &[ImpliedBy::Own("adhoc_role")]),
    ObjectRole::new(
        "read_role",
        "Read",
        "May view settings for the inventory",
        &[
            ImpliedBy::Organization("auditor_role"),
            ImpliedBy::System(Singleton::Auditor),
            ImpliedBy::Own("update_role"),
            ImpliedBy::Own("use_role"),
        ],
    )
    .compatible(&["awx.view_inventory"]),
];

const SUBLISTS: &[Sublist] = &[
    Sublist::new("job_templates", "Inventory Job Template List", || &JOB_TEMPLATE, Join::Reverse("inventory_id")),
    Sublist::new("hosts", "Inventory Hosts List", || &HOST, Join::Reverse("inventory_id")).post(Post::Own("inventory")),
    Sublist::new("groups", "Inventory Groups List", || &GROUP, Join::Reverse("inventory_id"))
        .post(Post::Own("inventory")),
    Sublist::new("root_groups", "Inventory Root Groups List", || &GROUP, Join::Condition(group_tree::is_root_of))
        .post(Post::Own("inventory")),
    Sublist::new(
        "inventory_sources",
        "Inventory Inventory Sources List",
        || &INVENTORY_SOURCE,
        Join::Reverse("sourced_inventory_id"),
    )
    .post(Post::Create("inventory")),
    COMMANDS_OF_INVENTORY,
    Sublist::new(
        "activity_stream",
        "Inventory Activity Stream List",
        || &ACTIVITY,
        Join::Condition(activity::about_inventory),
    ),
    Sublist::new(
        "access_list",
        "Inventory Access List",
        || &USER,
        Join::Condition(|id, other| access_paths::with_access_to(&INVENTORY, id, other)),
    )
    .visible_to_readers(),
    Sublist::new(
        "object_roles",
        "Inventory Object Roles List",
        || &ROLE,
        Join::Condition(|id, other| roles_of("inventory", id, other)),
    ),
    Sublist::new(
        "instance_groups",
        "Inventory Instance Groups List",
        || &INSTANCE_GROUP,
        Join::JoinTable {
            table: "inventory_instance_groups",
            left: "inventory_id",
            right: "instance_group_id",
            filter: None,
        },
    )
    .ordered()
    .post(Post::Associate(
        Association::new("awx.main.models.inventory.Inventory_instance_groups", instance_groups::usable_groups)
            .permit_removal(),
    )),
    Sublist::new(
        labels::LABELS,
        "Inventory Label List",
        || &LABEL,
        Join::JoinTable { table: "inventory_labels", left: "inventory_id", right: "label_id", filter: None },
    )
    .reverse("inventory_labels")
    .post(Post::Associate(
        Association::new("awx.main.models.inventory.Inventory_labels", labels::readable_labels).or_create().or_find(),
    )),
    constructed::INPUTS,
];

/// What all inventories have in common, as objects of this path with these fields.
pub(super) const fn inventory(path: &'static str, fields: &'static [Field]) -> Resource {
    Resource {
        unimplemented_relations: &[
            "constructed_inventory_memberships",
            "joblaunchconfigs",
            "schedules",
            "workflowjobnodes",
            "workflowjobs",
            "workflowjobtemplatenodes",
            "workflowjobtemplates",
        ],
        // The hooks of inventories compute the rest.
        summarized_as: &["name", "description", "kind"],
        natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("organization")],
        unique: &[UniqueConstraint {
            fields: &["organization", "name"],
            key: "__all__",
            message: "Inventory with this Name and Organization already exists.",
        }],
        roles: ROLES,
        role_resource: Some(|| &ROLE),
        deleted_in_steps: true,
        deleted_later: true,
        ..Resource::new("inventory", path, "Inventory", fields, &HideDeleted(&InventoryAccess))
    }
}

pub(super) const AD_HOC: Capability = Capability { name: "adhoc", permit: can_run_commands };

/// Inventories.
pub static INVENTORY: Resource = Resource {
    list_title: "Inventory List",
    detail_title: "Inventory Detail",
    description: "An inventory has the hosts that jobs run on, and their groups and variables. The hosts of a smart \
                  inventory are those of other inventories of its organization that its host_filter matches. Updates \
                  compute the hosts of a constructed inventory from its input inventories.",
    sublists: SUBLISTS,
    actions: &[
        actions::INVENTORY_VARIABLE_DATA,
        actions::SCRIPT,
        actions::TREE,
        ResourceAction::copy("Inventory Copy", || &INVENTORY, can_copy),
        actions::UPDATE_SOURCES,
    ],
    other_capabilities: &[AD_HOC],
    summarized_by_hooks: true,
    ..inventory("inventories", INVENTORY_FIELDS)
};

pub(super) struct InventoryAccess;

impl Access for InventoryAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        rows_by_roles(&INVENTORY, actor, action, row)
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        self.rows(actor, Action::Read, row)
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        creates_in(actor, draft(ORGANIZATION_LINK.name))
    }
}

/// The role of an organization that allows everything with its inventories.
const ADMIN: &str = "inventory_admin_role";

/// Whether the actor may put inventories into this organization, or into any if none is named.
pub(super) fn creates_in(actor: &Actor, organization: Option<i64>) -> Rule {
    can_create_in_organization(&INVENTORY, &ORGANIZATION, ADMIN, actor, organization)
}

/// The inventories that the actor sees and whose organization the actor may add inventories to.
pub(super) fn can_copy(actor: &Actor, row: &str) -> Rule {
    INVENTORY.access.rows(actor, Action::Read, row).and(can_create_beside(&INVENTORY, ADMIN, actor, row))
}

/// The inventories on which the actor may run ad hoc commands.
pub fn can_run_commands(actor: &Actor, row: &str) -> Rule {
    has_role_or_permission(&INVENTORY, "adhoc_role", "adhoc", actor, row)
}
