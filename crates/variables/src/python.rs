//! Values as Python prints them: in messages, and in what AWX makes of values that are no texts.

use serde_json::Value as Json;

/// A value as `str()` writes it: texts without quotes, everything else as [`python_repr`].
pub fn python_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => python_repr(other),
    }
}

/// A value as `repr()` writes it.
pub fn python_repr(value: &Json) -> String {
    match value {
        Json::Null => "None".into(),
        Json::Bool(true) => "True".into(),
        Json::Bool(false) => "False".into(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => python_quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(python_repr).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let parts: Vec<_> =
                map.iter().map(|(key, value)| format!("{}: {}", python_quoted(key), python_repr(value))).collect();
            format!("{{{}}}", parts.join(", "))
        }
    }
}

/// A text in Python's quotes.
pub fn python_quoted(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // The output of Python 3.
    #[test]
    fn values_have_python_notation() {
        let value = json!({"a": [true, null, 1.5, 2.0, "x'y", "x\"'", "tab\t\\", "ß\u{1}"]});
        let expected = r#"{'a': [True, None, 1.5, 2.0, "x'y", 'x"\'', 'tab\t\\', 'ß\x01']}"#;
        assert_eq!((python_repr(&value).as_str(), python_text(&value).as_str()), (expected, expected));
        assert_eq!((python_text(&json!("a\nb")).as_str(), python_repr(&json!("a\nb")).as_str()), ("a\nb", "'a\\nb'"));
        assert_eq!((python_text(&json!("x")), python_text(&json!(true))), ("x".into(), "True".into()));
    }
}
