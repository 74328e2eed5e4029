//! Events as the supervisor writes them, and what is stored of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::event_types::event_type;
use crate::url_secrets;

/// A longer `event_data.res` becomes `{}`.
const LONGEST_RES: usize = 700_000;
/// AWX's names have at most this number of characters.
const LONGEST_NAME: usize = 1024;

/// An event of the spool.
#[derive(Deserialize)]
pub(crate) struct SpoolEvent<'a> {
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    #[serde(borrow)]
    pub uuid: Cow<'a, str>,
    #[serde(borrow, default)]
    pub parent_uuid: Option<Cow<'a, str>>,
    pub counter: i64,
    #[serde(borrow, default)]
    stdout: Cow<'a, str>,
    pub start_line: i64,
    pub end_line: i64,
    #[serde(borrow)]
    created: Cow<'a, str>,
    #[serde(borrow, default)]
    event_data: Option<&'a RawValue>,
}

/// The data of an event in its batch.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredData<'a> {
    #[serde(borrow)]
    pub uuid: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub parent_uuid: Cow<'a, str>,
    #[serde(borrow)]
    pub event_data: &'a RawValue,
}

/// The parts of `event_data` that are columns.
#[derive(Default, Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    playbook: Option<&'a RawValue>,
    #[serde(borrow)]
    play: Option<&'a RawValue>,
    #[serde(borrow)]
    task: Option<&'a RawValue>,
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    host: Option<&'a RawValue>,
    #[serde(borrow)]
    ignore_errors: Option<&'a RawValue>,
    #[serde(borrow)]
    res: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Res<'a> {
    #[serde(borrow)]
    changed: Option<&'a RawValue>,
}

/// What is derived from `event_data`.
#[derive(Default)]
pub(crate) struct Derived {
    pub playbook: String,
    pub play: String,
    pub task: String,
    pub role: String,
    pub host: String,
    pub failed: bool,
    pub changed: bool,
    /// The data of `playbook_on_stats`.
    pub statistics: Option<Map<String, Value>>,
    /// `event_data`, if it is stored in another form than it came.
    pub replaced: Option<Box<RawValue>>,
}

impl SpoolEvent<'_> {
    /// The time at which it happened; none if it has no valid one. Modules can write events, too, with times that
    /// PostgreSQL does not know.
    pub fn created(&self) -> Option<Timestamp> {
        self.created.parse().ok().filter(|time| *time >= Timestamp::UNIX_EPOCH)
    }

    /// The output, with its line feed at the end, and without passwords in URLs.
    pub fn output(&self) -> Cow<'_, [u8]> {
        let text = url_secrets::mask(&self.stdout);
        if self.end_line > self.start_line {
            let mut whole = text.into_owned().into_bytes();
            whole.push(b'\n');
            return whole.into();
        }
        match text {
            Cow::Borrowed(text) => text.as_bytes().into(),
            Cow::Owned(text) => text.into_bytes().into(),
        }
    }

    /// `event_data` as it came.
    pub fn data(&self) -> &RawValue {
        self.event_data.unwrap_or_else(|| empty_object())
    }

    /// Reads the data. Whatever is no object, or has values of other types, is left out: modules can write events too.
    pub fn derive(&self) -> Derived {
        let data = self.data().get();
        let mut derived = Derived::default();
        // A list is read as its parts, too.
        let parts = serde_json::from_str::<Parts<'_>>(data).ok().filter(|_| data.starts_with('{'));
        let Some(parts) = parts else {
            derived.replaced = Some(raw(&readable_object(data)));
            return derived;
        };
        derived.playbook = name(parts.playbook);
        derived.play = name(parts.play);
        derived.task = name(parts.task);
        derived.role = name(parts.role);
        derived.host = name(parts.host);
        let is_failure = event_type(&self.event).is_some_and(|known| known.is_failure);
        derived.failed = is_failure && !is_true(parts.ignore_errors);
        let res = parts.res.and_then(|res| serde_json::from_str::<Res<'_>>(res.get()).ok());
        derived.changed = res.is_some_and(|res| is_true(res.changed));
        if self.event == "playbook_on_stats" {
            let statistics = readable_object(data);
            derived.failed = any_count(&statistics, "failures") || any_count(&statistics, "dark");
            derived.changed = any_count(&statistics, "changed");
            derived.statistics = Some(statistics);
        }
        if parts.res.is_some_and(|res| res.get().len() > LONGEST_RES) {
            derived.replaced = Some(with_empty_res(data));
        }
        derived
    }
}

fn empty_object() -> &'static RawValue {
    static EMPTY: std::sync::LazyLock<Box<RawValue>> =
        std::sync::LazyLock::new(|| RawValue::from_string("{}".into()).unwrap_or_default());
    &EMPTY
}

/// The object in a text, with each key once; an empty one for anything else. A value in it that cannot be read is `{}`: one
/// that is nested too deeply, or a number that is too large.
pub(crate) fn readable_object(data: &str) -> Map<String, Value> {
    if let Ok(object) = serde_json::from_str(data) {
        return object;
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(data).unwrap_or_default();
    let readable = |value: &RawValue| serde_json::from_str(value.get()).unwrap_or_else(|_| Value::Object(Map::new()));
    members.into_iter().map(|(name, value)| (name, readable(value))).collect()
}

fn raw(object: &Map<String, Value>) -> Box<RawValue> {
    serde_json::value::to_raw_value(object).unwrap_or_else(|_| empty_object().to_owned())
}

fn with_empty_res(data: &str) -> Box<RawValue> {
    let mut object = readable_object(data);
    object.insert("res".into(), Value::Object(Map::new()));
    raw(&object)
}

fn name(value: Option<&RawValue>) -> String {
    let text = value.and_then(|value| serde_json::from_str::<Cow<'_, str>>(value.get()).ok());
    cut(&text.unwrap_or_default(), LONGEST_NAME).to_owned()
}

/// At most this number of characters of a text.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

fn is_true(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| value.get() == "true")
}

fn any_count(statistics: &Map<String, Value>, key: &str) -> bool {
    let hosts = statistics.get(key).and_then(Value::as_object);
    hosts.is_some_and(|hosts| hosts.values().any(|count| count.as_i64().is_some_and(|count| count > 0)))
}
