//! The OpenAPI 3.1 document of all paths.
//!
//! It is generated from the registry, so each registered resource is documented. It is plain JSON instead of a typed
//! model of OpenAPI, because most of it is JSON Schema, of which 3.1 allows all.

mod actions;
mod resources;
mod responses;
mod service;

use std::sync::LazyLock;

use axum::body::Bytes;
use hostler_engine::Registry;
use hostler_http::{CSRF_COOKIE, CSRF_HEADER, Response, SESSION_COOKIE};
use hostler_resources::REGISTRY;
use serde_json::{Map, Value as Json, json};

const DESCRIPTION: &str = "Hostler speaks the API of AWX 24.6.1. Besides the operations listed here, every path answers \
    HEAD like GET, and OPTIONS with a description of its fields for the current actor. A browser that asks for \
    text/html gets the same responses as pages; `?format=json` asks for JSON regardless of the Accept header. Objects \
    may have more keys than their schemas name, and keys of a request body that are unknown or read-only are ignored; \
    unknown settings are rejected. A path without its slash is redirected: 301 for GET, HEAD and OPTIONS, 308 for \
    other methods. A server in trouble answers 503 or 507 with a `detail`.";

/// The size of the parts in which the document is sent.
const PART: usize = 16 * 1024;

/// The document, some hundred kilobytes, which slow clients read in parts.
pub(crate) fn response() -> Response {
    let text = text();
    let parts = text.as_bytes().chunks(PART).map(|part| Ok(Bytes::from_static(part)));
    Response::stream("application/json", Some(text.len() as u64), futures_util::stream::iter(parts))
}

/// The serialized document.
fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| document(REGISTRY).to_string());
    &TEXT
}

fn document(registry: Registry) -> Json {
    let mut paths = service::paths();
    paths.extend(resources::paths(registry));
    let mut schemas = resources::schemas(registry);
    schemas.extend(responses::schemas());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hostler",
            "summary": "A controller for Ansible",
            "description": DESCRIPTION,
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        // Authentication needs one of these; a write with a session also needs the CSRF token.
        "security": [{"bearer": []}, {"basic": []}, {"session": []}],
        "tags": tags(registry),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": resources::parameters(),
            "headers": responses::headers(),
            "responses": responses::responses(),
            "securitySchemes": security(),
        },
    })
}

fn security() -> Json {
    json!({
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "A user's name and password, unless the setting AUTH_BASIC_ENABLED forbids it.",
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token from /api/v2/tokens/. Without the scope `write` it is read-only.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION_COOKIE,
            "description": "The session of /api/login/.",
        },
        "csrf": {
            "type": "apiKey",
            "in": "header",
            "name": CSRF_HEADER,
            "description": format!("The value of the cookie {CSRF_COOKIE}, required for writes with a session."),
        },
    })
}

fn tags(registry: Registry) -> Vec<Json> {
    let of_resource = |name: &str, words: &str| json!({"name": name, "description": words});
    let mut tags = vec![of_resource(service::TAG, "The server and the current user.")];
    tags.extend(registry.0.iter().map(|entry| of_resource(entry.resource.plural, entry.resource.description)));
    tags.push(of_resource(
        resources::UNIMPLEMENTED_TAG,
        "Paths of AWX's API that are not implemented yet: all respond with 501.",
    ));
    tags
}

/// An operation under construction.
struct Operation(Map<String, Json>);

impl Operation {
    fn new(id: impl Into<String>, tag: &str, summary: impl Into<String>) -> Self {
        let mut map = Map::new();
        map.insert("operationId".into(), id.into().into());
        map.insert("tags".into(), json!([tag]));
        map.insert("summary".into(), summary.into().into());
        Operation(map)
    }

    /// No authentication.
    fn public(mut self) -> Self {
        self.0.insert("security".into(), json!([]));
        self
    }

    fn describe(mut self, words: impl Into<String>) -> Self {
        self.0.insert("description".into(), words.into().into());
        self
    }

    fn parameters(mut self, parameters: Vec<Json>) -> Self {
        self.0.insert("parameters".into(), parameters.into());
        self
    }

    /// A write: with a session it also needs the CSRF token.
    fn writes(mut self) -> Self {
        self.0.insert("security".into(), json!([{"bearer": []}, {"basic": []}, {"session": [], "csrf": []}]));
        self
    }

    fn body(mut self, schema: Json, required: bool) -> Self {
        let content = json!({"application/json": {"schema": schema}});
        self.0.insert("requestBody".into(), json!({"required": required, "content": content}));
        self
    }

    /// The responses: those of success, and the possible errors.
    fn responses(mut self, good: Vec<(&str, Json)>, errors: &[u16]) -> Self {
        let mut responses: Map<String, Json> =
            good.into_iter().map(|(status, answer)| (status.to_owned(), answer)).collect();
        responses.extend(responses::errors(errors));
        self.0.insert("responses".into(), responses.into());
        self
    }
}

impl From<Operation> for Json {
    fn from(operation: Operation) -> Json {
        operation.0.into()
    }
}
