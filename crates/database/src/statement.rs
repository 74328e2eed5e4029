//! The SQL text and the bound values of a statement.

use std::fmt::{self, Write};

use sea_query::{
    PostgresQueryBuilder, QueryBuilder, QueryStatementWriter, SqlWriter, SqliteQueryBuilder, Value, Values,
};

/// The statement as SQLite takes it.
pub(crate) fn for_sqlite(statement: &impl QueryStatementWriter) -> (String, Values) {
    let mut text = Text::new('?');
    statement.build_collect_any_into(&SqliteQueryBuilder, &mut text);
    text.finish()
}

/// The statement for PostgreSQL.
pub(crate) fn for_postgres(statement: &impl QueryStatementWriter) -> (String, Values) {
    let mut text = Text::new('$');
    statement.build_collect_any_into(&PostgresQueryBuilder, &mut text);
    text.finish()
}

/// Collects the SQL and the values that are bound to its parameters.
///
/// LIMIT is written into the SQL: both databases keep plans of statements, and for a parameter PostgreSQL expects a tenth
/// of all rows, SQLite all of them. OFFSET is a parameter: the pages of a list share one prepared statement.
struct Text {
    sql: String,
    values: Vec<Value>,
    placeholder: char,
    /// Where the OFFSET of the last LIMIT is written, if it has one.
    offset: Option<usize>,
}

/// What sea-query writes between the number of a LIMIT and that of its OFFSET.
const OFFSET: &str = " OFFSET ";

impl Text {
    fn new(placeholder: char) -> Self {
        Text { sql: String::with_capacity(1024), values: Vec::new(), placeholder, offset: None }
    }

    fn finish(self) -> (String, Values) {
        (self.sql, Values(self.values))
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.sql.write_str(text)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}

impl SqlWriter for Text {
    fn push_param<T: QueryBuilder>(&mut self, value: Value, _: &T) {
        let written = match value {
            // LIMIT and OFFSET are the only unsigned numbers.
            Value::BigUnsigned(Some(limit)) if self.offset != Some(self.sql.len()) => {
                let written = write!(self.sql, "{limit}");
                self.offset = Some(self.sql.len() + OFFSET.len());
                written
            }
            value => {
                self.values.push(value);
                write!(self.sql, "{}{}", self.placeholder, self.values.len())
            }
        };
        // Writing to a String does not fail.
        debug_assert!(written.is_ok());
    }

    fn as_writer(&mut self) -> &mut dyn Write {
        self
    }
}

#[cfg(test)]
mod tests {
    use sea_query::{Expr, ExprTrait, Query};

    use super::*;

    #[test]
    fn limit_is_part_of_the_sql_and_offset_is_a_parameter() {
        let page = Query::select()
            .column("id")
            .from("users")
            .and_where(Expr::col("username").eq("a LIMIT "))
            .limit(25)
            .offset(50)
            .to_owned();
        let (sql, values) = for_postgres(&page);
        assert_eq!(sql, r#"SELECT "id" FROM "users" WHERE "username" = $1 LIMIT 25 OFFSET $2"#);
        assert_eq!(values.0, ["a LIMIT ".into(), 50u64.into()]);
        let (sql, values) = for_sqlite(&page);
        assert_eq!(sql, r#"SELECT "id" FROM "users" WHERE "username" = ?1 LIMIT 25 OFFSET ?2"#);
        assert_eq!(values.0, ["a LIMIT ".into(), 50u64.into()]);
    }
}
