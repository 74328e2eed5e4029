//! SESSION_COOKIE_AGE.

use hostler_testkit::browser::SESSION_COOKIE;
use hostler_testkit::{Backend, Browser, Response, TestServer, on_each_backend};
use serde_json::json;

use crate::settings::{AUTHENTICATION, holds, set, start};

on_each_backend!(
    request_renews_session,
    background_request_does_not_renew_session,
    shorter_age_applies_to_existing_sessions,
    awx_maximum_session_age_is_accepted_and_capped
);

/// The time this number of seconds from now, as the database stores it.
fn from_now(backend: Backend, seconds: u64) -> String {
    match backend {
        Backend::Sqlite => format!("(strftime('%s') + {seconds}) * 1000000"),
        Backend::Postgres => format!("now() + interval '{seconds} seconds'"),
    }
}

fn end_at(server: &TestServer, time: &str) {
    server.execute(&format!("UPDATE sessions SET expires = {time}"));
}

fn outlasts(server: &TestServer, time: &str) -> bool {
    holds(server, &format!("EXISTS (SELECT 1 FROM sessions WHERE expires > {time})"))
}

fn session_cookie(answer: &Response) -> Option<String> {
    let cookies = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text").to_owned());
    cookies.into_iter().find(|cookie| cookie.starts_with(&format!("{SESSION_COOKIE}=")))
}

fn request_renews_session(backend: Backend) {
    let server = start(backend);
    set(&server, AUTHENTICATION, json!({"SESSION_COOKIE_AGE": 3600}));
    let browser = Browser::logged_in(&server, "admin", "password");
    let fresh = browser.get("/api/v2/me/").expect(200);
    assert_eq!(fresh.header("Session-Timeout").as_deref(), Some("3600"));
    assert_eq!(session_cookie(&fresh), None, "a session that has just begun was renewed");
    let later = from_now(backend, 3000);
    end_at(&server, &from_now(backend, 1000));
    let answer = browser.get("/api/v2/me/").expect(200);
    let cookie = session_cookie(&answer).expect("a cookie");
    let secret = &browser.cookies[SESSION_COOKIE];
    assert!(cookie.starts_with(&format!("{SESSION_COOKIE}={secret}; ")) && cookie.contains("Max-Age=3600"), "{cookie}");
    assert!(outlasts(&server, &later), "the session was not renewed");
    assert_eq!(session_cookie(&browser.get("/api/v2/me/")), None, "it was renewed twice");
    // HTML pages renew the session too.
    end_at(&server, &from_now(backend, 1000));
    let page = browser.call("GET", "/api/v2/me/").header("Accept", "text/html").send().expect(200);
    assert!(session_cookie(&page).is_some(), "{page:?}");
    // Rejected requests do not renew the session.
    end_at(&server, &from_now(backend, 1000));
    browser.call("PATCH", "/api/v2/users/1/").json(json!({})).send().expect(403);
    assert!(!outlasts(&server, &later));
    assert_eq!(server.as_admin().get("/api/v2/me/").header("Session-Timeout"), None, "without a session");
}

fn background_request_does_not_renew_session(backend: Backend) {
    let server = start(backend);
    let browser = Browser::logged_in(&server, "admin", "password");
    let end = from_now(backend, 1000);
    end_at(&server, &end);
    let answer = browser.call("GET", "/api/v2/me/").header("X-WS-Session-Quiet", "true").send().expect(200);
    assert!(session_cookie(&answer).is_none() && !outlasts(&server, &end));
}

fn shorter_age_applies_to_existing_sessions(backend: Backend) {
    let server = start(backend);
    let browser = Browser::logged_in(&server, "admin", "password");
    let end = from_now(backend, 900);
    assert!(outlasts(&server, &end));
    set(&server, AUTHENTICATION, json!({"SESSION_COOKIE_AGE": 600}));
    assert!(!outlasts(&server, &end), "the session is as long as before");
    browser.get("/api/v2/me/").expect(200);
    // A longer age applies from the next request on.
    set(&server, AUTHENTICATION, json!({"SESSION_COOKIE_AGE": 3600}));
    assert!(!outlasts(&server, &end));
    browser.get("/api/v2/me/").expect(200);
    assert!(outlasts(&server, &end));
}

fn awx_maximum_session_age_is_accepted_and_capped(backend: Backend) {
    let server = start(backend);
    set(&server, AUTHENTICATION, json!({"SESSION_COOKIE_AGE": 30_000_000_000_i64}));
    let kept = server.as_admin().get(AUTHENTICATION).expect(200).json();
    assert_eq!(kept["SESSION_COOKIE_AGE"], 30_000_000_000_i64);
    let browser = Browser::logged_in(&server, "admin", "password");
    let answer = browser.get("/api/v2/me/").expect(200);
    assert_eq!(answer.header("Session-Timeout").as_deref(), Some("946080000"), "30 years");
    assert!(!outlasts(&server, &from_now(backend, 946_080_000 + 60)));
    let refused = server.as_admin().patch(AUTHENTICATION, json!({"SESSION_COOKIE_AGE": 30_000_000_001_i64}));
    let message = "Ensure this value is less than or equal to 30000000000.";
    assert_eq!(refused.expect(400).json(), json!({"SESSION_COOKIE_AGE": [message]}));
}
