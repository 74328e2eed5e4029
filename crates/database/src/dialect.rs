//! Differences between the SQL of SQLite and PostgreSQL.

use sea_query::{Alias, Expr, ExprTrait, Func, LikeExpr, NullOrdering, Order, Query, SelectStatement};

/// The name of the SQL function that SQLite connections register for Unicode lower case.
pub(crate) const FOLD: &str = "hostler_fold";
/// The name of the SQL function that SQLite connections register to search for a case-folded text, ignoring case.
pub(crate) const OCCURS: &str = "hostler_occurs";
/// The name of the SQL function that SQLite connections register for regular expressions.
pub(crate) const REGEX: &str = "hostler_regex";

/// The maximum length of a regular expression, in characters.
const LONGEST_PATTERN: usize = 1000;

/// The database of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// How a text is compared with a value, as in a filter `name__icontains=x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextLookup {
    /// Equal.
    Exact,
    /// Equal, ignoring case.
    IExact,
    /// Contains the value.
    Contains,
    /// Contains the value, ignoring case.
    IContains,
    /// Starts with the value.
    StartsWith,
    /// Starts with the value, ignoring case.
    IStartsWith,
    /// Ends with the value.
    EndsWith,
    /// Ends with the value, ignoring case.
    IEndsWith,
    /// Matches the regular expression.
    Regex,
    /// Matches the regular expression, ignoring case.
    IRegex,
}

/// An invalid regular expression, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRegex(pub String);

impl Dialect {
    /// The condition that `expr` is one of the selected ids, which are all selected before the comparison.
    ///
    /// PostgreSQL gets an array: for a subquery without statistics it would estimate few or many rows at random.
    pub fn in_array(self, expr: Expr, ids: SelectStatement) -> Expr {
        match self {
            Dialect::Sqlite => expr.in_subquery(ids),
            Dialect::Postgres => {
                let ids = Expr::SubQuery(None, Box::new(ids.into()));
                Expr::cust_with_exprs("$1 = ANY(ARRAY($2))", [expr, ids])
            }
        }
    }

    /// The id of the row that this transaction has inserted last into a table, for statements that follow without waiting
    /// for the response to the INSERT.
    pub fn last_inserted_id(self, table: &'static str) -> Expr {
        match self {
            // No other transaction writes, and ids only grow.
            Dialect::Sqlite => {
                let greatest =
                    Query::select().expr(Expr::col(Alias::new("id")).max()).from(Alias::new(table)).to_owned();
                Expr::SubQuery(None, Box::new(greatest.into()))
            }
            Dialect::Postgres => Expr::cust(format!("currval(pg_get_serial_sequence('{table}', 'id'))")),
        }
    }

    /// What is committed now, as a text for [`Dialect::committed_since`], of a table whose rows are only inserted.
    pub fn commit_position(self, table: &'static str) -> Expr {
        match self {
            // There is one writer at a time, and ids only grow.
            Dialect::Sqlite => Expr::cust(format!("(SELECT CAST(COALESCE(MAX(id), 0) AS TEXT) FROM {table})")),
            Dialect::Postgres => Expr::cust("CAST(pg_current_snapshot() AS text)"),
        }
    }

    /// The condition that a row was committed after this position. On PostgreSQL, `written_by` is the transaction of the row:
    /// transactions are not committed in the order of the ids that they take.
    pub fn committed_since(self, row: &str, position: &str) -> Expr {
        let column = |name: &str| Expr::col((Alias::new(row), Alias::new(name)));
        match self {
            Dialect::Sqlite => column("id").gt(Expr::val(position).cast_as("INTEGER")),
            Dialect::Postgres => Expr::cust_with_exprs(
                "$1 >= pg_snapshot_xmin(CAST(CAST($2 AS text) AS pg_snapshot)) \
                 AND NOT pg_visible_in_snapshot($3, CAST(CAST($4 AS text) AS pg_snapshot))",
                [column("written_by"), Expr::val(position), column("written_by"), Expr::val(position)],
            ),
        }
    }

