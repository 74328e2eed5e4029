//! What clients send, and what is answered.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use subtle::ConstantTimeEq as _;

use crate::{Group, Text};

/// In AWX's words.
const DENIED: &str = "access denied to channel";

/// The groups that a client wants.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    /// All of them, each once.
    pub groups: Vec<Group>,
    /// What is said about members that are no group.
    pub refusals: Vec<String>,
    /// The counter of the last event that the client has, by the id of the job.
    pub resume: HashMap<i64, i64>,
}

/// Reads a message. None if it asks for nothing; an error is what is said about it. `token` is the CSRF cookie of the
/// handshake.
pub(crate) fn parse(text: &[u8], token: Option<&str>, most_groups: usize) -> Result<Option<Wanted>, String> {
    let Ok(Json::Object(message)) = serde_json::from_slice(text) else {
        return Err("the message is not a JSON object".into());
    };
    let sent = message.get("xrftoken").and_then(Json::as_str).unwrap_or_default();
    let token = token.unwrap_or_default();
    // Two empty ones do not match.
    if token.is_empty() || !bool::from(token.as_bytes().ct_eq(sent.as_bytes())) {
        return Err(DENIED.into());
    }
    let Some(groups) = message.get("groups") else { return Ok(None) };
    let Json::Object(groups) = groups else { return Err("groups is not an object".into()) };
    let mut wanted = Wanted { resume: resume(message.get("resume"))?, ..Wanted::default() };
    let mut known = HashSet::new();
    for (name, members) in groups {
        let Json::Array(members) = members else { return Err(DENIED.into()) };
        for member in members {
            let member = match member {
                Json::String(member) => member.clone(),
                Json::Number(member) => member.to_string(),
                _ => return Err(format!("a member of {} is neither a number nor a text", Json::from(name.as_str()))),
            };
            match Group::parse(name, &member) {
                Ok(group) => {
                    if known.insert(group.clone()) {
                        wanted.groups.push(group);
                    }
                }
                Err(refusal) => wanted.refusals.push(refusal),
            }
        }
    }
    if wanted.groups.len() + wanted.refusals.len() > most_groups {
        return Err(format!("more than {most_groups} groups"));
    }
    let is_wanted = |job: &i64| wanted.groups.iter().any(|group| matches!(group, Group::Events(_, id) if id == job));
    match wanted.resume.keys().find(|job| !is_wanted(job)) {
        Some(job) => Err(format!("resume names the job {job}, whose events are not in groups")),
        None => Ok(Some(wanted)),
    }
}

fn resume(given: Option<&Json>) -> Result<HashMap<i64, i64>, String> {
    let wrong = || "resume is not an object with the counter of the last event for the id of each job".to_owned();
    let entry = |(job, counter): (&String, &Json)| {
        let job = job.parse().ok().filter(|job: &i64| *job > 0).ok_or_else(wrong)?;
        let counter = counter.as_i64().filter(|counter| *counter >= 0).ok_or_else(wrong)?;
        Ok((job, counter))
    };
    match given {
        None => Ok(HashMap::new()),
        Some(Json::Object(counters)) => counters.iter().map(entry).collect(),
        Some(_) => Err(wrong()),
    }
}

/// The first message to a client.
pub(crate) fn accepted(user: i64) -> Text {
    text(&json!({"accept": true, "user": user}))
}

/// What is wrong with the message of a client.
pub(crate) fn error(problem: &str) -> Text {
    text(&json!({"error": problem}))
}

/// The groups of a client after a change.
pub(crate) fn subscribed(current: &[&Group], left: &[&Group], joined: &[&Group]) -> Text {
    let names = |groups: &[&Group]| groups.iter().map(|group| Json::from(group.to_string())).collect::<Json>();
    let mut answer = Map::new();
    answer.insert("groups_current".into(), names(current));
    answer.insert("groups_left".into(), names(left));
    answer.insert("groups_joined".into(), names(joined));
    text(&Json::Object(answer))
}

