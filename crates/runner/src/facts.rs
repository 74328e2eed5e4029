//! Facts of hosts, which jobs with `use_fact_cache` get before they start, and leave for later jobs.
//!
//! Ansible's cache plugin `jsonfile` keeps a file for each host in the folder `fact_cache` of the workspace. It replaces a
//! file that it changes. What the job got is also in a file that the job cannot change: what differs from it at the end is
//! what the job has changed. Only these keys are written, so that two jobs keep each other's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use hostler_database::{Database, Error as DatabaseError};
use hostler_queue::Pauses;
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, CaseStatement, Expr, ExprTrait, LockType, Order, Query};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::job_directory::{JobDirectory, blocking};

/// The folder of the plugin, in the workspace.
pub(crate) const FOLDER: &str = "fact_cache";
/// The file with what the job got: for each host a line of JSON ([`Given`]), and the facts in another line.
const GIVEN: &str = "facts";
/// How many hosts a statement reads or writes.
const HOSTS_AT_A_TIME: usize = 250;
/// Larger facts are not stored.
const LONGEST: u64 = 16 << 20;

/// A host whose facts are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FactHost {
    id: i64,
    name: String,
}

impl FactHost {
    /// The name of the host.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What a job got of a host.
#[derive(Debug, Serialize, Deserialize)]
struct Given {
    id: i64,
    name: String,
    /// The file with its facts; none if there are no facts.
    file: Option<FileState>,
}

/// What changes when a file is replaced or written.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileState {
    inode: u64,
    changed: (i64, i64),
}

impl FileState {
    fn of(file: &Metadata) -> Self {
        FileState { inode: file.ino(), changed: (file.ctime(), file.ctime_nsec()) }
    }
}

/// What a job has changed of the facts of a host.
#[derive(Debug, PartialEq)]
struct Change {
    host: i64,
    set: Map<String, Value>,
    removed: BTreeSet<String>,
}

/// The hosts of an inventory script's answer, by id. The plugin cannot store those whose names are no names of files. The facts of
/// hosts of other inventories, by name, are stored there.
pub(crate) fn hosts_of(script: &Map<String, Value>, of_others: Option<&BTreeMap<String, i64>>) -> Vec<FactHost> {
    let variables = script.get("_meta").and_then(|meta| meta.get("hostvars")).and_then(Value::as_object);
    let hosts = variables.into_iter().flatten().filter(|(name, _)| is_file_name(name));
    let hosts = hosts.filter_map(|(name, variables)| {
        let id = match of_others {
            Some(hosts) => *hosts.get(name)?,
            None => variables.get("remote_tower_id")?.as_i64()?,
        };
        Some(FactHost { id, name: name.clone() })
    });
    let mut hosts: Vec<FactHost> = hosts.collect();
    hosts.sort_unstable_by_key(|host| host.id);
    hosts
}

fn is_file_name(name: &str) -> bool {
    !name.contains(['/', '\0']) && !matches!(name, "" | "." | "..") && name.len() <= 255
}

/// Writes the stored facts of the hosts for a job. Those that are older than `seconds` are left out, unless it is 0.
///
/// # Errors
/// The outer one of the database, the inner one of the disk.
pub(crate) async fn give(
    database: &Database,
    directory: &JobDirectory,
    hosts: Vec<FactHost>,
    seconds: u64,
    now: Timestamp,
) -> Result<Result<(), String>, DatabaseError> {
    let oldest = match i64::try_from(seconds) {
        Ok(0) | Err(_) => None,
        Ok(seconds) => now.checked_sub(SignedDuration::from_secs(seconds)).ok(),
    };
    let path = directory.path().to_owned();
    if let Err(problem) = blocking(move || create(&path).map_err(|problem| problem.to_string())).await {
        return Ok(Err(problem));
    }
    for part in hosts.chunks(HOSTS_AT_A_TIME) {
        let mut query = Query::select();
        query
            .columns(["id", "ansible_facts"].map(Alias::new))
            .from(Alias::new("hosts"))
            .and_where(Expr::col(Alias::new("id")).is_in(part.iter().map(|host| host.id)))
            .and_where(Expr::col(Alias::new("ansible_facts")).ne("{}"));
        if let Some(oldest) = oldest {
            query.and_where(Expr::col(Alias::new("ansible_facts_modified")).gte(oldest));
        }
        let stored: Vec<(i64, String)> = database.read_as(&query).await?;
        let (path, part) = (directory.path().to_owned(), part.to_vec());
        let written = blocking(move || write(&path, part, &stored).map_err(|problem| problem.to_string()));
        if let Err(problem) = written.await {
            return Ok(Err(problem));
        }
    }
    Ok(Ok(()))
}

