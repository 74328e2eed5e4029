//! From statements to the text and the values that a database takes.

use std::fmt::{self, Write};

use sea_query::{
    PostgresQueryBuilder, QueryBuilder, QueryStatementWriter, SqlWriter, SqliteQueryBuilder, Value, Values,
};

/// The statement as SQLite takes it.
pub(crate) fn for_sqlite(statement: &impl QueryStatementWriter) -> (String, Values) {
    let mut text = Text::new("?", false);
    statement.build_collect_any_into(&SqliteQueryBuilder, &mut text);
    (text.sql, Values(text.values))
}

/// The statement as PostgreSQL takes it.
pub(crate) fn for_postgres(statement: &impl QueryStatementWriter) -> (String, Values) {
    let mut text = Text::new("$", true);
    statement.build_collect_any_into(&PostgresQueryBuilder, &mut text);
    (text.sql, Values(text.values))
}

/// Collects the text and the values.
///
/// How many rows are wanted is part of the text: both databases keep plans of
/// statements, and PostgreSQL would take a bound number for a tenth of all rows,
/// SQLite for all of them, and prepare what is asked of each row for that many.
struct Text {
    sql: String,
    values: Vec<Value>,
    placeholder: &'static str,
    is_numbered: bool,
}

impl Text {
    fn new(placeholder: &'static str, is_numbered: bool) -> Self {
        Text { sql: String::with_capacity(1024), values: Vec::new(), placeholder, is_numbered }
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
            Value::BigUnsigned(Some(limit)) if self.sql.ends_with(" LIMIT ") => write!(self.sql, "{limit}"),
            value => {
                self.values.push(value);
                self.sql.push_str(self.placeholder);
                if self.is_numbered { write!(self.sql, "{}", self.values.len()) } else { Ok(()) }
            }
        };
        // A String takes whatever is written to it.
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
    fn databases_are_told_how_many_rows_are_wanted() {
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
        assert_eq!(sql, r#"SELECT "id" FROM "users" WHERE "username" = ? LIMIT 25 OFFSET ?"#);
        assert_eq!(values.0, ["a LIMIT ".into(), 50u64.into()]);
    }
}
