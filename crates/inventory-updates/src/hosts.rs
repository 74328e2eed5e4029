//! The hosts of an import, and the groups that they are in.

use std::collections::{HashMap, HashSet};

use hostler_database::{Error, Transaction};
use jiff::Timestamp;
use sea_query::Value;

use crate::found::{Found, FoundHost};
use crate::groups::{Gone, owner_change};
use crate::import::{Changes, DESCRIPTION, Import, change_of, ids_text, new_ids, remembered_ids};
use crate::merge::{Brought, merged, remembered, withdrawn};
use crate::stored::{HOSTS, StoredObject, delete_objects, delete_pairs, disown, read_objects, read_pairs};

const MEMBERS: (&str, &str, &str) = ("inventory_group_hosts", "group_id", "host_id");

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

    let groups_of: Vec<Vec<i64>> = found
        .hosts
        .iter()
        .map(|host| host.groups.iter().filter_map(|group| groups.get(*group).copied()).collect())
        .collect();
    change_members(tx, import, (&ids, &groups_of), (&stored, &gone), changes).await?;
    write_owners(tx, import, (&ids, &groups_of, &brought), &stored).await?;
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

/// Adds and removes memberships.
async fn change_members(
    tx: &mut Transaction,
    import: &Import,
    (ids, groups): (&[i64], &[Vec<i64>]),
    (stored, gone): (&[StoredObject], &Gone<'_>),
    changes: &mut Changes,
) -> Result<(), Error> {
    let mut known: HashSet<(i64, i64)> = read_pairs(tx, import, MEMBERS).await?.into_iter().collect();
    let mut removed = vec![];
    if import.overwrite {
        let by_id: HashMap<i64, &Vec<i64>> = ids.iter().copied().zip(groups).collect();
        let nothing = vec![];
        let still_there = stored.iter().filter(|host| by_id.contains_key(&host.id));
        for host in still_there.chain(gone.left.iter().copied()) {
            let now = by_id.get(&host.id).copied().unwrap_or(&nothing);
            let before = host.own.iter().flat_map(|own| &own.groups);
            let lost = before.filter(|group| !now.contains(group) && !host.is_others_group(**group));
            removed.extend(lost.map(|group| (*group, host.id)).filter(|member| known.remove(member)));
        }
    }
    delete_pairs(tx, MEMBERS, &removed).await?;
    let wanted = ids.iter().zip(groups).flat_map(|(host, groups)| groups.iter().map(|group| (*group, *host)));
    let new: Vec<(i64, i64)> = wanted.filter(|member| !known.contains(member)).collect();
    changes.memberships += new.len() + removed.len();
    let (table, group, host) = MEMBERS;
    let rows = new.into_iter().map(|(group, host)| [group.into(), host.into()]);
    tx.insert_rows(table, [group, host], rows).await?;
    Ok(())
}

/// Remembers what the source has brought.
async fn write_owners(
    tx: &mut Transaction,
    import: &Import,
    (ids, groups, brought): (&[i64], &[Vec<i64>], &[Brought]),
    stored: &[StoredObject],
) -> Result<(), Error> {
    let by_id: HashMap<i64, &StoredObject> = stored.iter().map(|host| (host.id, host)).collect();
    let mut rows = vec![];
    for ((id, groups), brought) in ids.iter().zip(groups).zip(brought) {
        let own = by_id.get(id).and_then(|host| host.own.as_ref());
        let variables = remembered(own.map(|own| own.variables.as_str()), brought, import.overwrite_variables);
        let groups = remembered_ids(own.map(|own| own.groups.as_slice()), groups.clone(), !import.overwrite);
        if own.is_none_or(|own| own.variables != variables || own.groups != groups) {
            rows.push([import.source.into(), (*id).into(), variables.into(), ids_text(&groups).into()]);
        }
    }
    let columns = ["inventory_source_id", HOSTS.object, "variables", HOSTS.groups];
    tx.upsert_rows(HOSTS.owners, columns, rows, &owner_change(HOSTS.object, HOSTS.groups)).await?;
    Ok(())
}
