//! `bulk/host_create/`.

use std::collections::{HashMap, HashSet};

use hostler_database::{Transaction, Type};
use hostler_engine::{ActionInput, ActionRequest, ActionResponse, ActivityEntry, Engine, Error};
use hostler_schema::{Action, Field, HttpMethod, column};
use hostler_variables::python_repr;
use sea_query::{Alias, ExprTrait, Func, Query, SelectStatement};
use serde_json::{Map, Value as Json, json};

use super::{INVENTORY_LINK, NEW_HOSTS, read_in_parts};
use crate::inventories::counts::number_of_hosts;
use crate::inventories::hosts::{DESCRIPTION, ENABLED, INSTANCE_ID, NAME, VARIABLES, name_and_variables};
use crate::{GROUP, HOST, INVENTORY, ORGANIZATION};

const FIELDS: &[Field] = &[NAME, ENABLED, INSTANCE_ID, DESCRIPTION, VARIABLES];
const ROW: &str = "target";

/// A host of the request.
struct NewHost {
    name: String,
    enabled: bool,
    instance_id: String,
    description: String,
    variables: String,
}

impl NewHost {
    fn decode(sent: &Json) -> Result<Self, Error> {
        let Json::Object(sent) = sent else {
            let found = hostler_engine::python_type(sent);
            let message = format!("Invalid data. Expected a dictionary, but got {found}.");
            return Err(Error::field("__all__", message));
        };
        let input = ActionInput::decode(FIELDS, sent, HttpMethod::Post)?;
        let variables = input.text(&VARIABLES);
        let (name, with_port) = name_and_variables(input.text(&NAME), variables)?;
        Ok(NewHost {
            name: name.into(),
            enabled: input.boolean(&ENABLED),
            instance_id: input.text(&INSTANCE_ID).into(),
            description: input.text(&DESCRIPTION).into(),
            variables: with_port.unwrap_or_else(|| variables.into()),
        })
    }
}

/// The inventory that the hosts are added to.
struct Target {
    id: i64,
    kind: String,
    organization: i64,
    /// The greatest number of hosts of the organization; 0 for no limit.
    max_hosts: i64,
    may_add: bool,
}

/// Creates the hosts.
pub(super) async fn create(engine: &Engine, request: &ActionRequest<'_>) -> Result<ActionResponse, Error> {
    let inventory = request.input.integer(&INVENTORY_LINK).unwrap_or_default();
    let sent = request.input.json(&NEW_HOSTS).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let (hosts, invalid) = decode(sent)?;
    let mut tx = engine.database.begin().await?;
    let target = find_target(engine, &mut tx, request, inventory).await?;
    let mut rejected = Map::new();
    if target.is_none() {
        let message = format!("Invalid pk \"{inventory}\" - object does not exist.");
        rejected.insert(INVENTORY_LINK.name.into(), json!([message]));
    }
    if !invalid.is_empty() {
        rejected.insert(NEW_HOSTS.name.into(), invalid.into());
    }
    let Some(target) = target.filter(|_| rejected.is_empty()) else {
        return Ok(ActionResponse::Rejected(rejected.into()));
    };
    if hosts.len() > request.actor.job_settings.most_created_hosts {
        return Err(whole("Number of hosts exceeds system setting BULK_HOST_MAX_CREATE"));
    }
    if !target.may_add {
        return Err(whole(format!("Inventory with id {} not found or lack permissions to add hosts.", target.id)));
    }
    if !target.kind.is_empty() {
        return Err(whole("Hosts can only be created in manual inventories (not smart or constructed types)."));
    }
    let names: Vec<String> = hosts.iter().map(|host| host.name.clone()).collect();
    refuse_duplicates(&mut tx, target.id, &names).await?;
    let groups = refused_as_groups(&mut tx, target.id, &names).await?;
    if !groups.is_empty() {
        return Ok(ActionResponse::Rejected(json!({NEW_HOSTS.name: groups})));
    }
    refuse_too_many(&mut tx, &target, &names).await?;
    insert(engine, &mut tx, target.id, &hosts).await?;
    record(engine, &mut tx, request, target.id, hosts.len()).await?;
    let ids: Vec<(String, i64)> =
        read_in_parts(&mut tx, &names, |some| named(HOST.table, target.id, some, true)).await?;
    tx.commit().await?;
    let ids: HashMap<&str, i64> = ids.iter().map(|(name, id)| (name.as_str(), *id)).collect();
    let url = INVENTORY.url(target.id);
    let shown: Vec<Json> =
        hosts.iter().filter_map(|host| Some(show(host, *ids.get(host.name.as_str())?, &url))).collect();
    Ok(ActionResponse::NewFields(json!({"url": url, "hosts": shown})))
}

