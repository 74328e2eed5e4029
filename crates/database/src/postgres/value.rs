//! Conversions of values to and from PostgreSQL.
//!
//! Times are TIMESTAMPTZ, booleans BOOLEAN, JSON documents TEXT.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use tokio_postgres::Row as DriverRow;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type as ColumnType, to_sql_checked};

use super::error::statement_error;
use crate::{Error, Row, Type, Value};

pub(crate) type Problem = Box<dyn StdError + Sync + Send>;

/// Microseconds from 1970, Hostler's epoch, to 2000, that of PostgreSQL.
pub(crate) const EPOCH: i64 = 946_684_800_000_000;

/// A value to bind, encoded as the type that the server expects.
#[derive(Debug)]
pub(super) struct Bound<'v>(pub(super) &'v sea_query::Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self, column: &ColumnType, out: &mut BytesMut) -> Result<IsNull, Problem> {
        use sea_query::Value as V;
        match self.0 {
            V::Bool(value) => write(*value, |value| boolean(value, column, out)),
            V::TinyInt(value) => write(*value, |value| integer(value.into(), column, out)),
            V::SmallInt(value) => write(*value, |value| integer(value.into(), column, out)),
            V::Int(value) => write(*value, |value| integer(value.into(), column, out)),
            V::BigInt(value) => write(*value, |value| integer(value, column, out)),
            V::TinyUnsigned(value) => write(*value, |value| integer(value.into(), column, out)),
            V::SmallUnsigned(value) => write(*value, |value| integer(value.into(), column, out)),
            V::Unsigned(value) => write(*value, |value| integer(value.into(), column, out)),
            V::BigUnsigned(value) => write(*value, |value| integer(value.try_into()?, column, out)),
            V::Float(value) => write(*value, |value| float(value.into(), column, out)),
            V::Double(value) => write(*value, |value| float(value, column, out)),
            V::String(value) => write(value.as_deref(), |value| text(value, column, out)),
            V::Char(value) => write(*value, |value| text(value.encode_utf8(&mut [0; 4]), column, out)),
            V::Bytes(value) => write(value.as_deref(), |value| bytes(value, column, out)),
            V::JiffTimestamp(value) => write(value.as_deref(), |value| time(*value, column, out)),
            // The features of sea-query determine the variants, and any crate may enable some.
            _ => Err("a value of a kind that the database does not store".into()),
        }
    }

    // `to_sql` checks whether the value fits the type.
    fn accepts(_: &ColumnType) -> bool {
        true
    }

    to_sql_checked!();
}

fn write<T>(value: Option<T>, some: impl FnOnce(T) -> Result<(), Problem>) -> Result<IsNull, Problem> {
    match value {
        None => Ok(IsNull::Yes),
        Some(value) => some(value).map(|()| IsNull::No),
    }
}

fn boolean(value: bool, column: &ColumnType, out: &mut BytesMut) -> Result<(), Problem> {
    match *column {
        ColumnType::BOOL => out.put_u8(value.into()),
        _ if is_text(column) => out.put_slice(if value { b"true" } else { b"false" }),
        _ => integer(value.into(), column, out)?,
    }
    Ok(())
}

pub(crate) fn integer(value: i64, column: &ColumnType, out: &mut BytesMut) -> Result<(), Problem> {
    match *column {
        ColumnType::INT2 => out.put_i16(value.try_into()?),
        ColumnType::INT4 => out.put_i32(value.try_into()?),
        ColumnType::INT8 => out.put_i64(value),
        ColumnType::OID => out.put_u32(value.try_into()?),
        ColumnType::NUMERIC => numeric(value, out),
        ColumnType::FLOAT4 | ColumnType::FLOAT8 => float(value as f64, column, out)?,
        ColumnType::BOOL if value == 0 || value == 1 => out.put_u8(value as u8),
        _ if is_text(column) => out.put_slice(value.to_string().as_bytes()),
        _ => return Err(mismatch("an integer", column)),
    }
    Ok(())
}

