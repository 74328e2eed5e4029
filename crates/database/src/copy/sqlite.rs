//! Copies from and to an SQLite file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use serde_json::Value as Json;

use super::{CopyError, NOTICES, Sink, Table, blame, bytes_from_json, bytes_to_json, quote, quoted, select};
use crate::sqlite::connection::{self, Purpose};
use crate::sqlite::{file_error, recorded_version, statement_error};
use crate::{Error, OpenError, migrate};

/// Derived data of the schema versions 15 to 18, which is not copied.
const TEXTS_CHANGED: &str = "texts_changed";

/// Reads a snapshot from the time of its beginning; writers are not blocked.
pub(super) struct Reader {
    connection: Connection,
    pub(super) schema: i64,
    pub(super) tables: Vec<Table>,
}

pub(super) struct Writer {
    connection: Connection,
    path: PathBuf,
    /// The statements that create the triggers again, which are dropped while rows are copied: the rows already contain
    /// their effects.
    triggers: Vec<String>,
    /// The columns of the tables, and the last ids to restore.
    tables: Vec<Table>,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Reader, CopyError> {
        if !path.exists() {
            return Err(CopyError::NoDatabase(path.display().to_string()));
        }
        let file_error = |error| file_error(path, &error);
        let connection = connection::open(path, Purpose::Read).map_err(file_error)?;
        // The first read determines the time of the snapshot.
        connection.execute_batch("BEGIN").map_err(file_error)?;
        let found = recorded_version(&connection).map_err(file_error)?;
        let schema = found.ok_or_else(|| CopyError::NoDatabase(path.display().to_string()))?;
        migrate::refuse_newer(Some(schema), migrate::sqlite_runner())?;
        let tables = tables(&connection)?;
        Ok(Reader { connection, schema, tables })
    }

