//! The descriptions of the actions of inventories, hosts and groups, and the handlers of the smallest.

use async_trait::async_trait;
use hostler_access::has_role_or_permission;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, ObjectKey, find_id};
use hostler_schema::{Action, ActionAnswer, ActionMethod, Actor, Field, ResourceAction, Rule, fields};
use serde_json::json;

use super::groups::changeable_groups;
use super::hosts::{self, changeable_hosts};
use super::{copies, script, variable_data};
use crate::{HOST, INVENTORY};

pub(super) const SCRIPT_PATH: &str = "script";
pub(super) const TREE_PATH: &str = "tree";
pub(super) const FACTS_PATH: &str = "ansible_facts";
pub(super) const UPDATE_SOURCES_PATH: &str = "update_inventory_sources";

// Hidden: as in AWX, OPTIONS lists no fields for these documents.
static DOCUMENT: Field = fields::json("document").hidden().read_only().label("Document").help("The document.");
static CAN_UPDATE: Field = fields::boolean("can_update")
    .read_only()
    .not_filterable()
    .label("Can update")
    .help("For each source, whether you may update it.");

pub(super) const INVENTORY_VARIABLE_DATA: ResourceAction =
    variable_data::action("Inventory Variable Data", |actor, row| INVENTORY.access.rows(actor, Action::Change, row));
pub(super) const HOST_VARIABLE_DATA: ResourceAction = variable_data::action("Host Variable Data", changeable_hosts);
pub(super) const GROUP_VARIABLE_DATA: ResourceAction = variable_data::action("Group Variable Data", changeable_groups);

pub(super) const SCRIPT: ResourceAction = ResourceAction::new(SCRIPT_PATH, "Inventory Script")
    .describe("What Ansible gets: all groups and enabled hosts, or with `host` the variables of one host.")
    .get(ActionMethod::new("read", ActionAnswer::Document(&DOCUMENT)).input(script::INPUT));

pub(super) const TREE: ResourceAction = ResourceAction::new(TREE_PATH, "Inventory Tree")
    .describe("The groups that are in no other group, each with the groups in it.")
    .types(&["group"])
    .get(ActionMethod::new("read", ActionAnswer::Document(&DOCUMENT)));

pub(super) const ANSIBLE_FACTS: ResourceAction = ResourceAction::new(FACTS_PATH, "Host Ansible Facts")
    .describe("The facts that jobs have cached about the host.")
    .get(ActionMethod::new("read", ActionAnswer::Document(&DOCUMENT)));

pub(super) const UPDATE_SOURCES: ResourceAction = ResourceAction::new(UPDATE_SOURCES_PATH, "Inventory Sources Update")
    .describe("GET says of each source of the inventory whether it can be updated. POST updates all of them.")
    .types(&["inventory_source"])
    .get(ActionMethod::new("whether you may do it", ActionAnswer::Document(&CAN_UPDATE)))
    .post(ActionMethod::new("update", ActionAnswer::Accepted(&[])).permit(can_update));

/// The inventories that the actor may update from their sources.
fn can_update(actor: &Actor, row: &str) -> Rule {
    has_role_or_permission(&INVENTORY, "update_role", "update", actor, row)
}

/// Shows the cached facts of a host.
pub(super) struct Facts;

#[async_trait]
impl ActionHandler for Facts {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        // Jobs keep the facts of the hosts of a constructed inventory with the original hosts.
        let id = match copies::original(engine, request.id).await? {
            Some(copy) => {
                let Some(original) = copy.original else { return Ok(ActionResponse::Fields(json!({}))) };
                find_id(engine, request.actor, &HOST, &ObjectKey::Id(original)).await?
            }
            None => request.id,
        };
        hosts::facts(engine, id).await.map(ActionResponse::Fields)
    }
}
