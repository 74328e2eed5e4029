//! Copies from and to PostgreSQL.

use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{IsNull, ToSql, Type as ColumnType, to_sql_checked};
use postgres::{Client, Row};
use serde_json::Value as Json;

use super::{
    CopyError, NOTICES, Sink, Table, UNFINISHED, blame, bytes_from_json, bytes_to_json, quote, quoted, select,
};
use crate::postgres::connect::{Server, append_options};
use crate::postgres::value::{EPOCH, Problem, bytes, float, integer, text};
use crate::postgres::{APPLICATION, statement_error};
use crate::{OpenError, migrate};

/// The key of the advisory lock of imports.
const IMPORTING: i64 = 0x686f_7374_6c65_7202;

/// How long to wait until no server uses the database.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Reader {
    client: Client,
    pub(super) schema: i64,
    pub(super) tables: Vec<Table>,
}

pub(super) struct Writer {
    client: Client,
    tables: Vec<Table>,
    /// The statements that create the foreign keys again, which are dropped while tables are filled in any order.
    keys: Vec<String>,
}

impl Reader {
    pub(super) fn open(url: &str) -> Result<Reader, CopyError> {
        let (mut client, database) = connect(url, "hostler-copy")?;
        run(&mut client, "START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        if exists(&mut client, UNFINISHED)? {
            return Err(CopyError::UnfinishedRestore(database));
        }
        if !exists(&mut client, migrate::TABLE)? {
            return Err(CopyError::NoDatabase(database));
        }
        let sql = format!("SELECT max(version)::bigint FROM {}", migrate::TABLE);
        let found: Option<i64> = one(&mut client, &sql)?;
        let schema = found.ok_or(CopyError::NoDatabase(database))?;
        migrate::refuse_newer(Some(schema), migrate::postgres_runner())?;
        let tables = tables(&mut client)?;
        Ok(Reader { client, schema, tables })
    }

    pub(super) fn rows(&mut self, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError> {
        rows(&mut self.client, table, sink)
    }

    pub(super) fn select(
        &mut self,
        table: &str,
        columns: &[String],
        sql: &str,
        sink: &mut Sink<'_>,
    ) -> Result<(), CopyError> {
        read(&mut self.client, table, columns, sql, sink)
    }
}

impl Writer {
    pub(super) fn begin(url: &str, replace: bool, schema: i64) -> Result<Writer, CopyError> {
        migrate::refuse_newer(Some(schema), migrate::postgres_runner())?;
        let (mut client, database) = connect(url, "hostler-copy")?;
        wait_until_alone(&mut client, &database)?;
        let objects = objects(&mut client)?;
        if !objects.is_empty() && !replace && !exists(&mut client, UNFINISHED)? {
            return Err(CopyError::NotEmpty(database));
        }
        let drops: String = objects.iter().map(|object| format!("DROP {object} CASCADE;\n")).collect();
        let now = "timestamptz NOT NULL DEFAULT now()";
        run(
            &mut client,
            &format!(
                "BEGIN;\n{drops}CREATE TABLE {UNFINISHED} (begun {now});\nINSERT INTO {UNFINISHED} DEFAULT VALUES;\nCOMMIT"
            ),
        )?;
        let migrated = migrate::postgres_runner().set_target(migrate::target(schema)).run(&mut client);
        migrated.map_err(|error| OpenError::Migration { database, problem: migrate::problem(&error) })?;

        run(&mut client, "BEGIN")?;
        let keys = drop_keys(&mut client)?;
        let tables = tables(&mut client)?;
        for table in &tables {
            // The source rows already contain the effects of triggers.
            let name = quote(&table.name);
            let sql = format!("ALTER TABLE {name} DISABLE TRIGGER USER; DELETE FROM {name}");
            run(&mut client, &sql)?;
        }
        Ok(Writer { client, tables, keys })
    }

