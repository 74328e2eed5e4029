//! What launches a job.

use serde_json::{Map, Value as Json};

/// What launches a job, and what it sets whatever the template asks for.
pub struct Origin {
    /// The launch type of the job.
    pub launch_type: &'static str,
    /// The pattern of hosts.
    pub limit: Option<String>,
    /// Variables, which win over all others.
    pub variables: Map<String, Json>,
    /// The webhook.
    pub webhook: Option<WebhookOfJob>,
}

/// The webhook that launches a job.
pub struct WebhookOfJob {
    /// The service that sent it.
    pub service: &'static str,
    /// The credential that sends the status of the job to the service.
    pub credential: Option<i64>,
    /// The id of the event; empty if it has none.
    pub guid: String,
}

impl Origin {
    /// A user.
    pub fn manual() -> Self {
        Origin { launch_type: "manual", limit: None, variables: Map::new(), webhook: None }
    }

    /// A host that asks for a job on itself.
    pub fn callback(host: String) -> Self {
        Origin { launch_type: "callback", limit: Some(host), ..Origin::manual() }
    }

    /// A webhook, with the variables about it.
    pub fn webhook(webhook: WebhookOfJob, variables: Map<String, Json>) -> Self {
        Origin { launch_type: "webhook", limit: None, variables, webhook: Some(webhook) }
    }
}
