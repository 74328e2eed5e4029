//! The request type that handlers take.

use std::sync::Arc;

use axum::http::{HeaderMap, Method, header};
use hostler_settings::Settings;
use serde_json::{Map, Value as Json};

use crate::body;
use crate::client_info::ClientInfo;
use crate::cookies::check_csrf;
use crate::response::Response;

/// A request as handlers see it: the body is read, the client and the settings are known.
#[derive(Clone)]
pub struct Request {
    /// The method; of a form, the one in its fields.
    pub method: Method,
    /// Without the query.
    pub path: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; of a form, the content in its fields.
    pub body: Vec<u8>,
    /// Whether the request was decoded from an HTML form.
    pub is_form: bool,
    /// The settings in force when the request arrived.
    pub settings: Arc<Settings>,
    /// The client.
    pub client: ClientInfo,
}

impl Request {
    /// The last value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The query, percent-encoded.
    pub fn query_string(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish()
    }

    /// Rejects a session request that another site may have forged. `sent` is the CSRF token from the header or the
    /// form.
    ///
    /// # Errors
    /// 403.
    pub fn check_csrf(&self, sent: Option<&str>) -> Result<(), Response> {
        check_csrf(&self.settings, self.client, &self.headers, sent)
    }

    /// A `Set-Cookie` value, with `Secure` if this request used https.
    pub fn cookie(&self, cookie: impl Into<String>) -> String {
        let cookie = cookie.into();
        if self.client.is_https { cookie + "; Secure" } else { cookie }
    }

    /// The JSON object in the body; an empty body is an empty object.
    ///
    /// # Errors
    /// 400 for a body that is not a JSON object, 415 for another content type.
    pub fn object(&self) -> Result<Map<String, Json>, Response> {
        body::object(&self.headers, &self.body)
    }

    /// The entity tags of `If-Match`; none if the header is absent.
    pub fn if_match(&self) -> Option<Vec<String>> {
        let mut values = self.headers.get_all(header::IF_MATCH).iter().peekable();
        values.peek()?;
        let tags = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        Some(tags.map(|tag| tag.trim().to_owned()).collect())
    }
}

/// Whether a method changes nothing. `TRACE`, which RFC 9110 calls safe too, is served nowhere.
pub fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}
