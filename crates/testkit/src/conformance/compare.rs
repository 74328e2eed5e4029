//! The comparison of a response with the recorded one.

use std::fmt;

use regex::Regex;
use serde_json::{Map, Value};

use super::case::Step;
use super::python::{full_match, truncate, type_name};
use super::symbols::sort_unordered;

/// A response of the server under test, normalized.
#[derive(Debug, Clone)]
pub struct Actual {
    /// The HTTP status.
    pub status: u16,
    /// The body, or the fields that the step selects.
    pub body: Value,
    /// The headers that the step compares.
    pub headers: Map<String, Value>,
    /// Contradictions within the body, see [`inconsistencies`].
    pub inconsistencies: Vec<Difference>,
}

/// The result of a comparison, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No difference.
    Same,
    /// Only the wording of error messages differs, not their number.
    Text,
    /// A value differs.
    Value,
    /// A key is missing or added, a value has another type, or an error has more or fewer messages.
    Shape,
    /// The HTTP status differs.
    Status,
}

impl Verdict {
    /// Whether the step passes: the texts of error messages may differ.
    pub fn is_passed(self) -> bool {
        matches!(self, Verdict::Same | Verdict::Text)
    }
}

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The value.
    Value,
    /// The presence, the type, or the number of error messages.
    Shape,
    /// The HTTP status.
    Status,
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Its kind.
    pub kind: Kind,
    /// The path in the body, empty for the whole response.
    pub path: String,
    /// The recorded value.
    pub wanted: Value,
    /// The value in the response.
    pub got: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "response" } else { &self.path };
        let (wanted, got) = (self.wanted.to_string(), self.got.to_string());
        write!(out, "{path}: wanted {}, got {}", truncate(&wanted, 400), truncate(&got, 400))
    }
}

/// Compares the response to a step with the recorded one. A step without a recorded response passes.
pub fn compare(step: &Step, actual: &Actual) -> (Verdict, Vec<Difference>) {
    let Some(expected) = &step.expect else { return (Verdict::Same, Vec::new()) };
    let status = |wanted: Value, got: Value| {
        (Verdict::Status, vec![Difference { kind: Kind::Status, path: String::new(), wanted, got }])
    };
    // The recorded server crashed: anything but a crash passes.
    if expected.status == 500 {
        return if actual.status < 500 {
            (Verdict::Same, Vec::new())
        } else {
            status(Value::from("no 5xx"), Value::from(actual.status))
        };
    }
    if expected.status != actual.status {
        let detail = if actual.status >= 400 { actual.body.to_string() } else { String::new() };
        let got = format!("{} {}", actual.status, truncate(&detail, 300));
        return status(Value::from(expected.status), Value::from(got));
    }
    let loose: Vec<Regex> = step.loose.iter().map(|pattern| full_match(pattern)).collect();
    let mut found = differences(&sort_unordered(&expected.body), &actual.body, "", &loose);
    let headers = |headers: &Map<String, Value>| Value::Object(headers.clone());
    found.extend(differences(&headers(&expected.headers), &headers(&actual.headers), "header", &[]));
    found.extend(actual.inconsistencies.iter().cloned());
    let is_error = expected.status >= 400;
    if is_error {
        // The text of error messages may differ, their number must not.
        for it in found.iter_mut().filter(|it| it.path.ends_with("[]")) {
            it.kind = Kind::Shape;
        }
    }
    let is_text = |it: &Difference| it.kind == Kind::Value && it.wanted.is_string() && it.got.is_string();
    let verdict = if found.is_empty() {
        Verdict::Same
    } else if is_error && found.iter().all(is_text) {
        Verdict::Text
    } else if found.iter().any(|it| it.kind == Kind::Shape) {
        Verdict::Shape
    } else {
        Verdict::Value
    };
    (verdict, found)
}

/// Contradictions within a body about the target of a link. Recordings contain `#` instead of ids, so only the body
/// itself can show them: the integer of a field, its URL in `related` and its id in `summary_fields` must agree, and an
/// object's `id` with its `url`.
pub fn inconsistencies(body: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    check_links(body, "", &mut found);
    found
}