    /// The condition that the text `expr` matches `value` by `lookup`.
    ///
    /// # Errors
    /// [`InvalidRegex`] for a regular expression that is invalid or too large. Both databases accept only the syntax of
    /// the `regex` crate, which has no back-references, so that matching takes linear time.
    pub fn text_lookup(self, expr: Expr, lookup: TextLookup, value: &str) -> Result<Expr, InvalidRegex> {
        use TextLookup::*;
        Ok(match lookup {
            Exact => expr.eq(value),
            IExact => self.ignoring_case(expr, value, |text, value| text.eq(value)),
            Contains => self.position(expr, value).gt(0),
            IContains if self == Dialect::Sqlite => occurs_in_any_case(expr, value),
            IContains => self.ignoring_case(expr, value, |text, value| self.position(text, value).gt(0)),
            StartsWith => self.starts(expr, value),
            IStartsWith => self.ignoring_case(expr, value, starts),
            EndsWith => self.ends(expr, value),
            IEndsWith => self.ignoring_case(expr, value, |text, value| self.ends(text, value)),
            Regex => self.matches(expr, value, false)?,
            IRegex => self.matches(expr, value, true)?,
        })
    }

    /// The condition that `expr` is one of these numbers, of which there may be many: they are one parameter.
    pub fn in_numbers(self, expr: Expr, numbers: &[i64]) -> Expr {
        let numbers = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        match self {
            Dialect::Sqlite => {
                let numbers = Expr::val(format!("[{numbers}]"));
                Expr::cust_with_exprs("? IN (SELECT value FROM json_each(?))", [expr, numbers])
            }
            Dialect::Postgres => {
                Expr::cust_with_exprs("$1 = ANY(string_to_array($2, ',')::bigint[])", [expr, Expr::val(numbers)])
            }
        }
    }

    /// Orders the rows of `query` by `expr`, after existing orders. On both databases NULL is greater than any value,
    /// as in PostgreSQL: last when ascending, first when descending. Set `nullable` to false for columns without NULL,
    /// because SQLite can then use more indexes.
    pub fn order_by(self, query: &mut SelectStatement, expr: Expr, order: Order, nullable: bool) {
        let nulls = match order {
            _ if self == Dialect::Postgres || !nullable => None,
            Order::Asc => Some(NullOrdering::Last),
            Order::Desc => Some(NullOrdering::First),
            _ => None,
        };
        match nulls {
            Some(nulls) => query.order_by_expr_with_nulls(expr, order, nulls),
            None => query.order_by_expr(expr, order),
        };
    }

    /// Compares a text with a lower-case value. Unicode's lower case is several times as expensive as that of ASCII,
    /// which costs as much as the comparison: each is used only where it can make a difference.
    fn ignoring_case(self, expr: Expr, value: &str, compare: impl Fn(Expr, &str) -> Expr) -> Expr {
        let value = &fold(value);
        if value.chars().all(|character| character.is_ascii() && !character.is_ascii_alphabetic()) {
            return compare(expr, value);
        }
        let lower = |expr| match self {
            Dialect::Sqlite => Func::cust("lower").arg(expr).into(),
            Dialect::Postgres => Expr::cust_with_exprs("LOWER($1 COLLATE \"C\")", [expr]),
        };
        self.in_lower_case(expr, value, |expr| compare(lower(expr), value), |expr| compare(self.fold(expr), value))
    }

    /// `ascii` compares texts by lowering A to Z, `unicode` by lowering all letters; both with this lower-case value.
    fn in_lower_case(
        self,
        expr: Expr,
        value: &str,
        ascii: impl FnOnce(Expr) -> Expr,
        unicode: impl FnOnce(Expr) -> Expr,
    ) -> Expr {
        let length = if self == Dialect::Sqlite { "length" } else { "char_length" };
        let bytes = |expr: &Expr| Expr::from(Func::cust("octet_length").arg(expr.clone()));
        let characters = |expr: &Expr| Expr::from(Func::cust(length).arg(expr.clone()));
        let beyond_ascii = |expr: Expr| bytes(&expr).gt(characters(&expr)).and(unicode(expr));
        if !value.is_ascii() {
            beyond_ascii(expr)
        } else if value.contains(['i', 'k']) {
            // The only ASCII letters that are also the lower case of other characters: of the dotted capital I and the
            // Kelvin sign.
            ascii(expr.clone()).or(beyond_ascii(expr))
        } else {
            ascii(expr)
        }
    }

