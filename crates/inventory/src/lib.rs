//! What Ansible gets of an inventory: one JSON document in the form of an inventory script, with its groups, hosts and
//! variables. It is built from a constant number of statements.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod content;
mod document;
mod error;

use hostler_database::{Database, Error as DatabaseError};
use serde_json::{Map, Value};

use crate::content::{Content, Host};
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

/// The inventory with this id as a JSON document.
///
/// # Errors
/// [`ScriptError`].
pub async fn script(
    database: &Database,
    inventory: i64,
    options: ScriptOptions,
) -> Result<Map<String, Value>, ScriptError> {
    let content = Content::read(database, inventory, options).await?;
    // The variables of all hosts are parsed.
    let document = tokio::task::spawn_blocking(move || document::document(content, options)).await;
    document.map_err(|_| DatabaseError::Internal("building an inventory was interrupted".into()))?
}

/// The variables of the host with this name; none if the inventory has no such host, or only a disabled one.
///
/// # Errors
/// [`ScriptError`].
pub async fn host_variables(
    database: &Database,
    inventory: i64,
    name: &str,
    disabled_too: bool,
) -> Result<Option<Map<String, Value>>, ScriptError> {
    content::read_kind(database, inventory).await?;
    let found = Host::find(database, inventory, name).await?;
    found.filter(|host| host.enabled || disabled_too).map(|host| host.variables()).transpose()
}

#[cfg(test)]
mod tests;
