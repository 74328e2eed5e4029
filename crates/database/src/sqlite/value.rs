//! Conversions of values to and from SQLite.
//!
//! Times are stored as INTEGER microseconds since 1970 in UTC, booleans as 0 and 1, JSON documents as TEXT, bytes as BLOB.

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{Connection, Statement};

use super::error::statement_error;
use crate::value::moment;
use crate::{Error, Row, Type, Value};

/// Runs a statement to its end and decodes its rows.
pub(super) fn query(
    connection: &Connection,
    sql: &str,
    values: &[sea_query::Value],
    types: &[Type],
) -> Result<Vec<Row>, Error> {
    let mut statement = prepare(connection, sql, values)?;
    let columns = statement.column_count();
    if columns != types.len() {
        return Err(Error::Internal(format!("{} types for {columns} columns", types.len())));
    }
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(statement_error)? {
        let mut decoded = Vec::with_capacity(columns);
        for (column, kind) in types.iter().enumerate() {
            decoded.push(decode(row.get_ref(column).map_err(statement_error)?, *kind, column)?);
        }
        found.push(Row(decoded));
    }
    Ok(found)
}

/// Runs a statement that returns no rows; returns the number of changed rows.
pub(super) fn execute(connection: &Connection, sql: &str, values: &[sea_query::Value]) -> Result<u64, Error> {
    let changed = prepare(connection, sql, values)?.raw_execute().map_err(statement_error)?;
    Ok(changed as u64)
}

fn prepare<'c>(
    connection: &'c Connection,
    sql: &str,
    values: &[sea_query::Value],
) -> Result<impl std::ops::DerefMut<Target = Statement<'c>> + use<'c>, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(statement_error)?;
    // SQLite takes PostgreSQL's placeholders in hand-written SQL for parameters of its own, which would be NULL.
    if statement.parameter_count() != values.len() {
        return Err(Error::Internal("a statement has other parameters than values".to_owned()));
    }
    for (index, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, encode(value)?).map_err(statement_error)?;
    }
    Ok(statement)
}

fn encode(value: &sea_query::Value) -> Result<ToSqlOutput<'_>, Error> {
    use sea_query::Value as V;
    let number = match value {
        V::Bool(value) => value.map(i64::from),
        V::TinyInt(value) => value.map(i64::from),
        V::SmallInt(value) => value.map(i64::from),
        V::Int(value) => value.map(i64::from),
        V::BigInt(value) => *value,
        V::TinyUnsigned(value) => value.map(i64::from),
        V::SmallUnsigned(value) => value.map(i64::from),
        V::Unsigned(value) => value.map(i64::from),
        V::BigUnsigned(value) => value
            .map(i64::try_from)
            .transpose()
            .map_err(|_| Error::Internal("a number is too large for the database".to_owned()))?,
        V::JiffTimestamp(value) => value.as_deref().map(|time| time.as_microsecond()),
        V::Float(value) => return Ok(real(value.map(f64::from))),
        V::Double(value) => return Ok(real(*value)),
        V::String(value) => return Ok(text(value.as_deref())),
        V::Char(value) => {
            return Ok(ToSqlOutput::Owned(value.map_or(Owned::Null, |letter| Owned::Text(letter.to_string()))));
        }
        V::Bytes(value) => {
            return Ok(ToSqlOutput::Borrowed(value.as_deref().map_or(ValueRef::Null, ValueRef::Blob)));
        }
        // The features of sea-query determine the variants, and any crate may enable some.
        _ => return Err(Error::Internal("a value of a kind that the database does not store".to_owned())),
    };
    Ok(ToSqlOutput::Owned(number.map_or(Owned::Null, Owned::Integer)))
}

fn text(value: Option<&str>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(value.map_or(ValueRef::Null, |value| ValueRef::Text(value.as_bytes())))
}

fn real(value: Option<f64>) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(value.map_or(Owned::Null, Owned::Real))
}

fn decode(value: ValueRef<'_>, kind: Type, column: usize) -> Result<Value, Error> {
    let wrong = || Error::Internal(format!("column {column} holds no {kind:?}"));
    Ok(match (kind, value) {
        (_, ValueRef::Null) => Value::Null,
        (Type::Integer, ValueRef::Integer(number)) => Value::Integer(number),
        (Type::Boolean, ValueRef::Integer(number)) => Value::Boolean(number != 0),
        (Type::Time, ValueRef::Integer(number)) => Value::Time(moment(number).ok_or_else(wrong)?),
        (Type::Text, ValueRef::Text(bytes)) => Value::Text(std::str::from_utf8(bytes).map_err(|_| wrong())?.to_owned()),
        (Type::Json, ValueRef::Text(bytes)) => Value::Json(serde_json::from_slice(bytes).map_err(|_| wrong())?),
        (Type::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
        _ => return Err(wrong()),
    })
}
