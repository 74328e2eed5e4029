//! Names of hosts and groups, which share one space of names in their inventory.

use hostler_database::Transaction;
use hostler_engine::Error;
use hostler_schema::{Resource, column};
use sea_query::{Alias, Expr, ExprTrait, Query};

/// The groups that Ansible or its inventory format defines.
const RESERVED_GROUPS: [&str; 2] = ["all", "_meta"];

/// Splits a port off the name of a host, as in `web:22`. IPv6 addresses have several colons and no port.
///
/// # Errors
/// The message for the client.
pub(super) fn split_port(name: &str) -> Result<(&str, Option<u16>), String> {
    match name.split_once(':') {
        Some((host, port)) if !port.contains(':') => match port.trim().parse() {
            Ok(number) if number > 0 => Ok((host, Some(number))),
            _ => Err(format!("Invalid port specification: {port}")),
        },
        _ => Ok((name, None)),
    }
}

/// Checks the characters of a name.
///
/// # Errors
/// A message about the field `name`.
pub(super) fn check_characters(name: &str) -> Result<(), Error> {
    if name.chars().any(char::is_control) {
        return Err(Error::field("name", "Names of hosts and groups cannot contain control characters."));
    }
    Ok(())
}

/// Checks that a group does not have a reserved name.
///
/// # Errors
/// A message about the field `name`.
pub(super) fn check_group_name(name: &str) -> Result<(), Error> {
    if RESERVED_GROUPS.contains(&name) {
        Err(Error::field("name", "Invalid group name."))
    } else {
        check_characters(name)
    }
}

/// Checks that no object of the other type has this name in the inventory.
///
/// # Errors
/// A message about the whole object.
pub(super) async fn check_free(
    tx: &mut Transaction,
    other: &'static Resource,
    inventory: i64,
    name: &str,
) -> Result<(), Error> {
    let query = Query::select()
        .expr(Expr::exists(
            Query::select()
                .expr(column(other.table, "id"))
                .from(Alias::new(other.table))
                .and_where(column(other.table, "inventory_id").eq(inventory))
                .and_where(column(other.table, "name").eq(name))
                .to_owned(),
        ))
        .to_owned();
    match tx.read_first::<bool>(&query).await? {
        Some(true) => Err(Error::field("__all__", format!("A {} with that name already exists.", other.label))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_split_off() {
        assert_eq!(split_port("web"), Ok(("web", None)));
        assert_eq!(split_port("web:22"), Ok(("web", Some(22))));
        assert_eq!(split_port("[::1]"), Ok(("[::1]", None)));
        assert_eq!(split_port("::1"), Ok(("::1", None)));
        for (name, port) in [("w:0", "0"), ("w:70000", "70000"), ("w:x", "x"), ("w:", ""), ("w:-1", "-1")] {
            assert_eq!(split_port(name), Err(format!("Invalid port specification: {port}")));
        }
    }

    #[test]
    fn reserved_names_and_control_characters_are_rejected() {
        assert!(check_group_name("all").is_err() && check_group_name("_meta").is_err());
        assert!(check_group_name("ungrouped").is_ok() && check_group_name("with space").is_ok());
        assert!(check_characters("a\nb").is_err() && check_characters("-dash").is_ok());
    }
}
