//! The SQL text and the bound values of a statement.

use std::fmt::{self, Write};

use sea_query::{
    PostgresQueryBuilder, QueryBuilder, QueryStatementWriter, SqlWriter, SqliteQueryBuilder, Value, Values,
};

use crate::user_grants;

/// The statement for SQLite.
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

/// Collects the text and the values.
///
/// A LIMIT is part of the text and not bound: both databases cache plans of statements. For a bound limit PostgreSQL
/// plans with a tenth of all rows, and SQLite with all of them.
///
/// A statement that reads [`user_grants::USER_GRANTS`] gets its WITH clause.
struct Text {
    sql: String,
    values: Vec<Value>,
    placeholder: char,
    /// The numbers of the parameters that are users of `user_grants`.
    granted_users: Vec<usize>,
}

impl Text {
    fn new(placeholder: char) -> Self {
        Text { sql: String::with_capacity(1024), values: Vec::new(), placeholder, granted_users: Vec::new() }
    }

    fn finish(mut self) -> (String, Values) {
        if !self.granted_users.is_empty() {
            let users = self.granted_users.iter().map(|number| format!("{}{number}", self.placeholder));
            self.sql.insert_str(0, &user_grants::clause(users));
        }
        (self.sql, Values(self.values))
    }

    /// The number of the parameter that this value is bound to.
    fn bind(&mut self, value: Value) -> usize {
        if !self.sql.ends_with(user_grants::BEFORE_USER) {
            self.values.push(value);
            return self.values.len();
        }
        let known = self.granted_users.iter().find(|number| self.values.get(**number - 1) == Some(&value));
        if let Some(number) = known {
            return *number;
        }
        self.values.push(value);
        self.granted_users.push(self.values.len());
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
    fn limit_is_part_of_the_text() {
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

    fn grants_of(user: i64) -> sea_query::SelectStatement {
        Query::select()
            .column(("user_grants", "object_id"))
            .from("user_grants")
            .and_where(Expr::col(("user_grants", "user_id")).eq(user))
            .to_owned()
    }

    #[test]
    fn grants_of_each_user_are_computed_once() {
        let seen = |user| Expr::col("id").in_subquery(grants_of(user));
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
