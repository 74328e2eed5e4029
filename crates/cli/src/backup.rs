//! `hostler backup`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use hostler_backup::{BackupError, BackupOrigin, KeyFile, encryption_key_ids, write};
use hostler_database::Location;
use hostler_database::copy::Snapshot;
use hostler_engine::{Clock, SystemClock};
use hostler_vault::key_ids;
use zeroize::Zeroizing;

use crate::options::DataOptions;
use crate::output::{print_line, warn};
use crate::storage::{self, KEY_FILE, VAULT_FOLDER};

/// Writes a backup to `file`.
pub fn run(options: &DataOptions, file: &Path, replace: bool) -> Result<()> {
    let folder = &options.data;
    if !folder.is_dir() {
        bail!("there is no data folder {}", folder.display());
    }
    storage::share(folder)?;
    storage::refuse_unfinished(folder)?;
    let location = storage::location(options)?;
    let before = read_keys(folder)?;
    let mut snapshot = Snapshot::open(&location)?;
    let current = snapshot.query("SELECT current_key FROM vault")?;
    let mut used = BTreeSet::new();
    let origin = BackupOrigin {
        hostler: env!("CARGO_PKG_VERSION").to_owned(),
        created: SystemClock.now().to_string(),
        database: if matches!(location, Location::Sqlite(_)) { "sqlite" } else { "postgresql" },
    };
    let mut ids = vec![];
    let summary = write::<anyhow::Error>(
        &mut snapshot,
        file,
        replace,
        origin,
        &mut |_, row| encryption_key_ids(row, &mut used),
        || {
            // Keys may be created or removed meanwhile: those of the snapshot existed before it or still exist.
            let mut keys = before;
            keys.extend(read_keys(folder)?);
            ids = key_ids(&folder.join(VAULT_FOLDER))?;
            ids.sort_unstable();
            for current in current.iter().flatten().filter_map(serde_json::Value::as_str) {
                if ids.binary_search_by(|id| id.as_str().cmp(current)).is_err() {
                    bail!("the current encryption key is not in {VAULT_FOLDER}: run hostler check");
                }
            }
            Ok(keys.into_iter().map(|(name, bytes)| KeyFile { name, bytes }).collect())
        },
    )?;
    let missing: Vec<String> = used.into_iter().filter(|id| ids.binary_search(id).is_err()).collect();
    if !missing.is_empty() {
        warn(&format!(
            "the keys {} of some secrets are not in {VAULT_FOLDER}, so they are not in the backup: see hostler check",
            missing.join(", ")
        ));
    }
    print_line(&format!(
        "Wrote {} rows of {} tables, and the keys, to {}.",
        summary.rows,
        summary.tables,
        file.display()
    ))
}

/// The key files in a data folder, by name.
pub fn read_keys(folder: &Path) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>> {
    let mut keys = BTreeMap::new();
    let secret = folder.join(KEY_FILE);
    match fs::read(&secret) {
        Ok(bytes) => drop(keys.insert(KEY_FILE.to_owned(), Zeroizing::new(bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(source) => return Err(BackupError::File { doing: "read", path: secret, source }.into()),
    }
    let entries = match fs::read_dir(folder.join(VAULT_FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(keys),
        Err(error) => return Err(error).with_context(|| format!("cannot list {VAULT_FOLDER}")),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_suffix(".key").unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        match fs::read(&path) {
            Ok(bytes) => drop(keys.insert(format!("{VAULT_FOLDER}/{name}"), Zeroizing::new(bytes))),
            // Removed since the folder was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(BackupError::File { doing: "read", path, source }.into()),
        }
    }
    Ok(keys)
}
