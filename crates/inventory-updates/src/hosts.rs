//! The hosts of an import, and the groups that they are in.

use std::collections::{HashMap, HashSet};

use hostler_database::{Error, Transaction};
use jiff::Timestamp;
use sea_query::Value;

use crate::found::{Found, FoundHost};
use crate::import::{Changes, DESCRIPTION, Import, change_of, new_ids};
use crate::merge::{Brought, merged, withdrawn};
use crate::owned::{Gone, Imported};
use crate::stored::{HOSTS, StoredObject, delete_objects, disown, read_objects};

/// The new values of a host.
struct Changed<'s> {
    id: i64,
    name: &'s str,
    variables: String,
    enabled: bool,
    instance_id: &'s str,
}

/// Imports the hosts. `groups` are the ids of the groups in the order in which they were found.
pub(crate) async fn import(
    tx: &mut Transaction,
    import: &Import,
    found: &Found,
    groups: &[i64],
    now: Timestamp,
    changes: &mut Changes,
) -> Result<(), Error> {
    let stored = read_objects(tx, import, HOSTS).await?;
    let last = stored.iter().map(|host| host.id).max().unwrap_or_default();
    let matches = Matches::new(&stored, &found.hosts);
    let brought: Vec<Brought> = found.hosts.iter().map(|host| Brought::new(host.variables.clone())).collect();

    let (mut added, mut changed) = (vec![], vec![]);
    for (host, brought) in found.hosts.iter().zip(&brought) {
        match matches.of(host) {
            None => added.push([
                import.inventory.into(),
                host.name.as_str().into(),
                DESCRIPTION.into(),
                now.into(),
                now.into(),
                brought.text.as_str().into(),
                host.enabled.unwrap_or(true).into(),
                host.instance_id.as_str().into(),
            ]),
            Some(stored) => changed.extend(change(import, host, brought, stored)),
        }
    }
    changes.hosts.added = added.len();
    let columns = ["inventory_id", "name", "description", "created", "modified", "variables", "enabled", "instance_id"];
    tx.insert_rows(HOSTS.table, columns, added).await?;
    let new = if changes.hosts.added > 0 { new_ids(tx, import, HOSTS.table, last).await? } else { HashMap::new() };
    let id_of = |host: &FoundHost| matches.of(host).map(|host| host.id).or_else(|| new.get(&host.name).copied());
    let ids: Option<Vec<i64>> = found.hosts.iter().map(id_of).collect();
    let ids = ids.ok_or_else(|| Error::Internal("a host that was inserted is not there".into()))?;

    let gone = Gone::of(import, &stored, &ids);
    changed.extend(gone.left.iter().filter_map(|host| {
        let given = host.own.as_ref()?;
        let variables = withdrawn(&host.variables, &given.variables, &host.others_variables())?;
        let StoredObject { id, name, enabled, instance_id, .. } = host;
        Some(Changed { id: *id, name, variables, enabled: *enabled, instance_id })
    }));
    changes.hosts.changed = changed.len();
    write(tx, import, changed, now).await?;

    let groups_of = found.hosts.iter().map(|host| host.groups.as_slice());
    let imported = Imported::new(HOSTS, (&ids, &brought), groups_of, groups);
    imported.change_pairs(tx, import, (&stored, &gone), changes).await?;
    imported.write_owners(tx, import, &stored).await?;
    let left: Vec<i64> = gone.left.iter().map(|host| host.id).collect();
    disown(tx, import, HOSTS, &left).await?;
    changes.hosts.removed = gone.lost.len();
    delete_objects(tx, HOSTS, &gone.lost).await
}

/// Which stored hosts are which found ones: by the id in the service of a host of this source, which may have got another
/// name, otherwise by name.
struct Matches<'s> {
    by_name: HashMap<&'s str, &'s StoredObject>,
    by_instance: HashMap<&'s str, &'s StoredObject>,
}

impl<'s> Matches<'s> {
    fn new(stored: &'s [StoredObject], found: &'s [FoundHost]) -> Self {
        let by_name: HashMap<&str, &StoredObject> = stored.iter().map(|host| (host.name.as_str(), host)).collect();
        let names: HashSet<&str> = found.iter().map(|host| host.name.as_str()).collect();
        let mut by_instance = HashMap::new();
        let mut ambiguous: HashSet<&str> = HashSet::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for host in found.iter().filter(|host| !host.instance_id.is_empty()) {
            if !seen.insert(&host.instance_id) {
                ambiguous.insert(&host.instance_id);
            }
        }
        // A host whose name is still found keeps it.
        let renamed = |host: &&StoredObject| {
            host.own.is_some() && !host.instance_id.is_empty() && !names.contains(host.name.as_str())
        };
        for host in stored.iter().filter(renamed) {
            let id = host.instance_id.as_str();
            if by_instance.insert(id, host).is_some() {
                ambiguous.insert(id);
            }
        }
        by_instance.retain(|id, _| !ambiguous.contains(id));
        Matches { by_name, by_instance }
    }

    fn of(&self, host: &FoundHost) -> Option<&'s StoredObject> {
        let named = self.by_name.get(host.name.as_str()).copied();
        named.or_else(|| self.by_instance.get(host.instance_id.as_str()).copied())
    }
}

fn change<'s>(
    import: &Import,
    host: &'s FoundHost,
    brought: &Brought,
    stored: &'s StoredObject,
) -> Option<Changed<'s>> {
    let variables = merged(&stored.variables, brought, &stored.others_variables(), import.overwrite_variables);
    let enabled = host.enabled.unwrap_or(stored.enabled);
    let instance_id = if host.instance_id.is_empty() { &stored.instance_id } else { &host.instance_id };
    let is_same = variables.is_none()
        && enabled == stored.enabled
        && *instance_id == stored.instance_id
        && host.name == stored.name;
    let changed = || Changed {
        id: stored.id,
        name: &host.name,
        variables: variables.clone().unwrap_or_else(|| stored.variables.clone()),
        enabled,
        instance_id,
    };
    (!is_same).then(changed)
}

async fn write(tx: &mut Transaction, import: &Import, changed: Vec<Changed<'_>>, now: Timestamp) -> Result<(), Error> {
    let row = |host: Changed<'_>| {
        [
            host.id.into(),
            import.inventory.into(),
            host.name.into(),
            now.into(),
            now.into(),
            host.variables.into(),
            host.enabled.into(),
            host.instance_id.into(),
        ]
    };
    let rows: Vec<[Value; 8]> = changed.into_iter().map(row).collect();
    let columns = ["id", "inventory_id", "name", "created", "modified", "variables", "enabled", "instance_id"];
    let change = change_of(HOSTS.table, &["name", "modified", "variables", "enabled", "instance_id"]);
    tx.upsert_rows(HOSTS.table, columns, rows, &change).await?;
    Ok(())
}
