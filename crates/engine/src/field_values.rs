//! Values of fields by their kind: how a request sends them, how they are stored and filtered, and how responses show
//! them.

use hostler_database::{Type, Value};
use hostler_schema::{Charset, ColumnType, DefaultValue, Field, FieldKind, JsonShape};
use jiff::Timestamp;
use sea_query::Value as SqlValue;
use serde_json::{Map, Value as Json, json};

use crate::scalars::{
    BLANK, NULL, NULL_CHARACTER, boolean, check_length, decimal, decimal_text, integer, invalid_choice, string,
};
use crate::time_text;

/// The mask of a stored secret in responses. A client that sends it keeps the secret.
pub const ENCRYPTED: &str = "$encrypted$";

/// A value in a request.
pub(crate) enum Decoded {
    /// The value to store.
    Value(Value),
    /// The plain text of a secret.
    Secret(String),
    /// The stored value stays.
    Keep,
}

/// The type with which a field of this kind is read.
pub(crate) fn type_of(kind: FieldKind) -> Type {
    match kind.column_type() {
        ColumnType::Integer => Type::Integer,
        ColumnType::Boolean => Type::Boolean,
        ColumnType::Text => Type::Text,
        ColumnType::Time => Type::Time,
        ColumnType::Json => Type::Json,
    }
}

/// A value for a statement. NULL has a type too, which PostgreSQL requires.
pub(crate) fn sql_value(value: &Value, kind: FieldKind) -> SqlValue {
    match value {
        Value::Integer(number) => (*number).into(),
        Value::Boolean(boolean) => (*boolean).into(),
        Value::Text(text) => text.clone().into(),
        Value::Time(time) => (*time).into(),
        Value::Json(json) => json.to_string().into(),
        Value::Bytes(bytes) => bytes.clone().into(),
        Value::Null => match kind.column_type() {
            ColumnType::Integer => SqlValue::BigInt(None),
            ColumnType::Boolean => SqlValue::Bool(None),
            ColumnType::Time => SqlValue::JiffTimestamp(None),
            ColumnType::Text | ColumnType::Json => SqlValue::String(None),
        },
    }
}

/// A stored value in responses and in the activity stream.
pub fn json_value(kind: FieldKind, value: &Value) -> Json {
    match (kind, value) {
        (FieldKind::Decimal { places, .. }, Value::Integer(number)) => decimal_text(*number, places).into(),
        // No kind of field has bytes.
        (_, Value::Null | Value::Bytes(_)) => Json::Null,
        (_, Value::Integer(number)) => Json::from(*number),
        (_, Value::Boolean(boolean)) => Json::from(*boolean),
        (_, Value::Text(text)) => Json::from(text.as_str()),
        (_, Value::Time(time)) => Json::from(time_text(*time)),
        (_, Value::Json(json)) => json.clone(),
    }
}

/// A default as JSON.
pub fn default_json(default: DefaultValue) -> Json {
    match default {
        DefaultValue::Text(text) => text.into(),
        DefaultValue::Boolean(boolean) => boolean.into(),
        DefaultValue::Integer(number) => number.into(),
        DefaultValue::Null => Json::Null,
        DefaultValue::Json(document) => serde_json::from_str(document).unwrap_or_default(),
    }
}

/// The value of a field in POST if the key is missing.
pub(crate) fn initial(field: &Field) -> Value {
    match (field.default, field.kind) {
        (Some(DefaultValue::Text(text)), _) => Value::Text(text.to_owned()),
        (Some(DefaultValue::Boolean(boolean)), _) => Value::Boolean(boolean),
        (Some(DefaultValue::Integer(number)), _) => Value::Integer(number),
        (Some(DefaultValue::Null), _) => Value::Null,
        (Some(default @ DefaultValue::Json(_)), _) => Value::Json(default_json(default)),
        (None, FieldKind::Text | FieldKind::Email | FieldKind::Variables | FieldKind::Choice(_)) if !field.nullable => {
            Value::Text(String::new())
        }
        (None, FieldKind::Boolean) => Value::Boolean(false),
        (None, FieldKind::Json(JsonShape::List | JsonShape::Texts)) if !field.nullable => Value::Json(json!([])),
        (None, FieldKind::Json(JsonShape::Object)) if !field.nullable => Value::Json(Map::new().into()),
        (None, _) => Value::Null,
    }
}

