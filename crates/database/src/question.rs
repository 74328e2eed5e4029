//! Reads whose text is made once.

use sea_query::{SelectStatement, Value, Values};

use crate::{Dialect, Error, Type, statement};

/// A read that is made again and again with other values: to write its text anew each time would cost more than to
/// look up what it finds.
pub struct Question {
    sql: String,
    values: Vec<Place>,
    types: Vec<Type>,
    /// How many values are told when it is asked.
    told: usize,
}

/// What is bound in one place.
enum Place {
    Fixed(Value),
    Told(usize),
}

impl Question {
    /// The question that `query` asks, with other values in the places of these, which must stand for nothing else in
    /// it; `types` says how to decode each column.
    pub fn new<const N: usize>(
        dialect: Dialect,
        query: &SelectStatement,
        types: Vec<Type>,
        stand_ins: [Value; N],
    ) -> Question {
        let (sql, Values(values)) = text(dialect, query);
        let place = |value| match stand_ins.iter().position(|known| *known == value) {
            Some(number) => Place::Told(number),
            None => Place::Fixed(value),
        };
        Question { sql, values: values.into_iter().map(place).collect(), types, told: N }
    }

    /// Whether this is what `query` asks when these values are told.
    pub fn is(&self, dialect: Dialect, query: &SelectStatement, told: &[Value]) -> bool {
        let (sql, values) = text(dialect, query);
        sql == self.sql && self.values(told) == Ok(values)
    }

    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    pub(crate) fn types(&self) -> &[Type] {
        &self.types
    }

    pub(crate) fn values(&self, told: &[Value]) -> Result<Values, Error> {
        if told.len() != self.told {
            return Err(Error::Internal(format!("{} values for a question of {}", told.len(), self.told)));
        }
        let value = |place: &Place| match place {
            Place::Fixed(value) => Some(value.clone()),
            Place::Told(number) => told.get(*number).cloned(),
        };
        Ok(Values(self.values.iter().filter_map(value).collect()))
    }
}

fn text(dialect: Dialect, query: &SelectStatement) -> (String, Values) {
    match dialect {
        Dialect::Sqlite => statement::for_sqlite(query),
        Dialect::Postgres => statement::for_postgres(query),
    }
}

#[cfg(test)]
mod tests {
    use sea_query::{Expr, ExprTrait, Query};

    use super::*;

    fn by_name(name: &str) -> SelectStatement {
        Query::select()
            .column("id")
            .from("users")
            .and_where(Expr::col("is_active").eq(true))
            .and_where(Expr::col("username").eq(name))
            .to_owned()
    }

    #[test]
    fn values_are_told_in_the_places_of_others() {
        let question = Question::new(Dialect::Postgres, &by_name("?"), vec![Type::Integer], ["?".into()]);
        assert_eq!(question.sql(), r#"SELECT "id" FROM "users" WHERE "is_active" = $1 AND "username" = $2"#);
        assert_eq!(question.values(&["ada".into()]), Ok(Values(vec![true.into(), "ada".into()])));
        assert!(question.values(&[]).is_err());
        assert!(question.is(Dialect::Postgres, &by_name("ada"), &["ada".into()]));
        assert!(!question.is(Dialect::Postgres, &by_name("ada"), &["grace".into()]));
        assert!(!question.is(Dialect::Sqlite, &by_name("ada"), &["ada".into()]));
    }
}
