//! The names given to values of one run, so that two runs can be compared.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::python::{full_match, text};

/// Keys whose value is a secret, new in every run.
const SECRET_KEYS: &[&str] =
    &["token", "refresh_token", "client_secret", "client_id", "webhook_key", "host_config_key", "csrfToken"];

/// Keys whose integer value names another object.
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
    "object1_pk", "object2_pk", "success_nodes", "failure_nodes", "always_nodes", "user_or_team", "created_by",
    "modified_by", "next_schedule", "identity", "notification_template",
];

/// Keys that are not compared at all: wording of our own, or facts of one machine.
const IGNORED_KEYS: &[&str] = &["help_text", "elapsed", "version", "install_uuid", "active_node"];

/// Lists of words in no promised order.
const UNORDERED_KEYS: &[&str] = &["related_search_fields", "search_fields", "object_roles"];

/// Texts in an answer to OPTIONS whose wording is our own.
const IGNORED_OPTIONS_KEYS: &[&str] = &["description"];

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
static JOB_NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(jobs?) \d+\b"));
static DELETED_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"^_\d+__"));
static NUMBERED_RUN: LazyLock<Regex> = LazyLock::new(|| pattern(r"\{run\}-\d+"));

/// The values saved in one run.
#[derive(Debug)]
pub struct Symbols {
    run: String,
    values: HashMap<String, Value>,
    /// Saved identifiers by collection and number, to name them in links.
    kinds: HashMap<(String, String), String>,
}

impl Symbols {
    /// The symbols of a run that marks its objects with this suffix.
    pub fn new(run: &str) -> Self {
        let values = HashMap::from([("run".to_owned(), Value::from(run))]);
        Self { run: run.to_owned(), values, kinds: HashMap::new() }
    }

    /// Gives a value a name; `url` is the address of the object it was found in.
    pub fn save(&mut self, name: &str, value: Value, url: Option<&str>) {
        if let Some(found) = RESOURCE_URL.captures(url.unwrap_or_default()) {
            self.kinds.insert((found[1].to_owned(), text(&value)), name.to_owned());
        }
        self.values.insert(name.to_owned(), value);
    }

    /// Notes that a value could not be found, unless an earlier one stands.
    pub fn save_missing(&mut self, name: &str) {
        self.values.entry(name.to_owned()).or_insert_with(|| Value::from(format!("missing-{name}")));
    }

