//! From statements to the text and the values that a database takes.

use std::fmt::{self, Write};

use sea_query::{
    PostgresQueryBuilder, QueryBuilder, QueryStatementWriter, SqlWriter, SqliteQueryBuilder, Value, Values,
};

use crate::held;

/// The statement as SQLite takes it.
pub(crate) fn for_sqlite(statement: &impl QueryStatementWriter) -> (String, Values) {
    let mut text = Text::new('?');
    statement.build_collect_any_into(&SqliteQueryBuilder, &mut text);
    text.finish()
}

/// The statement as PostgreSQL takes it.
pub(crate) fn for_postgres(statement: &impl QueryStatementWriter) -> (String, Values) {
    let mut text = Text::new('$');
    statement.build_collect_any_into(&PostgresQueryBuilder, &mut text);
    text.finish()
}

/// Collects the text and the values.
///
/// How many rows are wanted is part of the text: both databases keep plans of
/// statements, and PostgreSQL would take a bound number for a tenth of all rows,
/// SQLite for all of them, and prepare what is asked of each row for that many.
///
/// Where the statement asks for what a user holds, that goes before it: see [`held`].
struct Text {
    sql: String,
    values: Vec<Value>,
    placeholder: char,
    /// The parameters that are users who are asked what they hold.
    holders: Vec<usize>,
}

impl Text {
    fn new(placeholder: char) -> Self {
        Text { sql: String::with_capacity(1024), values: Vec::new(), placeholder, holders: Vec::new() }
    }

    fn finish(mut self) -> (String, Values) {
        if !self.holders.is_empty() {
            let users = self.holders.iter().map(|number| format!("{}{number}", self.placeholder));
            self.sql.insert_str(0, &held::clause(users));
        }
        (self.sql, Values(self.values))
    }

    /// The number of the parameter that this value is bound to.
    fn bind(&mut self, value: Value) -> usize {
        if !self.sql.ends_with(held::ASKED_FOR) {
            self.values.push(value);
            return self.values.len();
        }
        let known = self.holders.iter().find(|number| self.values.get(**number - 1) == Some(&value));
        if let Some(number) = known {
            return *number;
        }
        self.values.push(value);
        self.holders.push(self.values.len());
        self.values.len()
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
                let number = self.bind(value);
                write!(self.sql, "{}{number}", self.placeholder)
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
        assert_eq!(sql, r#"SELECT "id" FROM "users" WHERE "username" = ?1 LIMIT 25 OFFSET ?2"#);
        assert_eq!(values.0, ["a LIMIT ".into(), 50u64.into()]);
    }

    fn held_by(user: i64) -> sea_query::SelectStatement {
        Query::select()
            .column(("held", "object_id"))
            .from("held")
            .and_where(Expr::col(("held", "user_id")).eq(user))
            .to_owned()
    }

    #[test]
    fn what_a_user_holds_is_worked_out_once() {
        let seen = |user| Expr::col("id").in_subquery(held_by(user));
        let query =
            Query::select().column("id").from("teams").and_where(seen(7).or(seen(9))).and_where(seen(7)).to_owned();
        let (sql, values) = for_postgres(&query);
        assert_eq!(values.0, [7i64.into(), 9i64.into()]);
        assert_eq!(sql.matches("MATERIALIZED").count(), 1);
        assert!(sql.contains("g.user_id = $1") && sql.contains("g.user_id = $2") && !sql.contains("$3"), "{sql}");
        let (sql, values) = for_sqlite(&query);
        assert_eq!(values.0, [7i64.into(), 9i64.into()]);
        assert!(sql.contains("g.user_id = ?1") && sql.contains("g.user_id = ?2") && !sql.contains("?3"), "{sql}");
    }
}
