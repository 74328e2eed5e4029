//! `hostler check`: finds problems in the data and suggests corrections. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, bail};
use hostler_backup::encryption_key_ids;
use hostler_database::copy::{CopyError, Snapshot, Source};
use hostler_identity::key::{KeyError, SecretKey};
use hostler_resources::REGISTRY;
use hostler_schema::{Resource, Singleton};
use hostler_vault::key_ids;
use serde_json::Value as Json;

use crate::config::{self, ConfigFile};
use crate::options::DataOptions;
use crate::output::print_line;
use crate::storage::{self, KEY_FILE, VAULT_FOLDER};

/// The problems found.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    /// Adds a problem and its correction.
    fn note(&mut self, problem: impl std::fmt::Display, remedy: &str) {
        self.0.push(format!("{problem}: {remedy}"));
    }
}

/// Runs all checks, and prints the problems.
pub fn run(options: &DataOptions, config: &ConfigFile) -> Result<()> {
    let folder = &options.data;
    if !folder.is_dir() {
        bail!("there is no data folder {}", folder.display());
    }
    storage::share(folder)?;
    let mut findings = Findings::default();
    if let Err(problem) = storage::refuse_unfinished(folder) {
        findings.note(problem, "no server starts with it until then");
    }
    let location = storage::location(options)?;
    check_config(config, location.client_key().as_deref(), &mut findings);
    let keys = check_keys(folder, &mut findings);
    match Snapshot::open(&location) {
        Ok(mut snapshot) => {
            if let Err(problem) = check_database(&mut snapshot, &keys, &mut findings) {
                findings.note(problem, "later checks were skipped");
            }
        }
        Err(problem @ CopyError::NoDatabase(_)) if keys.is_empty() => {
            findings.note(problem, "hostler serve creates it")
        }
        Err(problem @ CopyError::NoDatabase(_)) => {
            findings.note(
                problem,
                "restore a backup, because the keys show that there was a database; hostler serve creates a new one",
            );
        }
        Err(problem) => findings.note(problem, "nothing in it could be checked"),
    }
    for finding in &findings.0 {
        print_line(&finding.replace('\n', " "))?;
    }
    match findings.0.len() {
        0 => print_line("No problems found."),
        1 => bail!("1 problem found"),
        count => bail!("{count} problems found"),
    }
}

/// A configuration file with a password, and the private keys of certificates, must not be readable by all users. Their
/// group may be that of the service.
fn check_config(config: &ConfigFile, client_key: Option<&Path>, findings: &mut Findings) {
    const CLOSE: &str = "run chmod o= on it";
    let mode = |path: &Path| path.metadata().map(|found| found.permissions().mode() & 0o7777).ok();
    for (key, whose) in [(config.value("tls_key").map(Path::new), "TLS"), (client_key, "PostgreSQL")] {
        let Some(key) = key else { continue };
        if let Some(mode) = mode(key).filter(|mode| mode & 0o007 != 0) {
            let problem =
                format!("{} is the key for {whose} and all users can read it (mode {mode:04o})", key.display());
            findings.note(problem, CLOSE);
        }
    }
    let has_secret = config.value("admin_password").is_some()
        || config.value("database").is_some_and(|url| config::mask_secret("database", url) != url);
    let file = config.path().and_then(|path| Some((path, mode(path)?)));
    if let Some((path, mode)) = file.filter(|(_, mode)| has_secret && mode & 0o007 != 0) {
        let problem = format!("{} contains a password and all users can access it (mode {mode:04o})", path.display());
        findings.note(problem, CLOSE);
    }
}

/// Checks the folder and the key files; returns the ids of the encryption keys.
fn check_keys(folder: &Path, findings: &mut Findings) -> BTreeSet<String> {
    const CLOSE: &str = "run chmod 700 on it: users who can open it can read the keys";
    match folder.metadata().map(|metadata| metadata.permissions().mode() & 0o7777) {
        Ok(mode) if mode & 0o077 != 0 => {
            findings.note(format!("{} is accessible to other users (mode {mode:04o})", folder.display()), CLOSE);
        }
        Ok(_) => {}
        Err(problem) => findings.note(format!("{} cannot be read", folder.display()), &problem.to_string()),
    }
    match SecretKey::load(&folder.join(KEY_FILE)) {
        Err(problem @ KeyError::Io { .. }) => {
            findings.note(problem, "a server without it makes a new one, which ends all sessions");
        }
        // The other errors contain the correction.
        Err(problem) => findings.0.push(problem.to_string()),
        Ok(_) => {}
    }
    match key_ids(&folder.join(VAULT_FOLDER)) {
        Ok(ids) => ids.into_iter().collect(),
        Err(problem) => {
            findings.note(problem, "secrets encrypted with it cannot be read");
            BTreeSet::new()
        }
    }
}

fn check_database(snapshot: &mut Snapshot, keys: &BTreeSet<String>, findings: &mut Findings) -> Result<(), CopyError> {
    for integrity_problems in snapshot.integrity_problems() {
        findings.note(format!("the database is damaged: {integrity_problems}"), "restore a backup");
    }
    check_secrets(snapshot, keys, findings)?;
    check_ids(snapshot, findings)?;
    check_roles(snapshot, findings)?;
    check_superusers(snapshot, findings)
}

