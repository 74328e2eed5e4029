//! LOGIN_REDIRECT_OVERRIDE, CUSTOM_LOGIN_INFO and CUSTOM_LOGO.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::json;

use crate::settings::{AUTHENTICATION, UI, set, start};

on_each_backend!(login_redirect_override_is_used, login_page_shows_custom_text_and_logo);

fn page(server: &TestServer, path: &str) -> hostler_testkit::Response {
    server.anonymous().request("GET", path).header("Accept", "text/html").send()
}

fn login_redirect_override_is_used(backend: Backend) {
    let server = start(backend);
    page(&server, "/api/v2/users/").expect(401);
    let elsewhere = "https://sso.example.org/start?a=b";
    set(&server, AUTHENTICATION, json!({"LOGIN_REDIRECT_OVERRIDE": elsewhere}));
    assert_eq!(server.anonymous().get("/api/").expect(200).json()["login_redirect_override"], elsewhere);
    let answer = page(&server, "/api/v2/users/").expect(302);
    assert_eq!(answer.header("Location").as_deref(), Some(elsewhere));
    // API clients get the usual response, public pages are shown, and the built-in form still works.
    server.anonymous().get("/api/v2/users/").expect(401);
    page(&server, "/api/v2/").expect(200);
    page(&server, "/api/login/").expect(200);
    server.as_admin().request("GET", "/api/v2/users/").header("Accept", "text/html").send().expect(200);
    server.as_admin().delete(AUTHENTICATION).expect(204);
    page(&server, "/api/v2/users/").expect(401);
}

fn login_page_shows_custom_text_and_logo(backend: Backend) {
    let server = start(backend);
    let before = page(&server, "/api/login/").expect(200);
    assert!(!before.header("Content-Security-Policy").is_some_and(|policy| policy.contains("img-src")));
    let (words, logo) =
        ("Only for <staff> & \"friends\"", "data:image/gif;base64,R0lGODlhAQABAIABAP///wAAACwAAAAAAQABAAACAkQBADs=");
    set(&server, UI, json!({"CUSTOM_LOGIN_INFO": words, "CUSTOM_LOGO": logo}));
    let root = server.anonymous().get("/api/").expect(200).json();
    assert_eq!((&root["custom_login_info"], &root["custom_logo"]), (&json!(words), &json!(logo)));
    let shown = page(&server, "/api/login/").expect(200);
    let text = shown.text();
    assert!(text.contains("Only for &lt;staff&gt; &amp; &quot;friends&quot;"), "{text}");
    assert!(!text.contains("<staff>"), "{text}");
    let picture = text.split("<img").nth(1).and_then(|rest| rest.split('>').next()).expect("a picture").to_owned();
    assert!(picture.replace("&#x2f;", "/").contains(logo), "{picture}");
    let policy = shown.header("Content-Security-Policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("img-src data:"), "{policy}");
}
