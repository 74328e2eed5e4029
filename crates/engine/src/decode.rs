//! Decodes request bodies into values, by the description of the resource.

use hostler_database::Value;
use hostler_schema::{Actor, Field, FieldKind};
use serde_json::{Map, Value as Json};

use crate::field_values::{Decoded, NOT_EMAIL, decode_value, initial, is_email};
use crate::scalars::invalid_choice;
use crate::{Edit, UpdateMethod};

/// Validation messages by field, in the order of the checks.
#[derive(Default)]
pub(crate) struct Problems(pub Vec<(String, Vec<String>)>);

impl Problems {
    pub(crate) fn add(&mut self, field: &str, message: impl Into<String>) {
        match self.0.iter_mut().find(|(name, _)| name == field) {
            Some((_, messages)) => messages.push(message.into()),
            None => self.0.push((field.to_owned(), vec![message.into()])),
        }
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.iter().any(|(name, _)| name == field)
    }
}

/// Sets the writable values of `body` in `edit.new`. As in AWX, unknown and read-only keys are ignored.
pub(crate) fn decode(edit: &mut Edit<'_>, body: &Map<String, Json>, method: UpdateMethod, problems: &mut Problems) {
    let creating = edit.is_new();
    for field in edit.new.resource.fields {
        if !field.writable || (field.create_only && !creating) {
            continue;
        }
        let sent = body.get(field.name);
        match sent {
            Some(json) => match decode_value(field, json) {
                Ok(Decoded::Value(value)) if is_listed(field, &value, edit.actor) => edit.new.set(field, value),
                Ok(Decoded::Value(_)) => problems.add(field.name, invalid_choice(json)),
                Ok(Decoded::Secret(secret)) => {
                    edit.secrets.insert(field.name, secret);
                }
                Ok(Decoded::Keep) if creating => edit.new.set(field, initial(field)),
                Ok(Decoded::Keep) => {}
                Err(message) => problems.add(field.name, message),
            },
            None if creating => {
                let value = initial(field);
                if field.required || !is_listed(field, &value, edit.actor) {
                    problems.add(field.name, "This field is required.");
                }
                edit.new.set(field, value);
            }
            None if method == UpdateMethod::Put => {
                if field.required {
                    problems.add(field.name, "This field is required.");
                } else if field.default.is_some() && !field.kept_on_put && !field.kind.is_secret() {
                    edit.new.set(field, initial(field));
                }
            }
            None => {}
        }
    }
}

/// Whether the setting lists the value, if the field is a choice of its words.
fn is_listed(field: &Field, value: &Value, actor: &Actor) -> bool {
    match (field.kind, value) {
        (FieldKind::SettingChoice(words), Value::Text(text)) => words(&actor.job_settings).contains(text),
        _ => true,
    }
}

/// The value of a field of an action's input; `None` if it was not sent and has no default.
pub(crate) fn decode_input(field: &Field, sent: Option<&Json>) -> Result<Option<Value>, String> {
    match sent.map(|json| decode_value(field, json)).transpose()? {
        Some(Decoded::Value(Value::Text(text))) if matches!(field.kind, FieldKind::Email) && !is_email(&text) => {
            Err(NOT_EMAIL.into())
        }
        Some(Decoded::Value(value)) => Ok(Some(value)),
        Some(Decoded::Secret(secret)) => Ok(Some(Value::Text(secret))),
        Some(Decoded::Keep) | None => Ok(field.default.map(|_| initial(field))),
    }
}
