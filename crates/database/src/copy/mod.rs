//! Reads and writes whole databases in one format, for backups and to migrate from SQLite to PostgreSQL.
//!
//! A row is a list of JSON values as SQLite stores them: moments are microseconds since 1970, booleans 0 and 1. The rows
//! of a table are ordered by its key. Everything here blocks its thread: it is for commands, not for the server.

mod postgres;
mod sqlite;

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::{Error, Location, OpenError};

/// The table that says, on PostgreSQL, that a restore has begun and not ended.
pub(crate) const UNFINISHED: &str = "hostler_unfinished_restore";

/// A table with rows to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in the order of the values of a row.
    pub columns: Vec<String>,
    /// The greatest id that was ever given to a row, if the database counts that: the next one is greater.
    pub last_id: Option<i64>,
}

/// Receives the rows of a table one by one.
pub type Sink<'s> = dyn FnMut(&[Json]) -> Result<(), CopyError> + 's;

/// A source of rows.
pub trait Source {
    /// The version of the schema that the rows are in.
    fn schema(&self) -> i64;

    /// The tables.
    fn tables(&self) -> &[Table];

    /// Hands the rows of a table to `sink`; no more than a few are in memory at a time.
    ///
    /// # Errors
    /// What reading says, or the sink.
    fn rows(&mut self, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError>;
}

/// Why something could not be copied. The messages are for the operator and contain no values.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no database to copy from.
    #[error("there is no database at {0}")]
    NoDatabase(String),
    /// A restore into it has not ended.
    #[error("the database {0} was not restored to the end: restore it again")]
    UnfinishedRestore(String),
    /// The database to copy into is one already.
    #[error("the database {0} is not empty: name an empty one")]
    NotEmpty(String),
    /// Others use the database to copy into.
    #[error("the database {0} is in use: stop the servers that use it")]
    InUse(String),
    /// Reading or writing failed.
    #[error("table {table}: {problem}")]
    Table {
        /// The table.
        table: String,
        /// What the database says.
        problem: Error,
    },
    /// A statement about no table in particular failed.
    #[error(transparent)]
    Database(#[from] Error),
    /// A value is of a kind that is not copied.
    #[error("column {column} of table {table} holds a value that cannot be copied")]
    Value {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The schema of this version has no such table.
    #[error("the table {0} is not known to this version of Hostler")]
    UnknownTable(String),
    /// What a source that is no database says.
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
    /// [`CopyError::NoDatabase`], [`CopyError::UnfinishedRestore`], and what opening says; a newer schema is refused.
    pub fn open(location: &Location) -> Result<Snapshot, CopyError> {
        Ok(Snapshot(match location {
            Location::Sqlite(path) => Reader::Sqlite(sqlite::Reader::open(path)?),
            Location::Postgres(url) => Reader::Postgres(Box::new(postgres::Reader::open(url)?)),
        }))
    }

    /// Runs a query that contains no outside data and is the same on both databases.
    ///
    /// # Errors
    /// What the database says.
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

    /// Damage that the database finds in its own files, and rows that refer to rows that do not exist.
    pub fn integrity_problems(&mut self) -> Vec<String> {
        match &mut self.0 {
            Reader::Sqlite(reader) => reader.integrity_problems(),
            // The server verifies pages when it reads them, and enforces constraints.
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

/// A database that is being filled: all of it is there after [`Import::commit`], or nothing.
pub struct Import(Writer);

enum Writer {
    Sqlite(sqlite::Writer),
    Postgres(Box<postgres::Writer>),
}

/// Where to import.
#[derive(Clone)]
pub enum Destination {
    /// A new file, in the place of one from an earlier try. It is a database only once the import is committed.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL server. A database that does not belong to an earlier try is refused unless it is empty
    /// or to be replaced.
    Postgres {
        /// As in [`Location::Postgres`].
        url: String,
        /// Whether everything that is in the database goes.
        replace: bool,
    },
}

impl Import {
    /// Makes the schema of this version in the destination, without any rows.
    ///
    /// Until the import is committed, PostgreSQL is marked as unfinished, and no server starts on it.
    ///
    /// # Errors
    /// [`CopyError::NotEmpty`], [`CopyError::InUse`], and what opening says; a newer schema is refused.
    pub fn begin(destination: &Destination, schema: i64) -> Result<Import, CopyError> {
        Ok(Import(match destination {
            Destination::Sqlite(path) => Writer::Sqlite(sqlite::Writer::begin(path, schema)?),
            Destination::Postgres { url, replace } => {
                Writer::Postgres(Box::new(postgres::Writer::begin(url, *replace, schema)?))
            }
        }))
    }

    /// Fills a table with what `fill` hands to its sink.
    ///
    /// # Errors
    /// [`CopyError::UnknownTable`], and what writing or `fill` says.
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

    /// Hands the rows that a table has now to `sink`, as [`Source::rows`] does.
    ///
    /// # Errors
    /// What reading says, or the sink.
    pub fn rows(&mut self, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError> {
        match &mut self.0 {
            Writer::Sqlite(writer) => writer.rows(table, sink),
            Writer::Postgres(writer) => writer.rows(table, sink),
        }
    }

    /// Puts the constraints in force and makes everything durable.
    ///
    /// # Errors
    /// [`Error::ForeignKey`] if rows refer to rows that do not exist, and what the database says.
    pub fn commit(self) -> Result<(), CopyError> {
        match self.0 {
            Writer::Sqlite(writer) => writer.commit(),
            Writer::Postgres(writer) => writer.commit(),
        }
    }
}

/// Blames a table for what the database says.
fn blame(table: &str) -> impl Fn(Error) -> CopyError {
    move |problem| CopyError::Table { table: table.to_owned(), problem }
}

/// The columns of a table for a statement. Names come from a catalog or are looked up there first.
fn quoted(columns: &[String]) -> String {
    columns.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The statement that reads the rows of a table in the order of its key.
fn select(table: &Table, key: &[String]) -> String {
    format!("SELECT {} FROM {} ORDER BY {}", quoted(&table.columns), quote(&table.name), quoted(key))
}
