//! Symbols for the values of one run, so that two runs can be compared.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::python::{full_match, text};

/// Keys whose value is a secret, new in every run.
const SECRET_KEYS: &[&str] =
    &["token", "refresh_token", "client_secret", "client_id", "webhook_key", "host_config_key", "csrfToken"];

/// Keys whose integer value is the id of another object.
#[rustfmt::skip]
const LINK_KEYS: &[&str] = &[
    "id", "pk", "user", "users", "team", "organization", "organization_id", "project", "inventory", "credential",
    "credential_type", "credential_type_id", "job_template", "execution_environment", "default_environment",
    "application", "instance_group", "object_id", "content_object", "role_definition", "unified_job_template",
    "source_project", "source_credential", "target_credential", "webhook_credential",
    "signature_validation_credential", "workflow_job_template", "job", "host", "group", "schedule", "resource_id",
    "actor", "label", "parent", "source_project_id", "team_id", "user_id", "role_id", "team_ansible_id",
    "user_ansible_id", "host_id", "group_id", "last_job", "last_update", "current_update", "current_job",
    "last_job_host_summary", "inventory_source", "controller_node_id", "remote_host_id", "remote_tower_id",
    "object1_pk", "object2_pk", "credentials", "labels", "instance_groups", "unified_job", "unified_job_id",
    "workflow_job", "workflow_job_id", "workflow_job_template_node", "workflow_approval",
    "workflow_approval_template", "project_update", "inventory_update", "ad_hoc_command", "system_job",
    "notification", "project_id", "inventory_id", "job_id", "job_template_id", "workflow_job_template_id",
    "schedule_id", "credential_id", "label_id", "instance_group_id", "execution_environment_id",
    "inventory_source_id", "last_job_id", "system_job_template", "instance", "instance_id", "success_nodes",
    "failure_nodes", "always_nodes", "user_or_team", "created_by", "modified_by", "next_schedule", "identity",
    "notification_template", "node_templates_missing", "node_prompts_rejected",
];

/// Keys that are not compared: help texts differ, the others depend on the machine.
const IGNORED_KEYS: &[&str] = &["help_text", "elapsed", "version", "install_uuid", "active_node"];

/// Keys with paths and commands of the machine: only whether they are empty is compared.
const MACHINE_KEYS: &[&str] = &["job_args", "job_cwd", "job_env", "project_base_dir", "AWX_ISOLATION_BASE_PATH"];

/// Lists of words without a defined order.
const UNORDERED_KEYS: &[&str] =
    &["related_search_fields", "search_fields", "object_roles", "descendant_roles", "hosts", "children"];

/// Keys of OPTIONS whose texts differ.
const IGNORED_OPTIONS_KEYS: &[&str] = &["description"];

/// Symbols whose value is a URL that other texts contain.
const URL_SYMBOLS: &[&str] = &["repo", "rich", "sink"];

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|problem| panic!("{problem}"))
}

static TIME: LazyLock<Regex> = LazyLock::new(|| pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"));
static UUID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
static RESOURCE_URL: LazyLock<Regex> = LazyLock::new(|| pattern(r"/api/v2/([a-z_]+)/(\d+)/"));
static SHA: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b[0-9a-f]{40}\b"));
static SYMBOL: LazyLock<Regex> = LazyLock::new(|| pattern(r"\{(\w+)\}"));
static WHOLE_SYMBOL: LazyLock<Regex> = LazyLock::new(|| full_match(r"\{(\w+)\}"));
static JOB_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b(jobs?|(?:project|inventory)_update|ad_hoc_command|workflow_job|system_job) \d+\b"));
static TEXT_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"("job_id": "|\(ids: |\bwith id |\bTest Notification |\bNotification Test )[\d, ]*\d"#));
static COPY_NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\{run\} \(\d+\)"));
static DELETED_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"^_\d+__"));
static NUMBERED_RUN: LazyLock<Regex> = LazyLock::new(|| pattern(r"\{run\}-\d+"));

/// The context of the normalization.
#[derive(Debug, Clone, Copy, Default)]
pub struct Normalize {
    /// The response is to OPTIONS.
    pub is_options: bool,
    /// Times are compared as they are.
    pub keeps_times: bool,
}

