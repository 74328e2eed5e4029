//! Reads and writes whole databases in one format, for backups and for migrations from SQLite to PostgreSQL.
//!
//! A row is a list of JSON values as SQLite stores them: times are microseconds since 1970, booleans 0 and 1, bytes an
//! object `{"base64": "..."}`. The rows of a table are ordered by its primary key. All functions block: they are for commands, not for the server.

mod postgres;
mod sqlite;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::{Error, Location, OpenError};

/// The messages to WebSockets, which are of no use in another database.
pub(crate) const NOTICES: &str = "notices";

/// The table that marks a PostgreSQL database with an unfinished restore.
pub(crate) const UNFINISHED: &str = "hostler_unfinished_restore";

/// A table with rows to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in the order of the values of a row.
    pub columns: Vec<String>,
    /// The greatest id that any row ever had, if the database records it: the next one is greater.
    pub last_id: Option<i64>,
}

/// Receives the rows of a table one by one.
pub type Sink<'s> = dyn FnMut(&[Json]) -> Result<(), CopyError> + 's;

/// A source of rows.
pub trait Source {
    /// The schema version of the rows.
    fn schema(&self) -> i64;

    /// The tables.
    fn tables(&self) -> &[Table];

    /// Passes the rows of a table to `sink`; only a few are in memory at a time.
    ///
    /// # Errors
    /// Errors of the source and of the sink.
    fn rows(&mut self, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError>;
}

/// Why a copy failed. The messages are for the operator and contain no values.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The source database does not exist.
    #[error("there is no database at {0}")]
    NoDatabase(String),
    /// The source database has an unfinished restore.
    #[error("the database {0} has an unfinished restore: restore it again")]
    UnfinishedRestore(String),
    /// The target database already exists.
    #[error("the database {0} is not empty: use an empty one")]
    NotEmpty(String),
    /// Other processes use the target database.
    #[error("the database {0} is in use: stop the servers that use it")]
    InUse(String),
    /// A statement about a table failed.
    #[error("table {table}: {problem}")]
    Table {
        /// The table.
        table: String,
        /// The database error.
        problem: Error,
    },
    /// A statement about no specific table failed.
    #[error(transparent)]
    Database(#[from] Error),
    /// The value has a type that cannot be copied.
    #[error("column {column} of table {table} contains a value that cannot be copied")]
    Value {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The schema of this version has no such table.
    #[error("the table {0} is not known to this version of Hostler")]
    UnknownTable(String),
    /// An error of a source that is not a database.
    #[error("{0}")]
    Source(String),
}

/// A consistent, read-only snapshot of a database; writers are not blocked.
pub struct Snapshot(Reader);

enum Reader {
    Sqlite(sqlite::Reader),
    Postgres(Box<postgres::Reader>),
}

impl Snapshot {
    /// Opens a database without creating or migrating it.
    ///
    /// # Errors
    /// [`CopyError::NoDatabase`], [`CopyError::UnfinishedRestore`], and errors of opening; a newer schema is rejected.
    pub fn open(location: &Location) -> Result<Snapshot, CopyError> {
        Ok(Snapshot(match location {
            Location::Sqlite(path) => Reader::Sqlite(sqlite::Reader::open(path)?),
            Location::Postgres(url) => Reader::Postgres(Box::new(postgres::Reader::open(url)?)),
        }))
    }

    /// Runs a constant query that is the same on both databases.
    ///
    /// # Errors
    /// Database errors.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Vec<Json>>, CopyError> {
        let mut found = vec![];
        let sink = &mut |row: &[Json]| {
            found.push(row.to_vec());
            Ok(())
        };
        match &mut self.0 {
            Reader::Sqlite(reader) => reader.select("a query", &[], sql, sink)?,
            Reader::Postgres(reader) => reader.select("a query", &[], sql, sink)?,
        }
        Ok(found)
    }

    /// Corruption that the database detects in its files, and rows with broken foreign keys.
    pub fn integrity_problems(&mut self) -> Vec<String> {
        match &mut self.0 {
            Reader::Sqlite(reader) => reader.integrity_problems(),
            // PostgreSQL verifies pages when it reads them, and enforces constraints.
            Reader::Postgres(_) => vec![],
        }
    }
}

impl Source for Snapshot {
    fn schema(&self) -> i64 {
        match &self.0 {
            Reader::Sqlite(reader) => reader.schema,
            Reader::Postgres(reader) => reader.schema,
        }
    }

