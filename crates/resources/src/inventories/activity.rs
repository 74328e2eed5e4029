//! Activity streams of inventories and hosts. As in AWX, that of an inventory has the entries about its hosts and groups
//! too, and that of a host those about its inventory.

use hostler_schema::{Resource, column};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType};

use crate::{GROUP, HOST, INVENTORY};

const LINKS: &str = "activity_links";

/// The condition that entry `other` is about this inventory, or about a host or group of it.
pub(super) fn about_inventory(inventory: Expr, other: &str) -> Expr {
    let mut entries = entries_about(&INVENTORY, |object| object.eq(inventory.clone()));
    for resource in [&HOST, &GROUP] {
        let of_inventory = Query::select()
            .expr(column(resource.table, "id"))
            .from(Alias::new(resource.table))
            .and_where(column(resource.table, "inventory_id").eq(inventory.clone()))
            .to_owned();
        entries.union(UnionType::All, entries_about(resource, |object| object.in_subquery(of_inventory)));
    }
    column(other, "id").in_subquery(entries)
}

/// The condition that entry `other` is about this host or its inventory.
pub(super) fn about_host(host: Expr, other: &str) -> Expr {
    let mut entries = entries_about(&HOST, |object| object.eq(host.clone()));
    let inventory = Query::select()
        .expr(column(HOST.table, "inventory_id"))
        .from(Alias::new(HOST.table))
        .and_where(column(HOST.table, "id").eq(host.clone()))
        .to_owned();
    entries.union(UnionType::All, entries_about(&INVENTORY, |object| object.in_subquery(inventory)));
    column(other, "id").in_subquery(entries)
}

/// The ids of the entries about objects of this resource that match a condition on their ids.
fn entries_about(resource: &'static Resource, condition: impl FnOnce(Expr) -> Expr) -> SelectStatement {
    Query::select()
        .expr(column(LINKS, "activity_id"))
        .from(Alias::new(LINKS))
        .and_where(column(LINKS, "content_type").eq(resource.name))
        .and_where(condition(column(LINKS, "object_id")))
        .to_owned()
}
