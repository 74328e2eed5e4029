//! Opens connections to the file and sets them up.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::Error;
use crate::dialect::{self, FOLD, OCCURS, REGEX};

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Migrate,
    Read,
    Write,
}

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 256;

/// How long a connection waits, sleeping on its thread, for a lock of another process.
const BUSY: Duration = Duration::from_secs(5);

/// Steps of SQLite's virtual machine between two looks at the clock: well below a millisecond.
const STEPS: i32 = 1000;

/// Opens the file, which must exist.
pub(crate) fn open(path: &Path, purpose: Purpose) -> Result<Connection, rusqlite::Error> {
    // Each connection is used by one thread at a time: SQLite need not lock it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // A misspelt column in double quotes would be a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Else SQLite looks at bound values when it plans, and plans a kept statement anew whenever they change.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // In KiB. The kernel caches the file as well; memory-mapping it would count
    // as ours, and turn an error of the disk into a signal that kills us.
    connection.pragma_update(None, "cache_size", if purpose == Purpose::Read { -1024 } else { -4096 })?;
    connection.pragma_update(None, "mmap_size", 0)?;
    // A burst of writes must not leave a huge log behind. In bytes.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // Rebuilding a table, which is how SQLite changes one, must not cascade: a migration checks the keys at its end.
    connection.pragma_update(None, "foreign_keys", purpose != Purpose::Migrate)?;
    match purpose {
        Purpose::Migrate => {}
        Purpose::Read => connection.pragma_update(None, "query_only", true)?,
        // The writer waits for a lock without blocking a thread: see `begin`.
        Purpose::Write => connection.busy_timeout(Duration::ZERO)?,
    }
    add_functions(&connection)?;
    Ok(connection)
}

/// Collects planner statistics of the tables that have none yet or whose size has changed tenfold, from a sample of
/// their rows; answers whether there were any. Other connections use them once they are opened again.
pub(super) fn update_statistics(connection: &Connection) -> Result<bool, rusqlite::Error> {
    // 0x10000: all tables, 0x10: with a limit on the rows, 0x2: by ANALYZE, 0x1: only tell what is to be done.
    let is_due = connection.prepare("PRAGMA optimize = 0x10013")?.exists([])?;
    if is_due {
        connection.execute_batch("PRAGMA optimize = 0x10012")?;
    }
    Ok(is_due)
}

/// Runs `work`, stopping a statement in it that has not ended at `deadline`, or
/// once `stop` says so, with [`Error::Timeout`].
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
        // SQLite keeps this as long as the statement runs, since pattern and
        // case are bound values, the same for every row.
        let pattern = context.get_or_create_aux(0, |pattern| {
            // The reason would quote the pattern.
            let pattern = pattern.as_str().map_err(|_| "the pattern is no text")?;
            dialect::compile(pattern, ignore_case).map_err(|_| "the pattern is no regular expression")
        })?;
        Ok(Some(pattern.is_match(subject)))
    })
}

/// The text in an argument, `None` for NULL.
fn text<'c>(context: &'c Context<'_>, argument: usize) -> Result<Option<&'c str>, rusqlite::Error> {
    match context.get_raw(argument) {
        ValueRef::Null => Ok(None),
        value => Ok(Some(value.as_str()?)),
    }
}
