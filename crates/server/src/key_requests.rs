//! Requests that a key permits instead of a user: provisioning callbacks of hosts, and webhooks.

use axum::http::{StatusCode, header};
use hostler_auth::sign_in::check_object_key;
use hostler_engine::{ActionResponse, Error, ObjectKey, Record, find_id};
use hostler_http::{HandlerResult, Request, Response, is_form};
use hostler_identity::webhook_signature::{event_id, is_key, is_signed};
use hostler_resources::job_templates::webhooks::{Event, Received, Service};
use hostler_resources::job_templates::{HOST_CONFIG_KEY, WEBHOOK_SERVICE, callback, webhooks};
use hostler_resources::{JOB, JOB_TEMPLATE};
use hostler_schema::ResourceAction;
use serde_json::{Map, Value as Json, json};

use crate::state::App;

/// Handles a POST to the object with this key of the path.
pub(crate) async fn respond(app: &App, key: &str, action: &ResourceAction, request: &Request) -> HandlerResult {
    match Service::of(action.path) {
        None => call_back(app, key, request).await,
        Some(service) => receive(app, key, service, request).await,
    }
}

/// Handles GET of `callback/`.
pub(crate) async fn show_callback(app: &App, template: i64, request: &Request) -> Result<ActionResponse, Error> {
    let template = app.engine().stored_record(&JOB_TEMPLATE, template).await?;
    callback::show(app.engine(), &template, request.client.address).await.map(ActionResponse::Fields)
}

async fn find(app: &App, key: &str, request: &Request) -> Result<Record, Error> {
    let target = ObjectKey::parse(&JOB_TEMPLATE, key)?;
    let id = find_id(app.engine(), &request.settings.system_actor(), &JOB_TEMPLATE, &target).await?;
    app.engine().stored_record(&JOB_TEMPLATE, id).await
}

/// A host asks for a job on itself.
async fn call_back(app: &App, key: &str, request: &Request) -> HandlerResult {
    let template = find(app, key, request).await?;
    let is_form = is_form(&request.method, &request.headers) && !request.body.starts_with(b"{");
    let body: Map<String, Json> = match is_form {
        true => form_urlencoded::parse(&request.body).map(|(name, value)| (name.into(), value.into())).collect(),
        false => request.object()?,
    };
    let sent = body.get(callback::KEY.name).and_then(Json::as_str).unwrap_or_default();
    let (key, address) = ((template.id, template.text(&HOST_CONFIG_KEY)), request.client.address);
    if !check_object_key(&app.auth, &request.settings, key, sent, address).await? {
        return Err(Error::forbidden().into());
    }
    // As in AWX, variables are taken from JSON only.
    let variables = body.get("extra_vars").filter(|_| !is_form);
    let actor = request.settings.system_actor();
    let created = callback::launch_on_host(app.engine(), &actor, &template, address, variables).await?;
    Ok(Response::empty(StatusCode::CREATED).with(header::LOCATION, JOB.url(created.id)))
}

/// A service sends an event. Whatever is wrong with the template, the service or the signature is the same 403.
async fn receive(app: &App, key: &str, service: Service, request: &Request) -> HandlerResult {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let message = |status: StatusCode, text: &str| Ok(Response::json(status, json!({"message": text})));
    let template = find(app, key, request).await.map_err(|error| match error {
        Error::NotFound(_) => Error::forbidden(),
        other => other,
    })?;
    let secret = webhooks::key(app.engine(), template.id).await?;
    let kind = header(service.kind_header());
    let signature = header("x-hub-signature").unwrap_or_default();
    let is_authentic = template.text(&WEBHOOK_SERVICE) == service.name()
        && !secret.is_empty()
        && match service {
            Service::Github => is_signed(signature, &secret, &request.body, false),
            Service::Gitlab => is_key(header("x-gitlab-token").unwrap_or_default(), &secret),
            // Bitbucket does not sign its test.
            Service::BitbucketDc if kind == Some("diagnostics:ping") => true,
            Service::BitbucketDc => is_signed(signature, &secret, &request.body, true),
        };
    if !is_authentic {
        return Err(Error::forbidden().into());
    }
    if service.ignores(kind) {
        return message(StatusCode::OK, "Webhook ignored");
    }
    let guid = match service.guid_header() {
        Some(name) => header(name).map(str::to_owned),
        None => Some(event_id(&request.body)),
    };
    let event = Event { kind: kind.map(str::to_owned), guid, payload: request.object()? };
    let actor = request.settings.system_actor();
    match webhooks::receive(app.engine(), &actor, &template, service, event).await? {
        Received::Launched => message(StatusCode::ACCEPTED, "Job queued."),
        Received::Repeated => message(StatusCode::ACCEPTED, "Webhook previously received, aborting."),
    }
}
