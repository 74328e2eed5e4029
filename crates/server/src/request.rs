//! The request type that handlers take.

use std::sync::Arc;

use axum::http::{HeaderMap, Method, header};
use serde_json::{Map, Value as Json};

use crate::body;
use crate::client_info::ClientInfo;
use crate::cookies::check_csrf;
use crate::response::Response;
use crate::settings::Settings;

/// A request as handlers see it: the body is read, the client and the settings are known.
#[derive(Clone)]
pub(crate) struct Request {
    pub method: Method,
    /// Without the query.
    pub path: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Whether the request was decoded from an HTML form.
    pub is_form: bool,
    /// The settings in force when the request arrived.
    pub settings: Arc<Settings>,
    pub client: ClientInfo,
}

impl Request {
    /// The last value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The query, percent-encoded.
    pub(crate) fn query_string(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish()
    }

    /// Rejects a session request that another site may have forged. `sent` is the CSRF token from the header or the
    /// form.
    pub(crate) fn check_csrf(&self, sent: Option<&str>) -> Result<(), Response> {
        check_csrf(&self.settings, self.client, &self.headers, sent)
    }

    /// A `Set-Cookie` value, with `Secure` if this request used https.
    pub(crate) fn cookie(&self, cookie: impl Into<String>) -> String {
        let cookie = cookie.into();
        if self.client.is_https { cookie + "; Secure" } else { cookie }
    }

    /// The JSON object in the body.
    pub(crate) fn object(&self) -> Result<Map<String, Json>, Response> {
        body::object(&self.headers, &self.body)
    }

    /// The entity tags of `If-Match`; none if the header is absent.
    pub(crate) fn if_match(&self) -> Option<Vec<String>> {
        let mut values = self.headers.get_all(header::IF_MATCH).iter().peekable();
        values.peek()?;
        let tags = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        Some(tags.map(|tag| tag.trim().to_owned()).collect())
    }
}

/// Whether a method changes nothing. `TRACE`, which RFC 9110 calls safe too, is served nowhere.
pub(crate) fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}
