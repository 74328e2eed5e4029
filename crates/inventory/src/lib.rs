//! What Ansible gets of an inventory: one JSON document in the form of an inventory script, with its groups, hosts and
//! variables. It is built from a constant number of statements.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod content;
mod document;
mod error;

use std::collections::BTreeMap;

use hostler_database::{Database, Error as DatabaseError};
use sea_query::Condition;
use serde_json::{Map, Value};

use crate::content::{Content, Host, Inventory};
pub use crate::error::ScriptError;

/// Which hosts a document contains, and what of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptOptions {
    /// Whether it contains the variables of the hosts (`_meta`).
    pub hostvars: bool,
    /// Whether the variables of a host include its id and whether it is enabled, under AWX's names.
    pub towervars: bool,
    /// Whether it contains disabled hosts too.
    pub disabled_too: bool,
    /// The part of the hosts that it contains; all of them if there is none.
    pub slice: Option<Slice>,
}

/// One of several parts of the hosts of an inventory, which are dealt out by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The number of the part, from 1 to `count`.
    pub number: usize,
    /// The number of parts.
    pub count: usize,
}

/// Which hosts a smart inventory has: those of the ordinary inventories of its organization that its filter matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmartInventory {
    /// The id of its organization.
    pub organization: i64,
    /// Its filter.
    pub host_filter: String,
}

/// Knows the language of host filters.
pub trait SmartInventories: Send + Sync {
    /// The condition on rows of the table `hosts`, under this alias, that they are the hosts of the smart inventory.
    ///
    /// # Errors
    /// The reason why the filter is invalid.
    fn hosts(&self, inventory: &SmartInventory, row: &str) -> Result<Condition, String>;
}

/// An inventory for Ansible.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The JSON document.
    pub document: Map<String, Value>,
    /// The hosts of other inventories in it, by name: all hosts of a smart inventory, and those that the hosts of a constructed
    /// inventory are copies of. None for any other inventory.
    pub hosts_of_others: Option<BTreeMap<String, i64>>,
}

/// The inventory with this id.
///
/// # Errors
/// [`ScriptError`].
pub async fn script(
    database: &Database,
    smart: &dyn SmartInventories,
    inventory: i64,
    options: ScriptOptions,
) -> Result<Script, ScriptError> {
    let content = Content::read(database, smart, inventory, options).await?;
    let hosts_of_others = content.hosts_of_others();
    // The variables of all hosts are parsed.
    let document = tokio::task::spawn_blocking(move || document::document(content, options)).await;
    let document = document.map_err(|_| DatabaseError::Internal("building an inventory was interrupted".into()))??;
    Ok(Script { document, hosts_of_others })
}

/// The variables of the host with this name; none if the inventory has no such host, or only a disabled one.
///
/// # Errors
/// [`ScriptError`].
pub async fn host_variables(
    database: &Database,
    smart: &dyn SmartInventories,
    inventory: i64,
    name: &str,
    disabled_too: bool,
) -> Result<Option<Map<String, Value>>, ScriptError> {
    let inventory = Inventory::read(database, smart, inventory).await?;
    let found = Host::find(database, &inventory, name).await?;
    found.filter(|host| host.enabled || disabled_too).map(|host| host.variables()).transpose()
}

#[cfg(test)]
mod tests;