/// Every encrypted secret must have its key, and the current key must exist.
fn check_secrets(snapshot: &mut Snapshot, keys: &BTreeSet<String>, findings: &mut Findings) -> Result<(), CopyError> {
    const FIND: &str = "put the key file back, from a backup or from another server of the same installation";
    for current in snapshot.query("SELECT current_key FROM vault")?.iter().flatten().filter_map(Json::as_str) {
        if !keys.contains(current) {
            findings.note(format!("the current encryption key {current} is not in {VAULT_FOLDER}"), FIND);
        }
    }
    for table in snapshot.tables().to_vec() {
        let mut missing = BTreeMap::<String, u64>::new();
        snapshot.rows(&table, &mut |row| {
            let mut used = BTreeSet::new();
            encryption_key_ids(row, &mut used);
            for id in used.difference(keys) {
                *missing.entry(id.clone()).or_default() += 1;
            }
            Ok(())
        })?;
        for (id, rows) in missing {
            findings.note(format!("secrets in {rows} rows of {} need the key {id}", table.name), FIND);
        }
    }
    Ok(())
}

/// The next id must be greater than all existing ones.
fn check_ids(snapshot: &mut Snapshot, findings: &mut Findings) -> Result<(), CopyError> {
    for table in snapshot.tables().to_vec() {
        let Some(last) = table.last_id else { continue };
        let greatest = number(snapshot, &format!("SELECT max(id) FROM {}", table.name))?;
        if greatest > last {
            let remedy = format!("SELECT setval(pg_get_serial_sequence('{}', 'id'), {greatest})", table.name);
            findings.note(format!("new rows of {} would get ids that are used already", table.name), &remedy);
        }
    }
    Ok(())
}

/// Every object has its roles, and every role has its object.
fn check_roles(snapshot: &mut Snapshot, findings: &mut Findings) -> Result<(), CopyError> {
    const REPORT: &str = "restore a backup from before, or report this";
    let holding: Vec<&Resource> = REGISTRY.resources_with_roles().collect();
    for resource in &holding {
        let (name, table) = (resource.name, resource.table);
        let orphans = format!(
            "SELECT count(*) FROM roles WHERE content_type = '{name}'
             AND NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.id = roles.object_id)"
        );
        let orphans = number(snapshot, &orphans)?;
        if orphans > 0 {
            let remedy = format!(
                "with the server stopped, DELETE FROM roles WHERE content_type = '{name}' AND object_id NOT IN (SELECT id FROM {table})"
            );
            findings.note(format!("{orphans} roles belong to no {name}"), &remedy);
        }
        for role in resource.roles {
            let field = role.field;
            let missing = format!(
                "SELECT count(*) FROM {table} WHERE NOT EXISTS (SELECT 1 FROM roles
                 WHERE content_type = '{name}' AND object_id = {table}.id AND role_field = '{field}')"
            );
            let missing = number(snapshot, &missing)?;
            if missing > 0 {
                findings.note(format!("{missing} of {table} have no {field}"), REPORT);
            }
        }
    }
    for kind in snapshot.query("SELECT DISTINCT content_type FROM roles WHERE content_type IS NOT NULL")? {
        let kind = kind.first().and_then(Json::as_str).unwrap_or_default();
        if !holding.iter().any(|resource| resource.name == kind) {
            findings.note(format!("there are roles of {kind}, which this version does not know"), REPORT);
        }
    }
    Ok(())
}

/// The flags of users agree with the grants, and there is an active superuser.
fn check_superusers(snapshot: &mut Snapshot, findings: &mut Findings) -> Result<(), CopyError> {
    for (flag, singleton) in [("is_superuser", Singleton::Administrator), ("is_system_auditor", Singleton::Auditor)] {
        let field = singleton.field();
        let granted = format!(
            "EXISTS (SELECT 1 FROM grants JOIN roles ON roles.id = grants.role_id
             WHERE grants.user_id = users.id AND roles.content_type IS NULL AND roles.role_field = '{field}')"
        );
        let differing = number(
            snapshot,
            &format!("SELECT count(*) FROM users WHERE ({flag} AND NOT {granted}) OR (NOT {flag} AND {granted})"),
        )?;
        if differing > 0 {
            let problem = format!("the flag {flag} of {differing} users does not say what their grants say");
            findings.note(problem, "set it to false and back for each of them");
        }
    }
    if number(snapshot, "SELECT count(*) FROM users WHERE is_superuser AND is_active")? == 0 {
        findings.note("no active user is a superuser", "hostler user create NAME --superuser");
    }
    Ok(())
}

/// The number that a query returns; 0 if it returns none.
fn number(snapshot: &mut Snapshot, sql: &str) -> Result<i64, CopyError> {
    let rows = snapshot.query(sql)?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Json::as_i64).unwrap_or_default())
}
