//! Typed rows: a query says once which columns it reads, and a column that is missing or NULL is an error, not a default.

use jiff::Timestamp;

use crate::{Database, Error, Row, Transaction, Type, Value};

/// What a column of a query is read as. NULL is an error, except for an [`Option`].
///
/// The conditions of access rules can be NULL instead of false: read them as `Option<bool>`.
pub trait FromValue: Sized {
    /// The type of the column.
    const TYPE: Type;

    /// The value; none if it is of another type.
    fn from_value(value: Value) -> Option<Self>;
}

/// What a row of a query is read as: a [`FromValue`] for a query of one column, a tuple of them for one of several.
pub trait FromRow: Sized {
    /// The types of the columns, in the order of the query.
    const TYPES: &'static [Type];

    /// The row.
    ///
    /// # Errors
    /// [`Error::Internal`] for a column that is missing or NULL.
    fn from_row(row: Row) -> Result<Self, Error>;
}

fn take<T: FromValue>(row: &mut Row, column: usize) -> Result<T, Error> {
    T::from_value(row.take(column)).ok_or_else(|| Error::Internal(format!("column {column} holds no {:?}", T::TYPE)))
}

macro_rules! values {
    ($($kind:ty: $name:ident),*) => {$(
        impl FromValue for $kind {
            const TYPE: Type = Type::$name;

            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::$name(value) => Some(value),
                    _ => None,
                }
            }
        }

        impl FromValue for Option<$kind> {
            const TYPE: Type = Type::$name;

            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Null => Some(None),
                    value => <$kind>::from_value(value).map(Some),
                }
            }
        }

        single!($kind, Option<$kind>);
    )*};
}

macro_rules! single {
    ($($kind:ty),*) => {$(
        impl FromRow for $kind {
            const TYPES: &'static [Type] = &[<$kind>::TYPE];

            fn from_row(mut row: Row) -> Result<Self, Error> {
                take(&mut row, 0)
            }
        }
    )*};
}

macro_rules! tuples {
    ($(($($kind:ident $column:literal),*))*) => {$(
        impl<$($kind: FromValue),*> FromRow for ($($kind,)*) {
            const TYPES: &'static [Type] = &[$($kind::TYPE),*];

            fn from_row(mut row: Row) -> Result<Self, Error> {
                Ok(($(take::<$kind>(&mut row, $column)?,)*))
            }
        }
    )*};
}

values!(i64: Integer, bool: Boolean, String: Text, Timestamp: Time, serde_json::Value: Json, Vec<u8>: Bytes);

tuples! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
}

/// The rows as this type.
///
/// # Errors
/// As [`FromRow::from_row`].
pub fn typed<T: FromRow>(rows: Vec<Row>) -> Result<Vec<T>, Error> {
    rows.into_iter().map(T::from_row).collect()
}

impl Database {
    /// [Reads](Database::read) rows of this type.
    ///
    /// # Errors
    /// As [`Database::read`], and [`Error::Internal`] for a column that is missing or NULL.
    pub async fn read_as<T: FromRow>(&self, query: &sea_query::SelectStatement) -> Result<Vec<T>, Error> {
        typed(self.read(query, T::TYPES).await?)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Database::read_as`].
    pub async fn read_first<T: FromRow>(&self, query: &sea_query::SelectStatement) -> Result<Option<T>, Error> {
        Ok(self.read_as(query).await?.into_iter().next())
    }
}

impl Transaction {
    /// [Reads](Transaction::read) rows of this type.
    ///
    /// # Errors
    /// As [`Transaction::read`], and [`Error::Internal`] for a column that is missing or NULL.
    pub async fn read_as<T: FromRow>(&mut self, query: &sea_query::SelectStatement) -> Result<Vec<T>, Error> {
        typed(self.read(query, T::TYPES).await?)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Transaction::read_as`].
    pub async fn read_first<T: FromRow>(&mut self, query: &sea_query::SelectStatement) -> Result<Option<T>, Error> {
        Ok(self.read_as(query).await?.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_is_read_as_a_tuple() {
        let row = Row(vec![Value::Integer(7), Value::Text("a".into()), Value::Null]);
        assert_eq!(<(i64, String, Option<bool>)>::from_row(row), Ok((7, "a".to_owned(), None)));
        assert_eq!(<(i64, String, Option<bool>)>::TYPES, [Type::Integer, Type::Text, Type::Boolean]);
    }

    #[test]
    fn wrong_column_is_an_error() {
        let wrong = |row: Vec<Value>| matches!(<(i64, bool)>::from_row(Row(row)), Err(Error::Internal(_)));
        assert!(wrong(vec![Value::Integer(7)]), "missing");
        assert!(wrong(vec![Value::Integer(7), Value::Null]), "NULL");
        assert!(wrong(vec![Value::Integer(7), Value::Integer(1)]), "another type");
    }
}
