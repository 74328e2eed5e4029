//! `hostler restore` and `hostler migrate`.
//!
//! Until all data were written and verified, only a temporary file is created or, on PostgreSQL, a database that is
//! marked as unfinished. Then a file in the data folder records that the change has begun; it is deleted at the end. If
//! the process is killed, either nothing has changed, or no server starts until a restore has completed.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hostler_backup::{Archive, BackupError, KeyFile, transfer};
use hostler_database::Location;
use hostler_database::copy::{Destination, Snapshot};

use crate::backup::read_keys;
use crate::options::DataOptions;
use crate::output::print_line;
use crate::storage::{self, DATABASE_FILE, RESTORING_FILE, UNFINISHED_FILE};

/// Restores an archive to the data folder or database of the options.
pub fn run(options: &DataOptions, file: &Path, force: bool) -> Result<()> {
    // All of it is read before anything is changed.
    let mut archive = Archive::open(file)?;
    let keys = archive.keys()?;
    let folder = &options.data;
    let location = storage::location(options)?;
    storage::make_private(folder)?;
    storage::claim(folder)?;
    let in_the_way = in_the_way(folder, &location, &keys)?;
    if !in_the_way.is_empty() && !force && !folder.join(UNFINISHED_FILE).exists() {
        bail!(
            "{} already contains data ({}): use an empty folder, or --force, which moves the data aside",
            folder.display(),
            in_the_way.iter().filter_map(|path| path.file_name()?.to_str()).collect::<Vec<_>>().join(", ")
        );
    }
    let restoring = folder.join(RESTORING_FILE);
    let destination = match location {
        Location::Sqlite(_) => Destination::Sqlite(restoring.clone()),
        Location::Postgres(url) => Destination::Postgres { url, replace: force },
    };
    let mut aside = None;
    let ready = || change(folder, &in_the_way, &keys, &mut aside);
    let summary = match transfer(&mut archive, &destination, ready) {
        Ok(summary) => summary,
        Err(problem) => {
            // A partial file is useless.
            let _ = fs::remove_file(&restoring);
            return Err(problem.into());
        }
    };
    if matches!(destination, Destination::Sqlite(_)) {
        fs::rename(&restoring, folder.join(DATABASE_FILE)).context("cannot rename the restored database")?;
        storage::sync(folder)?;
    }
    fs::remove_file(folder.join(UNFINISHED_FILE)).context("cannot mark the restore as complete")?;
    storage::sync(folder)?;
    if let Some(aside) = aside {
        print_line(&format!(
            "The previous data are in {}: delete them when they are no longer needed.",
            aside.display()
        ))?;
    }
    print_line(&format!(
        "Restored {} rows of {} tables, and the keys, of {}.",
        summary.rows,
        summary.tables,
        archive.manifest().created
    ))
}

/// Copies the embedded database to PostgreSQL.
pub fn migrate(folder: &Path, to: &str) -> Result<()> {
    let Location::Postgres(url) = storage::postgres(to).context("--to")? else {
        bail!("--to must be the URL of a PostgreSQL database");
    };
    if !folder.is_dir() {
        bail!("there is no data folder {}", folder.display());
    }
    storage::claim(folder)?;
    storage::refuse_unfinished(folder)?;
    let mut source = Snapshot::open(&Location::Sqlite(folder.join(DATABASE_FILE)))?;
    let summary = transfer(&mut source, &Destination::Postgres { url, replace: false }, || Ok(()))?;
    print_line(&format!(
        "Copied {} rows of {} tables; each was read again and is the same.",
        summary.rows, summary.tables
    ))?;
    print_line(&format!(
        "Start the server with the same --data and with --database; {DATABASE_FILE} is unchanged and no longer used."
    ))
}

/// The data that a restore would replace: the embedded database, and keys other than those in the archive.
fn in_the_way(folder: &Path, location: &Location, keys: &[KeyFile]) -> Result<Vec<PathBuf>> {
    let mut found = vec![];
    if matches!(location, Location::Sqlite(_)) {
        found.extend(storage::database_files(folder).into_iter().filter(|path| path.exists()));
    }
    let present = read_keys(folder)?;
    for key in keys {
        if present.get(&key.name).is_some_and(|bytes| *bytes != key.bytes) {
            found.push(folder.join(&key.name));
        }
    }
    Ok(found)
}

/// Begins to change the data folder: moves existing files aside, and writes the keys. The database follows.
fn change(
    folder: &Path,
    in_the_way: &[PathBuf],
    keys: &[KeyFile],
    aside: &mut Option<PathBuf>,
) -> Result<(), BackupError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::File { doing: "write", path, source }
    };
    let marker = folder.join(UNFINISHED_FILE);
    write_file(&marker, b"").map_err(failed(&marker))?;
    if !in_the_way.is_empty() {
        let replaced = new_folder(folder).map_err(failed(folder))?;
        for path in in_the_way {
            let below = path.strip_prefix(folder).unwrap_or(path);
            let target = replaced.join(below);
            let parent = match target.parent() {
                Some(parent) => fs::create_dir_all(parent),
                None => Ok(()),
            };
            parent.and_then(|()| fs::rename(path, &target)).map_err(failed(path))?;
        }
        *aside = Some(replaced);
    }
    for key in keys {
        let path = folder.join(&key.name);
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed(parent))?;
        }
        write_file(&path, &key.bytes).map_err(failed(&path))?;
    }
    Ok(())
}

/// A folder for existing files: the first unused `replaced-N`.
fn new_folder(folder: &Path) -> std::io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let path = folder.join(format!("replaced-{number}"));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            made => return made.map(|()| path),
        }
    }
}

/// Writes a file that only its owner can read, and syncs it and its directory.
fn write_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::File::open(folder)?.sync_all()
}