/// Decodes the value of a field in a request.
///
/// # Errors
/// The message for the client.
pub(crate) fn decode_value(field: &Field, json: &Json) -> Result<Decoded, String> {
    if json.is_null() {
        return null(field);
    }
    let value = match field.kind {
        FieldKind::Text | FieldKind::Email | FieldKind::Uuid => Value::Text(text(field, json)?),
        FieldKind::Variables => {
            let text = text(field, json)?;
            hostler_variables::parse(&text).map_err(|error| error.to_string())?;
            Value::Text(text)
        }
        FieldKind::Digest | FieldKind::Encrypted => {
            let secret = string(json)?;
            return match secret.as_str() {
                "" if !field.blank => Err(BLANK.into()),
                ENCRYPTED => Ok(Decoded::Keep),
                _ => Ok(Decoded::Secret(secret)),
            };
        }
        FieldKind::Boolean => Value::Boolean(boolean(json)?),
        FieldKind::Integer => Value::Integer(integer(json, field.range.unwrap_or((i64::MIN, i64::MAX)))?),
        FieldKind::Decimal { digits, places } => Value::Integer(decimal(json, digits, places, field.range)?),
        FieldKind::Link(_) | FieldKind::Reserved => link(json)?,
        FieldKind::Time => Value::Time(time(json)?),
        FieldKind::Json(shape) => {
            check_shape(shape, json)?;
            if shape == JsonShape::List {
                check_length_of_list(field, json)?;
            }
            // Environment variables and arguments of a job cannot contain NUL.
            if has_null_character(json) {
                return Err(NULL_CHARACTER.into());
            }
            Value::Json(json.clone())
        }
        // The resource's hooks check the values one by one.
        FieldKind::Inputs => Value::Json(json.clone()),
        FieldKind::Choice(words) => match json.as_str().map(|word| normalized(field, word)) {
            Some(word) if words.iter().any(|(known, _)| *known == word) => Value::Text(word),
            _ => return Err(invalid_choice(json)),
        },
        // Which words the setting lists is checked with the actor's settings.
        FieldKind::SettingChoice(_) => match json.as_str() {
            Some(word) => Value::Text(normalized(field, word)),
            None => return Err(invalid_choice(json)),
        },
        FieldKind::IntegerChoice(numbers) => match integer(json, (i64::MIN, i64::MAX)) {
            Ok(number) if numbers.iter().any(|(known, _)| *known == number) => Value::Integer(number),
            _ => return Err(invalid_choice(json)),
        },
        FieldKind::Id | FieldKind::Computed => return Ok(Decoded::Keep),
    };
    Ok(Decoded::Value(value))
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
        (FieldKind::Text | FieldKind::Email | FieldKind::Variables, _) if field.blank => {
            Ok(Decoded::Value(Value::Text(String::new())))
        }
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

fn check_shape(shape: JsonShape, json: &Json) -> Result<(), String> {
    let wrong = |wanted: &str| Err(format!("Expected a {wanted} of items but got type \"{}\".", python_type(json)));
    match (shape, json) {
        (JsonShape::Any, _) | (JsonShape::Object, Json::Object(_)) => Ok(()),
        (JsonShape::Object, _) => wrong("dictionary"),
        (JsonShape::List, Json::Array(_)) => Ok(()),
        (JsonShape::Texts, Json::Array(items)) if items.iter().all(Json::is_string) => Ok(()),
        (JsonShape::Texts, Json::Array(_)) => Err("Each item must be a string.".into()),
        (JsonShape::List | JsonShape::Texts, _) => wrong("list"),
    }
}

fn check_length_of_list(field: &Field, json: &Json) -> Result<(), String> {
    match (json.as_array().map(Vec::len), field.max) {
        (Some(0), _) if !field.blank => Err("This list may not be empty.".into()),
        (Some(length), Some(max)) if length > max as usize => {
            Err(format!("Ensure this field has no more than {max} elements."))
        }
        _ => Ok(()),
    }
}

/// The name of a JSON type in AWX's messages.
pub fn python_type(json: &Json) -> &'static str {
    match json {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
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
    match json {
        Json::Number(number) => match number.as_i64() {
            Some(id) => return Ok(Value::Integer(id)),
            None if !number.is_f64() => return Err(no_such(&number.to_string())),
            None => {}
        },
        Json::String(text) => {
            if let Ok(id) = text.trim().parse() {
                return Ok(Value::Integer(id));
            }
        }
        _ => {}
    }
    Err(format!("Incorrect type. Expected pk value, received {}.", python_type(json)))
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

/// The message for a text that is not an email address.
pub(crate) const NOT_EMAIL: &str = "Enter a valid email address.";

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