/// A message about the whole request.
fn whole(message: impl Into<String>) -> Error {
    Error::field("__all__", message)
}

/// The hosts of the request, and the messages about those that are invalid, by their position.
fn decode(sent: &[Json]) -> Result<(Vec<NewHost>, Map<String, Json>), Error> {
    let mut hosts = vec![];
    let mut invalid = Map::new();
    for (position, host) in sent.iter().enumerate() {
        match NewHost::decode(host) {
            Ok(host) => hosts.push(host),
            Err(Error::Invalid(messages)) => {
                let messages: Map<String, Json> =
                    messages.into_iter().map(|(field, messages)| (field, messages.into())).collect();
                invalid.insert(position.to_string(), messages.into());
            }
            Err(other) => return Err(other),
        }
    }
    Ok((hosts, invalid))
}

async fn find_target(
    engine: &Engine,
    tx: &mut Transaction,
    request: &ActionRequest<'_>,
    inventory: i64,
) -> Result<Option<Target>, Error> {
    let organization = column(ORGANIZATION.table, "id").eq(column(ROW, "organization_id"));
    let query = Query::select()
        .expr(column(ROW, "kind"))
        .expr(column(ROW, "organization_id"))
        .expr(column(ORGANIZATION.table, "max_hosts"))
        .expr(INVENTORY.access.rows(request.actor, Action::Change, ROW).expression())
        .from_as(Alias::new(INVENTORY.table), Alias::new(ROW))
        .inner_join(Alias::new(ORGANIZATION.table), organization)
        .and_where(column(ROW, "id").eq(inventory))
        .and_where_option(INVENTORY.not_deleted(ROW))
        .to_owned();
    let types = [Type::Text, Type::Integer, Type::Integer, Type::Boolean];
    let rows = engine.read_with_rules_in(tx, request.actor, query, &types).await?;
    Ok(rows.first().map(|row| Target {
        id: inventory,
        kind: row.text(0).unwrap_or_default().to_owned(),
        organization: row.integer(1).unwrap_or_default(),
        max_hosts: row.integer(2).unwrap_or_default(),
        may_add: row.boolean(3),
    }))
}

/// The objects of the inventory with one of these names: their names, and their ids if they are wanted.
fn named(table: &'static str, inventory: i64, names: Vec<String>, with_ids: bool) -> SelectStatement {
    let mut query = Query::select();
    query
        .expr(column(table, "name"))
        .from(Alias::new(table))
        .and_where(column(table, "inventory_id").eq(inventory))
        .and_where(column(table, "name").is_in(names));
    if with_ids {
        query.expr(column(table, "id"));
    }
    query
}

/// Fails if a name occurs twice in the request, or if the inventory has a host with it.
async fn refuse_duplicates(tx: &mut Transaction, inventory: i64, names: &[String]) -> Result<(), Error> {
    let existing: Vec<String> = read_in_parts(tx, names, |some| named(HOST.table, inventory, some, false)).await?;
    let existing: HashSet<String> = existing.into_iter().collect();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for name in names {
        *times.entry(name).or_default() += 1;
    }
    let duplicates: Vec<&String> =
        names.iter().filter(|name| existing.contains(*name) || times.get(name.as_str()) > Some(&1)).collect();
    match duplicates.is_empty() {
        true => Ok(()),
        false => {
            let duplicates = python_repr(&json!(duplicates));
            Err(whole(format!("Hostnames must be unique in an inventory. Duplicates found: {duplicates}")))
        }
    }
}

