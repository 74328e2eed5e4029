//! The response type that handlers return.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Response as HttpResponse, StatusCode, header};
use futures_util::stream::{BoxStream, Stream, StreamExt as _};
use hostler_engine::Error;
use serde_json::{Map, Value as Json, json};

use crate::pages::CONTENT_SECURITY_POLICY;

/// A response without the headers that all responses have.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub content: Content,
    /// The headers, beside those of the content.
    pub headers: Vec<(HeaderName, Cow<'static, str>)>,
}

/// The body of a response.
pub enum Content {
    /// No body.
    Empty,
    /// JSON, which may still become YAML or a page.
    Json(Json),
    /// YAML.
    Yaml(String),
    /// An HTML page.
    Html(String),
    /// Text of this media type.
    Text(&'static str, Cow<'static, str>),
    /// Content that is sent while it is produced.
    Stream(StreamedContent),
}

/// Content that is produced in parts, each when the client has read the one before.
pub struct StreamedContent {
    /// The content type.
    pub content_type: &'static str,
    /// The exact length in bytes, if it is known.
    pub length: Option<u64>,
    /// The parts. After an error the connection is closed, so that the client knows that the content is incomplete.
    pub parts: BoxStream<'static, Result<Bytes, Error>>,
}

impl Response {
    /// A JSON value.
    pub fn json(status: StatusCode, body: impl Into<Json>) -> Self {
        Response { status, content: Content::Json(body.into()), headers: vec![] }
    }

    /// 200 with a JSON object.
    pub fn ok(body: Map<String, Json>) -> Self {
        Response::json(StatusCode::OK, body)
    }

    /// 204.
    pub fn no_content() -> Self {
        Response::empty(StatusCode::NO_CONTENT)
    }

    /// A status without a body.
    pub fn empty(status: StatusCode) -> Self {
        Response { status, content: Content::Empty, headers: vec![] }
    }

    /// A status with AWX's `{"detail": ...}`.
    pub fn detail(status: StatusCode, detail: impl Into<String>) -> Self {
        Response::json(status, json!({"detail": detail.into()}))
    }

    /// An HTML page.
    pub fn html(status: StatusCode, html: String) -> Self {
        Response { status, content: Content::Html(html), headers: vec![] }
    }

    /// 200 with text of this media type.
    pub fn text(media_type: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Response { status: StatusCode::OK, content: Content::Text(media_type, text.into()), headers: vec![] }
    }

    /// 200 with content that is sent while it is produced. The stream is not polled for HEAD.
    pub fn stream(
        content_type: &'static str,
        length: Option<u64>,
        parts: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
    ) -> Self {
        let content = Content::Stream(StreamedContent { content_type, length, parts: parts.boxed() });
        Response { status: StatusCode::OK, content, headers: vec![] }
    }

    /// 404.
    pub fn not_found() -> Self {
        Response::detail(StatusCode::NOT_FOUND, "Not found.")
    }

    /// A redirect.
    pub fn redirect(status: StatusCode, location: impl Into<Cow<'static, str>>) -> Self {
        let headers = vec![(header::LOCATION, location.into())];
        Response { status, content: Content::Empty, headers }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Converts JSON to YAML. Other content stays.
    #[must_use]
    pub fn in_yaml(mut self) -> Self {
        if let Content::Json(json) = &self.content {
            match serde_saphyr::to_string(json) {
                Ok(text) => self.content = Content::Yaml(text),
                // Never for a JSON value; if it happened, JSON is valid YAML.
                Err(error) => tracing::error!(%error, "could not serialize a response as YAML"),
            }
        }
        self
    }

    /// Converts the response for hyper. A header with an invalid value is left out.
    pub fn into_http(self) -> HttpResponse<Body> {
        let is_page = matches!(self.content, Content::Html(_));
        let mut length = None;
        let (body, content_type) = match self.content {
            Content::Empty => (Body::empty(), None),
            Content::Json(json) => (Body::from(to_bytes(&json)), Some("application/json".into())),
            Content::Yaml(text) => (Body::from(text), Some("application/yaml".into())),
            Content::Html(html) => (Body::from(html), Some("text/html; charset=utf-8".into())),
            Content::Text(media_type, text) => (Body::from(text), Some(format!("{media_type}; charset=utf-8").into())),
            Content::Stream(content) => {
                length = content.length;
                // The client gets no details.
                let parts = content.parts.map(|part| part.map_err(|error| std::io::Error::other(format!("{error:?}"))));
                (Body::from_stream(parts), Some(Cow::Borrowed(content.content_type)))
            }
        };
        let mut response = HttpResponse::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_type) = content_type.and_then(header_value) {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        if is_page && !self.headers.iter().any(|(name, _)| name == header::CONTENT_SECURITY_POLICY) {
            let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        for (name, value) in self.headers {
            if let Some(value) = header_value(value) {
                headers.append(name, value);
            }
        }
        response
    }
}

/// The value of a header, without a copy; none if it is invalid.
fn header_value(value: Cow<'static, str>) -> Option<HeaderValue> {
    let bytes = match value {
        Cow::Borrowed(value) => Bytes::from_static(value.as_bytes()),
        Cow::Owned(value) => Bytes::from(value),
    };
    HeaderValue::from_maybe_shared(bytes).ok()
}

/// Enough bytes for most responses with one object.
const INITIAL_CAPACITY: usize = 2048;

/// Like `to_string`, but without the small writes of `Display`.
fn to_bytes(json: &Json) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(INITIAL_CAPACITY);
    // Fails only for maps with keys that are not strings, which this type does not have.
    let written = serde_json::to_writer(&mut bytes, json);
    debug_assert!(written.is_ok());
    bytes
}

/// Adds `?format=` to the links of a response, as AWX does for requests with that parameter.
pub fn keep_format(json: &mut Json, format: &str) {
    match json {
        Json::Array(list) => list.iter_mut().for_each(|value| keep_format(value, format)),
        Json::Object(map) => {
            for (key, value) in map.iter_mut() {
                match (key.as_str(), value) {
                    ("url", Json::String(link)) => add_format(link, format),
                    ("related", Json::Object(links)) => {
                        for (name, link) in links.iter_mut() {
                            if let (true, Json::String(link)) = (name != "named_url", link) {
                                add_format(link, format);
                            }
                        }
                    }
                    ("results", value) => keep_format(value, format),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn add_format(link: &mut String, format: &str) {
    link.push_str("?format=");
    link.push_str(format);
}
