//! Secure cookies and trusted pages: TOWER_URL_BASE, PROXY_IP_ALLOWED_LIST and CSRF_TRUSTED_ORIGINS.

use hostler_testkit::{Backend, Browser, Response, TestServer, on_each_backend};
use serde_json::json;

use crate::settings::{SYSTEM, set, start};

on_each_backend!(
    cookies_are_secure_if_the_client_uses_https,
    pages_of_the_base_url_may_write,
    pages_of_trusted_origins_may_write,
);

/// The response to a login with these headers.
fn log_in(server: &TestServer, headers: &[(&str, &str)]) -> Response {
    let browser = Browser::open(server);
    let call = browser.write("POST", "/api/login/").header("Content-Type", "application/x-www-form-urlencoded");
    let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
    call.body("username=admin&password=password").send().expect(302)
}

fn is_secure(answer: &Response) -> bool {
    let cookies: Vec<_> =
        answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text")).collect();
    assert!(cookies.len() >= 3, "{cookies:?}");
    let secure = cookies.iter().filter(|cookie| cookie.ends_with("; Secure")).count();
    assert!(secure == 0 || secure == cookies.len(), "{cookies:?}");
    secure > 0
}

fn cookies_are_secure_if_the_client_uses_https(backend: Backend) {
    let server = start(backend);
    let (proto, page) = (("X-Forwarded-Proto", "https"), ("Origin", "https://awx.example.org"));
    let host = ("Host", "awx.example.org");
    assert!(!is_secure(&log_in(&server, &[])));
    assert!(!is_secure(&log_in(&server, &[proto])), "an untrusted client set the scheme");
    set(&server, SYSTEM, json!({"PROXY_IP_ALLOWED_LIST": ["127.0.0.1"]}));
    assert!(is_secure(&log_in(&server, &[proto, host, page])));
    assert!(!is_secure(&log_in(&server, &[("X-Forwarded-Proto", "http")])));
    server.as_admin().delete(SYSTEM).expect(204);
    set(&server, SYSTEM, json!({"TOWER_URL_BASE": "https://awx.example.org"}));
    assert!(is_secure(&log_in(&server, &[host, page])));
    // Requests with another Host are served, so that the setting can be corrected.
    assert!(!is_secure(&log_in(&server, &[])));
    let logged_out = Browser::logged_in(&server, "admin", "password");
    let answer = logged_out.write("POST", "/api/logout/").header("Host", host.1).header("Origin", page.1).send();
    assert!(answer.headers.get_all("set-cookie").iter().all(|cookie| cookie.as_bytes().ends_with(b"; Secure")));
}

fn pages_of_the_base_url_may_write(backend: Backend) {
    let server = start(backend);
    let browser = Browser::logged_in(&server, "admin", "password");
    let post = |origin: &str, name: &str| {
        browser
            .write("POST", "/api/v2/organizations/")
            .header("Origin", origin)
            .json(json!({"name": name}))
            .send()
            .status
    };
    assert_eq!(post("https://awx.example.org", "a"), 403);
    // A proxy that changes the Host header.
    set(&server, SYSTEM, json!({"TOWER_URL_BASE": "https://awx.example.org/"}));
    assert_eq!(post("https://awx.example.org", "b"), 201);
    for origin in ["http://awx.example.org", "https://awx.example.org.evil.example", "https://example.org", "null"] {
        assert_eq!(post(origin, "c"), 403, "{origin}");
    }
}

fn pages_of_trusted_origins_may_write(backend: Backend) {
    let server = start(backend);
    let browser = Browser::logged_in(&server, "admin", "password");
    let post = |origin: &str, name: &str| {
        let request = browser.write("POST", "/api/v2/organizations/").header("Origin", origin);
        request.json(json!({"name": name})).send().status
    };
    assert_eq!(post("https://proxy.example.org", "a"), 403);
    set(&server, SYSTEM, json!({"CSRF_TRUSTED_ORIGINS": ["https://proxy.example.org", "https://*.example.com"]}));
    assert_eq!(post("https://proxy.example.org", "b"), 201);
    assert_eq!(post("https://awx.example.com", "c"), 201);
    for origin in ["http://proxy.example.org", "https://proxy.example.org:8443", "https://other.example.org"] {
        assert_eq!(post(origin, "d"), 403, "{origin}");
    }
}