/// Creates the folder and the file, without what an attempt before has left.
fn create(directory: &Path) -> std::io::Result<()> {
    let cache = directory.join("workspace").join(FOLDER);
    match fs::remove_dir_all(&cache) {
        Err(problem) if problem.kind() != ErrorKind::NotFound => return Err(problem),
        _ => fs::create_dir_all(&cache)?,
    }
    File::create(directory.join(GIVEN)).map(drop)
}

/// Writes the facts of some hosts.
fn write(directory: &Path, hosts: Vec<FactHost>, stored: &[(i64, String)]) -> std::io::Result<()> {
    let cache = directory.join("workspace").join(FOLDER);
    let mut given = BufWriter::new(OpenOptions::new().append(true).open(directory.join(GIVEN))?);
    for FactHost { id, name } in hosts {
        let facts = stored.iter().find(|(host, _)| *host == id).map_or("", |(_, facts)| facts);
        let mut file = None;
        if !facts.is_empty() {
            let mut created = File::create(cache.join(&name))?;
            created.write_all(facts.as_bytes())?;
            file = Some(FileState::of(&created.metadata()?));
        }
        serde_json::to_writer(&mut given, &Given { id, name, file })?;
        // JSON has no line breaks but between its parts.
        given.write_all(format!("\n{}\n", facts.replace(['\n', '\r'], " ")).as_bytes())?;
    }
    given.flush()
}

/// Stores what a job that has ended has changed of the facts of its hosts. False if the server stops before.
pub(crate) async fn keep(
    database: &Database,
    directory: &JobDirectory,
    now: Timestamp,
    shutdown: &CancellationToken,
) -> bool {
    let (job, path) = (directory.job(), directory.path().to_owned());
    let mut changes = match blocking(move || changes(&path, job)).await {
        Ok(changes) => changes,
        Err(problem) => {
            tracing::warn!(job, problem, "the facts of the job cannot be read");
            return true;
        }
    };
    while !changes.is_empty() {
        let rest = changes.split_off(changes.len().min(HOSTS_AT_A_TIME));
        let part = Arc::new(std::mem::replace(&mut changes, rest));
        let mut pauses = Pauses::default();
        loop {
            match store(database, &part, now).await {
                Ok(()) => break,
                Err(problem) if problem.is_temporary() => {
                    if !pauses.wait(job, &problem, shutdown).await {
                        return false;
                    }
                }
                Err(problem) => {
                    tracing::error!(job, %problem, "the facts of the job cannot be stored");
                    return true;
                }
            }
        }
    }
    true
}

/// What differs from the facts that the job got, by host.
fn changes(directory: &Path, job: i64) -> Result<Vec<Change>, String> {
    let mut given = match File::open(directory.join(GIVEN)) {
        Ok(file) => BufReader::new(file),
        // The job was started before it could get facts, or its directory is gone.
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(vec![]),
        Err(problem) => return Err(problem.to_string()),
    };
    let cache = directory.join("workspace").join(FOLDER);
    // A link of the job could lead to files that it must not read.
    if !fs::symlink_metadata(&cache).is_ok_and(|folder| folder.is_dir()) {
        return Err(format!("{} is no folder any more", cache.display()));
    }
    let (mut changes, mut line, mut facts) = (vec![], vec![], vec![]);
    let mut read = |line: &mut Vec<u8>| {
        line.clear();
        given.read_until(b'\n', line).map_err(|problem| problem.to_string())
    };
    while read(&mut line)? > 0 {
        read(&mut facts)?;
        let host: Given = serde_json::from_slice(&line).map_err(|problem| problem.to_string())?;
        match change_of(&host, &facts, &cache.join(&host.name)) {
            Ok(change) => changes.extend(change),
            Err(problem) => tracing::warn!(job, host = host.name, problem, "the facts of the host are not stored"),
        }
    }
    Ok(changes)
}

fn change_of(host: &Given, facts: &[u8], path: &Path) -> Result<Option<Change>, String> {
    let file = fs::symlink_metadata(path).ok().filter(Metadata::is_file);
    if file.as_ref().map(FileState::of) == host.file {
        return Ok(None);
    }
    let old: Map<String, Value> = match host.file {
        Some(_) => serde_json::from_slice(facts).map_err(|problem| problem.to_string())?,
        None => Map::new(),
    };
    let new = if file.is_some() { facts_in(path)? } else { Map::new() };
    let removed: BTreeSet<String> = old.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
    let set: Map<String, Value> = new.into_iter().filter(|(name, value)| old.get(name) != Some(value)).collect();
    let is_changed = !set.is_empty() || !removed.is_empty();
    Ok(is_changed.then_some(Change { host: host.id, set, removed }))
}