    pub(super) fn rows(&mut self, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError> {
        rows(&self.connection, table, sink)
    }

    pub(super) fn select(
        &mut self,
        table: &str,
        columns: &[String],
        sql: &str,
        sink: &mut Sink<'_>,
    ) -> Result<(), CopyError> {
        read(&self.connection, table, columns, sql, sink)
    }

    pub(super) fn integrity_problems(&mut self) -> Vec<String> {
        let mut found = vec![];
        let pages = read(&self.connection, "integrity_check", &[], "PRAGMA integrity_check(20)", &mut |row| {
            found.extend(row.first().and_then(Json::as_str).filter(|text| *text != "ok").map(str::to_owned));
            Ok(())
        });
        let links = read(&self.connection, "foreign_key_check", &[], "PRAGMA foreign_key_check", &mut |row| {
            let text = |index: usize| row.get(index).map(Json::to_string).unwrap_or_default().replace('"', "");
            found.push(format!("row {} of {} refers to a row of {} that does not exist", text(1), text(0), text(2)));
            Ok(())
        });
        // With some kinds of corruption SQLite cannot report everything.
        let first = [pages, links].into_iter().find_map(Result::err);
        found.extend(first.map(|problem| format!("it cannot be checked completely ({problem})")));
        found
    }
}

impl Writer {
    pub(super) fn begin(path: &Path, schema: i64) -> Result<Writer, CopyError> {
        migrate::refuse_newer(Some(schema), migrate::sqlite_runner())?;
        for leftover in [path.to_owned(), beside(path, "-journal")] {
            match fs::remove_file(&leftover) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    let remedy = "check that this user has write permission there";
                    return Err(OpenError::File { path: leftover, problem: error.to_string(), remedy }.into());
                }
                _ => {}
            }
        }
        crate::sqlite::create(path)?;
        let file_error = |error| file_error(path, &error);
        // Foreign keys are not checked here, because tables are filled in any order; all are checked at the end.
        let mut connection = connection::open(path, Purpose::Migrate).map_err(file_error)?;
        let target = migrate::target(schema);
        let migrated = migrate::sqlite_runner().set_target(target).run(&mut connection);
        migrated.map_err(|error| OpenError::Migration {
            database: path.display().to_string(),
            problem: migrate::problem(&error),
        })?;
        connection.execute_batch("BEGIN IMMEDIATE").map_err(statement_error)?;
        let mut found = vec![];
        let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'";
        read(&connection, "sqlite_master", &[], sql, &mut |row| {
            let text = |index: usize| row.get(index).and_then(Json::as_str).unwrap_or_default().to_owned();
            found.push((text(0), text(1)));
            Ok(())
        })?;
        for (name, _) in &found {
            connection.execute_batch(&format!("DROP TRIGGER {}", quote(name))).map_err(statement_error)?;
        }
        let tables = tables(&connection)?;
        for table in &tables {
            let sql = format!("DELETE FROM {}", quote(&table.name));
            connection.execute_batch(&sql).map_err(statement_error).map_err(blame(&table.name))?;
        }
        let triggers = found.into_iter().map(|(_, sql)| sql).collect();
        Ok(Writer { connection, path: path.to_owned(), triggers, tables })
    }

    pub(super) fn load(
        &mut self,
        table: &Table,
        fill: &mut dyn FnMut(&mut Sink<'_>) -> Result<(), CopyError>,
    ) -> Result<(), CopyError> {
        let known = self.tables.iter_mut().find(|known| known.name == table.name);
        known.ok_or_else(|| CopyError::UnknownTable(table.name.clone()))?.last_id = table.last_id;
        let blame = blame(&table.name);
        let placeholders = vec!["?"; table.columns.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({placeholders})", quote(&table.name), quoted(&table.columns));
        let mut statement = self.connection.prepare(&sql).map_err(statement_error).map_err(&blame)?;
        fill(&mut |row| {
            for (index, value) in row.iter().enumerate() {
                let value = encode(value).ok_or_else(|| unknown_value(table, index))?;
                statement.raw_bind_parameter(index + 1, value).map_err(statement_error).map_err(&blame)?;
            }
            statement.raw_execute().map(drop).map_err(statement_error).map_err(&blame)
        })
    }

    pub(super) fn rows(&mut self, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError> {
        rows(&self.connection, table, sink)
    }

    pub(super) fn commit(self) -> Result<(), CopyError> {
        for table in &self.tables {
            let Some(last) = table.last_id else { continue };
            // The inserted rows have set it to the greatest existing id.
            let connection = &self.connection;
            let set = connection
                .execute("DELETE FROM sqlite_sequence WHERE name = ?1", [&table.name])
                .and_then(|_| {
                    connection.execute(
                        "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                        rusqlite::params![table.name, last],
                    )
                })
                .map_err(statement_error);
            set.map_err(blame(&table.name))?;
        }
        for trigger in &self.triggers {
            self.connection.execute_batch(trigger).map_err(statement_error)?;
        }
        let mut broken = None;
        read(&self.connection, "foreign_key_check", &[], "PRAGMA foreign_key_check", &mut |row| {
            broken = row.first().and_then(Json::as_str).map(str::to_owned);
            Ok(())
        })?;
        if let Some(table) = broken {
            return Err(CopyError::Table { table, problem: Error::ForeignKey });
        }
        self.connection.execute_batch("COMMIT").map_err(statement_error)?;
        self.connection.close().map_err(|(_, error)| CopyError::Open(file_error(&self.path, &error)))
    }
}

/// A file that SQLite creates beside the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn tables(connection: &Connection) -> Result<Vec<Table>, CopyError> {
    let counts = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'";
    let counts = connection.prepare(counts).and_then(|mut found| found.exists([])).map_err(statement_error)?;
    // Without views, and without indexes that are tables in SQLite.
    let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN (?1, ?2, ?3) ORDER BY name";
    let names: Vec<String> = connection
        .prepare(sql)
        .and_then(|mut found| found.query_map([migrate::TABLE, TEXTS_CHANGED, NOTICES], |row| row.get(0))?.collect())
        .map_err(statement_error)?;
    let mut tables = vec![];
    for name in names {
        // Generated columns are hidden.
        let columns = "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid";
        let columns = connection
            .prepare(columns)
            .and_then(|mut found| found.query_map([&name], |row| row.get(0))?.collect())
            .map_err(statement_error)?;
        let last_id = if counts {
            connection
                .prepare("SELECT seq FROM sqlite_sequence WHERE name = ?1")
                .and_then(|mut found| found.query_map([&name], |row| row.get(0))?.next().transpose())
                .map_err(statement_error)?
        } else {
            None
        };
        tables.push(Table { name, columns, last_id });
    }
    Ok(tables)
}

fn rows(connection: &Connection, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError> {
    let key: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")
        .and_then(|mut found| found.query_map([&table.name], |row| row.get(0))?.collect())
        .map_err(statement_error)?;
    if key.is_empty() {
        return Err(CopyError::UnknownTable(table.name.clone()));
    }
    read(connection, &table.name, &table.columns, &select(table, &key), sink)
}

fn read(
    connection: &Connection,
    table: &str,
    columns: &[String],
    sql: &str,
    sink: &mut Sink<'_>,
) -> Result<(), CopyError> {
    let blame = blame(table);
    let mut statement = connection.prepare(sql).map_err(statement_error).map_err(&blame)?;
    let count = statement.column_count();
    let mut found = statement.query([]).map_err(statement_error).map_err(&blame)?;
    let mut row = Vec::with_capacity(count);
    while let Some(next) = found.next().map_err(statement_error).map_err(&blame)? {
        row.clear();
        for index in 0..count {
            let value = next.get_ref(index).map_err(statement_error).map_err(&blame)?;
            row.push(decode(value).ok_or_else(|| CopyError::Value {
                table: table.to_owned(),
                column: columns.get(index).cloned().unwrap_or_default(),
            })?);
        }
        sink(&row)?;
    }
    Ok(())
}

fn unknown_value(table: &Table, column: usize) -> CopyError {
    CopyError::Value { table: table.name.clone(), column: table.columns.get(column).cloned().unwrap_or_default() }
}

fn decode(value: ValueRef<'_>) -> Option<Json> {
    match value {
        ValueRef::Null => Some(Json::Null),
        ValueRef::Integer(number) => Some(number.into()),
        ValueRef::Real(number) => serde_json::Number::from_f64(number).map(Json::Number),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(Json::from),
        ValueRef::Blob(bytes) => Some(bytes_to_json(bytes)),
    }
}

fn encode(value: &Json) -> Option<ToSqlOutput<'_>> {
    Some(match value {
        Json::Null => ToSqlOutput::Owned(Owned::Null),
        Json::Number(number) => ToSqlOutput::Owned(match number.as_i64() {
            Some(number) => Owned::Integer(number),
            None => Owned::Real(number.as_f64()?),
        }),
        Json::String(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        Json::Object(_) => ToSqlOutput::Owned(Owned::Blob(bytes_from_json(value)?)),
        Json::Bool(_) | Json::Array(_) => return None,
    })
}