/// A NUMERIC consists of digits in base 10000, the first of them times 10000^weight.
fn numeric(value: i64, out: &mut BytesMut) {
    let mut digits = Vec::with_capacity(5);
    let mut rest = value.unsigned_abs();
    while rest > 0 {
        digits.push((rest % 10_000) as i16);
        rest /= 10_000;
    }
    // An i64 has at most five such digits.
    let count = digits.len() as i16;
    out.put_i16(count);
    out.put_i16((count - 1).max(0));
    out.put_u16(if value < 0 { 0x4000 } else { 0 });
    out.put_u16(0); // digits after the point
    digits.iter().rev().for_each(|digit| out.put_i16(*digit));
}

pub(crate) fn float(value: f64, column: &ColumnType, out: &mut BytesMut) -> Result<(), Problem> {
    match *column {
        ColumnType::FLOAT4 => out.put_f32(value as f32),
        ColumnType::FLOAT8 => out.put_f64(value),
        _ => return Err(mismatch("a floating-point number", column)),
    }
    Ok(())
}

pub(crate) fn text(value: &str, column: &ColumnType, out: &mut BytesMut) -> Result<(), Problem> {
    if !is_text(column) {
        return Err(mismatch("text", column));
    }
    out.put_slice(value.as_bytes());
    Ok(())
}

pub(crate) fn bytes(value: &[u8], column: &ColumnType, out: &mut BytesMut) -> Result<(), Problem> {
    if *column != ColumnType::BYTEA {
        return Err(mismatch("bytes", column));
    }
    out.put_slice(value);
    Ok(())
}

fn time(value: jiff::Timestamp, column: &ColumnType, out: &mut BytesMut) -> Result<(), Problem> {
    let since_epoch = value.as_microsecond();
    match *column {
        ColumnType::TIMESTAMPTZ => out.put_i64(since_epoch - EPOCH),
        _ if is_text(column) => out.put_slice(value.to_string().as_bytes()),
        _ => return Err(mismatch("a moment", column)),
    }
    Ok(())
}

fn is_text(column: &ColumnType) -> bool {
    <&str as ToSql>::accepts(column) || matches!(*column, ColumnType::JSON)
}

fn mismatch(what: &str, column: &ColumnType) -> Problem {
    format!("{what} where the server expects {column}").into()
}

/// Decodes a row by the given types.
pub(super) fn decode(row: &DriverRow, types: &[Type]) -> Result<Row, Error> {
    if row.len() != types.len() {
        return Err(Error::Internal(format!("{} types for {} columns", types.len(), row.len())));
    }
    types.iter().enumerate().map(|(column, kind)| decode_column(row, column, *kind)).collect::<Result<_, _>>().map(Row)
}

fn decode_column(row: &DriverRow, column: usize, kind: Type) -> Result<Value, Error> {
    let value = match kind {
        Type::Integer => match *row.columns()[column].type_() {
            ColumnType::INT2 => get::<i16>(row, column)?.map(i64::from),
            ColumnType::INT4 => get::<i32>(row, column)?.map(i64::from),
            _ => get::<i64>(row, column)?,
        }
        .map(Value::Integer),
        Type::Boolean => get(row, column)?.map(Value::Boolean),
        Type::Text => get(row, column)?.map(Value::Text),
        Type::Time => get(row, column)?.map(Value::Time),
        Type::Json => match get::<&str>(row, column)? {
            Some(text) => Some(Value::Json(
                serde_json::from_str(text).map_err(|_| Error::Internal(format!("column {column} holds no Json")))?,
            )),
            None => None,
        },
        Type::Bytes => get(row, column)?.map(Value::Bytes),
    };
    Ok(value.unwrap_or(Value::Null))
}

fn get<'r, T: FromSql<'r>>(row: &'r DriverRow, column: usize) -> Result<Option<T>, Error> {
    row.try_get(column).map_err(statement_error)
}