    /// Whether a value of this name is known.
    pub fn knows(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Puts the saved values in the place of `{name}`.
    pub fn fill(&self, thing: &Value) -> Value {
        match thing {
            Value::String(text) => match WHOLE_SYMBOL.captures(text).and_then(|whole| self.values.get(&whole[1])) {
                // Alone it keeps its type.
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

    /// Like `fill`, for what is text in any case.
    pub fn fill_text(&self, thing: &str) -> String {
        let fill = |found: &Captures<'_>| self.values.get(&found[1]).map_or_else(|| found[0].to_owned(), text);
        SYMBOL.replace_all(thing, fill).into_owned()
    }

    /// Replaces what differs from run to run by symbols.
    pub fn fade(&self, thing: &Value, is_options: bool) -> Value {
        self.fade_at(thing, None, is_options)
    }

    fn fade_at(&self, thing: &Value, key: Option<&str>, is_options: bool) -> Value {
        match thing {
            Value::Object(map) => Value::Object(self.fade_object(map, is_options)),
            Value::Array(items) => {
                let mut faded: Vec<Value> = items.iter().map(|item| self.fade_at(item, key, is_options)).collect();
                if is_one_of(key, UNORDERED_KEYS) && faded.iter().all(Value::is_string) {
                    faded.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                }
                Value::Array(faded)
            }
            Value::Number(_) if is_one_of(key, LINK_KEYS) => Value::from("#"),
            Value::String(text) => Value::from(self.fade_text(text, key)),
            other => other.clone(),
        }
    }

    fn fade_object(&self, map: &Map<String, Value>, is_options: bool) -> Map<String, Value> {
        let is_user = map.get("type").is_some_and(|kind| kind == "user");
        let mut faded = Map::new();
        for (key, value) in map {
            let is_ignored = IGNORED_KEYS.contains(&key.as_str())
                // Write-only in the contract; AWX shows a placeholder.
                || (is_user && key == "password")
                || (is_options && IGNORED_OPTIONS_KEYS.contains(&key.as_str()) && value.is_string());
            if is_ignored {
                continue;
            }
            let value = if is_user && (key == "last_login" || key == "modified") {
                // They depend on who logged in before.
                Value::from("<time or null>")
            } else {
                self.fade_at(value, Some(key), is_options)
            };
            faded.insert(self.fade_text(key, None), value);
        }
        faded
    }

    fn fade_text(&self, thing: &str, key: Option<&str>) -> String {
        let is_masked = thing.chars().all(|letter| letter == '*') || thing == "$encrypted$";
        if is_one_of(key, SECRET_KEYS) && !is_masked {
            return "<secret>".to_owned();
        }
        if is_one_of(key, LINK_KEYS) && !thing.is_empty() && thing.chars().all(|letter| letter.is_ascii_digit()) {
            return "#".to_owned();
        }
        let mut thing = thing.to_owned();
        if let Some(repository) = self.values.get("repo").and_then(Value::as_str) {
            let bare = repository.strip_prefix("file://").unwrap_or(repository);
            thing = thing.replace(repository, "{repo}").replace(bare, "{repo}");
        }
        let thing = thing.replace(&self.run, "{run}").replace(&self.run.to_lowercase(), "{run}");
        let link = |found: &Captures<'_>| format!("/api/v2/{}/{}/", &found[1], self.link(&found[1], &found[2]));
        let thing = RESOURCE_URL.replace_all(&thing, link);
        let thing = JOB_NUMBER.replace_all(&thing, "$1 #");
        let thing = DELETED_NAME.replace_all(&thing, "_#__");
        let thing = NUMBERED_RUN.replace_all(&thing, "{run}-#");
        let thing = TIME.replace_all(&thing, "<time>");
        let thing = UUID.replace_all(&thing, "<uuid>");
        SHA.replace_all(&thing, "<sha>").into_owned()
    }

    fn link(&self, collection: &str, number: &str) -> String {
        match self.kinds.get(&(collection.to_owned(), number.to_owned())) {
            Some(name) => format!("{{{name}}}"),
            None => "#".to_owned(),
        }
    }
}

fn is_one_of(key: Option<&str>, keys: &[&str]) -> bool {
    key.is_some_and(|key| keys.contains(&key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fills_whole_symbols_with_their_type_and_others_as_text() {
        let mut symbols = Symbols::new("r1");
        symbols.save("bob", json!(7), None);
        let filled = symbols.fill(&json!({"id": "{bob}", "name": "bob-{run}-{bob}", "other": ["{unknown}", 1]}));
        assert_eq!(filled, json!({"id": 7, "name": "bob-r1-7", "other": ["{unknown}", 1]}));
        assert_eq!(symbols.fill_text("/api/v2/users/{bob}/"), "/api/v2/users/7/");
    }

    #[test]
    fn keeps_the_first_value_when_a_later_one_is_missing() {
        let mut symbols = Symbols::new("r1");
        symbols.save("a", json!(1), None);
        symbols.save_missing("a");
        symbols.save_missing("b");
        assert_eq!(symbols.fill(&json!(["{a}", "{b}"])), json!([1, "missing-b"]));
    }

    #[test]
    fn names_saved_objects_in_links_and_hides_the_rest() {
        let mut symbols = Symbols::new("r1");
        symbols.save("bob", json!(7), Some("/api/v2/users/7/"));
        let faded =
            symbols.fade(&json!({"a": "/api/v2/users/7/roles/", "b": "/api/v2/teams/7/", "user": 7, "size": 7}), false);
        assert_eq!(faded, json!({"a": "/api/v2/users/{bob}/roles/", "b": "/api/v2/teams/#/", "user": "#", "size": 7}));
    }

    #[test]
    fn fades_times_uuids_secrets_and_run_marks() {
        let symbols = Symbols::new("r1x");
        let faded = symbols.fade(
            &json!({
                "created": "2024-05-01T10:11:12.123456Z", "uuid": "0BADC0DE-0000-4000-8000-00000000000f",
                "token": "abc", "client_secret": "****", "webhook_key": "", "refresh_token": "$encrypted$",
                "name": "bob-R1X", "host_config_key": null, "org-r1x": "r1x-12", "object_id": "12",
                "gone": "_12__x", "text": "see job 12 and jobs 13",
            }),
            false,
        );
        assert_eq!(
            faded,
            json!({
                "created": "<time>", "uuid": "<uuid>",
                "token": "<secret>", "client_secret": "****", "webhook_key": "", "refresh_token": "$encrypted$",
                "name": "bob-R1X", "host_config_key": null, "org-{run}": "{run}-#", "object_id": "#",
                "gone": "_#__x", "text": "see job # and jobs #",
            })
        );
    }

    #[test]
    fn treats_users_as_the_contract_does() {
        let symbols = Symbols::new("r1");
        let faded = symbols
            .fade(&json!({"type": "user", "password": "$encrypted$", "last_login": null, "modified": "x"}), false);
        assert_eq!(faded, json!({"type": "user", "last_login": "<time or null>", "modified": "<time or null>"}));
        assert_eq!(
            symbols.fade(&json!({"type": "team", "password": "p"}), false),
            json!({"type": "team", "password": "p"})
        );
    }

    #[test]
    fn ignores_wording_and_the_order_of_words() {
        let symbols = Symbols::new("r1");
        let answer = json!({"description": "a", "help_text": "b", "search_fields": ["z", "a"], "choices": ["z", "a"]});
        assert_eq!(symbols.fade(&answer, true), json!({"search_fields": ["a", "z"], "choices": ["z", "a"]}));
        assert_eq!(
            symbols.fade(&answer, false),
            json!({"description": "a", "search_fields": ["a", "z"], "choices": ["z", "a"]})
        );
        let fields = json!({"description": {"help_text": "x", "label": "Description"}});
        assert_eq!(symbols.fade(&fields, true), json!({"description": {"label": "Description"}}));
    }
}
