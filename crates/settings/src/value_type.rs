//! The types of setting values.

use hostler_engine::scalars::{self, BLANK, NULL};
use serde_json::{Map, Value as Json, json};
use url::Url;

/// Why a value is invalid: a list of messages, or an object of such lists for a value with parts, as Django REST
/// framework writes it.
pub type Messages = Json;

/// The type of a setting's value.
pub(crate) enum ValueType {
    Boolean,
    /// Both bounds are allowed values.
    Integer {
        min: i64,
        max: i64,
    },
    /// May be empty.
    String {
        max_length: usize,
    },
    /// An http or https URL. May be empty.
    Url,
    /// A list of non-empty strings.
    StringList,
    /// An object whose values are strings.
    StringMap,
    /// One of some values, each with its label.
    Choice(&'static [(&'static str, &'static str)]),
    /// A time.
    Time,
    /// The type of an LDAP setting.
    Ldap(&'static hostler_ldap::LdapSetting),
    Custom(&'static CustomType),
}

/// A type with its own check.
pub(crate) struct CustomType {
    /// The type's name in OPTIONS.
    pub name: &'static str,
    /// OPTIONS' description of each part, if all parts are alike.
    pub child: Option<fn() -> Json>,
    /// Checks a value from a client and returns the value to store.
    pub check: fn(&Json) -> Result<Json, Messages>,
    pub json_schema: fn() -> Json,
}

/// One message about a whole value.
pub(crate) fn message(text: impl Into<String>) -> Messages {
    json!([text.into()])
}

impl ValueType {
    /// The type's name in OPTIONS.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            ValueType::Boolean => "boolean",
            ValueType::Integer { .. } => "integer",
            ValueType::String { .. } | ValueType::Url => "string",
            ValueType::StringList => "list",
            ValueType::StringMap => "nested object",
            ValueType::Choice(_) => "choice",
            ValueType::Time => "datetime",
            ValueType::Ldap(setting) => setting.kind,
            ValueType::Custom(custom) => custom.name,
        }
    }

    /// Checks a non-null value from a client and returns the value to store.
    pub(crate) fn check(&self, value: &Json) -> Result<Json, Messages> {
        match self {
            ValueType::Boolean => scalars::boolean(value).map(Json::from).map_err(message),
            ValueType::Integer { min, max } => scalars::integer(value, (*min, *max)).map(Json::from).map_err(message),
            ValueType::String { max_length } => string(value, *max_length).map(Json::from).map_err(message),
            ValueType::Url => http_url(value).map(Json::from).map_err(message),
            ValueType::StringList => string_list(value),
            ValueType::StringMap => string_map(value),
            ValueType::Choice(choices) => {
                let is_known = choices.iter().any(|(choice, _)| value.as_str() == Some(choice));
                if is_known { Ok(value.clone()) } else { Err(message(scalars::invalid_choice(value))) }
            }
            ValueType::Time => time(value).map(Json::from).map_err(message),
            // Checked again together with the other settings of the same directory: see `definitions::ldap`.
            ValueType::Ldap(setting) => {
                let default = |name: &str| hostler_ldap::default_value(name);
                hostler_ldap::validate_setting(setting.name, value, &default).map_err(message)
            }
            ValueType::Custom(custom) => (custom.check)(value),
        }
    }

    pub(crate) fn json_schema(&self) -> Json {
        match self {
            ValueType::Boolean => json!({"type": "boolean"}),
            ValueType::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            ValueType::String { max_length } => json!({"type": "string", "maxLength": max_length}),
            ValueType::Url => json!({"type": "string"}),
            ValueType::StringList => json!({"type": "array", "items": {"type": "string", "minLength": 1}}),
            ValueType::StringMap => json!({"type": "object", "additionalProperties": {"type": "string"}}),
            ValueType::Choice(choices) => {
                json!({"type": "string", "enum": choices.iter().map(|(choice, _)| choice).collect::<Vec<_>>()})
            }
            ValueType::Time => json!({"type": ["string", "null"], "format": "date-time"}),
            ValueType::Ldap(setting) => match setting.kind {
                "boolean" => json!({"type": "boolean"}),
                "list" => json!({"type": "array"}),
                "nested object" => json!({"type": "object"}),
                "choice" => json!({"type": "string", "enum": hostler_ldap::group_types().collect::<Vec<_>>()}),
                _ if setting.is_nullable => json!({"type": ["string", "null"]}),
                _ => json!({"type": "string"}),
            },
            ValueType::Custom(custom) => (custom.json_schema)(),
        }
    }
}

fn string(value: &Json, max_length: usize) -> Result<String, String> {
    let text = scalars::string(value)?.trim().to_owned();
    scalars::check_length(&text, max_length)?;
    Ok(text)
}

/// Accepts host names without a dot, too: servers in a local network have such names.
fn http_url(value: &Json) -> Result<String, String> {
    const MAX_LENGTH: usize = 2048;
    let text = string(value, MAX_LENGTH)?;
    let is_valid = Url::parse(&text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if text.is_empty() || is_valid { Ok(text) } else { Err("Enter a valid URL".into()) }
}

fn string_list(value: &Json) -> Result<Json, Messages> {
    let items = list(value)?;
    let mut strings = vec![];
    let mut messages = Map::new();
    for (position, item) in items.iter().enumerate() {
        let text = scalars::string(item).map(|text| text.trim().to_owned());
        match text.and_then(|text| if text.is_empty() { Err(BLANK.into()) } else { Ok(text) }) {
            Ok(text) => strings.push(Json::from(text)),
            Err(error) => {
                messages.insert(position.to_string(), message(error));
            }
        }
    }
    if messages.is_empty() { Ok(strings.into()) } else { Err(messages.into()) }
}

fn string_map(value: &Json) -> Result<Json, Messages> {
    let (mut strings, mut messages) = (Map::new(), Map::new());
    for (name, value) in object(value)? {
        let text = if value.is_null() { Err(NULL.into()) } else { scalars::string(value) };
        match text {
            Ok(text) => strings.insert(name.clone(), text.into()),
            Err(error) => messages.insert(name.clone(), message(error)),
        };
    }
    if messages.is_empty() { Ok(strings.into()) } else { Err(messages.into()) }
}

fn time(value: &Json) -> Result<String, String> {
    let time: Option<jiff::Timestamp> = value.as_str().and_then(|text| text.parse().ok());
    let problem = "Datetime has wrong format. Use one of these formats instead: \
                   YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
    time.map(hostler_engine::time_text).ok_or_else(|| problem.to_owned())
}

/// The items of a list.
pub(crate) fn list(value: &Json) -> Result<&Vec<Json>, Messages> {
    let expected = || message(format!("Expected a list of items but got type \"{}\".", python_type(value)));
    value.as_array().ok_or_else(expected)
}

/// The entries of an object.
pub(crate) fn object(value: &Json) -> Result<&Map<String, Json>, Messages> {
    let expected = || message(format!("Expected a dictionary of items but got type \"{}\".", python_type(value)));
    value.as_object().ok_or_else(expected)
}

/// The Python type that AWX's messages name.
pub(crate) fn python_type(value: &Json) -> &'static str {
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
