//! The messages of notification templates: Jinja templates by event.

use std::collections::BTreeSet;

use hostler_credential_types::MAX_TEMPLATE;
use hostler_engine::python_type;
use minijinja::Environment;
use serde_json::{Map, Value as Json};

/// The messages of a new notification template.
pub const DEFAULT: &str = r#"{"started": null, "success": null, "error": null, "workflow_approval": null}"#;

/// The events of a job.
const EVENTS: [&str; 3] = ["started", "success", "error"];
/// The messages about approvals, by [`APPROVAL_EVENTS`].
const APPROVAL: &str = "workflow_approval";
const APPROVAL_EVENTS: [&str; 4] = ["running", "approved", "timed_out", "denied"];
/// The subject and the text.
const PARTS: [&str; 2] = ["message", "body"];

/// The names that messages can use, and below `job` the fields of the job. Names below one that is listed without any
/// are free.
const NAMES: &[&str] = &[
    "approval_node_name",
    "approval_status",
    "job_friendly_name",
    "job_metadata",
    "url",
    "workflow_url",
    "job.allow_simultaneous",
    "job.artifacts",
    "job.controller_node",
    "job.created",
    "job.description",
    "job.diff_mode",
    "job.elapsed",
    "job.execution_node",
    "job.failed",
    "job.finished",
    "job.force_handlers",
    "job.forks",
    "job.host_status_counts",
    "job.id",
    "job.job_explanation",
    "job.job_slice_count",
    "job.job_slice_number",
    "job.job_tags",
    "job.job_type",
    "job.launch_type",
    "job.limit",
    "job.modified",
    "job.name",
    "job.playbook",
    "job.playbook_counts",
    "job.scm_branch",
    "job.scm_revision",
    "job.skip_tags",
    "job.start_at_task",
    "job.started",
    "job.status",
    "job.summary_fields.created_by",
    "job.summary_fields.instance_group",
    "job.summary_fields.inventory",
    "job.summary_fields.job_template",
    "job.summary_fields.labels",
    "job.summary_fields.project",
    "job.summary_fields.schedule",
    "job.summary_fields.unified_job_template",
    "job.timeout",
    "job.type",
    "job.url",
    "job.use_fact_cache",
    "job.verbosity",
];

/// Names that Jinja itself defines.
const BUILT_IN: [&str; 7] = ["range", "dict", "lipsum", "cycler", "joiner", "namespace", "loop"];

/// The stored messages after a request: as in AWX, events and parts that the request does not name stay.
pub fn merge(sent: &Map<String, Json>, stored: &Json) -> Json {
    let mut merged = Map::new();
    for event in EVENTS {
        merged.insert(event.into(), merge_parts(sent.get(event).unwrap_or(&Json::Null), &stored[event]));
    }
    let approval = match (sent.get(APPROVAL), &stored[APPROVAL]) {
        (Some(Json::Object(events)), stored) if !events.is_empty() => {
            let mut events = events.clone();
            for event in APPROVAL_EVENTS {
                let kept = &stored[event];
                if !kept.is_null() {
                    let parts = merge_parts(events.get(event).unwrap_or(&Json::Null), kept);
                    events.insert(event.into(), parts);
                }
            }
            events.into()
        }
        (_, stored) => stored.clone(),
    };
    merged.insert(APPROVAL.into(), approval);
    merged.into()
}

fn merge_parts(sent: &Json, stored: &Json) -> Json {
    match (sent, stored) {
        (Json::Object(sent), stored) if !sent.is_empty() => {
            let mut parts = sent.clone();
            for part in PARTS {
                let kept = &stored[part];
                if !parts.contains_key(part) && kept.as_str().is_some_and(|text| !text.is_empty()) {
                    parts.insert(part.into(), kept.clone());
                }
            }
            parts.into()
        }
        _ => stored.clone(),
    }
}

/// Checks the structure of messages and the names that their templates use. The messages are not rendered here.
///
/// # Errors
/// The message for the client.
pub fn check(messages: &Map<String, Json>) -> Result<(), String> {
    for (event, parts) in messages {
        if event != APPROVAL && !EVENTS.contains(&event.as_str()) {
            return Err(format!(
                "Event '{event}' invalid, must be one of 'started', 'success', 'error', or 'workflow_approval'"
            ));
        }
        let Some(parts) = object(event, parts)? else { continue };
        if event != APPROVAL {
            check_parts(event, parts)?;
            continue;
        }
        for (event, parts) in parts {
            if !APPROVAL_EVENTS.contains(&event.as_str()) {
                return Err(format!(
                    "Workflow Approval event '{event}' invalid, must be one of 'running', 'approved', 'timed_out', or \
                     'denied'"
                ));
            }
            if let Some(parts) = object(event, parts)? {
                check_parts(event, parts)?;
            }
        }
    }
    Ok(())
}

/// The object, unless it is null.
fn object<'a>(event: &str, value: &'a Json) -> Result<Option<&'a Map<String, Json>>, String> {
    match value {
        Json::Null => Ok(None),
        Json::Object(parts) => Ok(Some(parts)),
        other => Err(format!("Expected dict for event '{event}', found {}", python_type(other))),
    }
}

