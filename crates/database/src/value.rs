//! Rows as they come out of a database.

use std::ops::Index;

/// How to decode a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A whole number of up to 64 bits.
    Integer,
    /// True or false.
    Boolean,
    /// Text.
    Text,
    /// A moment, to the microsecond.
    Time,
    /// A JSON document, which both databases store as text.
    Json,
}

/// The value of one column of one row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value; every column may have it.
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
}

/// One row: its columns in the order they were selected.
///
/// The accessors answer a column that is absent or of another type as if it
/// were NULL; which columns there are and their types is what the caller of
/// `read` said.
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

    /// The moment in a column, unless it is NULL.
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

    /// Moves the value of a column out, leaving NULL behind.
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

/// The moment so many microseconds after 1970, `None` if there is none.
pub(crate) fn moment(microseconds: i64) -> Option<jiff::Timestamp> {
    // jiff's own conversion refuses the last millisecond of what it can express.
    let nanoseconds = i32::try_from(microseconds.rem_euclid(1_000_000)).ok()? * 1000;
    jiff::Timestamp::new(microseconds.div_euclid(1_000_000), nanoseconds).ok()
}
