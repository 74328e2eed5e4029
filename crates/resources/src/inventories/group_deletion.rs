//! Deleting a group deletes the groups and hosts that are in no other group, as in AWX.

use std::collections::{HashMap, HashSet};

use hostler_database::Transaction;
use hostler_engine::{Engine, Error};
use hostler_schema::column;
use sea_query::{Alias, ExprTrait, Query};

use super::groups::INVENTORY_LINK;
use crate::{GROUP, HOST};

/// Deletes the groups and hosts that are only in this group, directly or through other groups that are deleted with it.
///
/// # Errors
/// Database errors.
pub(super) async fn delete_content(
    engine: &Engine,
    tx: &mut Transaction,
    inventory: i64,
    group: i64,
) -> Result<(), Error> {
    let edges = pairs(tx, inventory, ("inventory_group_children", "parent_id", "child_id")).await?;
    let groups = lost_groups(group, &edges);
    let members = pairs(tx, inventory, ("inventory_group_hosts", "group_id", "host_id")).await?;
    let hosts = lost_hosts(&groups, &members);
    engine.delete_with(tx, &HOST, &hosts).await?;
    let others: Vec<i64> = groups.into_iter().filter(|id| *id != group).collect();
    engine.delete_with(tx, &GROUP, &others).await
}

/// The rows of a join table of the groups of this inventory: the table, its column with the group, and the other one.
async fn pairs(
    tx: &mut Transaction,
    inventory: i64,
    (table, group, other): (&'static str, &'static str, &'static str),
) -> Result<Vec<(i64, i64)>, Error> {
    let query = Query::select()
        .expr(column(table, group))
        .expr(column(table, other))
        .from(Alias::new(table))
        .inner_join(Alias::new(GROUP.table), column(GROUP.table, "id").eq(column(table, group)))
        .and_where(column(GROUP.table, INVENTORY_LINK.column).eq(inventory))
        .to_owned();
    Ok(tx.read_as(&query).await?)
}

/// The group and all groups that lose their last parent with it.
fn lost_groups(group: i64, edges: &[(i64, i64)]) -> HashSet<i64> {
    let mut parents: HashMap<i64, usize> = HashMap::new();
    let mut children: HashMap<i64, Vec<i64>> = HashMap::new();
    for (parent, child) in edges {
        *parents.entry(*child).or_default() += 1;
        children.entry(*parent).or_default().push(*child);
    }
    let mut lost = HashSet::from([group]);
    let mut next = vec![group];
    while let Some(parent) = next.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            let rest = parents.entry(*child).or_default();
            *rest = rest.saturating_sub(1);
            if *rest == 0 && lost.insert(*child) {
                next.push(*child);
            }
        }
    }
    lost
}

/// The hosts that are in these groups only.
fn lost_hosts(groups: &HashSet<i64>, members: &[(i64, i64)]) -> Vec<i64> {
    let kept: HashSet<i64> =
        members.iter().filter(|(group, _)| !groups.contains(group)).map(|(_, host)| *host).collect();
    let mut lost: Vec<i64> = members
        .iter()
        .filter(|(group, host)| groups.contains(group) && !kept.contains(host))
        .map(|(_, host)| *host)
        .collect();
    lost.sort_unstable();
    lost.dedup();
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_another_group_stays() {
        // 1 contains 2 and 3; both contain 4; 5 contains 3.
        let edges = [(1, 2), (1, 3), (2, 4), (3, 4), (5, 3)];
        assert_eq!(lost_groups(1, &edges), HashSet::from([1, 2]));
        assert_eq!(lost_groups(1, &edges[..4]), HashSet::from([1, 2, 3, 4]));
        assert_eq!(lost_groups(4, &edges), HashSet::from([4]));
        let members = [(1, 10), (2, 11), (2, 12), (3, 12), (9, 10)];
        assert_eq!(lost_hosts(&HashSet::from([1, 2]), &members), [11]);
    }
}
