//! Comparisons of a column with the value of a parameter.

use hostler_database::{Dialect, TextLookup};
use hostler_schema::{Field, FieldKind, column};
use sea_query::{Expr, ExprTrait, Value};

use super::limits::{Budget, check_text};
use super::{QueryError, value};

/// The last part of a key, as in `name__icontains`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    Text(TextLookup),
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    In,
    IsNull,
}

impl Lookup {
    pub const EXACT: Lookup = Lookup::Text(TextLookup::Exact);

    pub fn parse(word: &str) -> Option<Lookup> {
        Some(match word {
            "exact" => Lookup::EXACT,
            "iexact" => Lookup::Text(TextLookup::IExact),
            "contains" => Lookup::Text(TextLookup::Contains),
            "icontains" => Lookup::Text(TextLookup::IContains),
            "startswith" => Lookup::Text(TextLookup::StartsWith),
            "istartswith" => Lookup::Text(TextLookup::IStartsWith),
            "endswith" => Lookup::Text(TextLookup::EndsWith),
            "iendswith" => Lookup::Text(TextLookup::IEndsWith),
            "regex" => Lookup::Text(TextLookup::Regex),
            "iregex" => Lookup::Text(TextLookup::IRegex),
            "gt" => Lookup::Greater,
            "gte" => Lookup::GreaterOrEqual,
            "lt" => Lookup::Less,
            "lte" => Lookup::LessOrEqual,
            "in" => Lookup::In,
            "isnull" => Lookup::IsNull,
            _ => return None,
        })
    }
}

/// The column at the end of a path; without a name and an expression it is NULL in every row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub column: &'static str,
    /// The expression that is compared instead of a column.
    pub read_by: Option<fn(row: &str) -> Expr>,
    pub class: Class,
    pub nullable: bool,
    /// The field, if the hooks find the rows for filters by it.
    pub by_hooks: Option<&'static str>,
    /// The column to order by, if it is another one.
    pub ordered_by: Option<&'static str>,
}

/// The kind of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Text,
    Integer,
    /// A decimal number, stored as an integer without its point.
    Decimal {
        /// The number of digits after the point.
        places: u8,
    },
    Boolean,
    Time,
    /// The id of another object: it can be compared, but has no text lookups.
    Link,
}

impl Leaf {
    /// The id of the object to which the last relation of a path leads.
    pub const RELATED: Leaf = Leaf { column: "id", ..Leaf::NO_OBJECT };

    pub fn of(field: &Field) -> Leaf {
        let class = match field.kind {
            FieldKind::Link(_) | FieldKind::Reserved => Class::Link,
            FieldKind::Decimal { places, .. } => Class::Decimal { places },
            FieldKind::Id | FieldKind::Integer | FieldKind::IntegerChoice(_) => Class::Integer,
            FieldKind::Boolean => Class::Boolean,
            FieldKind::Time => Class::Time,
            FieldKind::Text
            | FieldKind::Email
            | FieldKind::Variables
            | FieldKind::Json(_)
            | FieldKind::Uuid
            | FieldKind::Choice(_)
            | FieldKind::SettingChoice(_)
            | FieldKind::Digest
            | FieldKind::Encrypted
            | FieldKind::Inputs
            | FieldKind::Computed => Class::Text,
        };
        let column = if field.is_stored() { field.column } else { "" };
        Leaf {
            column,
            read_by: field.read_by,
            class,
            nullable: field.nullable || class == Class::Link,
            by_hooks: field.filtered_by_hooks.then_some(field.name),
            ordered_by: field.ordered_by,
        }
    }

    /// A relation to objects that are not implemented.
    pub const NO_OBJECT: Leaf = Leaf { class: Class::Link, ..Leaf::NOTHING };

    /// A field of an object that does not exist.
    pub const NOTHING: Leaf =
        Leaf { column: "", read_by: None, class: Class::Text, nullable: true, by_hooks: None, ordered_by: None };

    /// Whether there is neither a column nor an expression.
    pub fn is_absent(&self) -> bool {
        self.column.is_empty() && self.read_by.is_none()
    }

    /// The column as the query names it, or the expression, if there is one.
    pub fn expression(&self, row: &str) -> Option<Expr> {
        match self.read_by {
            Some(expression) => Some(expression(row)),
            None => (!self.is_absent()).then(|| column(row, self.column)),
        }
    }
}

/// A comparison whose value has been checked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Null(bool),
    Compare(Relative, Value),
    In(Vec<Value>),
    Text(TextLookup, String),
}

/// The order relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relative {
    Same,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Relative {
    /// Whether it holds between two texts, in the order of their bytes.
    pub fn holds(self, left: &str, right: &str) -> bool {
        match self {
            Relative::Same => left == right,
            Relative::Greater => left > right,
            Relative::GreaterOrEqual => left >= right,
            Relative::Less => left < right,
            Relative::LessOrEqual => left <= right,
        }
    }
}

/// Checks a parameter and returns its test.
pub(super) fn test(leaf: Leaf, lookup: Lookup, text: &str, budget: &mut Budget) -> Result<Test, QueryError> {
    let relative = match lookup {
        Lookup::IsNull => return Ok(Test::Null(value::boolean(text)?)),
        Lookup::In => return list(leaf, text, budget),
        Lookup::Text(lookup) => return text_test(leaf, lookup, text, budget),
        Lookup::Greater => Relative::Greater,
        Lookup::GreaterOrEqual => Relative::GreaterOrEqual,
        Lookup::Less => Relative::Less,
        Lookup::LessOrEqual => Relative::LessOrEqual,
    };
    budget.values(1)?;
    let value = convert(leaf, text)?.ok_or_else(|| QueryError::bad("Cannot use None as a query value"))?;
    Ok(Test::Compare(relative, value))
}

