//! Decodes request bodies into values, by the description of the resource.

use hostler_database::Value;
use hostler_schema::{Charset, DefaultValue, Field, FieldKind};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::scalars::{BLANK, NULL, NULL_CHARACTER, boolean, check_length, integer, invalid_choice, string};
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

/// The mask of a stored secret in responses. A client that sends it keeps the secret.
pub const ENCRYPTED: &str = "$encrypted$";

/// Sets the writable values of `body` in `edit.new`. As in AWX, unknown and read-only keys are ignored.
pub(crate) fn decode(edit: &mut Edit<'_>, body: &Map<String, Json>, method: UpdateMethod, problems: &mut Problems) {
    let creating = edit.is_new();
    for field in edit.new.resource.fields {
        if !field.writable || (field.create_only && !creating) {
            continue;
        }
        let sent = body.get(field.name);
        match sent {
            Some(json) => match value(field, json) {
                Ok(Decoded::Value(value)) => edit.new.set(field, value),
                Ok(Decoded::Secret(secret)) => {
                    edit.secrets.insert(field.name, secret);
                }
                Ok(Decoded::Keep) if creating => edit.new.set(field, initial(field)),
                Ok(Decoded::Keep) => {}
                Err(message) => problems.add(field.name, message),
            },
            None if creating => {
                if field.required {
                    problems.add(field.name, "This field is required.");
                }
                edit.new.set(field, initial(field));
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

/// The value of a field in POST if the key is missing.
pub(crate) fn initial(field: &Field) -> Value {
    match (field.default, field.kind) {
        (Some(DefaultValue::Text(text)), _) => Value::Text(text.to_owned()),
        (Some(DefaultValue::Boolean(boolean)), _) => Value::Boolean(boolean),
        (Some(DefaultValue::Integer(number)), _) => Value::Integer(number),
        (Some(DefaultValue::Null), _) => Value::Null,
        (Some(DefaultValue::EmptyObject), _) => Value::Json(Json::Object(Map::new())),
        (None, FieldKind::Text | FieldKind::Email) if !field.nullable => Value::Text(String::new()),
        (None, FieldKind::Boolean) => Value::Boolean(false),
        (None, _) => Value::Null,
    }
}

/// A decoded value of a field.
enum Decoded {
    Value(Value),
    Secret(String),
    Keep,
}

fn value(field: &Field, json: &Json) -> Result<Decoded, String> {
    if json.is_null() {
        return null(field);
    }
    match field.kind {
        FieldKind::Text | FieldKind::Email | FieldKind::Uuid => Ok(Decoded::Value(Value::Text(text(field, json)?))),
        FieldKind::Digest | FieldKind::Encrypted => {
            let secret = string(json)?;
            match secret.as_str() {
                "" if !field.blank => Err(BLANK.into()),
                ENCRYPTED => Ok(Decoded::Keep),
                _ => Ok(Decoded::Secret(secret)),
            }
        }
        FieldKind::Boolean => boolean(json).map(|value| Decoded::Value(Value::Boolean(value))),
        FieldKind::Integer => integer(json, field.range.unwrap_or((i64::MIN, i64::MAX)))
            .map(|value| Decoded::Value(Value::Integer(value))),
        FieldKind::Link(_) | FieldKind::Reserved => link(json).map(Decoded::Value),
        FieldKind::Time => time(json).map(|value| Decoded::Value(Value::Time(value))),
        // Environment variables and arguments of a job cannot contain NUL. The values of a credential are checked one
        // by one, by its type.
        FieldKind::Json if has_null_character(json) => Err(NULL_CHARACTER.into()),
        FieldKind::Json | FieldKind::Inputs => Ok(Decoded::Value(Value::Json(json.clone()))),
        FieldKind::Choice(words) => match json.as_str().map(|word| normalized(field, word)) {
            Some(word) if words.iter().any(|(known, _)| *known == word) => Ok(Decoded::Value(Value::Text(word))),
            _ => Err(invalid_choice(json)),
        },
        FieldKind::Id | FieldKind::Computed => Ok(Decoded::Keep),
    }
}

fn null(field: &Field) -> Result<Decoded, String> {
    match (field.kind, field.charset) {
        (FieldKind::Boolean, _) if field.nullable => Ok(Decoded::Keep),
        (FieldKind::Digest, _) => Err(NULL.into()),
        // The empty text for an optional secret means none.
        (FieldKind::Encrypted, _) if field.nullable => Ok(Decoded::Secret(String::new())),
        _ if field.nullable => Ok(Decoded::Value(Value::Null)),
        // AWX reads null as "" in texts that may be empty.
        (FieldKind::Text | FieldKind::Email, Some(Charset { message, .. })) if !field.blank => Err(message.into()),
        (FieldKind::Text | FieldKind::Email, _) if field.blank => Ok(Decoded::Value(Value::Text(String::new()))),
        _ => Err(NULL.into()),
    }
}

fn text(field: &Field, json: &Json) -> Result<String, String> {
    let text = normalized(field, string(json)?.trim());
    if text.is_empty() && !field.blank {
        return Err(BLANK.into());
    }
    if let Some(max) = field.max {
        check_length(&text, max as usize)?;
    }
    if let Some(charset) = field.charset
        && !text.chars().all(charset.allows)
    {
        return Err(charset.message.into());
    }
    Ok(text)
}

/// The text in the normal form of the field.
fn normalized(field: &Field, text: &str) -> String {
    field.normalize.map_or_else(|| text.to_owned(), |normalize| normalize(text))
}

/// Whether any text in a document, including keys, contains NUL.
fn has_null_character(json: &Json) -> bool {
    match json {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(has_null_character),
        Json::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || has_null_character(value)),
        _ => false,
    }
}

fn link(json: &Json) -> Result<Value, String> {
    let type_name = match json {
        Json::Number(number) => match number.as_i64() {
            Some(id) => return Ok(Value::Integer(id)),
            None if number.is_f64() => "float",
            None => return Err(no_such(&number.to_string())),
        },
        Json::String(text) => match text.trim().parse() {
            Ok(id) => return Ok(Value::Integer(id)),
            Err(_) => "str",
        },
        Json::Bool(_) => "bool",
        Json::Array(_) => "list",
        _ => "dict",
    };
    Err(format!("Incorrect type. Expected pk value, received {type_name}."))
}

/// The message for a link to an object that does not exist.
pub(crate) fn no_such(id: &str) -> String {
    format!("Invalid pk \"{id}\" - object does not exist.")
}

fn time(json: &Json) -> Result<Timestamp, String> {
    let wrong = || {
        "Datetime has wrong format. Use one of these formats instead: \
         YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
            .to_owned()
    };
    let text = json.as_str().ok_or_else(wrong)?.trim();
    let parsed = text.parse::<Timestamp>().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
    });
    let time = parsed.ok_or_else(wrong)?;
    Timestamp::from_microsecond(time.as_microsecond()).map_err(|_| wrong())
}

/// Whether a text is empty or an email address as AWX accepts it, which is narrower than RFC 5322.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return text.is_empty() };
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    let domain_ok = (labels.len() > 1 || domain == "localhost")
        && labels.iter().all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    local_ok && domain_ok
}
