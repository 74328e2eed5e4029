//! The kinds of values that settings take.

use hostler_engine::scalars::{self, BLANK};
use serde_json::{Map, Value as Json, json};
use url::Url;

/// What a client is told of a value: a list of messages, or for a value with parts an object of such lists, as Django
/// REST framework writes it.
pub(crate) type Problem = Json;

/// What values a setting takes.
pub(crate) enum Kind {
    Boolean,
    /// A whole number; least and greatest are allowed.
    Integer {
        least: i64,
        greatest: i64,
    },
    /// At most so many characters. It may be empty.
    Text {
        longest: usize,
    },
    /// The address of a web server. It may be empty.
    WebAddress,
    /// A list of texts, none of them empty.
    Texts,
    /// What the settings of directories take.
    Directory(&'static hostler_ldap::LdapSetting),
    /// Anything with a shape of its own.
    Shaped(&'static Shape),
}

/// The shape of a value that is neither text nor number.
pub(crate) struct Shape {
    /// The type as OPTIONS calls it.
    pub type_name: &'static str,
    /// What OPTIONS tells of each part, if they are alike.
    pub child: Option<fn() -> Json>,
    /// Takes a value as a client sends it and yields the one to store.
    pub check: fn(&Json) -> Result<Json, Problem>,
    /// The values as JSON Schema.
    pub schema: fn() -> Json,
}

/// One message about a whole value.
pub(crate) fn problem(message: impl Into<String>) -> Problem {
    json!([message.into()])
}

impl Kind {
    /// The type as OPTIONS calls it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Kind::Boolean => "boolean",
            Kind::Integer { .. } => "integer",
            Kind::Text { .. } | Kind::WebAddress => "string",
            Kind::Texts => "list",
            Kind::Directory(setting) => setting.kind,
            Kind::Shaped(shape) => shape.type_name,
        }
    }

    /// Takes a value as a client sends it, which is not null, and yields the one to store.
    pub(crate) fn check(&self, value: &Json) -> Result<Json, Problem> {
        match self {
            Kind::Boolean => scalars::boolean(value).map(Json::from).map_err(problem),
            Kind::Integer { least, greatest } => {
                scalars::integer(value, (*least, *greatest)).map(Json::from).map_err(problem)
            }
            Kind::Text { longest } => text(value, *longest).map(Json::from).map_err(problem),
            Kind::WebAddress => web_address(value).map(Json::from).map_err(problem),
            Kind::Texts => texts(value),
            // What depends on the other settings of the directory is judged together with them.
            Kind::Directory(setting) => {
                let default = |name: &str| hostler_ldap::default_value(name);
                hostler_ldap::validate_setting(setting.name, value, &default).map_err(problem)
            }
            Kind::Shaped(shape) => (shape.check)(value),
        }
    }

    /// The values as JSON Schema.
    pub(crate) fn schema(&self) -> Json {
        match self {
            Kind::Boolean => json!({"type": "boolean"}),
            Kind::Integer { least, greatest } => json!({"type": "integer", "minimum": least, "maximum": greatest}),
            Kind::Text { longest } => json!({"type": "string", "maxLength": longest}),
            Kind::WebAddress => json!({"type": "string"}),
            Kind::Texts => json!({"type": "array", "items": {"type": "string", "minLength": 1}}),
            Kind::Directory(setting) => match setting.kind {
                "boolean" => json!({"type": "boolean"}),
                "list" => json!({"type": "array"}),
                "nested object" => json!({"type": "object"}),
                "choice" => json!({"type": "string", "enum": hostler_ldap::group_types().collect::<Vec<_>>()}),
                _ if setting.is_nullable => json!({"type": ["string", "null"]}),
                _ => json!({"type": "string"}),
            },
            Kind::Shaped(shape) => (shape.schema)(),
        }
    }
}

fn text(value: &Json, longest: usize) -> Result<String, String> {
    let text = scalars::string(value)?.trim().to_owned();
    scalars::check_length(&text, longest)?;
    Ok(text)
}

/// The address of a web server, which need not have a dot in its name.
fn web_address(value: &Json) -> Result<String, String> {
    const LONGEST: usize = 2048;
    let text = text(value, LONGEST)?;
    let is_good = Url::parse(&text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if text.is_empty() || is_good { Ok(text) } else { Err("Enter a valid URL".into()) }
}

fn texts(value: &Json) -> Result<Json, Problem> {
    let items = list(value)?;
    let mut texts = vec![];
    let mut problems = Map::new();
    for (position, item) in items.iter().enumerate() {
        let text = scalars::string(item).map(|text| text.trim().to_owned());
        match text.and_then(|text| if text.is_empty() { Err(BLANK.into()) } else { Ok(text) }) {
            Ok(text) => texts.push(Json::from(text)),
            Err(message) => {
                problems.insert(position.to_string(), json!([message]));
            }
        }
    }
    if problems.is_empty() { Ok(texts.into()) } else { Err(problems.into()) }
}

/// The items of a list.
pub(crate) fn list(value: &Json) -> Result<&Vec<Json>, Problem> {
    let expected = || problem(format!("Expected a list of items but got type \"{}\".", type_of(value)));
    value.as_array().ok_or_else(expected)
}

/// The entries of an object.
pub(crate) fn object(value: &Json) -> Result<&Map<String, Json>, Problem> {
    let expected = || problem(format!("Expected a dictionary of items but got type \"{}\".", type_of(value)));
    value.as_object().ok_or_else(expected)
}

/// The type of a value as AWX's messages call it.
fn type_of(value: &Json) -> &'static str {
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
