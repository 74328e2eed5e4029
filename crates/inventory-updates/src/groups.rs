//! The groups of an import, and the groups in them.

use std::collections::{HashMap, HashSet};

use hostler_database::{Error, Transaction};
use jiff::Timestamp;
use sea_query::{Alias, OnConflict, Value};

use crate::edges::without_cycles;
use crate::found::Found;
use crate::import::{Changes, DESCRIPTION, Import, change_of, ids_text, new_ids, remembered_ids};
use crate::merge::{Brought, merged, remembered, withdrawn};
use crate::stored::{GROUPS, StoredObject, delete_objects, delete_pairs, disown, read_objects, read_pairs};

const CHILDREN: (&str, &str, &str) = ("inventory_group_children", "parent_id", "child_id");

/// Imports the groups, and returns their ids in the order in which they were found.
pub(crate) async fn import(
    tx: &mut Transaction,
    import: &Import,
    found: &Found,
    now: Timestamp,
    changes: &mut Changes,
) -> Result<Vec<i64>, Error> {
    let stored = read_objects(tx, import, GROUPS).await?;
    let last = stored.iter().map(|group| group.id).max().unwrap_or_default();
    let by_name: HashMap<&str, &StoredObject> = stored.iter().map(|group| (group.name.as_str(), group)).collect();
    let brought: Vec<Brought> = found.groups.iter().map(|group| Brought::new(group.variables.clone())).collect();

    let (mut added, mut changed) = (vec![], vec![]);
    for (group, brought) in found.groups.iter().zip(&brought) {
        match by_name.get(group.name.as_str()) {
            None => added.push([
                import.inventory.into(),
                group.name.as_str().into(),
                DESCRIPTION.into(),
                now.into(),
                now.into(),
                brought.text.as_str().into(),
            ]),
            Some(stored) => {
                let others = stored.others_variables();
                if let Some(next) = merged(&stored.variables, brought, &others, import.overwrite_variables) {
                    changed.push((*stored, next));
                }
            }
        }
    }
    changes.groups.added = added.len();
    let columns = ["inventory_id", "name", "description", "created", "modified", "variables"];
    tx.insert_rows(GROUPS.table, columns, added).await?;
    let new = if changes.groups.added > 0 { new_ids(tx, import, GROUPS.table, last).await? } else { HashMap::new() };
    let id_of = |name: &str| by_name.get(name).map(|group| group.id).or_else(|| new.get(name).copied());
    let ids: Option<Vec<i64>> = found.groups.iter().map(|group| id_of(&group.name)).collect();
    let ids = ids.ok_or_else(|| Error::Internal("a group that was inserted is not there".into()))?;

    let gone = Gone::of(import, &stored, &ids);
    changed.extend(gone.left.iter().filter_map(|group| {
        let given = group.own.as_ref()?;
        Some((*group, withdrawn(&group.variables, &given.variables, &group.others_variables())?))
    }));
    changes.groups.changed = changed.len();
    write_variables(tx, import, changed, now).await?;

    let children: Vec<Vec<i64>> = found
        .groups
        .iter()
        .map(|group| group.children.iter().filter_map(|child| ids.get(*child).copied()).collect())
        .collect();
    change_children(tx, import, (&ids, &children), (&stored, &gone), changes).await?;
    write_owners(tx, import, (&ids, &children, &brought), &stored).await?;
    let left: Vec<i64> = gone.left.iter().map(|group| group.id).collect();
    disown(tx, import, GROUPS, &left).await?;
    changes.groups.removed = gone.lost.len();
    delete_objects(tx, GROUPS, &gone.lost).await?;
    Ok(ids)
}

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

async fn write_variables(
    tx: &mut Transaction,
    import: &Import,
    changed: Vec<(&StoredObject, String)>,
    now: Timestamp,
) -> Result<(), Error> {
    let row = |(group, variables): (&StoredObject, String)| {
        [group.id.into(), import.inventory.into(), group.name.as_str().into(), now.into(), now.into(), variables.into()]
    };
    let rows: Vec<[Value; 6]> = changed.into_iter().map(row).collect();
    let columns = ["id", "inventory_id", "name", "created", "modified", "variables"];
    tx.upsert_rows(GROUPS.table, columns, rows, &change_of(GROUPS.table, &["modified", "variables"])).await?;
    Ok(())
}

/// Adds and removes groups in groups.
async fn change_children(
    tx: &mut Transaction,
    import: &Import,
    (ids, children): (&[i64], &[Vec<i64>]),
    (stored, gone): (&[StoredObject], &Gone<'_>),
    changes: &mut Changes,
) -> Result<(), Error> {
    let present = read_pairs(tx, import, CHILDREN).await?;
    let mut known: HashSet<(i64, i64)> = present.iter().copied().collect();
    let by_id: HashMap<i64, &Vec<i64>> = ids.iter().copied().zip(children).collect();
    let mut removed = vec![];
    if import.overwrite {
        let nothing = vec![];
        let still_there = stored.iter().filter(|group| by_id.contains_key(&group.id));
        for group in still_there.chain(gone.left.iter().copied()) {
            let now = by_id.get(&group.id).copied().unwrap_or(&nothing);
            let before = group.own.iter().flat_map(|own| &own.groups);
            let lost = before.filter(|child| !now.contains(child) && !group.is_others_group(**child));
            removed.extend(lost.map(|child| (group.id, *child)).filter(|edge| known.remove(edge)));
        }
    }
    delete_pairs(tx, CHILDREN, &removed).await?;
    let wanted = by_id.iter().flat_map(|(parent, children)| children.iter().map(|child| (*parent, *child)));
    let mut new: Vec<(i64, i64)> = wanted.filter(|edge| !known.contains(edge)).collect();
    new.sort_unstable();
    let present: Vec<(i64, i64)> = known.into_iter().collect();
    let (new, cycles) = without_cycles(&present, new);
    changes.cycles = cycles;
    changes.memberships += new.len() + removed.len();
    let (table, parent, child) = CHILDREN;
    let rows = new.into_iter().map(|(parent, child)| [parent.into(), child.into()]);
    tx.insert_rows(table, [parent, child], rows).await?;
    Ok(())
}

/// Remembers what the source has brought.
async fn write_owners(
    tx: &mut Transaction,
    import: &Import,
    (ids, children, brought): (&[i64], &[Vec<i64>], &[Brought]),
    stored: &[StoredObject],
) -> Result<(), Error> {
    let by_id: HashMap<i64, &StoredObject> = stored.iter().map(|group| (group.id, group)).collect();
    let mut rows = vec![];
    for ((id, children), brought) in ids.iter().zip(children).zip(brought) {
        let own = by_id.get(id).and_then(|group| group.own.as_ref());
        let variables = remembered(own.map(|own| own.variables.as_str()), brought, import.overwrite_variables);
        let children = remembered_ids(own.map(|own| own.groups.as_slice()), children.clone(), !import.overwrite);
        if own.is_none_or(|own| own.variables != variables || own.groups != children) {
            rows.push([import.source.into(), (*id).into(), variables.into(), ids_text(&children).into()]);
        }
    }
    let columns = ["inventory_source_id", GROUPS.object, "variables", GROUPS.groups];
    tx.upsert_rows(GROUPS.owners, columns, rows, &owner_change(GROUPS.object, GROUPS.groups)).await?;
    Ok(())
}

/// The change of what a source has brought of an object.
pub(crate) fn owner_change(object: &'static str, groups: &'static str) -> OnConflict {
    let mut change = OnConflict::columns(["inventory_source_id", object].map(Alias::new));
    change.update_columns(["variables", groups].map(Alias::new));
    change
}