/// The messages about names that groups of the inventory have, by position.
async fn refused_as_groups(tx: &mut Transaction, inventory: i64, names: &[String]) -> Result<Map<String, Json>, Error> {
    let groups: Vec<String> = read_in_parts(tx, names, |some| named(GROUP.table, inventory, some, false)).await?;
    let message = json!({"__all__": ["A Group with that name already exists."]});
    let positions = names.iter().enumerate().filter(|(_, name)| groups.contains(name));
    Ok(positions.map(|(position, _)| (position.to_string(), message.clone())).collect())
}

/// Fails if the organization would have more hosts than it may have. Hosts with the same name are one.
async fn refuse_too_many(tx: &mut Transaction, target: &Target, names: &[String]) -> Result<(), Error> {
    if target.max_hosts <= 0 {
        return Ok(());
    }
    tx.lock(&format!("max_hosts {}", target.organization)).await?;
    let all: Vec<i64> =
        tx.read_as(hosts_of(target.organization).expr(Func::count_distinct(column(HOST.table, "name")))).await?;
    let existing: Vec<String> = read_in_parts(tx, names, |some| {
        hosts_of(target.organization)
            .distinct()
            .expr(column(HOST.table, "name"))
            .and_where(column(HOST.table, "name").is_in(some))
            .to_owned()
    })
    .await?;
    let existing: HashSet<String> = existing.into_iter().collect();
    let total = all.iter().sum::<i64>() + i64::try_from(names.len() - existing.len()).unwrap_or(i64::MAX);
    match total > target.max_hosts {
        false => Ok(()),
        true => Err(Error::Forbidden(Some(format!(
            "You have already reached the maximum number of {} hosts allowed for your organization. Contact your System \
             Administrator for assistance.",
            target.max_hosts
        )))),
    }
}

/// The hosts of the inventories of an organization.
fn hosts_of(organization: i64) -> SelectStatement {
    Query::select()
        .from(Alias::new(HOST.table))
        .inner_join(Alias::new(INVENTORY.table), column(INVENTORY.table, "id").eq(column(HOST.table, "inventory_id")))
        .and_where(column(INVENTORY.table, "organization_id").eq(organization))
        .and_where_option(INVENTORY.not_deleted(INVENTORY.table))
        .to_owned()
}

async fn insert(engine: &Engine, tx: &mut Transaction, inventory: i64, hosts: &[NewHost]) -> Result<(), Error> {
    let now = engine.clock.now();
    let columns = [
        "version",
        "created",
        "modified",
        "inventory_id",
        "name",
        "description",
        "enabled",
        "instance_id",
        "variables",
    ];
    let row = |host: &NewHost| {
        [
            1i64.into(),
            now.into(),
            now.into(),
            inventory.into(),
            host.name.clone().into(),
            host.description.clone().into(),
            host.enabled.into(),
            host.instance_id.clone().into(),
            host.variables.clone().into(),
        ]
    };
    let rows: Vec<_> = hosts.iter().map(row).collect();
    tx.insert_rows(HOST.table, columns, rows).await?;
    Ok(())
}

/// Records the new number of hosts: as in AWX, one entry about the inventory and none about the hosts.
async fn record(
    engine: &Engine,
    tx: &mut Transaction,
    request: &ActionRequest<'_>,
    inventory: i64,
    added: usize,
) -> Result<(), Error> {
    if !request.actor.policy.activity_stream {
        return Ok(());
    }
    let query = Query::select()
        .expr(number_of_hosts(ROW))
        .from_as(Alias::new(INVENTORY.table), Alias::new(ROW))
        .and_where(column(ROW, "id").eq(inventory))
        .to_owned();
    let total = tx.read_first::<i64>(&query).await?.unwrap_or_default();
    let before = total - i64::try_from(added).unwrap_or_default();
    let changes = Map::from_iter([("total_hosts".to_owned(), json!([before, total]))]);
    ActivityEntry::about(&INVENTORY, inventory, "update", changes).write(engine, tx, request.actor).await
}

fn show(host: &NewHost, id: i64, inventory: &str) -> Json {
    json!({
        "name": host.name,
        "enabled": host.enabled,
        "instance_id": host.instance_id,
        "description": host.description,
        "variables": host.variables,
        "id": id,
        "url": HOST.url(id),
        "inventory": inventory,
    })
}
