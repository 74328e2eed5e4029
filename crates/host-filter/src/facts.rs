//! Tests of facts, such as `ansible_facts__disks[]__name=sda`.

use serde_json::{Map, Number, Value as Json};

use crate::{InvalidFilter, Test, Value};

/// The key of the facts of a host.
pub const FACTS: &str = "ansible_facts";

/// The maximum number of keys in the path of a fact.
const MAX_KEYS: usize = 20;

/// The lookups that filters of fields have and facts do not, except `exact`.
const LOOKUPS: [&str; 20] = [
    "contained_by",
    "contains",
    "endswith",
    "gt",
    "gte",
    "has_any_keys",
    "has_key",
    "has_keys",
    "icontains",
    "iendswith",
    "iexact",
    "in",
    "iregex",
    "isnull",
    "istartswith",
    "lt",
    "lte",
    "range",
    "regex",
    "startswith",
];

/// A test of a fact: the facts of the host contain this document.
#[derive(Clone, Debug, PartialEq)]
pub struct FactTest {
    keys: Vec<String>,
    value: Json,
}

impl FactTest {
    /// The test of a fact that this is; none if it is a test of something else.
    ///
    /// # Errors
    /// For a path without keys, with empty or with too many ones.
    pub fn of(test: &Test) -> Result<Option<Self>, InvalidFilter> {
        let Some(path) = test.key.strip_prefix(FACTS) else { return Ok(None) };
        let wrong = || InvalidFilter::Syntax(format!("{}={}", test.key, test.value.text));
        let Some(path) = path.strip_prefix("__") else { return Err(wrong()) };
        let keys: Vec<String> = path.split("__").map(str::to_owned).collect();
        if keys.len() > MAX_KEYS || keys.iter().any(|key| key.is_empty() || key == "[]") {
            return Err(wrong());
        }
        Ok(Some(FactTest { keys, value: test.value.typed() }))
    }

    /// The lookup at the end of the path, if it looks like one that other fields have. It is the key of a fact.
    pub fn lookup(&self) -> Option<&str> {
        self.keys.last().map(String::as_str).filter(|key| LOOKUPS.contains(key))
    }

    /// The document that the facts must contain. A key that ends with `[]` is that of a list with such an element.
    pub fn document(&self) -> Json {
        self.keys.iter().rev().fold(self.value.clone(), |inner, key| {
            let (key, inner) = match key.strip_suffix("[]") {
                Some(key) => (key, Json::Array(vec![inner])),
                None => (key.as_str(), inner),
            };
            Map::from_iter([(key.to_owned(), inner)]).into()
        })
    }
}

impl Value {
    /// The value with its type: without quotes, a text can be a number, a boolean or null.
    pub fn typed(&self) -> Json {
        let text = self.text.as_str();
        match text {
            _ if self.is_quoted => text.into(),
            "null" => Json::Null,
            "true" => true.into(),
            "false" => false.into(),
            _ => number(text).map_or_else(|| text.into(), Json::Number),
        }
    }
}

/// The number that this text is, in digits with at most one point.
fn number(text: &str) -> Option<Number> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    match digits.split_once('.') {
        None if is_digits(digits) => match text.parse::<i64>() {
            Ok(number) => Some(number.into()),
            Err(_) => Number::from_f64(text.parse().ok()?),
        },
        Some((whole, places)) if is_digits(whole) && is_digits(places) => Number::from_f64(text.parse().ok()?),
        _ => None,
    }
}
