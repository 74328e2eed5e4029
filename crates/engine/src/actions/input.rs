//! The decoded input of an action.

use hostler_database::Value;
use hostler_schema::{Field, HttpMethod};
use serde_json::{Map, Value as Json};

use crate::Error;
use crate::decode::{Problems, decode_input};

/// The values of an action's input by the fields of its description. It may contain secrets, so it is never logged.
#[derive(Default)]
pub struct ActionInput(Vec<(&'static Field, Value)>);

impl ActionInput {
    /// Decodes a body, or the query of GET. Unknown keys are ignored.
    ///
    /// # Errors
    /// [`Error::Invalid`] with one message for each wrong field.
    pub fn decode(fields: &'static [Field], sent: &Map<String, Json>, method: HttpMethod) -> Result<Self, Error> {
        let mut problems = Problems::default();
        let mut values = vec![];
        for field in fields.iter().filter(|field| field.writable) {
            match decode_input(field, sent.get(field.name)) {
                Ok(Some(value)) => values.push((field, value)),
                Ok(None) if field.required && method != HttpMethod::Patch => {
                    problems.add(field.name, "This field is required.");
                }
                Ok(None) => {}
                Err(message) => problems.add(field.name, message),
            }
        }
        if problems.0.is_empty() { Ok(ActionInput(values)) } else { Err(Error::Invalid(problems.0)) }
    }

    /// The value of a field; `None` if it was not sent and has no default.
    pub fn get(&self, field: &Field) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known.name == field.name).map(|(_, value)| value)
    }

    /// The text of a field, or its secret; "" if there is none.
    pub fn text(&self, field: &Field) -> &str {
        match self.get(field) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The boolean of a field; false if there is none.
    pub fn boolean(&self, field: &Field) -> bool {
        matches!(self.get(field), Some(Value::Boolean(true)))
    }

    /// The number of a field.
    pub fn integer(&self, field: &Field) -> Option<i64> {
        match self.get(field) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// The JSON of a field.
    pub fn json(&self, field: &Field) -> Option<&Json> {
        match self.get(field) {
            Some(Value::Json(json)) => Some(json),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use hostler_schema::{DefaultValue, fields};
    use serde_json::json;

    use super::*;

    const NAME: Field = fields::text("name").max(5).required();
    const COUNT: Field = fields::integer("count").range(1, 9).default(DefaultValue::Integer(3));
    const FORCE: Field = fields::boolean("force");
    const PASSWORD: Field = fields::digest("password").not_blank();
    const VARIABLES: Field = fields::json("variables");
    const SHOWN: Field = fields::computed("shown");
    const FIELDS: &[Field] = &[NAME, COUNT, FORCE, PASSWORD, VARIABLES, SHOWN];

    fn decode(sent: Json, method: HttpMethod) -> Result<ActionInput, Vec<(String, Vec<String>)>> {
        let Json::Object(sent) = sent else { return Ok(ActionInput::default()) };
        ActionInput::decode(FIELDS, &sent, method).map_err(|error| match error {
            Error::Invalid(messages) => messages,
            _ => vec![],
        })
    }

    #[test]
    fn input_has_typed_values_and_defaults() -> Result<(), Vec<(String, Vec<String>)>> {
        let sent =
            json!({"name": " x ", "force": "yes", "password": " p ", "variables": {"a": 1}, "shown": 1, "odd": 2});
        let input = decode(sent, HttpMethod::Post)?;
        assert_eq!((input.text(&NAME), input.integer(&COUNT), input.boolean(&FORCE)), ("x", Some(3), true));
        assert_eq!((input.text(&PASSWORD), input.json(&VARIABLES)), (" p ", Some(&json!({"a": 1}))));
        assert!(input.get(&SHOWN).is_none());
        let changed = decode(json!({"count": "7"}), HttpMethod::Patch)?;
        assert_eq!((changed.text(&NAME), changed.integer(&COUNT)), ("", Some(7)));
        Ok(())
    }

    #[test]
    fn invalid_input_has_one_message_per_field() {
        let sent = json!({"count": 10, "force": "perhaps", "password": ""});
        let messages = decode(sent, HttpMethod::Post).err().unwrap_or_default();
        let fields: Vec<&str> = messages.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["name", "count", "force", "password"]);
        assert!(messages.iter().all(|(_, texts)| texts.len() == 1), "{messages:?}");
    }
}
