//! Creates the file and migrates the schema.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::connection::{self, Purpose};
use super::error::is_full;
use crate::OpenError;
use crate::migrate;

/// Creates the file if it does not exist, and migrates it.
pub(super) fn prepare(path: &Path) -> Result<(), OpenError> {
    // If several processes start at once, one migrates; the others wait here and find nothing to do. Closing the
    // directory releases the lock.
    let _alone = alone(path)?;
    create(path)?;
    let file_error = |error| file_error(path, &error);
    let migration = |problem: String| OpenError::Migration { database: path.display().to_string(), problem };
    let mut connection = connection::open(path, Purpose::Migrate).map_err(file_error)?;
    // Before anything that might change the file.
    let found = recorded_version(&connection).map_err(file_error)?;
    migrate::refuse_newer(found, migrate::sqlite_runner())?;

    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(file_error)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(OpenError::File {
            path: path.to_owned(),
            problem: format!("its journal mode is {mode}"),
            remedy: "put it on a local file system that SQLite can use in WAL mode",
        });
    }
    migrate::announce(found, &migrate::sqlite_runner());
    let report = migrate::sqlite_runner().run(&mut connection).map_err(|error| migration(migrate::problem(&error)))?;
    if !report.applied_migrations().is_empty() {
        let broken: Option<String> =
            connection.query_row("PRAGMA foreign_key_check", [], |row| row.get(0)).optional().map_err(file_error)?;
        if let Some(table) = broken {
            return Err(migration(format!("rows of {table} refer to rows that do not exist")));
        }
    }
    connection::update_statistics(&connection).map(drop).map_err(file_error)
}

/// Locks the directory of the file, because SQLite's own locks last for one transaction only. The directory stays
/// readable and writable.
fn alone(path: &Path) -> Result<File, OpenError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let locked = File::open(directory).and_then(|directory| directory.lock().map(|()| directory));
    locked.map_err(|error| OpenError::File {
        path: path.to_owned(),
        problem: format!("its directory cannot be locked: {error}"),
        remedy: "check that the directory exists, and that it is on a file system that supports locks",
    })
}

/// Maps a driver error for this file.
pub(crate) fn file_error(path: &Path, error: &rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::*;
    let remedy = match error.sqlite_error_code() {
        _ if is_full(error) => "free some space on its disk",
        Some(NotADatabase) => "use an SQLite database, or a file that does not exist yet",
        Some(DatabaseCorrupt) => "restore it from a backup",
        Some(DatabaseBusy | DatabaseLocked) => "end the other process that uses it",
        _ => "check that this user may read and write the file and its directory",
    };
    OpenError::File { path: path.to_owned(), problem: error.to_string(), remedy }
}

/// The file is created with mode 0600; SQLite uses the same mode for its other files.
pub(crate) fn create(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(OpenError::File {
            path: path.to_owned(),
            problem: error.to_string(),
            remedy: "check that its directory exists and that this user has write permission there",
        }),
    }
}

pub(crate) fn recorded_version(connection: &Connection) -> Result<Option<i64>, rusqlite::Error> {
    let exists =
        connection.query_row("SELECT 1 FROM sqlite_master WHERE name = ?1", [migrate::TABLE], |_| Ok(())).optional()?;
    match exists {
        None => Ok(None),
        Some(()) => connection.query_row(&format!("SELECT max(version) FROM {}", migrate::TABLE), [], |row| row.get(0)),
    }
}