fn list(leaf: Leaf, text: &str, budget: &mut Budget) -> Result<Test, QueryError> {
    if text.is_empty() {
        return Err(QueryError::bad("cannot provide empty value for __in"));
    }
    budget.values(text.split(',').count())?;
    // NULL is in no list, so it can be removed.
    let values: Result<Vec<_>, _> = text.split(',').filter_map(|item| convert(leaf, item).transpose()).collect();
    Ok(Test::In(values?))
}

fn text_test(leaf: Leaf, lookup: TextLookup, text: &str, budget: &mut Budget) -> Result<Test, QueryError> {
    use TextLookup::{Exact, IExact, IRegex, Regex};
    budget.values(1)?;
    if matches!(lookup, Exact | IExact) {
        return Ok(match convert(leaf, text)? {
            None => Test::Null(true),
            Some(_) if leaf.class == Class::Text => Test::Text(lookup, text.to_owned()),
            Some(value) => Test::Compare(Relative::Same, value),
        });
    }
    check_text(text)?;
    match leaf.class {
        Class::Text => {}
        // AWX requires a number here too, although it then compares its digits.
        Class::Integer if matches!(lookup, Regex | IRegex) => {}
        Class::Integer => return Ok(Test::Text(lookup, value::integer(text)?.to_string())),
        Class::Link => {
            return Err(QueryError::bad(format!("Related Field got invalid lookup: {}", word(lookup))));
        }
        Class::Decimal { .. } => return Err(unsupported(lookup, "DecimalField")),
        Class::Boolean => return Err(unsupported(lookup, "BooleanField")),
        Class::Time => return Err(unsupported(lookup, "DateTimeField")),
    }
    Ok(Test::Text(lookup, text.to_owned()))
}

fn unsupported(lookup: TextLookup, field: &str) -> QueryError {
    QueryError::bad(format!("Unsupported lookup '{}' for {field} or join on the field not permitted.", word(lookup)))
}

fn word(lookup: TextLookup) -> &'static str {
    match lookup {
        TextLookup::Exact => "exact",
        TextLookup::IExact => "iexact",
        TextLookup::Contains => "contains",
        TextLookup::IContains => "icontains",
        TextLookup::StartsWith => "startswith",
        TextLookup::IStartsWith => "istartswith",
        TextLookup::EndsWith => "endswith",
        TextLookup::IEndsWith => "iendswith",
        TextLookup::Regex => "regex",
        TextLookup::IRegex => "iregex",
    }
}

/// The value in the type of the column; None for NULL.
fn convert(leaf: Leaf, text: &str) -> Result<Option<Value>, QueryError> {
    check_text(text)?;
    if leaf.nullable && value::is_null_word(text) {
        return Ok(None);
    }
    Ok(Some(match leaf.class {
        Class::Text => text.into(),
        Class::Integer => value::integer(text)?.into(),
        Class::Decimal { places } => value::decimal(text, places)?.into(),
        Class::Link => value::literal(text)?.into(),
        Class::Boolean => value::boolean(text)?.into(),
        Class::Time => value::time(text)?.into(),
    }))
}

impl Test {
    /// The test of a search for this term.
    pub fn occurrence(term: &str) -> Test {
        Test::Text(TextLookup::IContains, term.to_owned())
    }

    /// The condition for the row with this alias.
    pub fn condition(&self, leaf: Leaf, row: &str, dialect: Dialect) -> Result<Expr, QueryError> {
        let Some(column) = leaf.expression(row) else {
            return Ok(constant(matches!(self, Test::Null(true))));
        };
        Ok(match self {
            Test::Null(true) => column.is_null(),
            Test::Null(false) => column.is_not_null(),
            Test::Compare(relative, value) => {
                let value = match value {
                    // A literal, so that both databases recognize the rare value, for which there may be an index.
                    Value::Bool(_) => Expr::Constant(value.clone()),
                    value => Expr::val(value.clone()),
                };
                match relative {
                    Relative::Same => column.eq(value),
                    Relative::Greater => column.gt(value),
                    Relative::GreaterOrEqual => column.gte(value),
                    Relative::Less => column.lt(value),
                    Relative::LessOrEqual => column.lte(value),
                }
            }
            Test::In(values) if values.is_empty() => constant(false),
            Test::In(values) => column.is_in(values.iter().cloned()),
            Test::Text(lookup, text) => dialect.text_lookup(as_text(leaf, column), *lookup, text)?,
        })
    }
}

fn as_text(leaf: Leaf, column: Expr) -> Expr {
    if leaf.class == Class::Text { column } else { column.cast_as("text") }
}

/// The condition that the text contains the term.
pub(super) fn occurs(leaf: Leaf, term: &str, row: &str, dialect: Dialect) -> Result<Expr, QueryError> {
    Test::Text(TextLookup::IContains, term.to_owned()).condition(leaf, row, dialect)
}

/// A literal boolean: PostgreSQL cannot infer the type of a parameter here.
pub(super) fn constant(truth: bool) -> Expr {
    Expr::Constant(Value::Bool(Some(truth)))
}
