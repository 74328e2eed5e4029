//! A blocking HTTP client without redirects and cookies, with any method and body. An error status is not an error.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};

/// The address of a server, shared with its clients so that they survive its restart.
#[derive(Debug, Clone)]
pub struct Address(Arc<Mutex<String>>);

impl Address {
    /// An address such as `http://127.0.0.1:8052`.
    pub fn new(base: impl Into<String>) -> Self {
        Self(Arc::new(Mutex::new(base.into())))
    }

    /// The current address.
    pub fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, base: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = base;
    }
}

/// A client of one server with the credentials of one user.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    address: Address,
    authorization: Option<String>,
}

impl Client {
    /// A client without credentials.
    pub fn new(address: Address) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The servers are on loopback: no proxy of the environment.
            .proxy(None)
            // Connections that are kept open would fail after a restart of the server.
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        Self { agent, address, authorization: None }
    }

    /// The same server, with a username and a password.
    #[must_use]
    pub fn with_password(&self, name: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{name}:{password}"));
        Self { authorization: Some(format!("Basic {pair}")), ..self.clone() }
    }

    /// The same server, with a token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { authorization: Some(format!("Bearer {token}")), ..self.clone() }
    }

    /// GET.
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path).send()
    }

    /// OPTIONS.
    pub fn options(&self, path: &str) -> Response {
        self.request("OPTIONS", path).send()
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Response {
        self.request("DELETE", path).send()
    }

    /// POST of a JSON body.
    pub fn post(&self, path: &str, body: impl Serialize) -> Response {
        self.request("POST", path).json(body).send()
    }

    /// PUT of a JSON body.
    pub fn put(&self, path: &str, body: impl Serialize) -> Response {
        self.request("PUT", path).json(body).send()
    }

    /// PATCH with a JSON body.
    pub fn patch(&self, path: &str, body: impl Serialize) -> Response {
        self.request("PATCH", path).json(body).send()
    }

    /// A request without headers and body.
    ///
    /// `path` is a path with its query, percent-encoded where needed, or an address that starts with `http://`.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder<'_> {
        let mut headers = HeaderMap::new();
        headers.insert("Accept", HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            headers.insert("Authorization", authorization.parse().expect("credentials fit into a header"));
        }
        let uri = if path.starts_with("http://") { path.to_owned() } else { self.address.get() + path };
        RequestBuilder { client: self, method: method.parse().expect("a method"), uri, headers, body: None }
    }
}

/// A request that is not sent yet.
#[derive(Debug)]
pub struct RequestBuilder<'a> {
    client: &'a Client,
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl RequestBuilder<'_> {
    /// Sets a header, replacing an earlier one of that name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        self.headers.insert(name, value.parse().expect("a header's value"));
        self
    }

    /// Sets the body to these bytes, without a content type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: impl Serialize) -> Self {
        let body = serde_json::to_vec(&body).expect("a body that can be written as JSON");
        self.header("Content-Type", "application/json").body(body)
    }

    /// Sends the request; panics only if there is no response.
    pub fn send(self) -> Response {
        let line = format!("{} {}", self.method, self.uri);
        self.try_send().unwrap_or_else(|problem| panic!("{line}: {problem}"))
    }

    /// Sends the request to a server that may be gone.
    pub fn try_send(self) -> Result<Response, ureq::Error> {
        let line = format!("{} {}", self.method, self.uri);
        let mut request = Request::builder().method(self.method).uri(self.uri);
        if let Some(headers) = request.headers_mut() {
            *headers = self.headers;
        }
        let agent = &self.client.agent;
        let mut answer = match self.body {
            Some(body) => agent.run(request.body(body)?)?,
            None => agent.run(request.body(())?)?,
        };
        let body = answer.body_mut().with_config().limit(LARGEST_BODY).read_to_vec()?;
        Ok(Response { line, status: answer.status().as_u16(), headers: answer.headers().clone(), body })
    }
}

/// Larger bodies are an error.
const LARGEST_BODY: u64 = 1 << 30;

/// A response.
#[derive(Debug, Clone)]
pub struct Response {
    line: String,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Vec<u8>,
}

impl Response {
    /// A header; several values are joined by commas.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|problem| panic!("{self}\nis not JSON: {problem}"))
    }

    /// The number of SQL statements of the request.
    pub fn queries(&self) -> u64 {
        let count = self.header("X-API-Query-Count").and_then(|count| count.parse().ok());
        count.unwrap_or_else(|| panic!("{self}\ncarries no X-API-Query-Count"))
    }

    /// Returns the response if its status is this one, and panics otherwise.
    pub fn expect(self, status: u16) -> Self {
        assert!(self.status == status, "wanted {status} from {self}");
        self
    }
}

impl fmt::Display for Response {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} {}", self.line, self.status, self.text())
    }
}