fn check_links(value: &Value, path: &str, found: &mut Vec<Difference>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_links(item, &format!("{path}[{index}]"), found);
            }
        }
        Value::Object(map) => {
            let mut compare = |path: String, id: &Value, other: Option<u64>| {
                if let (Some(wanted), Some(got)) = (id.as_u64(), other)
                    && wanted != got
                {
                    found.push(Difference { kind: Kind::Value, path, wanted: wanted.into(), got: got.into() });
                }
            };
            if let Some(id) = map.get("id") {
                compare(format!("{path}.url"), id, map.get("url").and_then(id_in_url));
            }
            for (field, url) in map.get("related").and_then(Value::as_object).into_iter().flatten() {
                if let Some(id) = map.get(field) {
                    compare(format!("{path}.related.{field}"), id, id_in_url(url));
                }
            }
            for (field, summary) in map.get("summary_fields").and_then(Value::as_object).into_iter().flatten() {
                if let Some(id) = map.get(field) {
                    compare(format!("{path}.summary_fields.{field}.id"), id, summary["id"].as_u64());
                }
            }
            for (key, value) in map {
                check_links(value, &format!("{path}.{key}"), found);
            }
        }
        _ => {}
    }
}

/// The id of the object that a URL ends with.
fn id_in_url(url: &Value) -> Option<u64> {
    url.as_str()?.strip_prefix("/api/v2/")?.strip_suffix('/')?.rsplit_once('/')?.1.parse().ok()
}

/// The paths where two values differ; paths that a loose pattern matches are ignored.
pub fn differences(wanted: &Value, got: &Value, path: &str, loose: &[Regex]) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(wanted, got, path.to_owned(), loose, &mut found);
    found
}

