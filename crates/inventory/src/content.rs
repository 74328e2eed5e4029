//! Reads the rows of an inventory.

use std::collections::{BTreeMap, HashMap};

use hostler_database::Database;
use hostler_schema::column;
use sea_query::{Alias, Condition, ExprTrait, Query, SelectStatement};
use serde_json::{Map, Value};

use crate::{ScriptError, ScriptOptions, SmartInventories, SmartInventory};

/// The rows of an inventory.
pub(crate) struct Content {
    pub variables: Map<String, Value>,
    /// The hosts of the document, by name.
    pub hosts: Vec<Host>,
    /// All groups, by name.
    pub groups: Vec<Group>,
    /// The positions of the hosts of each group in `hosts`, in their order, by the id of the group.
    pub members: HashMap<i64, Vec<usize>>,
    /// The positions of the children of each group in `groups`, in their order, by the id of the group.
    pub children: HashMap<i64, Vec<usize>>,
    /// Which hosts a job runs on.
    pub kind: Kind,
}

/// Where the hosts of an inventory are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// They are its own.
    Ordinary,
    /// They are those of other inventories.
    Smart,
    /// It has copies of hosts of other inventories.
    Constructed,
}

/// An inventory and which hosts it has.
pub(crate) struct Inventory {
    id: i64,
    variables: String,
    /// The condition on rows of the table of hosts.
    hosts: Condition,
    kind: Kind,
}

/// A host.
pub(crate) struct Host {
    pub id: i64,
    pub name: String,
    pub enabled: bool,
    /// In a constructed inventory, the id of the host that it is a copy of.
    instance_id: String,
    variables: String,
}

/// A group.
pub(crate) struct Group {
    pub id: i64,
    pub name: String,
    variables: String,
}

impl Content {
    /// Reads an inventory in five statements.
    pub async fn read(
        database: &Database,
        smart: &dyn SmartInventories,
        id: i64,
        options: ScriptOptions,
    ) -> Result<Self, ScriptError> {
        let inventory = Inventory::read(database, smart, id).await?;
        let hosts = Host::read(database, &inventory, options).await?;
        let Inventory { id: inventory, variables, kind, .. } = inventory;
        let groups = Group::read(database, inventory).await?;
        let group_positions: HashMap<i64, usize> = positions(groups.iter().map(|group| group.id));
        let host_positions: HashMap<i64, usize> = positions(hosts.iter().map(|host| host.id));
        let members = read_pairs(database, inventory, "inventory_group_hosts", "group_id", "host_id").await?;
        let children = read_pairs(database, inventory, "inventory_group_children", "parent_id", "child_id").await?;
        Ok(Content {
            variables: parsed(&variables, || "inventory".into())?,
            members: by_group(members, &host_positions),
            children: by_group(children, &group_positions),
            hosts,
            groups,
            kind,
        })
    }

    /// The ids of the hosts of other inventories, by name; none if the hosts are the inventory's own.
    pub fn hosts_of_others(&self) -> Option<BTreeMap<String, i64>> {
        let of_other = |host: &Host| match self.kind {
            Kind::Ordinary => None,
            Kind::Smart => Some((host.name.clone(), host.id)),
            Kind::Constructed => Some((host.name.clone(), host.instance_id.parse().ok()?)),
        };
        (self.kind != Kind::Ordinary).then(|| self.hosts.iter().filter_map(of_other).collect())
    }
}

impl Inventory {
    /// The inventory with this id.
    pub async fn read(database: &Database, smart: &dyn SmartInventories, id: i64) -> Result<Self, ScriptError> {
        const TABLE: &str = "inventories";
        let query = Query::select()
            .exprs(["kind", "variables", "host_filter", "organization_id"].map(|name| column(TABLE, name)))
            .from(Alias::new(TABLE))
            .and_where(column(TABLE, "id").eq(id))
            .to_owned();
        let found: Option<(String, String, Option<String>, Option<i64>)> = database.read_first(&query).await?;
        let (kind, variables, host_filter, organization) = found.ok_or(ScriptError::NoInventory)?;
        let kind = match kind.as_str() {
            "smart" => Kind::Smart,
            "constructed" => Kind::Constructed,
            _ => Kind::Ordinary,
        };
        let hosts = match kind {
            Kind::Ordinary | Kind::Constructed => Condition::all().add(column(Host::TABLE, "inventory_id").eq(id)),
            Kind::Smart => {
                let organization =
                    organization.ok_or_else(|| ScriptError::HostFilter("it has no organization".into()))?;
                let inventory = SmartInventory { organization, host_filter: host_filter.unwrap_or_default() };
                smart.hosts(&inventory, Host::TABLE).map_err(ScriptError::HostFilter)?
            }
        };
        Ok(Inventory { id, variables, hosts, kind })
    }
}

