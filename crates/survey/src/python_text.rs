//! Values as Python prints them, for messages and for variables that AWX shows as JSON text.

use serde_json::Value as Json;

/// The text of a value in a message, as `str()` in Python.
pub fn python_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => python_repr(other),
    }
}

/// The text of a value inside a list in a message, as `repr()` in Python.
pub fn python_repr(value: &Json) -> String {
    match value {
        Json::Null => "None".into(),
        Json::Bool(true) => "True".into(),
        Json::Bool(false) => "False".into(),
        Json::Number(number) => number.to_string(),
        Json::String(text) if text.contains('\'') && !text.contains('"') => format!("\"{}\"", escaped(text)),
        Json::String(text) => format!("'{}'", escaped(text).replace('\'', "\\'")),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(python_repr).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", python_repr(&Json::from(key.as_str())), python_repr(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
}

/// JSON text with a space after each comma and colon, as `json.dumps()` in Python writes it.
pub fn json_text(value: &Json) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

fn write(text: &mut String, value: &Json) {
    match value {
        Json::Array(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    text.push_str(", ");
                }
                write(text, item);
            }
            text.push(']');
        }
        Json::Object(map) => {
            text.push('{');
            for (position, (key, item)) in map.iter().enumerate() {
                if position > 0 {
                    text.push_str(", ");
                }
                text.push_str(&Json::from(key.as_str()).to_string());
                text.push_str(": ");
                write(text, item);
            }
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_printed_as_in_python() {
        for (value, text, repr) in [
            (json!("a'b"), "a'b", "\"a'b\""),
            (json!("a\nb"), "a\nb", "'a\\nb'"),
            (json!(null), "None", "None"),
            (json!(true), "True", "True"),
            (json!(2.0), "2.0", "2.0"),
            (json!(["x", 1, {"k": false}]), "['x', 1, {'k': False}]", "['x', 1, {'k': False}]"),
        ] {
            assert_eq!((python_text(&value).as_str(), python_repr(&value).as_str()), (text, repr));
        }
    }

    #[test]
    fn json_text_has_spaces() {
        let value = json!({"a": [1, "x, y: z"], "b": {}, "c": "é\n"});
        assert_eq!(json_text(&value), "{\"a\": [1, \"x, y: z\"], \"b\": {}, \"c\": \"é\\n\"}");
    }
}