/// The values saved in one run.
#[derive(Debug)]
pub struct Symbols {
    run: String,
    values: HashMap<String, Value>,
    /// Saved ids by collection and number, to name them in links.
    kinds: HashMap<(String, String), String>,
}

impl Symbols {
    /// The symbols of a run with this suffix in the names of objects.
    pub fn new(run: &str) -> Self {
        let values = HashMap::from([("run".to_owned(), Value::from(run))]);
        Self { run: run.to_owned(), values, kinds: HashMap::new() }
    }

    /// Saves a value under a name; `url` is the URL of the object that contains it.
    pub fn save(&mut self, name: &str, value: Value, url: Option<&str>) {
        if let Some(found) = RESOURCE_URL.captures(url.unwrap_or_default()) {
            self.kinds.insert((found[1].to_owned(), text(&value)), name.to_owned());
        }
        self.values.insert(name.to_owned(), value);
    }

    /// Marks a value as not found, unless one is already saved.
    pub fn save_missing(&mut self, name: &str) {
        self.values.entry(name.to_owned()).or_insert_with(|| Value::from(format!("missing-{name}")));
    }

    /// Whether a value of this name is saved.
    pub fn contains(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Replaces `{name}` by the saved value.
    pub fn fill(&self, thing: &Value) -> Value {
        match thing {
            Value::String(text) => match WHOLE_SYMBOL.captures(text).and_then(|whole| self.values.get(&whole[1])) {
                // A whole symbol keeps the type of its value.
                Some(value) => value.clone(),
                None => Value::from(self.fill_text(text)),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(map) => {
                let filled = map.iter().map(|(key, value)| (self.fill_text(key), self.fill(value)));
                Value::Object(filled.collect())
            }
            other => other.clone(),
        }
    }

    /// Like `fill`; the result is text in any case.
    pub fn fill_text(&self, thing: &str) -> String {
        let fill = |found: &Captures<'_>| self.values.get(&found[1]).map_or_else(|| found[0].to_owned(), text);
        SYMBOL.replace_all(thing, fill).into_owned()
    }

    /// Replaces the values that differ between runs by symbols.
    pub fn normalize(&self, value: &Value, options: Normalize) -> Value {
        self.normalize_value(value, None, options)
    }

    fn normalize_value(&self, value: &Value, key: Option<&str>, options: Normalize) -> Value {
        if is_one_of(key, MACHINE_KEYS) && !options.is_options {
            return if is_empty(value) { value.clone() } else { Value::from("<machine>") };
        }
        match value {
            Value::Object(map) => Value::Object(self.normalize_object(map, options)),
            Value::Array(items) => {
                let item_key = key.filter(|key| !SECRET_KEYS.contains(key));
                let mut items: Vec<Value> =
                    items.iter().map(|item| self.normalize_value(item, item_key, options)).collect();
                if is_one_of(key, UNORDERED_KEYS) && items.iter().all(Value::is_string) {
                    items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                }
                Value::Array(items)
            }
            Value::Number(_) if is_one_of(key, LINK_KEYS) => Value::from("#"),
            Value::String(text) => Value::from(self.normalize_text(text, key, options)),
            other => other.clone(),
        }
    }

    fn normalize_object(&self, map: &Map<String, Value>, options: Normalize) -> Map<String, Value> {
        let is_user = map.get("type").is_some_and(|kind| kind == "user");
        let mut normalized = Map::new();
        for (key, value) in map {
            let is_ignored = IGNORED_KEYS.contains(&key.as_str())
                // Write-only in Hostler; AWX shows a placeholder.
                || (is_user && key == "password")
                || (options.is_options && IGNORED_OPTIONS_KEYS.contains(&key.as_str()) && value.is_string());
            if is_ignored {
                continue;
            }
            let value = if is_user && (key == "last_login" || key == "modified") {
                // They depend on earlier logins.
                Value::from("<time or null>")
            } else {
                self.normalize_value(value, Some(key), options)
            };
            normalized.insert(self.normalize_text(key, None, options), value);
        }
        normalized
    }

    fn normalize_text(&self, text: &str, key: Option<&str>, options: Normalize) -> String {
        let is_masked = text.chars().all(|letter| letter == '*') || text == "$encrypted$";
        if is_one_of(key, SECRET_KEYS) && !is_masked && !text.starts_with("/api/") {
            return "<secret>".to_owned();
        }
        if is_one_of(key, LINK_KEYS) && !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit()) {
            return "#".to_owned();
        }
        let mut text = text.to_owned();
        for name in URL_SYMBOLS {
            if let Some(url) = self.values.get(*name).and_then(Value::as_str) {
                let symbol = format!("{{{name}}}");
                let without_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
                text = text.replace(url, &symbol).replace(without_scheme, &symbol);
            }
        }
        let text = text.replace(&self.run, "{run}").replace(&self.run.to_lowercase(), "{run}");
        let link = |found: &Captures<'_>| format!("/api/v2/{}/{}/", &found[1], self.link(&found[1], &found[2]));
        let text = RESOURCE_URL.replace_all(&text, link);
        let text = JOB_NUMBER.replace_all(&text, "$1 #");
        let text = TEXT_NUMBER.replace_all(&text, "$1#");
        let text = COPY_NUMBER.replace_all(&text, "{run} (#)");
        let text = DELETED_NAME.replace_all(&text, "_#__");
        let text = NUMBERED_RUN.replace_all(&text, "{run}-#");
        let text = if options.keeps_times { text } else { TIME.replace_all(&text, "<time>").into_owned().into() };
        let text = UUID.replace_all(&text, "<uuid>");
        SHA.replace_all(&text, "<sha>").into_owned()
    }

    fn link(&self, collection: &str, number: &str) -> String {
        match self.kinds.get(&(collection.to_owned(), number.to_owned())) {
            Some(name) => format!("{{{name}}}"),
            None => "#".to_owned(),
        }
    }
}

/// A recorded body with its unordered lists sorted, as `normalize` sorts those of a response.
pub fn sort_unordered(value: &Value) -> Value {
    sort_at(value, None)
}

fn sort_at(value: &Value, key: Option<&str>) -> Value {
    match value {
        Value::Object(map) => {
            // The key of a selected field is its whole path.
            let name = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
            Value::Object(map.iter().map(|(key, value)| (key.clone(), sort_at(value, Some(&name(key))))).collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| sort_at(item, key)).collect();
            if is_one_of(key, UNORDERED_KEYS) && items.iter().all(Value::is_string) {
                items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
            Value::Array(items)
        }
        other => other.clone(),
    }
}

/// Whether the value is false in Python.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn is_one_of(key: Option<&str>, keys: &[&str]) -> bool {
    key.is_some_and(|key| keys.contains(&key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OPTIONS: Normalize = Normalize { is_options: true, keeps_times: false };

    #[test]
    fn fill_keeps_the_type_of_whole_symbols() {
        let mut symbols = Symbols::new("r1");
        symbols.save("bob", json!(7), None);
        let filled = symbols.fill(&json!({"id": "{bob}", "name": "bob-{run}-{bob}", "other": ["{unknown}", 1]}));
        assert_eq!(filled, json!({"id": 7, "name": "bob-r1-7", "other": ["{unknown}", 1]}));
        assert_eq!(symbols.fill_text("/api/v2/users/{bob}/"), "/api/v2/users/7/");
    }

    #[test]
    fn save_missing_keeps_an_earlier_value() {
        let mut symbols = Symbols::new("r1");
        symbols.save("a", json!(1), None);
        symbols.save_missing("a");
        symbols.save_missing("b");
        assert_eq!(symbols.fill(&json!(["{a}", "{b}"])), json!([1, "missing-b"]));
    }

    #[test]
    fn normalize_names_saved_objects_in_urls() {
        let mut symbols = Symbols::new("r1");
        symbols.save("bob", json!(7), Some("/api/v2/users/7/"));
        let normalized = symbols.normalize(
            &json!({"a": "/api/v2/users/7/roles/", "b": "/api/v2/teams/7/", "user": 7, "size": 7}),
            Normalize::default(),
        );
        assert_eq!(
            normalized,
            json!({"a": "/api/v2/users/{bob}/roles/", "b": "/api/v2/teams/#/", "user": "#", "size": 7})
        );
    }

    #[test]
    fn normalize_replaces_times_uuids_secrets_and_run_suffix() {
        let symbols = Symbols::new("r1x");
        let normalized = symbols.normalize(
            &json!({
                "created": "2024-05-01T10:11:12.123456Z", "uuid": "0BADC0DE-0000-4000-8000-00000000000f",
                "token": "abc", "client_secret": "****", "webhook_key": "", "refresh_token": "$encrypted$",
                "name": "bob-R1X", "host_config_key": null, "org-r1x": "r1x-12", "object_id": "12",
                "gone": "_12__x", "text": "see job 12 and jobs 13",
            }),
            Normalize::default(),
        );
        assert_eq!(
            normalized,
            json!({
                "created": "<time>", "uuid": "<uuid>",
                "token": "<secret>", "client_secret": "****", "webhook_key": "", "refresh_token": "$encrypted$",
                "name": "bob-R1X", "host_config_key": null, "org-{run}": "{run}-#", "object_id": "#",
                "gone": "_#__x", "text": "see job # and jobs #",
            })
        );
    }

    #[test]
    fn normalize_drops_password_and_times_of_users() {
        let symbols = Symbols::new("r1");
        let normalized = symbols.normalize(
            &json!({"type": "user", "password": "$encrypted$", "last_login": null, "modified": "x"}),
            Normalize::default(),
        );
        assert_eq!(normalized, json!({"type": "user", "last_login": "<time or null>", "modified": "<time or null>"}));
        assert_eq!(
            symbols.normalize(&json!({"type": "team", "password": "p"}), Normalize::default()),
            json!({"type": "team", "password": "p"})
        );
    }

    #[test]
    fn normalize_ignores_help_texts_and_order_of_words() {
        let symbols = Symbols::new("r1");
        let answer = json!({"description": "a", "help_text": "b", "search_fields": ["z", "a"], "choices": ["z", "a"]});
        assert_eq!(symbols.normalize(&answer, OPTIONS), json!({"search_fields": ["a", "z"], "choices": ["z", "a"]}));
        assert_eq!(
            symbols.normalize(&answer, Normalize::default()),
            json!({"description": "a", "search_fields": ["a", "z"], "choices": ["z", "a"]})
        );
        let fields = json!({"description": {"help_text": "x", "label": "Description"}});
        assert_eq!(symbols.normalize(&fields, OPTIONS), json!({"description": {"label": "Description"}}));
    }

    #[test]
    fn normalize_replaces_urls_of_repository_and_sink() {
        let mut symbols = Symbols::new("r1");
        symbols.save("repo", json!("file:///tmp/conform-repo-x"), None);
        symbols.save("sink", json!("http://127.0.0.1:4711"), None);
        let response = json!(["file:///tmp/conform-repo-x", "in /tmp/conform-repo-x/a", "127.0.0.1:4711/hook"]);
        let normalized = symbols.normalize(&response, Normalize::default());
        assert_eq!(normalized, json!(["{repo}", "in {repo}/a", "{sink}/hook"]));
    }

    #[test]
    fn normalize_replaces_numbers_in_texts_and_machine_paths() {
        let symbols = Symbols::new("r1");
        let response = json!({
            "job_args": ["podman"], "job_env": {}, "webhook_key": "/api/v2/job_templates/3/webhook_key/",
            "text": "project_update 7, (ids: 1, 2), Test Notification 12, x-r1 (3)",
        });
        let expected = json!({
            "job_args": "<machine>", "job_env": {}, "webhook_key": "/api/v2/job_templates/#/webhook_key/",
            "text": "project_update #, (ids: #), Test Notification #, x-{run} (#)",
        });
        assert_eq!(symbols.normalize(&response, Normalize::default()), expected);
    }

    #[test]
    fn normalize_keeps_times_of_exact_steps() {
        let exact = Normalize { keeps_times: true, ..Normalize::default() };
        let times = json!(["2024-05-01T10:11:12Z"]);
        assert_eq!(Symbols::new("r1").normalize(&times, exact), times);
        assert_eq!(Symbols::new("r1").normalize(&times, Normalize::default()), json!(["<time>"]));
    }

    #[test]
    fn recorded_lists_without_order_are_sorted() {
        let recorded =
            json!({"results.0.descendant_roles": ["b", "a"], "object_roles": ["z", "y"], "names": ["b", "a"]});
        let sorted = json!({"results.0.descendant_roles": ["a", "b"], "object_roles": ["y", "z"], "names": ["b", "a"]});
        assert_eq!(sort_unordered(&recorded), sorted);
    }
}
