//! Answers on their way out.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response as HttpResponse, StatusCode, header};
use serde_json::{Map, Value as Json, json};

use crate::browse::CONTENT_SECURITY_POLICY;

/// An answer before the headers that all answers have.
pub(crate) struct Response {
    pub status: StatusCode,
    pub content: Content,
    pub headers: Vec<(HeaderName, Cow<'static, str>)>,
}

pub(crate) enum Content {
    Empty,
    Json(Json),
    Yaml(String),
    Html(String),
    /// Plain text.
    Text(String),
    /// A text that is part of the server, with its content type.
    Fixed(&'static str, &'static str),
}

impl Response {
    pub(crate) fn json(status: StatusCode, body: impl Into<Json>) -> Self {
        Response { status, content: Content::Json(body.into()), headers: vec![] }
    }

    pub(crate) fn ok(body: Map<String, Json>) -> Self {
        Response::json(StatusCode::OK, body)
    }

    pub(crate) fn no_content() -> Self {
        Response { status: StatusCode::NO_CONTENT, content: Content::Empty, headers: vec![] }
    }

    pub(crate) fn detail(status: StatusCode, detail: impl Into<String>) -> Self {
        Response::json(status, json!({"detail": detail.into()}))
    }

    pub(crate) fn html(status: StatusCode, html: String) -> Self {
        Response { status, content: Content::Html(html), headers: vec![] }
    }

    pub(crate) fn text(status: StatusCode, text: String) -> Self {
        Response { status, content: Content::Text(text), headers: vec![] }
    }

    pub(crate) fn fixed(content_type: &'static str, text: &'static str) -> Self {
        Response { status: StatusCode::OK, content: Content::Fixed(content_type, text), headers: vec![] }
    }

    /// What AWX answers for a path that it does not know: a page, not JSON.
    pub(crate) fn unknown_path() -> Self {
        const PAGE: &str = "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>Not Found</title>\n</head>\n<body>\n  \
                            <h1>Not Found</h1><p>The requested resource was not found on this server.</p>\n</body>\n</html>\n";
        Response::html(StatusCode::NOT_FOUND, PAGE.to_owned())
    }

    pub(crate) fn redirect(status: StatusCode, location: impl Into<Cow<'static, str>>) -> Self {
        let headers = vec![(header::LOCATION, location.into())];
        Response { status, content: Content::Empty, headers }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same answer in YAML, if it is one that can be.
    pub(crate) fn in_yaml(mut self) -> Self {
        if let Content::Json(json) = &self.content {
            match serde_saphyr::to_string(json) {
                Ok(text) => self.content = Content::Yaml(text),
                // It fails for no value that JSON can hold; should it ever, JSON is YAML too.
                Err(error) => tracing::error!(%error, "an answer could not be written as YAML"),
            }
        }
        self
    }

    /// The answer as bytes. A header whose value cannot be one is left out.
    pub(crate) fn into_http(self) -> HttpResponse<Body> {
        let is_page = matches!(self.content, Content::Html(_));
        let (body, content_type) = match self.content {
            Content::Empty => (Body::empty(), None),
            Content::Json(json) => (Body::from(bytes(&json)), Some("application/json")),
            Content::Yaml(text) => (Body::from(text), Some("application/yaml")),
            Content::Html(html) => (Body::from(html), Some("text/html; charset=utf-8")),
            Content::Text(text) => (Body::from(text), Some("text/plain; charset=utf-8")),
            Content::Fixed(content_type, text) => (Body::from(text), Some(content_type)),
        };
        let mut response = HttpResponse::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if is_page && !self.headers.iter().any(|(name, _)| name == header::CONTENT_SECURITY_POLICY) {
            let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        for (name, value) in self.headers {
            let value = match value {
                Cow::Borrowed(value) => HeaderValue::from_str(value),
                // Takes the text over instead of copying it.
                Cow::Owned(value) => HeaderValue::try_from(value),
            };
            if let Ok(value) = value {
                headers.append(name, value);
            }
        }
        response
    }
}

/// What the answer with one object hardly ever exceeds, in bytes: room that need not grow piece by piece.
const USUAL_LENGTH: usize = 2048;

/// As its `Display` writes it, but without a detour over the formatter's small pieces.
fn bytes(json: &Json) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_LENGTH);
    // It fails for maps whose keys are no text only, which this type does not have.
    let written = serde_json::to_writer(&mut bytes, json);
    debug_assert!(written.is_ok());
    bytes
}
