//! Parses variables: a text with a JSON object or a YAML mapping. YAML is read as Ansible reads it, by the rules of
//! YAML 1.1 (`yes` is true, `010` is 8).
//!
//! Parsing takes bounded time and memory: depth, size and the expansion of aliases are limited.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod error;
mod json;
mod python;
mod scalar;
mod text;
mod yaml;

use serde_json::{Map, Value};

pub use crate::error::InvalidVariables;
use crate::error::not_an_object;
pub use crate::python::{python_quoted, python_repr, python_text};
pub use crate::text::to_text;

/// The longest text that is parsed, in bytes.
pub const MAX_LENGTH: usize = 4 << 20;

/// The deepest nesting of lists and mappings.
pub const MAX_DEPTH: usize = 100;

/// Parses variables. An empty text and `null` are no variables.
///
/// # Errors
/// [`InvalidVariables`], with AWX's message.
pub fn parse(text: &str) -> Result<Map<String, Value>, InvalidVariables> {
    if text.len() > MAX_LENGTH {
        return Err(InvalidVariables::TooLong);
    }
    let json_problem = match json::parse(text) {
        Ok(Value::Object(map)) => return json::check(map),
        Ok(Value::Null) => return Ok(Map::new()),
        Ok(other) => not_an_object(json::python_type(&other)),
        Err(problem) => problem,
    };
    match yaml::parse(text) {
        Ok(map) => json::check(map),
        Err(yaml::Problem::NotYaml(yaml_problem)) => {
            Err(InvalidVariables::NotParsable { json: json_problem, yaml: yaml_problem })
        }
        Err(yaml::Problem::NotJson(problem)) => Err(InvalidVariables::NotJson(problem)),
    }
}

#[cfg(test)]
mod tests;
