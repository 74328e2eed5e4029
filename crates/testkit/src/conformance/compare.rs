//! How close an answer is to the recorded one.

use std::fmt;

use regex::Regex;
use serde_json::{Map, Value};

use super::case::Step;
use super::python::{full_match, head, type_name};

/// An answer of the server under test, faded.
#[derive(Debug, Clone)]
pub struct Got {
    /// The HTTP status.
    pub status: u16,
    /// The body, or what the step picked of it.
    pub body: Value,
    /// The headers that the step keeps.
    pub headers: Map<String, Value>,
}

/// How close an answer is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing differs.
    Same,
    /// Only the wording of an error message differs.
    Text,
    /// A value differs.
    Value,
    /// A key is missing, added, or holds another type.
    Shape,
    /// The HTTP status differs.
    Status,
}

impl Verdict {
    /// Whether the step counts as passed: the wording of errors may be our own.
    pub fn is_passed(self) -> bool {
        matches!(self, Verdict::Same | Verdict::Text)
    }
}

/// What kind of thing differs in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The value.
    Value,
    /// The presence or the type.
    Shape,
    /// The HTTP status.
    Status,
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What kind of thing differs.
    pub kind: Kind,
    /// Where in the answer; empty for the whole.
    pub place: String,
    /// What was recorded.
    pub wanted: Value,
    /// What the server answered.
    pub got: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "answer" } else { &self.place };
        let (wanted, got) = (self.wanted.to_string(), self.got.to_string());
        write!(out, "{place}: wanted {}, got {}", head(&wanted, 400), head(&got, 400))
    }
}

/// Compares the answer to a step with the recorded one; a step without a
/// recorded answer is the same as anything.
pub fn compare(step: &Step, got: &Got) -> (Verdict, Vec<Difference>) {
    let Some(want) = &step.expect else { return (Verdict::Same, Vec::new()) };
    let status = |wanted: Value, got: Value| {
        (Verdict::Status, vec![Difference { kind: Kind::Status, place: String::new(), wanted, got }])
    };
    // A crash of the recorded server, not to be copied: anything but a crash will do.
    if want.status == 500 {
        return if got.status < 500 {
            (Verdict::Same, Vec::new())
        } else {
            status(Value::from("no 5xx"), Value::from(got.status))
        };
    }
    if want.status != got.status {
        let detail = if got.status >= 400 { got.body.to_string() } else { String::new() };
        return status(Value::from(want.status), Value::from(format!("{} {}", got.status, head(&detail, 300))));
    }
    let loose: Vec<Regex> = step.loose.iter().map(|pattern| full_match(pattern)).collect();
    let mut found = differences(&want.body, &got.body, "", &loose);
    let headers = |headers: &Map<String, Value>| Value::Object(headers.clone());
    found.extend(differences(&headers(&want.headers), &headers(&got.headers), "header", &[]));
    let is_text = |it: &Difference| it.kind == Kind::Value && it.wanted.is_string() && it.got.is_string();
    let verdict = if found.is_empty() {
        Verdict::Same
    } else if want.status >= 400 && found.iter().all(is_text) {
        Verdict::Text
    } else if found.iter().any(|it| it.kind == Kind::Shape) {
        Verdict::Shape
    } else {
        Verdict::Value
    };
    (verdict, found)
}

/// Where two values differ; places that a loose pattern matches are left out.
pub fn differences(want: &Value, got: &Value, place: &str, loose: &[Regex]) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(want, got, place.to_owned(), loose, &mut found);
    found
}

