//! What the database has of an inventory, and what its sources have brought, in a constant number of statements.

use std::collections::HashMap;

use hostler_database::{Error, Transaction};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};

use crate::import::Import;

/// A host or a group.
#[derive(Clone, Debug)]
pub(crate) struct StoredObject {
    pub id: i64,
    pub name: String,
    pub variables: String,
    /// Of hosts only.
    pub enabled: bool,
    pub instance_id: String,
    /// What the source of this update has brought.
    pub own: Option<Owned>,
    /// What other sources have brought.
    pub others: Vec<Owned>,
}

/// What a source has brought of an object.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    pub variables: String,
    /// The ids of the groups of a host, or of the groups in a group, in order.
    pub groups: Vec<i64>,
}

impl StoredObject {
    /// The variables that other sources have given it.
    pub fn others_variables(&self) -> Vec<&str> {
        self.others.iter().map(|other| other.variables.as_str()).collect()
    }

    /// Whether another source has brought this group too.
    pub fn is_others_group(&self, group: i64) -> bool {
        self.others.iter().any(|other| other.groups.binary_search(&group).is_ok())
    }
}

/// A kind of object: its tables and columns.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub table: &'static str,
    /// The name in the activity stream.
    pub name: &'static str,
    /// What sources have brought, with its column for the object and that for ids of groups.
    pub owners: &'static str,
    pub object: &'static str,
    pub groups: &'static str,
    /// The join table of memberships, with its columns for the group and for the object in it.
    pub pairs: (&'static str, &'static str, &'static str),
    /// The row of that table for an object and one of its groups: the groups of a host contain it, those of a group are in it.
    pub pair: fn(object: i64, group: i64) -> (i64, i64),
}

pub(crate) const HOSTS: Kind = Kind {
    table: "hosts",
    name: "host",
    owners: "inventory_source_hosts",
    object: "host_id",
    groups: "group_ids",
    pairs: ("inventory_group_hosts", "group_id", "host_id"),
    pair: |host, group| (group, host),
};
pub(crate) const GROUPS: Kind = Kind {
    table: "inventory_groups",
    name: "group",
    owners: "inventory_source_groups",
    object: "group_id",
    groups: "child_ids",
    pairs: ("inventory_group_children", "parent_id", "child_id"),
    pair: |parent, child| (parent, child),
};

pub(crate) fn column(table: &'static str, name: &'static str) -> Expr {
    Expr::col((Alias::new(table), Alias::new(name)))
}

/// All hosts or groups of the inventory.
pub(crate) async fn read_objects(
    tx: &mut Transaction,
    import: &Import,
    kind: Kind,
) -> Result<Vec<StoredObject>, Error> {
    let of_inventory = |query: &mut SelectStatement| {
        query.from(Alias::new(kind.table)).and_where(column(kind.table, "inventory_id").eq(import.inventory)).to_owned()
    };
    let mut query = Query::select();
    query.exprs(["id", "name", "variables"].map(|name| column(kind.table, name)));
    if kind.table == HOSTS.table {
        query.exprs(["enabled", "instance_id"].map(|name| column(kind.table, name)));
    } else {
        query.expr(Expr::Constant(true.into())).expr(Expr::Constant("".into()));
    }
    let rows: Vec<(i64, String, String, bool, String)> = tx.read_as(&of_inventory(&mut query)).await?;
    let mut objects: Vec<StoredObject> = rows
        .into_iter()
        .map(|(id, name, variables, enabled, instance_id)| StoredObject {
            id,
            name,
            variables,
            enabled,
            instance_id,
            own: None,
            others: vec![],
        })
        .collect();
    let positions: HashMap<i64, usize> = objects.iter().zip(0..).map(|(object, at)| (object.id, at)).collect();
    let mut query = Query::select();
    query
        .exprs(["inventory_source_id", kind.object, "variables", kind.groups].map(|name| column(kind.owners, name)))
        .inner_join(Alias::new(kind.owners), column(kind.owners, kind.object).eq(column(kind.table, "id")));
    let rows: Vec<(i64, i64, String, String)> = tx.read_as(&of_inventory(&mut query)).await?;
    for (source, object, variables, groups) in rows {
        let Some(object) = positions.get(&object).and_then(|at| objects.get_mut(*at)) else { continue };
        let owned = Owned { variables, groups: serde_json::from_str(&groups).unwrap_or_default() };
        if source == import.source {
            object.own = Some(owned);
        } else {
            object.others.push(owned);
        }
    }
    Ok(objects)
}

/// The rows of a join table of the groups of the inventory: the group, and the other object.
pub(crate) async fn read_pairs(
    tx: &mut Transaction,
    import: &Import,
    (table, group, other): (&'static str, &'static str, &'static str),
) -> Result<Vec<(i64, i64)>, Error> {
    let query = Query::select()
        .exprs([group, other].map(|name| column(table, name)))
        .from(Alias::new(table))
        .inner_join(Alias::new(GROUPS.table), column(GROUPS.table, "id").eq(column(table, group)))
        .and_where(column(GROUPS.table, "inventory_id").eq(import.inventory))
        .to_owned();
    tx.read_as(&query).await
}

/// Deletes rows by pairs of ids, in statements of bounded size.
pub(crate) async fn delete_pairs(
    tx: &mut Transaction,
    (table, group, other): (&'static str, &'static str, &'static str),
    pairs: &[(i64, i64)],
) -> Result<(), Error> {
    let mut by_group: HashMap<i64, Vec<i64>> = HashMap::new();
    for (group, other) in pairs {
        by_group.entry(*group).or_default().push(*other);
    }
    for (id, others) in by_group {
        for some in others.chunks(STEP) {
            let delete = Query::delete()
                .from_table(Alias::new(table))
                .and_where(column(table, group).eq(id))
                .and_where(column(table, other).is_in(some.iter().copied()))
                .to_owned();
            tx.execute(&delete).await?;
        }
    }
    Ok(())
}

/// How many rows one statement deletes.
const STEP: usize = 1_000;

/// Deletes objects, with their links in the activity stream. Rows that depend on them go with them.
pub(crate) async fn delete_objects(tx: &mut Transaction, kind: Kind, ids: &[i64]) -> Result<(), Error> {
    const LINKS: &str = "activity_links";
    for some in ids.chunks(STEP) {
        let links = Query::delete()
            .from_table(Alias::new(LINKS))
            .and_where(column(LINKS, "content_type").eq(kind.name))
            .and_where(column(LINKS, "object_id").is_in(some.iter().copied()))
            .to_owned();
        tx.execute(&links).await?;
        let objects = Query::delete()
            .from_table(Alias::new(kind.table))
            .and_where(column(kind.table, "id").is_in(some.iter().copied()))
            .to_owned();
        tx.execute(&objects).await?;
    }
    Ok(())
}

/// Forgets what the source has brought of these objects.
pub(crate) async fn disown(tx: &mut Transaction, import: &Import, kind: Kind, ids: &[i64]) -> Result<(), Error> {
    for some in ids.chunks(STEP) {
        let delete = Query::delete()
            .from_table(Alias::new(kind.owners))
            .and_where(column(kind.owners, "inventory_source_id").eq(import.source))
            .and_where(column(kind.owners, kind.object).is_in(some.iter().copied()))
            .to_owned();
        tx.execute(&delete).await?;
    }
    Ok(())
}
