//! An HTTP client with the cookies of a session.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::client::{Client, RequestBuilder, Response};
use crate::server::TestServer;

/// The session cookie.
pub const SESSION_COOKIE: &str = "awx_sessionid";
/// The CSRF cookie.
pub const CSRF_COOKIE: &str = "csrftoken";

/// The content type of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// Keeps the cookies of one server and sends them back.
#[derive(Debug, Clone)]
pub struct Browser {
    client: Client,
    /// The cookies by name.
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    /// A browser without cookies.
    pub fn new(server: &TestServer) -> Self {
        Self { client: server.anonymous(), cookies: BTreeMap::new() }
    }

    /// A browser that has loaded the login form, and so has a CSRF cookie.
    pub fn open(server: &TestServer) -> Self {
        let mut browser = Self::new(server);
        let form = browser.call("GET", "/api/login/").send().expect(200);
        browser.keep(&form);
        browser
    }

    /// A browser with a session.
    pub fn logged_in(server: &TestServer, name: &str, password: &str) -> Self {
        let mut browser = Self::open(server);
        browser.log_in(&[("username", name), ("password", password)]).expect(302);
        browser
    }

    /// Sends the login form with the CSRF token.
    pub fn log_in(&mut self, fields: &[(&str, &str)]) -> Response {
        let form = encode(fields);
        let answer = self.write("POST", "/api/login/").header("Content-Type", FORM).body(form).send();
        self.keep(&answer);
        answer
    }

    /// GET.
    pub fn get(&self, path: &str) -> Response {
        self.call("GET", path).send()
    }

    /// A request with the cookies.
    pub fn call(&self, method: &str, path: &str) -> RequestBuilder<'_> {
        let call = self.client.request(method, path);
        if self.cookies.is_empty() {
            return call;
        }
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        call.header("Cookie", &pairs.join("; "))
    }

    /// A request with the cookies and the CSRF header.
    pub fn write(&self, method: &str, path: &str) -> RequestBuilder<'_> {
        let token = self.cookies.get(CSRF_COOKIE).cloned().unwrap_or_default();
        self.call(method, path).header("X-CSRFToken", &token)
    }

    /// Stores the cookies of a response, and removes expired ones.
    pub fn keep(&mut self, answer: &Response) {
        for cookie in answer.headers.get_all("set-cookie") {
            let text = String::from_utf8_lossy(cookie.as_bytes()).into_owned();
            let (pair, attributes) = text.split_once(';').unwrap_or((&text, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// Fields as an encoded form.
pub fn encode(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))).collect();
    pairs.join("&")
}
