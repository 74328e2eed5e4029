//! A browser for the HTML pages: it accepts HTML, keeps cookies and sends forms.

use std::cell::RefCell;

use crate::browser::{Browser, CSRF_COOKIE, FORM, encode};
use crate::client::Response;
use crate::server::TestServer;

/// The Accept header of browsers.
pub const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

/// A browser without scripts.
#[derive(Debug)]
pub struct PageBrowser {
    browser: RefCell<Browser>,
}

impl PageBrowser {
    /// A browser without cookies.
    pub fn new(server: &TestServer) -> Self {
        PageBrowser { browser: RefCell::new(Browser::new(server)) }
    }

    /// A browser in which this user is logged in.
    pub fn logged_in(server: &TestServer, name: &str, password: &str) -> Self {
        let browser = PageBrowser::new(server);
        browser.log_in(name, password);
        browser
    }

    /// Logs in with the form.
    pub fn log_in(&self, name: &str, password: &str) {
        self.get("/api/login/").expect(200);
        self.form("/api/login/", &[("username", name), ("password", password), ("next", "/api/v2/")]).expect(302);
    }

    /// The value of a cookie; empty if it does not exist.
    pub fn cookie(&self, name: &str) -> String {
        self.browser.borrow().cookies.get(name).cloned().unwrap_or_default()
    }

    /// Any request, with the cookies; a body is a form.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Response {
        let mut browser = self.browser.borrow_mut();
        let mut call = browser.call(method, path).header("Accept", ACCEPT);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        if let Some(body) = body {
            call = call.header("Content-Type", FORM).body(body);
        }
        let answer = call.send();
        browser.keep(&answer);
        answer
    }

    /// Opens a page.
    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], None)
    }

    /// Sends a form with the CSRF token.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.cookie(CSRF_COOKIE);
        self.raw_form(path, &[&[("csrfmiddlewaretoken", token.as_str())], fields].concat())
    }

    /// Sends a form with these fields only.
    pub fn raw_form(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.send("POST", path, &[], Some(encode(fields)))
    }
}

/// Decodes the HTML entities that the pages use.
pub fn unescaped(html: &str) -> String {
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"),
    ];
    pairs.iter().fold(html.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

/// The content that the form on a page would send.
pub fn content(page: &Response) -> String {
    let html = page.text();
    let (_, rest) = html.split_once("<textarea").unwrap_or_else(|| panic!("no form in {page}"));
    let (_, rest) = rest.split_once(">\n").expect("a text area");
    unescaped(rest.split_once("</textarea>").expect("its end").0)
}

/// The values of the hidden fields of this name.
pub fn hidden_fields(page: &Response, name: &str) -> Vec<String> {
    let html = page.text();
    let start = format!("name=\"{name}\" value=\"");
    html.split(&start).skip(1).map(|rest| unescaped(rest.split('"').next().unwrap_or_default())).collect()
}

/// Whether the response is HTML.
pub fn is_page(answer: &Response) -> bool {
    answer.header("Content-Type").as_deref() == Some("text/html; charset=utf-8")
}