fn check_parts(event: &str, parts: &Map<String, Json>) -> Result<(), String> {
    for (part, text) in parts {
        if !PARTS.contains(&part.as_str()) {
            return Err(format!("Message type '{part}' invalid, must be either 'message' or 'body'"));
        }
        match text {
            Json::Null => {}
            // A subject with a line break could add headers to an email.
            Json::String(text) if part == PARTS[0] && text.contains(['\n', '\r']) => {
                return Err(format!("Messages cannot contain newlines (found newline in {event} event)"));
            }
            Json::String(text) => check_template(text)?,
            other => return Err(format!("Expected string for '{part}', found {}", python_type(other))),
        }
    }
    Ok(())
}

fn check_template(text: &str) -> Result<(), String> {
    if !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
        return Ok(());
    }
    let unrenderable = |reason: &str| format!("Unable to render message '{text}': {reason}");
    if text.len() > MAX_TEMPLATE {
        return Err(format!("A message with expressions must not be longer than {MAX_TEMPLATE} bytes."));
    }
    let environment = Environment::new();
    let template = environment
        .template_from_str(text)
        .map_err(|error| unrenderable(&error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)))?;
    // Sorted, so that the message does not depend on the order of a hash table.
    let names: BTreeSet<String> = template.undeclared_variables(true).into_iter().collect();
    names.iter().try_for_each(|name| check_name(name))
}

/// Checks a name with its attributes, such as `job.name`.
fn check_name(name: &str) -> Result<(), String> {
    let parts: Vec<&str> = name.split('.').collect();
    if let Some(part) = parts.iter().find(|part| part.starts_with('_')) {
        return Err(format!("Security error due to field '{part}'"));
    }
    if BUILT_IN.contains(&parts[0]) {
        return Ok(());
    }
    // The longest beginning that a known name has too.
    let mut known = 0;
    for candidate in NAMES {
        let candidate: Vec<&str> = candidate.split('.').collect();
        let common = candidate.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        if common == candidate.len() || common == parts.len() {
            return Ok(());
        }
        known = known.max(common);
    }
    Err(format!("Field '{}' unavailable", parts[known]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::{DEFAULT, check, merge};

    #[test]
    fn valid_messages_are_accepted() {
        for messages in [
            json!({}),
            json!({"started": null, "workflow_approval": null}),
            json!({"started": {"message": "{{ job_friendly_name }} {{ job.id }}", "body": null}}),
            json!({"success": {"body": "two\nlines {{ url }}"}}),
            json!({"error": {"message": "{{ job.name | upper }} {{ [1,2] | join('-') }}"}}),
            json!({"error": {"body": "{% for n in range(3) %}{{ n }}{{ loop.index }}{% endfor %}"}}),
            json!({"error": {"body": "{{ job.summary_fields.inventory.total_hosts }} {{ job.name.upper() }}"}}),
            json!({"workflow_approval": {"approved": {"body": "{{ workflow_url }}"}}}),
        ] {
            assert_eq!(check(messages.as_object().expect("an object")), Ok(()), "{messages}");
        }
    }

    #[test]
    fn invalid_messages_are_rejected() {
        for (messages, message) in [
            (json!({"finished": {}}), "Event 'finished' invalid, must be one of"),
            (json!({"started": "x"}), "Expected dict for event 'started', found str"),
            (json!({"started": {"text": "x"}}), "Message type 'text' invalid"),
            (json!({"started": {"body": 1}}), "Expected string for 'body', found int"),
            (json!({"started": {"message": "a\nb"}}), "Messages cannot contain newlines"),
            (json!({"started": {"message": "{{ job.nosuch }}"}}), "Field 'nosuch' unavailable"),
            (json!({"started": {"message": "{{ job.extra_vars }}"}}), "Field 'extra_vars' unavailable"),
            (json!({"started": {"message": "{{ nosuch.id }}"}}), "Field 'nosuch' unavailable"),
            (json!({"started": {"message": "{{ job.__class__.__mro__ }}"}}), "Security error due to field '__class__'"),
            (json!({"started": {"message": "{% if %}"}}), "Unable to render message '{% if %}': "),
            (json!({"started": {"body": format!("{{{{ 1{} }}}}", "+1".repeat(10_000))}}), "A message with expressions"),
            (json!({"workflow_approval": {"waiting": {}}}), "Workflow Approval event 'waiting' invalid"),
            (json!({"workflow_approval": {"denied": {"body": "{{ x }}"}}}), "Field 'x' unavailable"),
        ] {
            let outcome = check(messages.as_object().expect("an object"));
            assert!(outcome.as_ref().is_err_and(|text| text.starts_with(message)), "{messages}: {outcome:?}");
        }
    }

    #[test]
    fn events_and_parts_that_are_not_sent_stay() {
        let after = |stored: &Json, sent: Json| merge(sent.as_object().expect("an object"), stored);
        let none: Json = serde_json::from_str(DEFAULT).expect("a document");
        let first = after(&none, json!({"started": {"message": "a"}}));
        assert_eq!(
            first,
            json!({"started": {"message": "a"}, "success": null, "error": null, "workflow_approval": null})
        );
        let second = after(&first, json!({"started": {"body": "b"}, "workflow_approval": {"denied": {"body": "c"}}}));
        assert_eq!(second["started"], json!({"message": "a", "body": "b"}));
        let third = after(&second, json!({"started": {}, "workflow_approval": {"approved": {"body": "d"}}}));
        assert_eq!(third["started"], second["started"]);
        assert_eq!(third["workflow_approval"], json!({"denied": {"body": "c"}, "approved": {"body": "d"}}));
    }
}
