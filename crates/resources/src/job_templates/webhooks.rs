//! Receivers of webhooks: `job_templates/N/github/` and those of the other services.

use hostler_engine::{ActionInput, Engine, Error, Record};
use hostler_schema::{ActionAnswer, ActionMethod, Actor, Field, ResourceAction, column, fields};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use super::WEBHOOK_CREDENTIAL;
pub use super::webhook_event::{Event, Service};
pub use super::webhook_key::read as key;
use crate::UNIFIED_JOB;
use crate::launch::{Origin, WebhookOfJob, launch};

/// The greatest length of the id of an event.
const MAX_GUID: usize = 128;

static PAYLOAD: Field = fields::json("payload").label("Payload").help("The event, as the service describes it.");
const ANSWER: &[Field] = &[fields::computed("message").label("Message").help("What became of the event.")];

/// The receiver of GitHub's webhooks.
pub const GITHUB: ResourceAction = receiver(Service::Github, "Github Webhook Receiver");
/// The receiver of GitLab's webhooks.
pub const GITLAB: ResourceAction = receiver(Service::Gitlab, "Gitlab Webhook Receiver");
/// The receiver of Bitbucket's webhooks.
pub const BITBUCKET_DC: ResourceAction = receiver(Service::BitbucketDc, "Bitbucket Dc Webhook Receiver");

const fn receiver(service: Service, title: &'static str) -> ResourceAction {
    ResourceAction::new(service.name(), title)
        .describe("An event that is signed with the webhook key of the template launches a job.")
        .unlinked()
        .post_by_key(ActionMethod::new("launch", ActionAnswer::Accepted(ANSWER)).whole_body(&PAYLOAD))
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It launched a job.
    Launched,
    /// It did so before.
    Repeated,
}

/// Launches a job of the template for an event, unless the event did so before.
///
/// # Errors
/// Those of a launch.
pub async fn receive(
    engine: &Engine,
    actor: &Actor,
    template: &Record,
    service: Service,
    event: Event,
) -> Result<Received, Error> {
    let guid = event.guid.clone().unwrap_or_default();
    if guid.len() > MAX_GUID {
        return Err(Error::BadRequest(format!("The id of the event is longer than {MAX_GUID} characters.")));
    }
    if was_received(engine, template.id, service, &guid).await? {
        return Ok(Received::Repeated);
    }
    let credential = template.integer(&WEBHOOK_CREDENTIAL);
    let webhook = WebhookOfJob { service: service.name(), credential, guid: guid.clone() };
    let origin = Origin::webhook(webhook, variables(service, event));
    match launch(engine, actor, template, &ActionInput::default(), &origin).await {
        Ok(_) => Ok(Received::Launched),
        // Another request has launched it at the same moment.
        Err(Error::Conflict(_)) if was_received(engine, template.id, service, &guid).await? => Ok(Received::Repeated),
        Err(failure) => Err(failure),
    }
}

/// The variables about an event, under both of AWX's prefixes.
fn variables(service: Service, event: Event) -> Map<String, Json> {
    let values = [
        ("event_type", json!(event.kind)),
        ("event_guid", json!(event.guid)),
        ("event_ref", event.reference(service)),
        ("status_api", json!(event.status_api(service))),
        ("payload", event.payload.into()),
    ];
    let named = |prefix| values.iter().map(move |(name, value)| (format!("{prefix}_webhook_{name}"), value.clone()));
    named("awx").chain(named("tower")).collect()
}

async fn was_received(engine: &Engine, template: i64, service: Service, guid: &str) -> Result<bool, Error> {
    if guid.is_empty() {
        return Ok(false);
    }
    let jobs = UNIFIED_JOB.table;
    let query = Query::select()
        .expr(column(jobs, "id"))
        .from(Alias::new(jobs))
        .and_where(column(jobs, "unified_job_template_id").eq(template))
        .and_where(column(jobs, "webhook_service").eq(service.name()))
        .and_where(column(jobs, "webhook_guid").eq(guid))
        // As in the index.
        .and_where(column(jobs, "webhook_guid").ne(""))
        .limit(1)
        .to_owned();
    Ok(engine.database.read_first::<i64>(&query).await?.is_some())
}