    fn fold(self, expr: Expr) -> Expr {
        match self {
            Dialect::Sqlite => Func::cust(FOLD).arg(expr).into(),
            // The server's collation may be "C", whose lower() changes ASCII only.
            Dialect::Postgres => Expr::cust_with_exprs("LOWER($1 COLLATE \"und-x-icu\")", [expr]),
        }
    }

    fn position(self, expr: Expr, value: &str) -> Expr {
        let name = match self {
            Dialect::Sqlite => "instr",
            Dialect::Postgres => "strpos",
        };
        Func::cust(name).arg(expr).arg(value).into()
    }

    /// A range, because indexes are ordered bytewise in UTF-8 on both databases.
    fn starts(self, expr: Expr, value: &str) -> Expr {
        let Some(end) = successor(value) else { return starts(expr, value) };
        match self {
            Dialect::Sqlite => expr.clone().gte(value).and(expr.lt(end)),
            // Independent of the collation: these operators compare bytes, and use an index with text_pattern_ops.
            Dialect::Postgres => Expr::cust_with_exprs(
                "($1 ~>=~ $2 AND $3 ~<~ $4)",
                [expr.clone(), Expr::val(value), expr, Expr::val(end)],
            ),
        }
    }

    fn ends(self, expr: Expr, value: &str) -> Expr {
        let length = value.chars().count() as i64;
        match self {
            Dialect::Sqlite if length == 0 => expr.is_not_null(),
            Dialect::Sqlite => Expr::from(Func::cust("substr").arg(expr).arg(-length)).eq(value),
            Dialect::Postgres => {
                Expr::from(Func::cust("right").arg(expr).arg(Expr::val(length).cast_as("integer"))).eq(value)
            }
        }
    }

    fn matches(self, expr: Expr, pattern: &str, ignore_case: bool) -> Result<Expr, InvalidRegex> {
        if pattern.chars().count() > LONGEST_PATTERN {
            return Err(InvalidRegex(format!("Regular expressions may have at most {LONGEST_PATTERN} characters.")));
        }
        compile(pattern, ignore_case)
            .map_err(|problem| InvalidRegex(format!("Invalid regular expression: {problem}")))?;
        Ok(match self {
            Dialect::Sqlite => Func::cust(REGEX).arg(pattern).arg(expr).arg(i64::from(ignore_case)).into(),
            // Case and character classes depend on the collation, too: see `fold`.
            Dialect::Postgres => {
                let template =
                    if ignore_case { "($1 COLLATE \"und-x-icu\") ~* $2" } else { "($1 COLLATE \"und-x-icu\") ~ $2" };
                Expr::cust_with_exprs(template, [expr, Expr::val(pattern)])
            }
        })
    }
}

/// SQLite's LIKE ignores the case of A to Z, and is much faster than a custom function.
fn occurs_in_any_case(expr: Expr, value: &str) -> Expr {
    let value = &fold(value);
    let like = |expr: Expr| expr.like(LikeExpr::new(format!("%{}%", literally(value))).escape('\\'));
    let occurs = |expr| Func::cust(OCCURS).arg(value.as_str()).arg(expr).into();
    Dialect::Sqlite.in_lower_case(expr, value, like, occurs)
}

/// Escapes a text for LIKE, with `\` as escape character.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

fn starts(expr: Expr, value: &str) -> Expr {
    let length = value.chars().count() as i64;
    Expr::from(Func::cust("substr").arg(expr).arg(1).arg(length)).eq(value)
}

/// The first text, in the order of code points, that is greater than all texts with this prefix. None if there is no
/// such text.
fn successor(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    while let Some(last) = text.pop() {
        // `(last..)` skips the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// Lower case, the same for both databases.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Whether a text contains a case-folded one, ignoring case.
pub(crate) fn occurs(folded: &str, text: &str) -> bool {
    // The fast path for ASCII, which most texts are.
    if !text.is_ascii() {
        return fold(text).contains(folded);
    }
    let (folded, text) = (folded.as_bytes(), text.as_bytes());
    folded.is_empty() || text.windows(folded.len()).any(|part| part.eq_ignore_ascii_case(folded))
}

/// Compiles a regular expression with size limits.
pub(crate) fn compile(pattern: &str, ignore_case: bool) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(pattern).case_insensitive(ignore_case).size_limit(1 << 20).dfa_size_limit(1 << 20).build()
}