fn walk(want: &Value, got: &Value, place: String, loose: &[Regex], found: &mut Vec<Difference>) {
    if loose.iter().any(|pattern| pattern.is_match(&place)) {
        return;
    }
    let mut note = |kind, place, wanted: Value, got: Value| found.push(Difference { kind, place, wanted, got });
    match (want, got) {
        (Value::Object(wanted), Value::Object(given)) => {
            let absent = || Value::from("<absent>");
            for (key, value) in wanted {
                match given.get(key) {
                    Some(other) => walk(value, other, format!("{place}.{key}"), loose, found),
                    None => found.push(Difference {
                        kind: Kind::Shape,
                        place: format!("{place}.{key}"),
                        wanted: value.clone(),
                        got: absent(),
                    }),
                }
            }
            for (key, value) in given.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                found.push(Difference {
                    kind: Kind::Shape,
                    place: format!("{place}.{key}"),
                    wanted: absent(),
                    got: value.clone(),
                });
            }
        }
        (Value::Array(wanted), Value::Array(given)) => {
            if wanted.len() != given.len() {
                let count = |items: &[Value]| Value::from(format!("{} items", items.len()));
                note(Kind::Value, format!("{place}[]"), count(wanted), count(given));
            }
            for (index, (value, other)) in wanted.iter().zip(given).enumerate() {
                walk(value, other, format!("{place}[{index}]"), loose, found);
            }
        }
        _ if type_name(want) != type_name(got) => note(Kind::Shape, place, want.clone(), got.clone()),
        _ if want != got => note(Kind::Value, place, want.clone(), got.clone()),
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
        let (verdict, found) = compare(&step(expect, more), &Got { status, body: got["body"].clone(), headers });
        (verdict, found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_same_is_the_same() {
        let answer = json!({"status": 200, "body": {"a": [1, {"b": null}]}});
        assert_eq!(verdict(answer.clone(), json!({}), answer), (Verdict::Same, vec![]));
    }

    #[test]
    fn status_outweighs_everything() {
        let (verdict, found) = verdict(
            json!({"status": 200, "body": {"a": 1}}),
            json!({}),
            json!({"status": 403, "body": {"detail": "no"}}),
        );
        assert_eq!(verdict, Verdict::Status);
        assert_eq!(found, [r#"answer: wanted 200, got "403 {\"detail\":\"no\"}""#]);
    }

    #[test]
    fn a_recorded_crash_forbids_only_a_crash() {
        let crash = json!({"status": 500, "body": "oops"});
        assert_eq!(verdict(crash.clone(), json!({}), json!({"status": 400, "body": {}})).0, Verdict::Same);
        assert_eq!(verdict(crash, json!({}), json!({"status": 503, "body": {}})).0, Verdict::Status);
    }

    #[test]
    fn keys_and_types_are_shape() {
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
    fn lists_are_compared_as_far_as_both_go() {
        let (verdict, found) = verdict(
            json!({"status": 200, "body": {"r": [1, 2]}}),
            json!({}),
            json!({"status": 200, "body": {"r": [3]}}),
        );
        assert_eq!(verdict, Verdict::Value);
        assert_eq!(found, [r#".r[]: wanted "2 items", got "1 items""#, ".r[0]: wanted 1, got 3"]);
    }

    #[test]
    fn the_wording_of_errors_is_free() {
        let want = json!({"status": 400, "body": {"name": ["Too long."]}});
        let reworded = json!({"status": 400, "body": {"name": ["Is too long."]}});
        assert_eq!(verdict(want.clone(), json!({}), reworded).0, Verdict::Text);
        let longer = json!({"status": 400, "body": {"name": ["Too long.", "Too odd."]}});
        // The counts of items are texts too: the recorder takes this for wording.
        assert_eq!(verdict(want.clone(), json!({}), longer).0, Verdict::Text);
        let elsewhere = json!({"status": 400, "body": {"other": ["Too long."]}});
        assert_eq!(verdict(want, json!({}), elsewhere).0, Verdict::Shape);
        let fine = json!({"status": 200, "body": {"name": "a"}});
        assert_eq!(verdict(fine, json!({}), json!({"status": 200, "body": {"name": "b"}})).0, Verdict::Value);
    }

    #[test]
    fn loose_patterns_match_whole_places() {
        let want = json!({"status": 200, "body": {"a": {"roles": {"x": 1}}, "b": 1}});
        let got = json!({"status": 200, "body": {"a": {"roles": {}}, "b": 2}});
        assert_eq!(verdict(want.clone(), json!({"loose": [r".*\.roles.*"]}), got.clone()).1, [".b: wanted 1, got 2"]);
        assert_eq!(verdict(want.clone(), json!({"loose": ["roles"]}), got.clone()).1.len(), 2);
        assert_eq!(verdict(want, json!({"loose": [".*"]}), got).0, Verdict::Same);
    }

    #[test]
    fn kept_headers_are_compared_and_never_loose() {
        let want = json!({"status": 200, "body": {}, "headers": {"Allow": "GET"}});
        let got = json!({"status": 200, "body": {}, "headers": {"Allow": "GET, PUT"}});
        assert_eq!(
            verdict(want, json!({"loose": [".*"]}), got),
            (Verdict::Value, vec![r#"header.Allow: wanted "GET", got "GET, PUT""#.to_owned()])
        );
    }
}