fn walk(wanted: &Value, got: &Value, path: String, loose: &[Regex], found: &mut Vec<Difference>) {
    let is_loose = |path: &str| loose.iter().any(|pattern| pattern.is_match(path));
    if is_loose(&path) {
        return;
    }
    let mut note = |kind, path, wanted: Value, got: Value| found.push(Difference { kind, path, wanted, got });
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => {
            let absent = || Value::from("<absent>");
            for (key, value) in wanted {
                let path = format!("{path}.{key}");
                match got.get(key) {
                    Some(other) => walk(value, other, path, loose, found),
                    None if is_loose(&path) => {}
                    None => {
                        let (wanted, got) = (value.clone(), absent());
                        found.push(Difference { kind: Kind::Shape, path, wanted, got });
                    }
                }
            }
            for (key, value) in got.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                let path = format!("{path}.{key}");
                if !is_loose(&path) {
                    let (wanted, got) = (absent(), value.clone());
                    found.push(Difference { kind: Kind::Shape, path, wanted, got });
                }
            }
        }
        (Value::Array(wanted), Value::Array(got)) => {
            if wanted.len() != got.len() {
                let count = |items: &[Value]| Value::from(format!("{} items", items.len()));
                note(Kind::Value, format!("{path}[]"), count(wanted), count(got));
            }
            for (index, (value, other)) in wanted.iter().zip(got).enumerate() {
                walk(value, other, format!("{path}[{index}]"), loose, found);
            }
        }
        _ if type_name(wanted) != type_name(got) => note(Kind::Shape, path, wanted.clone(), got.clone()),
        _ if wanted != got => note(Kind::Value, path, wanted.clone(), got.clone()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(expect: Value, more: Value) -> Step {
        let mut step = json!({"method": "GET", "path": "/", "expect": expect});
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            step[key] = value;
        }
        serde_json::from_value(step).expect("a step")
    }

    fn verdict(expect: Value, more: Value, got: Value) -> (Verdict, Vec<String>) {
        let headers = got["headers"].as_object().cloned().unwrap_or_default();
        let status = got["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
        let body = got["body"].clone();
        let actual = Actual { status, inconsistencies: inconsistencies(&body), body, headers };
        let (verdict, found) = compare(&step(expect, more), &actual);
        (verdict, found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn equal_responses_are_same() {
        let answer = json!({"status": 200, "body": {"a": [1, {"b": null}]}});
        assert_eq!(verdict(answer.clone(), json!({}), answer), (Verdict::Same, vec![]));
    }

    #[test]
    fn other_status_is_status() {
        let (verdict, found) = verdict(
            json!({"status": 200, "body": {"a": 1}}),
            json!({}),
            json!({"status": 403, "body": {"detail": "no"}}),
        );
        assert_eq!(verdict, Verdict::Status);
        assert_eq!(found, [r#"response: wanted 200, got "403 {\"detail\":\"no\"}""#]);
    }

    #[test]
    fn recorded_500_accepts_anything_but_5xx() {
        let crash = json!({"status": 500, "body": "oops"});
        assert_eq!(verdict(crash.clone(), json!({}), json!({"status": 400, "body": {}})).0, Verdict::Same);
        assert_eq!(verdict(crash, json!({}), json!({"status": 503, "body": {}})).0, Verdict::Status);
    }

    #[test]
    fn other_keys_and_types_are_shape() {
        let (verdict, found) = verdict(
            json!({"status": 200, "body": {"a": 1, "b": true, "c": 1}}),
            json!({}),
            json!({"status": 200, "body": {"b": 1, "c": 1.0, "d": null}}),
        );
        assert_eq!(verdict, Verdict::Shape);
        assert_eq!(
            found,
            [
                r#".a: wanted 1, got "<absent>""#,
                ".b: wanted true, got 1",
                ".c: wanted 1, got 1.0",
                r#".d: wanted "<absent>", got null"#
            ]
        );
    }

    #[test]
    fn lists_of_other_length_are_value() {
        let (verdict, found) = verdict(
            json!({"status": 200, "body": {"r": [1, 2]}}),
            json!({}),
            json!({"status": 200, "body": {"r": [3]}}),
        );
        assert_eq!(verdict, Verdict::Value);
        assert_eq!(found, [r#".r[]: wanted "2 items", got "1 items""#, ".r[0]: wanted 1, got 3"]);
    }

    #[test]
    fn wording_of_errors_is_text() {
        let want = json!({"status": 400, "body": {"name": ["Too long."]}});
        let reworded = json!({"status": 400, "body": {"name": ["Is too long."]}});
        assert_eq!(verdict(want.clone(), json!({}), reworded).0, Verdict::Text);
        let longer = json!({"status": 400, "body": {"name": ["Too long.", "Too odd."]}});
        assert_eq!(verdict(want.clone(), json!({}), longer).0, Verdict::Shape);
        let none = json!({"status": 400, "body": {"name": []}});
        assert_eq!(verdict(want.clone(), json!({}), none).0, Verdict::Shape);
        let elsewhere = json!({"status": 400, "body": {"other": ["Too long."]}});
        assert_eq!(verdict(want, json!({}), elsewhere).0, Verdict::Shape);
        let fine = json!({"status": 200, "body": {"name": "a"}});
        assert_eq!(verdict(fine, json!({}), json!({"status": 200, "body": {"name": "b"}})).0, Verdict::Value);
    }

    #[test]
    fn loose_patterns_match_whole_paths() {
        let want = json!({"status": 200, "body": {"a": {"roles": {"x": 1}}, "b": 1}});
        let got = json!({"status": 200, "body": {"a": {"roles": {}}, "b": 2}});
        assert_eq!(verdict(want.clone(), json!({"loose": [r".*\.roles.*"]}), got.clone()).1, [".b: wanted 1, got 2"]);
        assert_eq!(verdict(want.clone(), json!({"loose": ["roles"]}), got.clone()).1.len(), 2);
        assert_eq!(verdict(want, json!({"loose": [".*"]}), got).0, Verdict::Same);
    }

    #[test]
    fn kept_headers_are_never_loose() {
        let want = json!({"status": 200, "body": {}, "headers": {"Allow": "GET"}});
        let got = json!({"status": 200, "body": {}, "headers": {"Allow": "GET, PUT"}});
        assert_eq!(
            verdict(want, json!({"loose": [".*"]}), got),
            (Verdict::Value, vec![r#"header.Allow: wanted "GET", got "GET, PUT""#.to_owned()])
        );
    }

    #[test]
    fn loose_patterns_match_absent_keys() {
        let want = json!({"status": 200, "body": {"a": 1, "b": 1}});
        let got = json!({"status": 200, "body": {"b": 1, "c": 1}});
        assert_eq!(verdict(want, json!({"loose": [r"\.(a|c)"]}), got), (Verdict::Same, vec![]));
    }

    #[test]
    fn links_to_different_objects_are_value() {
        let body = json!({"id": 7, "url": "/api/v2/teams/7/", "organization": 3,
            "related": {"organization": "/api/v2/organizations/3/", "users": "/api/v2/teams/7/users/"},
            "summary_fields": {"organization": {"id": 3}}});
        assert_eq!(inconsistencies(&body), []);
        for (pointer, wrong) in [
            ("/url", json!("/api/v2/teams/8/")),
            ("/related/organization", json!("/api/v2/organizations/4/")),
            ("/summary_fields/organization/id", json!(4)),
        ] {
            let mut body = body.clone();
            *body.pointer_mut(pointer).expect("a field") = wrong;
            let body = json!({"results": [body]});
            let found = inconsistencies(&body);
            assert_eq!(found.len(), 1, "{pointer}");
            assert_eq!(found[0].path, format!(".results[0]{}", pointer.replace('/', ".")));
        }
    }
}
