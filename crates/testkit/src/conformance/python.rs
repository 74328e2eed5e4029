//! Conversions as in the recorder, a Python program, because the recordings contain their results.

use regex::Regex;
use serde_json::Value;

/// `str(value)`.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

/// The value at a dotted path, with an index into a list.
pub(super) fn lookup<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, part| match value {
        Value::Array(items) => {
            let index: isize = part.parse().ok()?;
            // A negative index counts from the end.
            let index = if index < 0 { items.len().checked_sub(index.unsigned_abs())? } else { index.unsigned_abs() };
            items.get(index)
        }
        Value::Object(map) => map.get(part),
        _ => None,
    })
}

/// The name of the value's type in Python, which distinguishes integers from other numbers.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// A pattern that must match the whole text.
pub(super) fn full_match(pattern: &str) -> Regex {
    Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap_or_else(|problem| panic!("{problem}"))
}

/// The first `limit` characters.
pub(super) fn truncate(text: &str, limit: usize) -> &str {
    text.char_indices().nth(limit).map_or(text, |(end, _)| &text[..end])
}

/// Replaces every match of a pattern.
pub(super) fn replace_all(text: &str, pattern: &str, replacement: &str) -> String {
    let pattern = Regex::new(pattern).unwrap_or_else(|problem| panic!("{problem}"));
    pattern.replace_all(text, replacement).into_owned()
}
