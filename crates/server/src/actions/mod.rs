//! Requests for actions: paths that are neither lists nor objects.

use axum::body::Bytes;
use axum::http::{Method, StatusCode, header};
use hostler_auth::sign_in;
use hostler_engine::{ActionResponse, Download, Error, ObjectKey, Registered};
use hostler_http::{HandlerResult, Request, Response};
use hostler_schema::{ActionAnswer, ActionFormat, ActionHandling, ActionMethod, Actor, HttpMethod, ResourceAction};
use serde_json::{Map, Value as Json};

use crate::key_requests;
use crate::state::App;

/// The policy for pages with the output of others.
const OUTPUT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; sandbox";

/// Handles a request for an action below the object with this key; without a key, for an action without an object.
pub(crate) async fn respond(
    app: &App,
    actor: &Actor,
    (found, key): (&'static Registered, Option<&str>),
    action: &'static ResourceAction,
    format: Option<&'static ActionFormat>,
    request: &Request,
) -> HandlerResult {
    let (engine, resource) = (app.engine(), found.resource);
    let target = key.map(|key| ObjectKey::parse(resource, key)).transpose()?;
    if request.method == Method::OPTIONS {
        return Ok(Response::ok(engine.action_options(actor, resource, action, target.as_ref()).await?));
    }
    let method = method_of(&request.method).ok_or(Error::MethodNotAllowed)?;
    let mut begun = engine.begin_action(actor, resource, action, target.as_ref(), method).await?;
    begun.read_input(&if method.has_body() { request.object()? } else { query_of(request) })?;
    begun.format = format;
    let description = begun.description();
    let outcome = match action.handling {
        ActionHandling::Server if action.post_by_key => key_requests::show_callback(app, begun.id, request).await?,
        ActionHandling::Server => sign_in::act(&app.auth, begun, request).await?,
        ActionHandling::Hooks | ActionHandling::Unimplemented => engine.act(begun).await?,
    };
    Ok(response(description, outcome))
}

fn method_of(method: &Method) -> Option<HttpMethod> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    HttpMethod::ALL.into_iter().find(|known| known.name() == method.as_str())
}

/// The query as input. The last value of a parameter counts.
fn query_of(request: &Request) -> Map<String, Json> {
    request.query.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str()))).collect()
}

fn response(description: &ActionMethod, outcome: ActionResponse) -> Response {
    match outcome {
        ActionResponse::Fields(fields) => Response::json(StatusCode::OK, fields),
        ActionResponse::NewFields(fields) => Response::json(StatusCode::CREATED, fields),
        ActionResponse::NewObject(created) => {
            let response = Response::json(StatusCode::CREATED, created.json);
            match description.answer {
                ActionAnswer::NewObject(resource) => response.with(header::LOCATION, resource().url(created.id)),
                _ => response,
            }
        }
        ActionResponse::Accepted(Json::Null) => Response::empty(StatusCode::ACCEPTED),
        ActionResponse::Accepted(fields) => Response::json(StatusCode::ACCEPTED, fields),
        ActionResponse::Nothing => Response::no_content(),
        // It was written by others: the page runs nothing, and loads nothing.
        ActionResponse::Text(format, html) if format.media_type == "text/html" => {
            Response::html(StatusCode::OK, html).with(header::CONTENT_SECURITY_POLICY, OUTPUT_POLICY)
        }
        ActionResponse::Text(format, text) => Response::text(format.media_type, text),
        ActionResponse::Download(download) => stream(download),
        ActionResponse::Rejected(reasons) => Response::json(StatusCode::BAD_REQUEST, reasons),
        ActionResponse::Forbidden(reasons) => Response::json(StatusCode::FORBIDDEN, reasons),
    }
}

/// A file that is sent while it is produced.
fn stream(Download { format, file_name, parts }: Download) -> Response {
    let parts = futures_util::stream::try_unfold(parts, async |mut parts| {
        Ok(parts.next_part().await?.map(|part| (Bytes::from(part), parts)))
    });
    let content_type = if format.media_type == "text/plain" { "text/plain; charset=utf-8" } else { format.media_type };
    let disposition = format!("attachment; filename=\"{file_name}\"");
    Response::stream(content_type, None, parts).with(header::CONTENT_DISPOSITION, disposition)
}

#[cfg(test)]
mod tests;