    fn tables(&self) -> &[Table] {
        match &self.0 {
            Reader::Sqlite(reader) => &reader.tables,
            Reader::Postgres(reader) => &reader.tables,
        }
    }

    fn rows(&mut self, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError> {
        match &mut self.0 {
            Reader::Sqlite(reader) => reader.rows(table, sink),
            Reader::Postgres(reader) => reader.rows(table, sink),
        }
    }
}

/// An import into a database: all rows are there after [`Import::commit`], or none.
pub struct Import(Writer);

enum Writer {
    Sqlite(sqlite::Writer),
    Postgres(Box<postgres::Writer>),
}

/// The target of an import.
#[derive(Clone)]
pub enum Destination {
    /// A new file, which replaces that of an earlier attempt. It becomes the database only when the import is
    /// committed.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL database. It must be empty, or from an earlier attempt, or `replace` must be set.
    Postgres {
        /// As in [`Location::Postgres`].
        url: String,
        /// Whether existing tables are deleted.
        replace: bool,
    },
}

impl Import {
    /// Creates the schema of this version in the target, without rows.
    ///
    /// Until the import is committed, a PostgreSQL database is marked as unfinished, and no server starts with it.
    ///
    /// # Errors
    /// [`CopyError::NotEmpty`], [`CopyError::InUse`], and errors of opening; a newer schema is rejected.
    pub fn begin(destination: &Destination, schema: i64) -> Result<Import, CopyError> {
        Ok(Import(match destination {
            Destination::Sqlite(path) => Writer::Sqlite(sqlite::Writer::begin(path, schema)?),
            Destination::Postgres { url, replace } => {
                Writer::Postgres(Box::new(postgres::Writer::begin(url, *replace, schema)?))
            }
        }))
    }

    /// Fills a table with the rows that `fill` passes to its sink.
    ///
    /// # Errors
    /// [`CopyError::UnknownTable`], and errors of writing or of `fill`.
    pub fn load(
        &mut self,
        table: &Table,
        fill: &mut dyn FnMut(&mut Sink<'_>) -> Result<(), CopyError>,
    ) -> Result<(), CopyError> {
        match &mut self.0 {
            Writer::Sqlite(writer) => writer.load(table, fill),
            Writer::Postgres(writer) => writer.load(table, fill),
        }
    }

    /// Passes the written rows of a table to `sink`, like [`Source::rows`].
    ///
    /// # Errors
    /// Errors of reading and of the sink.
    pub fn rows(&mut self, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError> {
        match &mut self.0 {
            Writer::Sqlite(writer) => writer.rows(table, sink),
            Writer::Postgres(writer) => writer.rows(table, sink),
        }
    }

    /// Enables the constraints and commits.
    ///
    /// # Errors
    /// [`Error::ForeignKey`] for broken foreign keys, and database errors.
    pub fn commit(self) -> Result<(), CopyError> {
        match self.0 {
            Writer::Sqlite(writer) => writer.commit(),
            Writer::Postgres(writer) => writer.commit(),
        }
    }
}

/// The key of the object that bytes are written as.
const BASE64: &str = "base64";

/// Bytes as a value of a row.
fn bytes_to_json(bytes: &[u8]) -> Json {
    Json::Object([(BASE64.to_owned(), STANDARD.encode(bytes).into())].into_iter().collect())
}

/// The bytes in a value of a row; none if it has another form.
fn bytes_from_json(value: &Json) -> Option<Vec<u8>> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    STANDARD.decode(object.get(BASE64)?.as_str()?).ok()
}

/// Adds the name of the table to a database error.
fn blame(table: &str) -> impl Fn(Error) -> CopyError {
    move |problem| CopyError::Table { table: table.to_owned(), problem }
}

/// The columns of a table for a statement. The names come from the catalog or were looked up there.
fn quoted(columns: &[String]) -> String {
    columns.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The statement that reads the rows of a table ordered by its primary key.
fn select(table: &Table, key: &[String]) -> String {
    format!("SELECT {} FROM {} ORDER BY {}", quoted(&table.columns), quote(&table.name), quoted(key))
}
