//! What the source of an update has brought before, and what it brings now.

use std::collections::{HashMap, HashSet};

use hostler_database::{Error, Transaction};
use sea_query::{Alias, OnConflict};

use crate::edges::without_cycles;
use crate::import::{Changes, Import};
use crate::merge::{Brought, remembered};
use crate::stored::{GROUPS, Kind, StoredObject, delete_pairs, read_pairs};

/// What the source has brought and does not contain any more, if that is to be removed.
#[derive(Default)]
pub(crate) struct Gone<'s> {
    /// Objects that other sources have, too.
    pub left: Vec<&'s StoredObject>,
    /// Those that no other source has.
    pub lost: Vec<i64>,
}

impl<'s> Gone<'s> {
    pub fn of(import: &Import, stored: &'s [StoredObject], found: &[i64]) -> Self {
        if !import.overwrite {
            return Gone::default();
        }
        let found: HashSet<i64> = found.iter().copied().collect();
        let gone = stored.iter().filter(|object| object.own.is_some() && !found.contains(&object.id));
        let (lost, left): (Vec<_>, Vec<_>) = gone.partition(|object| object.others.is_empty());
        Gone { left, lost: lost.into_iter().map(|object| object.id).collect() }
    }
}

/// The hosts or groups of the source, in the order in which they were found.
pub(crate) struct Imported<'i> {
    pub kind: Kind,
    pub ids: &'i [i64],
    /// The ids of the groups of each host, or of the groups in each group, in order.
    pub groups: Vec<Vec<i64>>,
    pub brought: &'i [Brought],
}

impl<'i> Imported<'i> {
    /// `groups` are positions in `group_ids`, for each object.
    pub fn new<'f>(
        kind: Kind,
        (ids, brought): (&'i [i64], &'i [Brought]),
        groups: impl Iterator<Item = &'f [usize]>,
        group_ids: &[i64],
    ) -> Self {
        let sorted = |positions: &[usize]| {
            let mut groups: Vec<i64> = positions.iter().filter_map(|at| group_ids.get(*at).copied()).collect();
            groups.sort_unstable();
            groups.dedup();
            groups
        };
        Imported { kind, ids, groups: groups.map(sorted).collect(), brought }
    }

    /// Adds and removes memberships: of hosts in groups, or of groups in groups.
    pub async fn change_pairs(
        &self,
        tx: &mut Transaction,
        import: &Import,
        (stored, gone): (&[StoredObject], &Gone<'_>),
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let Kind { pairs, pair, .. } = self.kind;
        let mut known: HashSet<(i64, i64)> = read_pairs(tx, import, pairs).await?.into_iter().collect();
        let mut removed = vec![];
        if import.overwrite {
            let by_id: HashMap<i64, &[i64]> =
                self.ids.iter().copied().zip(self.groups.iter().map(Vec::as_slice)).collect();
            let still_there = stored.iter().filter(|object| by_id.contains_key(&object.id));
            for object in still_there.chain(gone.left.iter().copied()) {
                let now = by_id.get(&object.id).copied().unwrap_or_default();
                let before = object.own.iter().flat_map(|own| &own.groups);
                let lost = before.filter(|group| now.binary_search(group).is_err() && !object.is_others_group(**group));
                removed.extend(lost.map(|group| pair(object.id, *group)).filter(|pair| known.remove(pair)));
            }
        }
        delete_pairs(tx, pairs, &removed).await?;
        let wanted = self.ids.iter().zip(&self.groups);
        let wanted = wanted.flat_map(|(object, groups)| groups.iter().map(|group| pair(*object, *group)));
        let mut new: Vec<(i64, i64)> = wanted.filter(|pair| !known.contains(pair)).collect();
        if self.kind.table == GROUPS.table {
            new.sort_unstable();
            let present: Vec<(i64, i64)> = known.into_iter().collect();
            (new, changes.cycles) = without_cycles(&present, new);
        }
        changes.memberships += new.len() + removed.len();
        let (table, left, right) = pairs;
        let rows = new.into_iter().map(|(left, right)| [left.into(), right.into()]);
        tx.insert_rows(table, [left, right], rows).await?;
        Ok(())
    }

    /// Remembers what the source has brought.
    pub async fn write_owners(
        self,
        tx: &mut Transaction,
        import: &Import,
        stored: &[StoredObject],
    ) -> Result<(), Error> {
        let Kind { owners, object, groups: groups_column, .. } = self.kind;
        let by_id: HashMap<i64, &StoredObject> = stored.iter().map(|object| (object.id, object)).collect();
        let mut rows = vec![];
        for ((id, groups), brought) in self.ids.iter().zip(self.groups).zip(self.brought) {
            let own = by_id.get(id).and_then(|object| object.own.as_ref());
            let variables = remembered(own.map(|own| own.variables.as_str()), brought, import.overwrite_variables);
            let groups = remembered_ids(own.map(|own| own.groups.as_slice()), groups, !import.overwrite);
            if own.is_none_or(|own| own.variables != variables || own.groups != groups) {
                rows.push([import.source.into(), (*id).into(), variables.into(), ids_text(&groups).into()]);
            }
        }
        let mut change = OnConflict::columns(["inventory_source_id", object].map(Alias::new));
        change.update_columns(["variables", groups_column].map(Alias::new));
        tx.upsert_rows(owners, ["inventory_source_id", object, "variables", groups_column], rows, &change).await?;
        Ok(())
    }
}

/// The text of a list of ids.
fn ids_text(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", ids.join(","))
}

/// The ids of both lists, in order. Without `keeps` only the new ones.
fn remembered_ids(before: Option<&[i64]>, mut now: Vec<i64>, keeps: bool) -> Vec<i64> {
    if keeps {
        now.extend(before.unwrap_or_default());
        now.sort_unstable();
        now.dedup();
    }
    now
}
