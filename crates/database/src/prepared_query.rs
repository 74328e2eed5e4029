//! Queries whose SQL is built once and run with different parameters.

use sea_query::{SelectStatement, Value, Values};

use crate::{Dialect, Error, Type, statement};

/// A query that is run often with different parameters. Building its SQL each time would cost more than running it.
pub struct PreparedQuery {
    sql: String,
    values: Vec<Binding>,
    types: Vec<Type>,
    /// The number of parameters.
    parameters: usize,
}

/// The value of one bind variable.
enum Binding {
    Fixed(Value),
    Parameter(usize),
}

impl PreparedQuery {
    /// Prepares `query`. Each value that equals `placeholders[n]` becomes the parameter `n`, so a placeholder must not
    /// occur in the query with another meaning; `types` says how to decode each column.
    pub fn new<const N: usize>(
        dialect: Dialect,
        query: &SelectStatement,
        types: Vec<Type>,
        placeholders: [Value; N],
    ) -> PreparedQuery {
        let (sql, Values(values)) = text(dialect, query);
        let binding = |value| match placeholders.iter().position(|known| *known == value) {
            Some(number) => Binding::Parameter(number),
            None => Binding::Fixed(value),
        };
        PreparedQuery { sql, values: values.into_iter().map(binding).collect(), types, parameters: N }
    }

    /// Whether `query` has the same SQL, and the same values with these parameters.
    pub fn matches(&self, dialect: Dialect, query: &SelectStatement, parameters: &[Value]) -> bool {
        let (sql, values) = text(dialect, query);
        sql == self.sql && self.values(parameters) == Ok(values)
    }

    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    pub(crate) fn types(&self) -> &[Type] {
        &self.types
    }

    pub(crate) fn values(&self, parameters: &[Value]) -> Result<Values, Error> {
        if parameters.len() != self.parameters {
            return Err(Error::Internal(format!(
                "{} parameters for a query with {}",
                parameters.len(),
                self.parameters
            )));
        }
        let value = |binding: &Binding| match binding {
            Binding::Fixed(value) => Some(value.clone()),
            Binding::Parameter(number) => parameters.get(*number).cloned(),
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
    fn placeholders_become_parameters() {
        let query = PreparedQuery::new(Dialect::Postgres, &by_name("?"), vec![Type::Integer], ["?".into()]);
        assert_eq!(query.sql(), r#"SELECT "id" FROM "users" WHERE "is_active" = $1 AND "username" = $2"#);
        assert_eq!(query.values(&["ada".into()]), Ok(Values(vec![true.into(), "ada".into()])));
        assert!(query.values(&[]).is_err());
        assert!(query.matches(Dialect::Postgres, &by_name("ada"), &["ada".into()]));
        assert!(!query.matches(Dialect::Postgres, &by_name("ada"), &["grace".into()]));
        assert!(!query.matches(Dialect::Sqlite, &by_name("ada"), &["ada".into()]));
    }
}
