//! A browser, as far as our pages need one: it asks for HTML, keeps cookies and sends forms.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::client::{Answer, Client};
use crate::server::TestServer;

/// What browsers send as Accept.
pub const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
/// The content type of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A browser without scripts: it keeps cookies and sends forms.
#[derive(Debug)]
pub struct PageBrowser {
    client: Client,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl PageBrowser {
    /// A browser that has never been here.
    pub fn new(server: &TestServer) -> Self {
        PageBrowser { client: server.anonymous(), cookies: RefCell::default() }
    }

    /// A browser in which this user has logged in through the form.
    pub fn logged_in(server: &TestServer, name: &str, password: &str) -> Self {
        let browser = PageBrowser::new(server);
        browser.get("/api/login/").expect(200);
        browser.form("/api/login/", &[("username", name), ("password", password), ("next", "/api/v2/")]).expect(302);
        browser
    }

    /// The value of a cookie; empty if there is none.
    pub fn cookie(&self, name: &str) -> String {
        self.cookies.borrow().get(name).cloned().unwrap_or_default()
    }

    /// Any request, with the cookies; a body is a form.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Answer {
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut call = self.client.request(method, path).header("Accept", ACCEPT).header("Cookie", &cookies.join("; "));
        for (name, value) in headers {
            call = call.header(name, value);
        }
        if let Some(body) = body {
            call = call.header("Content-Type", FORM).body(body);
        }
        let answer = call.send();
        for value in answer.headers.get_all("Set-Cookie") {
            let pair = value.to_str().expect("a cookie").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Opens a page.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    /// Sends a form with the token that the pages carry.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.cookie("csrftoken");
        self.raw_form(path, &[&[("csrfmiddlewaretoken", token.as_str())], fields].concat())
    }

    /// Sends a form with these fields only.
    pub fn raw_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send("POST", path, &[], Some(encoded(fields)))
    }
}

/// Fields as the body of a form.
pub fn encoded(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let plain =
            |byte: u8| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") };
        text.bytes().map(plain).collect::<String>()
    };
    fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}

/// The text that HTML stands for, as far as our pages escape it.
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

/// What the form on a page would send as content.
pub fn content(page: &Answer) -> String {
    let html = page.text();
    let (_, rest) = html.split_once("<textarea").unwrap_or_else(|| panic!("no form in {page}"));
    let (_, rest) = rest.split_once(">\n").expect("a text area");
    unescaped(rest.split_once("</textarea>").expect("its end").0)
}

/// The values of the hidden fields of this name.
pub fn hidden(page: &Answer, name: &str) -> Vec<String> {
    let html = page.text();
    let start = format!("name=\"{name}\" value=\"");
    html.split(&start).skip(1).map(|rest| unescaped(rest.split('"').next().unwrap_or_default())).collect()
}

/// Whether the answer is HTML.
pub fn is_page(answer: &Answer) -> bool {
    answer.header("Content-Type").as_deref() == Some("text/html; charset=utf-8")
}