    pub(super) fn load(
        &mut self,
        table: &Table,
        fill: &mut dyn FnMut(&mut Sink<'_>) -> Result<(), CopyError>,
    ) -> Result<(), CopyError> {
        let known = self.tables.iter_mut().find(|known| known.name == table.name);
        known.ok_or_else(|| CopyError::UnknownTable(table.name.clone()))?.last_id = table.last_id;
        let blame = |error| blame(&table.name)(statement_error(error));
        let columns = quoted(&table.columns);
        let name = quote(&table.name);
        let described = self.client.prepare(&format!("SELECT {columns} FROM {name}")).map_err(blame)?;
        let types: Vec<ColumnType> = described.columns().iter().map(|column| column.type_().clone()).collect();
        let sql = format!("COPY {name} ({columns}) FROM STDIN (FORMAT binary)");
        let mut writer = BinaryCopyInWriter::new(self.client.copy_in(&sql).map_err(blame)?, &types);
        fill(&mut |row| {
            let cells: Vec<Cell<'_>> = row.iter().map(Cell).collect();
            let cells: Vec<&(dyn ToSql + Sync)> = cells.iter().map(|cell| cell as _).collect();
            if cells.len() != types.len() {
                return Err(CopyError::Value { table: table.name.clone(), column: String::new() });
            }
            writer.write(&cells).map_err(blame)
        })?;
        writer.finish().map(drop).map_err(blame)
    }

    pub(super) fn rows(&mut self, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError> {
        rows(&mut self.client, table, sink)
    }

    pub(super) fn commit(mut self) -> Result<(), CopyError> {
        for table in &self.tables {
            run(&mut self.client, &format!("ALTER TABLE {} ENABLE TRIGGER USER", quote(&table.name)))?;
            if let Some(last) = table.last_id.filter(|last| *last > 0) {
                // Names come from the catalog.
                let sql = format!(
                    "SELECT setval(pg_get_serial_sequence('{}', 'id'), {last})",
                    quote(&table.name).replace('\'', "''")
                );
                run(&mut self.client, &sql)?;
            }
        }
        for key in &self.keys {
            run(&mut self.client, key)?;
        }
        run(&mut self.client, &format!("DROP TABLE {UNFINISHED}; COMMIT; ANALYZE"))
    }
}

fn connect(url: &str, name: &str) -> Result<(Client, String), CopyError> {
    let mut server = Server::parse(url)?;
    server.config.application_name(name);
    append_options(&mut server.config, "-c statement_timeout=0 -c timezone=UTC");
    Ok((server.connect_blocking()?, server.database))
}

/// Waits until no server uses the database, and locks out other imports until the connection is closed.
/// The connections of a killed process end after a moment.
fn wait_until_alone(client: &mut Client, database: &str) -> Result<(), CopyError> {
    let lock = format!("SELECT pg_try_advisory_lock({IMPORTING})");
    let servers = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{APPLICATION}'"
    );
    let patience = Instant::now() + PATIENCE;
    let mut locked = false;
    loop {
        locked = locked || one(client, &lock)?;
        if locked && one::<i64>(client, &servers)? == 0 {
            return Ok(());
        }
        if Instant::now() >= patience {
            return Err(CopyError::InUse(database.to_owned()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn run(client: &mut Client, sql: &str) -> Result<(), CopyError> {
    client.batch_execute(sql).map_err(|error| statement_error(error).into())
}

fn one<T: for<'r> postgres::types::FromSql<'r>>(client: &mut Client, sql: &str) -> Result<T, CopyError> {
    let row = client.query_one(sql, &[]).map_err(statement_error)?;
    Ok(row.try_get(0).map_err(statement_error)?)
}

fn exists(client: &mut Client, table: &str) -> Result<bool, CopyError> {
    one(client, &format!("SELECT to_regclass('{table}') IS NOT NULL"))
}

/// All objects in the schema that a server creates, by their names in DROP.
fn objects(client: &mut Client) -> Result<Vec<String>, CopyError> {
    let sql = "SELECT CASE relkind WHEN 'v' THEN 'VIEW ' WHEN 'm' THEN 'MATERIALIZED VIEW ' ELSE 'TABLE ' END
                   || 'IF EXISTS ' || oid::regclass::text
               FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
               UNION ALL
               SELECT 'FUNCTION IF EXISTS ' || oid::regprocedure::text
               FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
                   AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')";
    let rows = client.query(sql, &[]).map_err(statement_error)?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(statement_error)?)
}

/// Drops the foreign keys, and returns the statements that create them again, which check every row.
fn drop_keys(client: &mut Client) -> Result<Vec<String>, CopyError> {
    let sql = "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
               FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace";
    let mut keys = vec![];
    for row in client.query(sql, &[]).map_err(statement_error)? {
        let text = |index: usize| row.try_get::<_, String>(index).map_err(statement_error);
        let (table, name, definition) = (text(0)?, text(1)?, text(2)?);
        run(client, &format!("ALTER TABLE {table} DROP CONSTRAINT {name}"))?;
        keys.push(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"));
    }
    Ok(keys)
}

fn tables(client: &mut Client) -> Result<Vec<Table>, CopyError> {
    let sql = "SELECT relname::text, array_agg(attname::text ORDER BY attnum)
               FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
               WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname NOT IN ($1, $2, $3)
                   AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
               GROUP BY relname ORDER BY relname COLLATE \"C\"";
    let rows = client.query(sql, &[&migrate::TABLE, &UNFINISHED, &NOTICES]).map_err(statement_error)?;
    let mut tables = vec![];
    for row in rows {
        let name: String = row.try_get(0).map_err(statement_error)?;
        let columns: Vec<String> = row.try_get(1).map_err(statement_error)?;
        let mut last_id = None;
        if columns.iter().any(|column| column == "id") {
            let sequence = "SELECT pg_get_serial_sequence($1, 'id')";
            let sequence = client.query_one(sequence, &[&quote(&name)]).map_err(statement_error)?;
            if let Some(sequence) = sequence.try_get::<_, Option<String>>(0).map_err(statement_error)? {
                let last = format!("SELECT last_value FROM {sequence} WHERE is_called");
                let last = client.query_opt(&last, &[]).map_err(statement_error)?;
                last_id = last.map(|row| row.try_get(0)).transpose().map_err(statement_error)?;
            }
        }
        tables.push(Table { name, columns, last_id });
    }
    Ok(tables)
}

fn rows(client: &mut Client, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError> {
    let sql = "SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
               WHERE indrelid = $1::text::regclass AND indisprimary ORDER BY array_position(indkey::int2[], attnum)";
    let found = client.query(sql, &[&quote(&table.name)]).map_err(statement_error)?;
    let key: Vec<String> = found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(statement_error)?;
    if key.is_empty() {
        return Err(CopyError::UnknownTable(table.name.clone()));
    }
    read(client, &table.name, &table.columns, &select(table, &key), sink)
}

fn read(client: &mut Client, table: &str, columns: &[String], sql: &str, sink: &mut Sink<'_>) -> Result<(), CopyError> {
    let blame = |error| blame(table)(statement_error(error));
    // The rows are streamed, not loaded at once.
    let mut found = client.query_raw(sql, std::iter::empty::<i64>()).map_err(blame)?;
    let mut cells = vec![];
    while let Some(row) = found.next().map_err(blame)? {
        cells.clear();
        for index in 0..row.len() {
            let cell = decode(&row, index).map_err(|problem| match problem {
                Some(error) => blame(error),
                None => CopyError::Value {
                    table: table.to_owned(),
                    column: columns.get(index).cloned().unwrap_or_default(),
                },
            })?;
            cells.push(cell);
        }
        sink(&cells)?;
    }
    Ok(())
}

/// A value as SQLite stores it; fails for an unknown type.
fn decode(row: &Row, index: usize) -> Result<Json, Option<postgres::Error>> {
    fn get<'r, T: postgres::types::FromSql<'r>>(row: &'r Row, index: usize) -> Result<Option<T>, postgres::Error> {
        row.try_get(index)
    }
    let json = match *row.columns()[index].type_() {
        ColumnType::BOOL => get::<bool>(row, index)?.map(|value| i64::from(value).into()),
        ColumnType::INT2 => get::<i16>(row, index)?.map(Json::from),
        ColumnType::INT4 => get::<i32>(row, index)?.map(Json::from),
        ColumnType::INT8 => get::<i64>(row, index)?.map(Json::from),
        ColumnType::TIMESTAMPTZ => get::<jiff::Timestamp>(row, index)?.map(|time| time.as_microsecond().into()),
        ColumnType::FLOAT8 => match get::<f64>(row, index)? {
            Some(number) => Some(serde_json::Number::from_f64(number).map(Json::Number).ok_or(None)?),
            None => None,
        },
        ColumnType::TEXT | ColumnType::VARCHAR => get::<&str>(row, index)?.map(Json::from),
        ColumnType::BYTEA => get::<&[u8]>(row, index)?.map(bytes_to_json),
        _ => return Err(None),
    };
    Ok(json.unwrap_or(Json::Null))
}

const NOT_COPIED: &str = "a value that is not copied";

/// A value to bind, encoded as the type of the column.
#[derive(Debug)]
struct Cell<'v>(&'v Json);

impl ToSql for Cell<'_> {
    fn to_sql(&self, column: &ColumnType, out: &mut BytesMut) -> Result<IsNull, Problem> {
        match self.0 {
            Json::Null => return Ok(IsNull::Yes),
            Json::String(value) => text(value, column, out)?,
            Json::Number(number) => match number.as_i64() {
                Some(number) if *column == ColumnType::TIMESTAMPTZ => {
                    let moment = number.checked_sub(EPOCH).ok_or("a moment that PostgreSQL does not have")?;
                    out.put_i64(moment);
                }
                Some(number) => integer(number, column, out)?,
                None => float(number.as_f64().ok_or("a number that PostgreSQL does not have")?, column, out)?,
            },
            Json::Object(_) => bytes(&bytes_from_json(self.0).ok_or(NOT_COPIED)?, column, out)?,
            Json::Bool(_) | Json::Array(_) => return Err(NOT_COPIED.into()),
        }
        Ok(IsNull::No)
    }

    // `to_sql` checks whether the value fits the type.
    fn accepts(_: &ColumnType) -> bool {
        true
    }

    to_sql_checked!();
}