/// Reads a file. The job has written it: it may be anything.
fn facts_in(path: &Path) -> Result<Map<String, Value>, String> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|problem| problem.to_string())?;
    file.take(LONGEST + 1).read_to_end(&mut text).map_err(|problem| problem.to_string())?;
    if text.len() as u64 > LONGEST {
        return Err("they are larger than 16 MiB".to_owned());
    }
    serde_json::from_slice(&text).map_err(|problem| problem.to_string())
}

/// Writes changes into the stored facts, which another job may have changed since.
async fn store(database: &Database, changes: &Arc<Vec<Change>>, now: Timestamp) -> Result<(), DatabaseError> {
    let column = |name: &'static str| Expr::col(Alias::new(name));
    let mut tx = database.begin().await?;
    let query = Query::select()
        .columns(["id", "ansible_facts"].map(Alias::new))
        .from(Alias::new("hosts"))
        .and_where(column("id").is_in(changes.iter().map(|change| change.host)))
        // In this order, so that two jobs do not wait for each other.
        .order_by(Alias::new("id"), Order::Asc)
        .lock(LockType::NoKeyUpdate)
        .to_owned();
    let stored: Vec<(i64, String)> = tx.read_as(&query).await?;
    let changes = Arc::clone(changes);
    let merged = blocking(move || Ok(merged(&changes, stored))).await.map_err(DatabaseError::Internal)?;
    if merged.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = merged.iter().map(|(id, _)| *id).collect();
    let facts = merged.into_iter();
    let facts = facts.fold(CaseStatement::new(), |facts, (id, text)| facts.case(column("id").eq(id), text));
    let facts: Expr = facts.finally(column("ansible_facts")).into();
    let update = Query::update()
        .table(Alias::new("hosts"))
        .value(Alias::new("ansible_facts"), facts)
        .value(Alias::new("ansible_facts_modified"), now)
        .and_where(column("id").is_in(ids))
        .to_owned();
    tx.execute(&update).await?;
    tx.commit().await
}

/// The new facts of hosts, given the stored ones.
fn merged(changes: &[Change], stored: Vec<(i64, String)>) -> Vec<(i64, String)> {
    let mut merged = vec![];
    for (id, text) in stored {
        let Some(change) = changes.iter().find(|change| change.host == id) else { continue };
        let mut facts: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        facts.retain(|name, _| !change.removed.contains(name));
        facts.extend(change.set.clone());
        merged.push((id, Value::Object(facts).to_string()));
    }
    merged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn hosts_are_those_with_files() {
        let hostvars = json!({
            "b": {"remote_tower_id": 2}, "a": {"remote_tower_id": 3}, "x/y": {"remote_tower_id": 4}, "..": {"remote_tower_id": 5},
        });
        let script = object(json!({"_meta": {"hostvars": hostvars}}));
        let others = BTreeMap::from([("a".to_owned(), 1)]);
        assert_eq!(hosts_of(&script, Some(&others)), [FactHost { id: 1, name: "a".to_owned() }]);
        let hosts = hosts_of(&script, None);
        assert_eq!(hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    }

    #[test]
    fn only_what_the_job_changed_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("workspace").join(FOLDER);
        create(folder.path()).unwrap();
        let names = ["same", "changed", "rewritten", "cleared", "new", "broken", "linked"];
        let hosts = names.iter().zip(1..).map(|(name, id)| FactHost { id, name: (*name).to_owned() });
        let stored: Vec<(i64, String)> = (1..5).map(|id| (id, "{\"a\": 1,\n \"b\": 2, \"c\": 3}".to_owned())).collect();
        super::write(folder.path(), hosts.collect(), &stored).unwrap();
        let write = |name: &str, text: &str| {
            fs::write(cache.join(".new"), text).unwrap();
            fs::rename(cache.join(".new"), cache.join(name)).unwrap();
        };
        write("changed", r#"{"a": 1, "b": 5, "d": 4}"#);
        write("rewritten", r#"{"c":3,"b":2,"a":1}"#);
        fs::remove_file(cache.join("cleared")).unwrap();
        write("new", r#"{"x": {}}"#);
        write("broken", "{");
        std::os::unix::fs::symlink("/etc/hostname", cache.join("linked")).unwrap();
        let changed = |host, set, removed: &[&str]| Change {
            host,
            set: object(set),
            removed: removed.iter().map(|name| (*name).to_owned()).collect(),
        };
        let expected = vec![
            changed(2, json!({"b": 5, "d": 4}), &["c"]),
            changed(4, json!({}), &["a", "b", "c"]),
            changed(5, json!({"x": {}}), &[]),
        ];
        assert_eq!(changes(folder.path(), 1).unwrap(), expected);
        assert_eq!(changes(&folder.path().join("gone"), 1).unwrap(), vec![]);
    }
}
