//! The file format of a recorded conversation.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// A conversation about one topic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The folder and file, such as `users/update`.
    pub name: String,
    /// The requests, in order.
    pub steps: Vec<Step>,
}

impl Case {
    /// Whether the case waits for the end of jobs, inventory updates or ad hoc commands, which need Ansible.
    pub fn runs_jobs(&self) -> bool {
        let of_ansible = ["/api/v2/jobs/", "/api/v2/inventory_updates/", "/api/v2/ad_hoc_commands/"];
        let is_run = |step: &Step| step.until.is_some() && of_ansible.iter().any(|path| step.path.starts_with(path));
        self.steps.iter().any(is_run)
    }
}

/// One request with the recorded response.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The user of the request: `"admin"`, null for an anonymous request, `{username, password}` or `{bearer}`.
    #[serde(rename = "as", default = "admin")]
    pub caller: Value,
    /// The HTTP method, or `SINK`: read what the sink received instead of sending a request.
    pub method: String,
    /// The path with its query, with symbols.
    pub path: String,
    /// The body: null for none, a string is sent as text, anything else as JSON.
    #[serde(default)]
    pub body: Value,
    /// Additional headers.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// Signs the body with an HMAC, like a webhook.
    #[serde(default)]
    pub sign: Option<Sign>,
    /// The symbols to read from the response, and their paths. If two names refer to one object, the later one is used.
    #[serde(default)]
    pub save: Map<String, Value>,
    /// What to wait for before the request is sent.
    #[serde(default)]
    pub until: Option<Until>,
    /// How many requests a `SINK` step waits for.
    #[serde(default = "one")]
    pub at_least: usize,
    /// The headers of received requests that a `SINK` step compares.
    #[serde(default)]
    pub keep: Vec<String>,
    /// How long a step waits, in seconds; 180 for `until` and 60 for `SINK` by default.
    #[serde(default)]
    pub timeout: Option<u64>,
    /// Compare only these fields of the response.
    #[serde(default)]
    pub pick: Vec<String>,
    /// Patterns of fields that are not compared.
    #[serde(default)]
    pub loose: Vec<String>,
    /// Whether times are compared as they are.
    #[serde(default)]
    pub exact: bool,
    /// The headers of the response that are compared.
    #[serde(default)]
    pub headers_kept: Vec<String>,
    /// The recorded response. A step without one is not compared.
    #[serde(default)]
    pub expect: Option<Expect>,
}

/// A condition on a field of the response to a GET of the step's path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// The field.
    pub field: String,
    /// The values that end the wait.
    #[serde(rename = "in")]
    pub values: Vec<Value>,
}

/// How a body is signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// The header with the signature.
    pub header: String,
    /// The key, with symbols.
    pub key: String,
    /// The hash function.
    #[serde(default)]
    pub algo: SignAlgorithm,
    /// What precedes the hexadecimal signature.
    #[serde(default)]
    pub prefix: String,
}

/// The hash function of an HMAC.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignAlgorithm {
    /// SHA-1, as GitHub's `X-Hub-Signature` uses it.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A recorded response.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The HTTP status.
    pub status: u16,
    /// The body, with symbols for changing parts.
    #[serde(default)]
    pub body: Value,
    /// The recorded headers.
    #[serde(default)]
    pub headers: Map<String, Value>,
}

fn admin() -> Value {
    Value::from("admin")
}

fn one() -> usize {
    1
}

/// All cases in the sub-folders of a folder, by name.
pub fn cases_in(folder: &Path) -> Vec<Case> {
    let mut files: Vec<PathBuf> =
        entries(folder).iter().filter(|path| path.is_dir()).flat_map(|topic| entries(topic)).collect();
    files.sort();
    files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "json")).map(|file| read(file)).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    listing.map(|entry| entry.expect("an entry of the folder").path()).collect()
}

fn read(file: &Path) -> Case {
    let text = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
