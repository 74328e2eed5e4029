//! JSON values in Python's notation, which AWX's messages contain.

pub(crate) use hostler_variables::{python_quoted as quoted, python_repr as repr, python_text as str};
use serde_json::Value as Json;

/// The name of a value's type in Python.
pub(crate) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
}

/// Whether a value is false in Python.
pub(crate) fn is_false(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
    }
}

/// The message of Python's `jsonschema` about unknown keys.
pub(crate) fn unexpected<'a>(keys: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    let verb = match keys.len() {
        0 => return None,
        1 => "was",
        _ => "were",
    };
    let keys: Vec<_> = keys.into_iter().map(quoted).collect();
    Some(format!("Additional properties are not allowed ({} {verb} unexpected)", keys.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unexpected_keys_are_sorted() {
        assert_eq!(
            unexpected(["b", "a"].into_iter()).unwrap(),
            "Additional properties are not allowed ('a', 'b' were unexpected)"
        );
        assert_eq!(
            unexpected(["nope"].into_iter()).unwrap(),
            "Additional properties are not allowed ('nope' was unexpected)"
        );
        assert_eq!(unexpected(std::iter::empty()), None);
    }
}
