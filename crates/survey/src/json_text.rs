//! Variables that AWX shows as JSON text.

use serde_json::Value as Json;

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
    fn json_text_has_spaces() {
        let value = json!({"a": [1, "x, y: z"], "b": {}, "c": "é\n"});
        assert_eq!(json_text(&value), "{\"a\": [1, \"x, y: z\"], \"b\": {}, \"c\": \"é\\n\"}");
    }
}
