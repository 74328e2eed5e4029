//! Rows and values of query results.

use std::ops::Index;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A 64-bit integer.
    Integer,
    /// A boolean.
    Boolean,
    /// Text.
    Text,
    /// A time, with microseconds.
    Time,
    /// A JSON document, which both databases store as text.
    Json,
    /// Bytes.
    Bytes,
}

/// The value of a column in a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL; every column may be NULL.
    Null,
    /// Of a [`Type::Integer`].
    Integer(i64),
    /// Of a [`Type::Boolean`].
    Boolean(bool),
    /// Of a [`Type::Text`].
    Text(String),
    /// Of a [`Type::Time`].
    Time(jiff::Timestamp),
    /// Of a [`Type::Json`].
    Json(serde_json::Value),
    /// Of a [`Type::Bytes`].
    Bytes(Vec<u8>),
}

/// A row, with its columns in the order of the query.
///
/// The accessors return NULL for a column that is missing or of another type; the caller of `read` defines the columns
/// and their types.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The integer in a column, unless it is NULL.
    pub fn integer(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Value::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// The boolean in a column; NULL is false.
    pub fn boolean(&self, column: usize) -> bool {
        matches!(self.0.get(column), Some(Value::Boolean(true)))
    }

    /// The text in a column, unless it is NULL.
    pub fn text(&self, column: usize) -> Option<&str> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Some(value),
            _ => None,
        }
    }

    /// The time in a column, unless it is NULL.
    pub fn time(&self, column: usize) -> Option<jiff::Timestamp> {
        match self.0.get(column) {
            Some(Value::Time(value)) => Some(*value),
            _ => None,
        }
    }

    /// The document in a column, unless it is NULL.
    pub fn json(&self, column: usize) -> Option<&serde_json::Value> {
        match self.0.get(column) {
            Some(Value::Json(value)) => Some(value),
            _ => None,
        }
    }

    /// The bytes in a column, unless they are NULL.
    pub fn bytes(&self, column: usize) -> Option<&[u8]> {
        match self.0.get(column) {
            Some(Value::Bytes(value)) => Some(value),
            _ => None,
        }
    }

    /// Takes the value out of a column, which becomes NULL.
    pub fn take(&mut self, column: usize) -> Value {
        self.0.get_mut(column).map_or(Value::Null, |value| std::mem::replace(value, Value::Null))
    }
}

impl Index<usize> for Row {
    type Output = Value;

    fn index(&self, column: usize) -> &Value {
        self.0.get(column).unwrap_or(&Value::Null)
    }
}

/// The time this number of microseconds after 1970, `None` if it is out of range.
pub(crate) fn moment(microseconds: i64) -> Option<jiff::Timestamp> {
    // jiff's own conversion rejects the last millisecond of its range.
    let nanoseconds = i32::try_from(microseconds.rem_euclid(1_000_000)).ok()? * 1000;
    jiff::Timestamp::new(microseconds.div_euclid(1_000_000), nanoseconds).ok()
}
