//! How a recorded conversation is written down.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// A conversation about one topic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its folder and file, such as `users/update`.
    pub name: String,
    /// The requests, in order.
    pub steps: Vec<Step>,
}

/// One request with the recorded answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Who asks: `"admin"`, null for nobody, `{username, password}` or `{bearer}`.
    #[serde(rename = "as", default = "admin")]
    pub who: Value,
    /// The HTTP method.
    pub method: String,
    /// The path with its query, symbols to be filled in.
    pub path: String,
    /// The body: null for none, text to be sent as it is, anything else as JSON.
    #[serde(default)]
    pub body: Value,
    /// Headers beside those every request has.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// Symbols to take out of the answer, and where they stand in it; in order,
    /// for of two names for one object the later is used.
    #[serde(default)]
    pub save: Map<String, Value>,
    /// What to wait for before the request is made.
    #[serde(default)]
    pub until: Option<Until>,
    /// How long to wait for it, in seconds.
    #[serde(default = "three_minutes")]
    pub timeout: u64,
    /// Compare only these places of the answer.
    #[serde(default)]
    pub pick: Vec<String>,
    /// Patterns of places that are not compared.
    #[serde(default)]
    pub loose: Vec<String>,
    /// The headers of the answer that are compared.
    #[serde(default)]
    pub headers_kept: Vec<String>,
    /// The recorded answer; a step without one only prepares others.
    #[serde(default)]
    pub expect: Option<Expect>,
}

/// A condition on a place of the answer to the step's path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// The place.
    pub field: String,
    /// The values that end the wait.
    #[serde(rename = "in")]
    pub values: Vec<Value>,
}

/// A recorded answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The HTTP status.
    pub status: u16,
    /// The body, its changing parts replaced by symbols.
    #[serde(default)]
    pub body: Value,
    /// The headers that were kept.
    #[serde(default)]
    pub headers: Map<String, Value>,
}

fn admin() -> Value {
    Value::from("admin")
}

fn three_minutes() -> u64 {
    180
}

/// All cases in the sub-folders of a folder, by name.
pub fn cases_in(folder: &Path) -> Vec<Case> {
    let mut files: Vec<PathBuf> =
        entries(folder).iter().filter(|path| path.is_dir()).flat_map(|topic| entries(topic)).collect();
    files.sort();
    files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "json")).map(|file| read(file)).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(folder).unwrap_or_else(|problem| panic!("{}: {problem}", folder.display()));
    listing.map(|entry| entry.expect("an entry of the folder").path()).collect()
}

fn read(file: &Path) -> Case {
    let text = fs::read(file).unwrap_or_else(|problem| panic!("{}: {problem}", file.display()));
    serde_json::from_slice(&text).unwrap_or_else(|problem| panic!("{}: {problem}", file.display()))
}
