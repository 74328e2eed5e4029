//! Parses host filters, by which smart inventories and the list of hosts select hosts:
//!
//! ```text
//! filter = all { "or" all }
//! all    = part { "and" part }
//! part   = "(" filter ")" | key "=" [value]
//! key, value = word | '"' text '"'
//! ```
//!
//! A word ends at white space, a parenthesis, a quote or an equals sign. Keys are those of filters of lists, such as
//! `groups__name__startswith`, or lead into the facts of a host ([`FactTest`]).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod facts;
mod parser;

use std::fmt;

pub use facts::{FACTS, FactTest};
pub use parser::parse;

/// The maximum length of a host filter, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;
/// The maximum number of parentheses within each other.
pub const MAX_DEPTH: usize = 20;
/// The maximum number of tests in a host filter.
pub const MAX_TESTS: usize = 100;

/// A parsed host filter.
#[derive(Clone, Debug, PartialEq)]
pub enum HostFilter {
    /// A host matches all of these.
    All(Vec<HostFilter>),
    /// A host matches one of these.
    Any(Vec<HostFilter>),
    /// A test of the host or of what it is related to.
    Test(Test),
}

/// A test, `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The key: names of relations and of a field, and a lookup, joined by `__`.
    pub key: String,
    /// The value.
    pub value: Value,
}

/// The value of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The text, without quotes.
    pub text: String,
    /// Whether it was in quotes, and so is a text, also if it looks like a number.
    pub is_quoted: bool,
}

/// Why a text is no host filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidFilter {
    /// It does not follow the grammar.
    Syntax(String),
    /// It has more than [`MAX_LENGTH`] bytes.
    TooLong,
    /// It has more than [`MAX_DEPTH`] parentheses within each other.
    TooDeep,
    /// It has more than [`MAX_TESTS`] tests.
    TooManyTests,
}

impl fmt::Display for InvalidFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidFilter::Syntax(text) => write!(formatter, "Invalid query {text}"),
            InvalidFilter::TooLong => write!(formatter, "A host filter may have at most {MAX_LENGTH} bytes."),
            InvalidFilter::TooDeep => {
                write!(formatter, "A host filter may have at most {MAX_DEPTH} parentheses within each other.")
            }
            InvalidFilter::TooManyTests => write!(formatter, "A host filter may have at most {MAX_TESTS} tests."),
        }
    }
}

impl std::error::Error for InvalidFilter {}

#[cfg(test)]
mod tests;
