//! The messages that are sent for events without messages of their own, by type. Clients offer them for editing, and
//! compare them with AWX's.

use serde_json::{Map, Value as Json, json};

use crate::notification_types::TYPES;

const SUBJECT: &str = "{{ job_friendly_name }} #{{ job.id }} '{{ job.name }}' {{ job.status }}: {{ url }}";
const DETAILS: &str = "{{ job_friendly_name }} #{{ job.id }} had status {{ job.status }}, view details at {{ url }}\n\n{{ job_metadata }}";
const METADATA: &str = "{{ job_metadata }}";

/// What a type delivers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// A line of text.
    Text,
    /// A subject and a text.
    SubjectAndText,
    /// A subject and data.
    SubjectAndData,
    /// Data only.
    Data,
}

fn delivery(type_name: &str) -> Delivery {
    match type_name {
        "email" => Delivery::SubjectAndText,
        "grafana" | "pagerduty" => Delivery::SubjectAndData,
        "awssns" | "webhook" => Delivery::Data,
        _ => Delivery::Text,
    }
}

/// The messages of each type in OPTIONS.
pub fn documented_messages() -> Map<String, Json> {
    TYPES.iter().map(|(name, _)| ((*name).to_owned(), messages(delivery(name)))).collect()
}

fn messages(delivery: Delivery) -> Json {
    let event = match delivery {
        Delivery::Text => json!({"message": SUBJECT, "body": null}),
        Delivery::SubjectAndText => json!({"message": SUBJECT, "body": DETAILS}),
        Delivery::SubjectAndData => json!({"message": SUBJECT, "body": METADATA}),
        Delivery::Data => json!({"body": METADATA}),
    };
    let approvals: Map<String, Json> = [
        ("running", "needs review. This node can be viewed at:", "needs review. This approval node can be viewed at:"),
        ("approved", "was approved.", "was approved."),
        ("timed_out", "has timed out.", "has timed out."),
        ("denied", "was denied.", "was denied."),
    ]
    .into_iter()
    .map(|(event, subject, text)| (event.to_owned(), approval(delivery, subject, text)))
    .collect();
    json!({"started": event, "success": event, "error": event, "workflow_approval": approvals})
}

fn approval(delivery: Delivery, subject: &str, text: &str) -> Json {
    let sentence =
        |what: &str| format!("The approval node \"{{{{ approval_node_name }}}}\" {what} {{{{ workflow_url }}}}");
    match delivery {
        Delivery::Text => json!({"message": sentence(subject), "body": null}),
        Delivery::SubjectAndText | Delivery::SubjectAndData => {
            json!({"message": sentence(subject), "body": format!("{}\n\n{METADATA}", sentence(text))})
        }
        Delivery::Data => {
            let escaped = sentence(subject).replace('"', "\\\"");
            json!({"body": format!("{{\"body\": \"{escaped}\"}}")})
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::documented_messages;
    use crate::notification_messages::check;

    #[test]
    fn default_messages_are_valid() {
        for (name, messages) in documented_messages() {
            let Json::Object(messages) = messages else { panic!("{name} has no messages") };
            assert_eq!(check(&messages), Ok(()), "{name}");
        }
    }

    #[test]
    fn approval_data_is_json() {
        let body = documented_messages()["webhook"]["workflow_approval"]["denied"]["body"].clone();
        let body: Json = serde_json::from_str(body.as_str().expect("a text")).expect("a document");
        assert_eq!(body["body"], "The approval node \"{{ approval_node_name }}\" was denied. {{ workflow_url }}");
    }
}