impl Host {
    const TABLE: &'static str = "hosts";

    fn select(inventory: &Inventory) -> SelectStatement {
        Query::select()
            .exprs(["id", "name", "enabled", "instance_id"].map(|name| column(Self::TABLE, name)))
            .from(Alias::new(Self::TABLE))
            .cond_where(inventory.hosts.clone())
            .to_owned()
    }

    async fn read(
        database: &Database,
        inventory: &Inventory,
        options: ScriptOptions,
    ) -> Result<Vec<Self>, ScriptError> {
        let mut query = Self::select(inventory);
        if !options.disabled_too {
            query.and_where(column(Self::TABLE, "enabled").eq(true));
        }
        let mut hosts: Vec<Host> = if options.hostvars {
            query.expr(column(Self::TABLE, "variables"));
            let rows: Vec<(i64, String, bool, String, String)> = database.read_as(&query).await?;
            rows.into_iter().map(Host::from).collect()
        } else {
            let rows: Vec<(i64, String, bool, String)> = database.read_as(&query).await?;
            let host =
                |(id, name, enabled, instance_id)| Host { id, name, enabled, instance_id, variables: String::new() };
            rows.into_iter().map(host).collect()
        };
        hosts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        if let Some(slice) = options.slice {
            let mut position = 0;
            hosts.retain(|_| {
                position += 1;
                (position - 1) % slice.count + 1 == slice.number
            });
        }
        Ok(hosts)
    }

    /// The host with this name.
    pub async fn find(database: &Database, inventory: &Inventory, name: &str) -> Result<Option<Self>, ScriptError> {
        let mut query = Self::select(inventory);
        query.expr(column(Self::TABLE, "variables")).and_where(column(Self::TABLE, "name").eq(name));
        let found: Option<(i64, String, bool, String, String)> = database.read_first(&query).await?;
        Ok(found.map(Host::from))
    }

    /// Its variables.
    pub fn variables(&self) -> Result<Map<String, Value>, ScriptError> {
        parsed(&self.variables, || format!("host {}", self.name))
    }
}

impl From<(i64, String, bool, String, String)> for Host {
    fn from((id, name, enabled, instance_id, variables): (i64, String, bool, String, String)) -> Self {
        Host { id, name, enabled, instance_id, variables }
    }
}

impl Group {
    async fn read(database: &Database, inventory: i64) -> Result<Vec<Self>, ScriptError> {
        const TABLE: &str = "inventory_groups";
        let query = Query::select()
            .exprs(["id", "name", "variables"].map(|name| column(TABLE, name)))
            .from(Alias::new(TABLE))
            .and_where(column(TABLE, "inventory_id").eq(inventory))
            .to_owned();
        let rows: Vec<(i64, String, String)> = database.read_as(&query).await?;
        let mut groups: Vec<Group> =
            rows.into_iter().map(|(id, name, variables)| Group { id, name, variables }).collect();
        groups.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    /// Its variables.
    pub fn variables(&self) -> Result<Map<String, Value>, ScriptError> {
        parsed(&self.variables, || format!("group {}", self.name))
    }
}

/// The rows of a join table between the groups of an inventory and their hosts or children.
async fn read_pairs(
    database: &Database,
    inventory: i64,
    table: &'static str,
    group: &'static str,
    other: &'static str,
) -> Result<Vec<(i64, i64)>, ScriptError> {
    const GROUPS: &str = "inventory_groups";
    let query = Query::select()
        .expr(column(table, group))
        .expr(column(table, other))
        .from(Alias::new(GROUPS))
        .inner_join(Alias::new(table), column(table, group).eq(column(GROUPS, "id")))
        .and_where(column(GROUPS, "inventory_id").eq(inventory))
        .to_owned();
    Ok(database.read_as(&query).await?)
}

/// The position of each id.
fn positions(ids: impl Iterator<Item = i64>) -> HashMap<i64, usize> {
    ids.enumerate().map(|(position, id)| (id, position)).collect()
}

/// The positions of the objects of each group, without objects that the document does not contain.
fn by_group(pairs: Vec<(i64, i64)>, positions: &HashMap<i64, usize>) -> HashMap<i64, Vec<usize>> {
    let mut groups: HashMap<i64, Vec<usize>> = HashMap::new();
    for (group, other) in pairs {
        if let Some(position) = positions.get(&other) {
            groups.entry(group).or_default().push(*position);
        }
    }
    groups.values_mut().for_each(|list| list.sort_unstable());
    groups
}

fn parsed(text: &str, owner: impl FnOnce() -> String) -> Result<Map<String, Value>, ScriptError> {
    hostler_variables::parse(text).map_err(|problem| ScriptError::Variables { owner: owner(), problem })
}