fn text(json: &Json) -> Text {
    Bytes::from(json.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventKind;

    fn read(message: &Json) -> Result<Option<Wanted>, String> {
        parse(message.to_string().as_bytes(), Some("token"), 10)
    }

    fn groups(groups: Json) -> Wanted {
        read(&json!({"groups": groups, "xrftoken": "token"})).unwrap().unwrap()
    }

    #[test]
    fn groups_are_named_by_numbers_and_texts() {
        let wanted = groups(json!({"jobs": ["status_changed"], "job_events": [5, "5", "06"], "workflow_events": [7]}));
        assert_eq!(
            wanted.groups,
            [
                Group::Named("jobs-status_changed".into()),
                Group::Events(EventKind::Job, 5),
                Group::Events(EventKind::Job, 6),
                Group::Workflow(7)
            ]
        );
        assert!(wanted.refusals.is_empty());
        let wanted = groups(json!({"control": ["limit_reached_5", "x"], "project_update_events": [1]}));
        let names: Vec<String> = wanted.groups.iter().map(Group::to_string).collect();
        assert_eq!(names, ["control-limit_reached_5", "control-x", "project_update_events-1"]);
    }

    #[test]
    fn members_that_are_no_ids_are_refused() {
        for member in [json!("x"), json!(-1), json!(1.5), json!("+1"), json!(""), json!("99999999999999999999")] {
            let wanted = groups(json!({"job_events": [member]}));
            assert!(wanted.groups.is_empty(), "{member}");
            assert!(wanted.refusals[0].starts_with("access denied to channel job_events for resource id "), "{member}");
        }
        let wanted = groups(json!({"control": ["limit_reached_", "limit_reached_+1"]}));
        assert_eq!(wanted.refusals.len(), 2);
        assert_eq!(groups(json!({"x".repeat(100): ["y"]})).refusals.len(), 1);
    }

    #[test]
    fn token_is_that_of_the_handshake() {
        for (message, token) in [
            (json!({"groups": {}}), Some("token")),
            (json!({"groups": {}, "xrftoken": "other"}), Some("token")),
            (json!({"groups": {}, "xrftoken": 5}), Some("token")),
            (json!({"groups": {}, "xrftoken": ""}), Some("")),
            (json!({"groups": {}, "xrftoken": ""}), None),
            (json!({"groups": {}}), None),
            (json!({}), Some("token")),
        ] {
            let answer = parse(message.to_string().as_bytes(), token, 10);
            assert_eq!(answer, Err("access denied to channel".into()), "{message}");
        }
        assert_eq!(read(&json!({"xrftoken": "token"})), Ok(None));
        assert_eq!(groups(json!({})), Wanted::default());
    }

    #[test]
    fn broken_messages_are_named() {
        for message in ["", "{", "[]", "5", "null", "\u{0}"] {
            let answer = parse(message.as_bytes(), Some("token"), 10);
            assert_eq!(answer, Err("the message is not a JSON object".into()), "{message}");
        }
        let problem = |key: &str, value: Json| {
            let mut message = json!({"groups": {"job_events": [5]}, "xrftoken": "token"});
            message[key] = value;
            read(&message).unwrap_err()
        };
        assert_eq!(problem("groups", json!({"jobs": "status_changed"})), "access denied to channel");
        assert_eq!(problem("groups", json!([])), "groups is not an object");
        assert!(problem("groups", json!({"jobs": [null]})).contains("neither"));
        assert_eq!(problem("groups", json!({"jobs": (0..11).collect::<Vec<_>>()})), "more than 10 groups");
        for resume in [json!([]), json!({"x": 1}), json!({"5": -1}), json!({"5": "1"}), json!({"-5": 1})] {
            assert!(problem("resume", resume.clone()).contains("resume"), "{resume}");
        }
        assert!(problem("resume", json!({"6": 1})).contains("the job 6"));
    }

    #[test]
    fn resume_names_the_last_event() {
        let message = json!({"groups": {"job_events": [5]}, "resume": {"5": 120}, "xrftoken": "token"});
        assert_eq!(read(&message).unwrap().unwrap().resume, HashMap::from([(5, 120)]));
    }
}
