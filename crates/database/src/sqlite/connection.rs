//! Opens and configures connections to the file.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::Error;
use crate::dialect::{self, FOLD, OCCURS, REGEX};

/// The use of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Migrate,
    Read,
    Write,
}

/// The number of cached prepared statements per connection.
const STATEMENTS: usize = 256;

/// The busy timeout for locks of other processes, which blocks the thread.
const BUSY: Duration = Duration::from_secs(5);

/// SQLite virtual machine steps between checks of the time: well below a millisecond.
const STEPS: i32 = 1000;

/// Opens the file, which must exist.
pub(crate) fn open(path: &Path, purpose: Purpose) -> Result<Connection, rusqlite::Error> {
    // Each connection is used by one thread at a time: no mutex is needed.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Otherwise an unknown column in double quotes would be a string.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Otherwise SQLite plans with bound values, and plans cached statements again when they change.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // In KiB. The kernel caches the file as well. A memory mapping would count as memory of this process, and turn a
    // disk error into a fatal signal.
    connection.pragma_update(None, "cache_size", if purpose == Purpose::Read { -1024 } else { -4096 })?;
    connection.pragma_update(None, "mmap_size", 0)?;
    // A burst of writes must not leave a huge WAL file. In bytes.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // SQLite changes a table by rebuilding it, which must not cascade: a migration checks foreign keys at its end.
    connection.pragma_update(None, "foreign_keys", purpose != Purpose::Migrate)?;
    match purpose {
        Purpose::Migrate => {}
        Purpose::Read => connection.pragma_update(None, "query_only", true)?,
        // The writer waits for a lock asynchronously: see `begin`.
        Purpose::Write => connection.busy_timeout(Duration::ZERO)?,
    }
    add_functions(&connection)?;
    Ok(connection)
}

/// Collects planner statistics of the tables that have none or whose size has changed tenfold, from a sample of their
/// rows. Returns whether there were any. Other connections use them after they are reopened.
pub(super) fn update_statistics(connection: &Connection) -> Result<bool, rusqlite::Error> {
    // 0x10000: all tables, 0x10: with a limit on the rows, 0x2: run ANALYZE, 0x1: only list the statements.
    let is_due = connection.prepare("PRAGMA optimize = 0x10013")?.exists([])?;
    if is_due {
        connection.execute_batch("PRAGMA optimize = 0x10012")?;
    }
    Ok(is_due)
}

/// Runs `work`, and interrupts a statement in it at `deadline`, or when `stop` returns true, with [`Error::Timeout`].
pub(super) fn limited<T>(
    connection: &mut Connection,
    deadline: Instant,
    stop: impl Fn() -> bool + Send + 'static,
    work: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    let internal = |_| Error::Internal("SQLite takes no time limit".to_owned());
    connection.progress_handler(STEPS, Some(move || Instant::now() >= deadline || stop())).map_err(internal)?;
    let result = work(connection);
    // Otherwise a later COMMIT or ROLLBACK would be interrupted.
    connection.progress_handler(0, None::<fn() -> bool>).map_err(internal)?;
    result
}

fn add_functions(connection: &Connection) -> Result<(), rusqlite::Error> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function(FOLD, 1, flags, |context| Ok(text(context, 0)?.map(dialect::fold)))?;
    connection.create_scalar_function(OCCURS, 2, flags, |context| {
        let (Some(folded), Some(text)) = (text(context, 0)?, text(context, 1)?) else { return Ok(None) };
        Ok(Some(dialect::occurs(folded, text)))
    })?;
    connection.create_scalar_function(REGEX, 3, flags, |context| {
        let Some(subject) = text(context, 1)? else { return Ok(None) };
        let ignore_case = context.get::<bool>(2)?;
        // SQLite caches this for the whole statement, because pattern and case are the same for every row.
        let pattern = context.get_or_create_aux(0, |pattern| {
            // The error would quote the pattern.
            let pattern = pattern.as_str().map_err(|_| "the pattern is no text")?;
            dialect::compile(pattern, ignore_case).map_err(|_| "the pattern is no regular expression")
        })?;
        Ok(Some(pattern.is_match(subject)))
    })
}

/// The text of an argument, `None` for NULL.
fn text<'c>(context: &'c Context<'_>, argument: usize) -> Result<Option<&'c str>, rusqlite::Error> {
    match context.get_raw(argument) {
        ValueRef::Null => Ok(None),
        value => Ok(Some(value.as_str()?)),
    }
}
