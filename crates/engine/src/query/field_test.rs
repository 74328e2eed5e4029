//! Tests of fields whose rows the hooks find.

use hostler_database::{TextLookup, TextMatcher};

use super::QueryError;
use super::join::{Filter, Predicate};
use super::lookup::{Leaf, Relative, Test};

/// A test of a text field, whose rows the hooks may find.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldTest {
    /// The name of the field.
    pub field: &'static str,
    pub(super) test: Test,
}

/// Decides whether a text passes a test.
#[derive(Clone, Debug)]
enum Matcher {
    Text(TextMatcher),
    In(Vec<String>),
    Compare(Relative, String),
}

impl FieldTest {
    /// The values, if the field has to be equal to one of them.
    pub fn equals(&self) -> Option<Vec<&str>> {
        match &self.test {
            Test::Text(TextLookup::Exact, value) => Some(vec![value]),
            Test::In(values) => values.iter().map(text).collect(),
            Test::Null(_) | Test::Compare(..) | Test::Text(..) => None,
        }
    }

    /// The error for a test that the hooks of a field do not support.
    pub fn unsupported(&self) -> QueryError {
        QueryError::bad(format!("{} can only be compared with whole values.", self.field))
    }

    /// A function that says of a text whether it passes the test, and one that says the same of several texts, one
    /// after the other, where it may be wrong in saying yes.
    ///
    /// # Errors
    /// An invalid regular expression.
    #[expect(clippy::type_complexity, reason = "two closures")]
    pub fn matchers(
        &self,
    ) -> Result<
        (impl Fn(&str) -> bool + Clone + Send + Sync + use<>, impl Fn(&[u8]) -> bool + Clone + Send + Sync + use<>),
        QueryError,
    > {
        let matcher = match &self.test {
            Test::Text(lookup, value) => Matcher::Text(TextMatcher::new(*lookup, value)?),
            Test::In(values) => Matcher::In(values.iter().filter_map(text).map(str::to_owned).collect()),
            Test::Compare(relative, value) => Matcher::Compare(*relative, text(value).unwrap_or_default().to_owned()),
            Test::Null(is_null) => Matcher::In(if *is_null { vec![] } else { return Err(self.unsupported()) }),
        };
        let of_several = matcher.clone();
        let may_match = move |texts: &[u8]| match (&of_several, str::from_utf8(texts)) {
            (Matcher::Text(matcher), Ok(texts)) => matcher.may_match(texts),
            _ => true,
        };
        let matches = move |text: &str| match &matcher {
            Matcher::Text(matcher) => matcher.matches(text),
            Matcher::In(values) => values.iter().any(|value| value == text),
            Matcher::Compare(relative, value) => relative.holds(text, value),
        };
        Ok((matches, may_match))
    }
}

fn text(value: &sea_query::Value) -> Option<&str> {
    match value {
        sea_query::Value::String(Some(text)) => Some(text),
        _ => None,
    }
}

/// The tests among these filters that are about the listed rows.
pub(super) fn of_filters(filters: &[Filter]) -> Vec<FieldTest> {
    filters.iter().filter(|filter| filter.path.is_empty()).flat_map(|filter| of_predicate(&filter.predicate)).collect()
}

fn of_predicate(predicate: &Predicate) -> Vec<FieldTest> {
    let of_leaf = |leaf: &Leaf, test: Test| Some(FieldTest { field: leaf.by_hooks?, test });
    match predicate {
        Predicate::Test(_, Test::Null(_)) => vec![],
        Predicate::Test(leaf, test) => of_leaf(leaf, test.clone()).into_iter().collect(),
        Predicate::Occurs(leaves, term) => {
            leaves.iter().filter_map(|leaf| of_leaf(leaf, Test::occurrence(term))).collect()
        }
        Predicate::AnyOf(filters) => of_filters(filters),
    }
}
