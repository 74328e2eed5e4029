//! Which groups and hosts are below a group, and which groups contain it. Groups in groups form no cycle, and a group
//! can be in several others.

use hostler_schema::{Join, column};
use sea_query::{
    Alias, BinOper, CommonTableExpression, Expr, ExprTrait, Query, SelectStatement, UnionType, WithClause,
};

use crate::GROUP;

/// The join table of groups in groups.
const CHILDREN: &str = "inventory_group_children";
/// The join table of hosts in groups.
const MEMBERS: &str = "inventory_group_hosts";

/// From a group to the hosts that are directly in it.
pub(super) const ITS_HOSTS: Join = Join::JoinTable { table: MEMBERS, left: "group_id", right: "host_id", filter: None };
/// From a host to the groups that it is directly in.
pub(super) const ITS_GROUPS: Join =
    Join::JoinTable { table: MEMBERS, left: "host_id", right: "group_id", filter: None };
/// From a group to the groups that are directly in it.
pub(super) const ITS_CHILDREN: Join =
    Join::JoinTable { table: CHILDREN, left: "parent_id", right: "child_id", filter: None };

/// The name of the common table expression.
const REACHED: &str = "reached";

/// The ids of the first rows, and of all that follow from them along the edges of the groups.
fn closure(first: SelectStatement, from: &'static str, to: &'static str) -> SelectStatement {
    let next = Query::select()
        .expr(column(CHILDREN, to))
        .from(Alias::new(CHILDREN))
        .inner_join(Alias::new(REACHED), column(CHILDREN, from).eq(column(REACHED, "id")))
        .to_owned();
    let mut rows = first;
    rows.union(UnionType::Distinct, next);
    let expression =
        CommonTableExpression::new().table_name(Alias::new(REACHED)).column(Alias::new("id")).query(rows).to_owned();
    let mut ids = Query::select();
    ids.expr(column(REACHED, "id")).from(Alias::new(REACHED));
    ids.with_cte(WithClause::new().recursive(true).cte(expression).to_owned());
    ids
}

/// The edges of groups that begin or end at this group.
fn edges(name: &'static str, end: &'static str, group: Expr) -> SelectStatement {
    Query::select()
        .expr(column(CHILDREN, name))
        .from(Alias::new(CHILDREN))
        .and_where(column(CHILDREN, end).eq(group))
        .to_owned()
}

/// The ids of all groups below this one.
pub(super) fn descendants(group: Expr) -> SelectStatement {
    closure(edges("child_id", "parent_id", group), "parent_id", "child_id")
}

/// The ids of all groups that contain this one.
pub(super) fn ancestors(group: Expr) -> SelectStatement {
    closure(edges("parent_id", "child_id", group), "child_id", "parent_id")
}

/// The condition that a value is one of these ids.
pub(super) fn is_in(value: Expr, ids: SelectStatement) -> Expr {
    value.binary(BinOper::In, Expr::SubQuery(None, Box::new(ids.into())))
}

/// The condition that host `other` is in this group or in a group below it.
pub(super) fn is_host_below(group: Expr, other: &str) -> Expr {
    column(other, "id").in_subquery(hosts_below(group))
}

/// The ids of the hosts in this group and in the groups below it.
pub fn hosts_below(group: Expr) -> SelectStatement {
    let in_groups =
        column(MEMBERS, "group_id").eq(group.clone()).or(is_in(column(MEMBERS, "group_id"), descendants(group)));
    Query::select().expr(column(MEMBERS, "host_id")).from(Alias::new(MEMBERS)).and_where(in_groups).to_owned()
}

/// The condition that group `other` contains this host, directly or not.
pub(super) fn contains_host(host: Expr, other: &str) -> Expr {
    let direct = Query::select()
        .expr(column(MEMBERS, "group_id"))
        .from(Alias::new(MEMBERS))
        .and_where(column(MEMBERS, "host_id").eq(host))
        .to_owned();
    is_in(column(other, "id"), closure(direct, "child_id", "parent_id"))
}

/// The condition that group `other` of this inventory is in no group.
pub(super) fn is_root_of(inventory: Expr, other: &str) -> Expr {
    let parents = Query::select()
        .expr(Expr::Constant(1i64.into()))
        .from(Alias::new(CHILDREN))
        .and_where(column(CHILDREN, "child_id").eq(column(other, "id")))
        .to_owned();
    column(other, "inventory_id").eq(inventory).and(Expr::exists(parents).not())
}

/// The condition that group `other` could become a child of this group: it is in the same inventory, and neither below
/// this group nor above it.
pub(super) fn is_potential_child(group: Expr, other: &str) -> Expr {
    const PARENT: &str = "adopting";
    let inventory = Query::select()
        .expr(column(PARENT, "inventory_id"))
        .from_as(Alias::new(GROUP.table), Alias::new(PARENT))
        .and_where(column(PARENT, "id").eq(group.clone()))
        .to_owned();
    column(other, "inventory_id")
        .in_subquery(inventory)
        .and(column(other, "id").ne(group.clone()))
        .and(is_in(column(other, "id"), descendants(group.clone())).not())
        .and(is_in(column(other, "id"), ancestors(group)).not())
}
