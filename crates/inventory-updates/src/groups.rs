//! The groups of an import, and the groups in them.

use std::collections::HashMap;

use hostler_database::{Error, Transaction};
use jiff::Timestamp;
use sea_query::Value;

use crate::found::Found;
use crate::import::{Changes, DESCRIPTION, Import, change_of, new_ids};
use crate::merge::{Brought, merged, withdrawn};
use crate::owned::{Gone, Imported};
use crate::stored::{GROUPS, StoredObject, delete_objects, disown, read_objects};

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

    let children = found.groups.iter().map(|group| group.children.as_slice());
    let imported = Imported::new(GROUPS, (&ids, &brought), children, &ids);
    imported.change_pairs(tx, import, (&stored, &gone), changes).await?;
    imported.write_owners(tx, import, &stored).await?;
    let left: Vec<i64> = gone.left.iter().map(|group| group.id).collect();
    disown(tx, import, GROUPS, &left).await?;
    changes.groups.removed = gone.lost.len();
    delete_objects(tx, GROUPS, &gone.lost).await?;
    Ok(ids)
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
