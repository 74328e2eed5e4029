//! JSON values in Python's notation, which AWX's messages contain.

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

/// A value as `str()` writes it: texts without quotes, everything else as [`repr`].
pub(crate) fn str(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => repr(other),
    }
}

/// A value as `repr()` writes it.
pub(crate) fn repr(value: &Json) -> String {
    match value {
        Json::Null => "None".into(),
        Json::Bool(true) => "True".into(),
        Json::Bool(false) => "False".into(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let parts: Vec<_> = map.iter().map(|(key, value)| format!("{}: {}", quoted(key), repr(value))).collect();
            format!("{{{}}}", parts.join(", "))
        }
    }
}

/// A text in Python's quotes.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for character in text.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            character if character == quote => quoted.extend(['\\', character]),
            character if character.is_control() && u32::from(character) < 256 => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(character)));
            }
            character => quoted.push(character),
        }
    }
    quoted.push(quote);
    quoted
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
    use serde_json::json;

    // The output of Python 3.
    #[test]
    fn values_have_python_notation() {
        let value = json!({"a": [true, null, 1.5, "x'y", "x\"'", "tab\t\\", "ß\u{1}"]});
        assert_eq!(repr(&value), r#"{'a': [True, None, 1.5, "x'y", 'x"\'', 'tab\t\\', 'ß\x01']}"#);
        assert_eq!((str(&json!("x")), str(&json!(true))), ("x".into(), "True".into()));
    }

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
