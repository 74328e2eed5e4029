//! Maps SQLite's errors.

use rusqlite::ffi;

use crate::Error;

/// Maps an error of a statement.
pub(crate) fn statement_error(error: rusqlite::Error) -> Error {
    let (code, message) = match &error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            (failure.extended_code, message.clone().unwrap_or_default())
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => (error.extended_code, msg.clone()),
        // The other kinds are errors of decoding and of using the driver; some quote values.
        _ => return Error::Internal("the SQLite driver refused the statement".to_owned()),
    };
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            Error::Unique(message.strip_prefix("UNIQUE constraint failed: ").unwrap_or(&message).to_owned())
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Error::ForeignKey,
        // SQLite runs ON DELETE RESTRICT as a trigger.
        ffi::SQLITE_CONSTRAINT_TRIGGER if message.contains("FOREIGN KEY") => Error::ForeignKey,
        _ if means_full(code) => Error::Full,
        _ => match code & 0xff {
            ffi::SQLITE_INTERRUPT => Error::Timeout,
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
                Error::Unavailable("another process has locked the database file".to_owned())
            }
            ffi::SQLITE_CANTOPEN => Error::Unavailable("the database file cannot be opened".to_owned()),
            ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => {
                Error::Internal("the database file is damaged: run hostler check".to_owned())
            }
            ffi::SQLITE_IOERR => {
                Error::Internal(format!("the database file cannot be read or written (SQLite error {code})"))
            }
            ffi::SQLITE_TOOBIG => Error::TooComplex,
            ffi::SQLITE_ERROR if is_too_complex(&message) => Error::TooComplex,
            // These texts may come from a function or quote the data.
            ffi::SQLITE_ERROR | ffi::SQLITE_CONSTRAINT => Error::Internal(message),
            _ => Error::Internal(format!("SQLite error {code}")),
        },
    }
}

/// Whether the disk is full.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if means_full(failure.extended_code))
}

/// Whether an extended result code means that the disk is full. A file system may report that, or an exceeded quota, as
/// a failed write.
fn means_full(code: i32) -> bool {
    let failed_writes = [
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_DIR_FSYNC,
        ffi::SQLITE_IOERR_TRUNCATE,
        ffi::SQLITE_IOERR_SHMSIZE,
        ffi::SQLITE_IOERR_SHMMAP,
    ];
    code & 0xff == ffi::SQLITE_FULL || failed_writes.contains(&code)
}

/// Whether the file was locked, so that a retry may succeed.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

// SQLite has no result code for these limits.
fn is_too_complex(message: &str) -> bool {
    [
        "too many",
        "variable number must be",
        "Expression tree is too large",
        "parser stack overflow",
        "at most 64 tables",
        "nested too deep",
        "too large",
    ]
    .iter()
    .any(|part| message.contains(part))
}
