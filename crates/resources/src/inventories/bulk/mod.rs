//! `bulk/`: requests that create or delete many hosts, each in one transaction.

mod create;
mod delete;

use async_trait::async_trait;
use hostler_database::{FromRow, Transaction};
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_schema::{ActionAnswer, ActionMethod, ActionParent, Field, HttpMethod, ResourceAction, Rule, fields};
use sea_query::SelectStatement;
use serde_json::json;

use crate::INVENTORY;

pub(super) const ROOT_PATH: &str = "bulk";
pub(super) const HOST_CREATE_PATH: &str = "bulk/host_create";
pub(super) const HOST_DELETE_PATH: &str = "bulk/host_delete";

/// How many values one statement compares with.
const STEP: usize = 5_000;
/// The greatest length of a list of hosts, whatever the settings allow.
const MAX_LENGTH: u32 = 100_000;

// Hidden: as in AWX, OPTIONS lists no fields for GET.
static LINKS: Field = fields::json("links").hidden().read_only().label("Links").help("The paths below.");
static DETAIL: Field = fields::json("detail").hidden().read_only().label("Detail").help("What the path is for.");
static RESULT: &[Field] = &[fields::json("hosts").read_only().label("Hosts").help("The hosts.")];
const INVENTORY_LINK: Field = fields::link("inventory", "inventory_id", || &INVENTORY)
    .label("Inventory")
    .required()
    .hidden()
    .not_filterable()
    .help("The inventory that the hosts are added to.");
const NEW_HOSTS: Field =
    fields::list("hosts").label("Hosts").required().hidden().not_filterable().max(MAX_LENGTH).help(
        "The new hosts, each with `name`, and optionally `description`, `enabled`, `instance_id` and `variables`.",
    );
const DELETED_HOSTS: Field = fields::list("hosts")
    .label("Hosts")
    .required()
    .hidden()
    .not_filterable()
    .max(MAX_LENGTH)
    .help("The ids of the hosts.");

pub(super) const ROOT: ResourceAction = ResourceAction::new(ROOT_PATH, "Bulk")
    .describe("Requests that create or delete many objects.")
    .below(ActionParent::Root)
    .types(&[])
    .get(ActionMethod::new("read", ActionAnswer::Document(&LINKS)));

pub(super) const HOST_CREATE: ResourceAction = ResourceAction::new(HOST_CREATE_PATH, "Bulk Host Create")
    .describe("Creates all hosts of the list in one inventory, or none of them.")
    .below(ActionParent::Root)
    .get(ActionMethod::new("read", ActionAnswer::Document(&DETAIL)))
    // The handler checks the permission on the inventory.
    .post(
        ActionMethod::new("create", ActionAnswer::NewFields(RESULT))
            .permit(|_, _| Rule::All)
            .input(&[INVENTORY_LINK, NEW_HOSTS]),
    );

pub(super) const HOST_DELETE: ResourceAction = ResourceAction::new(HOST_DELETE_PATH, "Bulk Host Delete")
    .describe("Deletes all hosts of the list, or none of them.")
    .below(ActionParent::Root)
    .get(ActionMethod::new("read", ActionAnswer::Document(&DETAIL)))
    // The handler checks the permission on the inventories.
    .post(
        ActionMethod::new("delete", ActionAnswer::NewFields(RESULT)).permit(|_, _| Rule::All).input(&[DELETED_HOSTS]),
    );

/// Handles the requests.
pub(super) struct Bulk;

#[async_trait]
impl ActionHandler for Bulk {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        match (request.action.path, request.method) {
            (HOST_CREATE_PATH, HttpMethod::Post) => create::create(engine, &request).await,
            (HOST_DELETE_PATH, HttpMethod::Post) => delete::delete(engine, &request).await,
            (HOST_CREATE_PATH, _) => {
                Ok(ActionResponse::Fields(json!({"detail": "Bulk create hosts with this endpoint"})))
            }
            (HOST_DELETE_PATH, _) => {
                Ok(ActionResponse::Fields(json!({"detail": "Bulk delete hosts with this endpoint"})))
            }
            _ => Ok(ActionResponse::Fields(json!({
                "host_create": path(HOST_CREATE_PATH),
                "host_delete": path(HOST_DELETE_PATH),
            }))),
        }
    }
}

fn path(of: &str) -> String {
    format!("/api/v2/{of}/")
}

/// Reads the rows of a query for each part of these values.
async fn read_in_parts<T: FromRow, V: Clone + Send + Sync>(
    tx: &mut Transaction,
    values: &[V],
    query: impl Fn(Vec<V>) -> SelectStatement + Send + Sync,
) -> Result<Vec<T>, Error> {
    let mut rows = vec![];
    for some in values.chunks(STEP) {
        rows.extend(tx.read_as::<T>(&query(some.to_vec())).await?);
    }
    Ok(rows)
}
