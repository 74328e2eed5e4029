//! Writes through the forms of pages, and CSRF attempts.

use hostler_testkit::browser::{FORM, encode};
use hostler_testkit::pages::{ACCEPT, content, hidden_fields, is_page};
use hostler_testkit::{ADMIN, ADMIN_PASSWORD, Backend, Client, PageBrowser, Response, TestServer, backends};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");

fn start(backend: Backend) -> TestServer {
    TestServer::start(BINARY, backend)
}

/// The error message in the form of a page, as HTML.
fn problems(page: &Response) -> Vec<String> {
    let html = page.text();
    let Some((_, rest)) = html.split_once("id=\"problems\"") else { return vec![] };
    let list = rest.split("</ul>").next().unwrap_or_default();
    list.split("<li>").skip(1).map(|line| line.split("</li>").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn form_updates_object() {
    for backend in backends() {
        let server = start(backend);
        let url = server.user("carol").path();
        let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
        let page = browser.get(&url).expect(200);
        let shown = content(&page);
        assert!(!shown.contains("password"), "{shown}");
        let written = shown.replace("\"first_name\": \"\"", "\"first_name\": \"Carol\"");
        assert_ne!(shown, written);
        let tags = hidden_fields(&page, "_if_match");
        let fields = [("_method", "PATCH"), ("_content", written.as_str()), ("_if_match", tags[0].as_str())];
        let answer = browser.form(&url, &fields).expect(303);
        assert_eq!(answer.header("Location").as_deref(), Some(url.as_str()));
        assert!(browser.get(&url).expect(200).text().contains("&quot;Carol&quot;"), "{backend}");
        assert_eq!(server.as_admin().get(&url).json()["first_name"], "Carol", "{backend}");

        // The same form again refers to an outdated state.
        let stale = browser.form(&url, &fields).expect(412);
        assert!(is_page(&stale) && stale.text().contains("has changed since"), "{backend}: {stale}");
        browser.form(&url, &[("_method", "PUT"), ("_content", "{\"username\": \"caro\"}")]).expect(303);
        assert_eq!(server.as_admin().get(&url).json()["username"], "caro", "{backend}");
    }
}

#[test]
fn rejected_form_keeps_input() {
    let server = start(Backend::Sqlite);
    let url = server.user("carol").path();
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    let typed = "{\"email\": \"</textarea><script>\"}";
    let page = browser.form(&url, &[("_method", "PATCH"), ("_content", typed)]).expect(400);
    assert!(page.text().contains("Enter a valid email address."), "{page}");
    assert!(page.text().contains("<b>PATCH</b>"), "{page}");
    assert_eq!(content(&page), typed);
    assert_eq!(problems(&page), ["<strong>email</strong>: Enter a valid email address."]);
    let broken = browser.form(&url, &[("_method", "PATCH"), ("_content", "{")]).expect(400);
    assert!(problems(&broken)[0].starts_with("JSON parse error"), "{broken}");
    // An unsent form shows no errors.
    let untouched = browser.get(&url).expect(200);
    assert!(problems(&untouched).is_empty() && !untouched.text().contains("aria-invalid"), "{untouched}");
}

/// All errors of each field, of nested fields, and of several fields together.
#[test]
fn rejected_form_shows_all_errors() {
    let server = start(Backend::Sqlite);
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    let send = |path: &str, body: serde_json::Value| {
        problems(&browser.form(path, &[("_method", "POST"), ("_content", &body.to_string())]).expect(400))
    };
    let faults = send("/api/v2/users/", json!({}));
    assert_eq!(faults.len(), 2, "{faults:?}");
    for field in ["username", "password"] {
        assert!(faults.iter().any(|fault| fault.starts_with(&format!("<strong>{field}</strong>: "))), "{faults:?}");
    }
    let team = json!({"name": "<b>", "organization": server.organization("Acme")});
    server.as_admin().post("/api/v2/teams/", team.clone()).expect(201);
    let twice = send("/api/v2/teams/", team);
    assert!(twice.len() == 1 && !twice[0].contains("<strong>") && !twice[0].contains("__all__"), "{twice:?}");
    let nested = send("/api/v2/credential_types/", json!({"name": "x", "kind": "cloud", "inputs": {"fields": 1}}));
    assert!(nested.iter().any(|fault| fault.contains("inputs")), "{nested:?}");
}

#[test]
fn form_creates_and_deletes_objects() {
    let server = start(Backend::Sqlite);
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    assert_eq!(content(&browser.get("/api/v2/organizations/")), "{}");
    let fields = [("_method", "POST"), ("_content", "{\"name\": \"Acme\"}")];
    let made = browser.form("/api/v2/organizations/", &fields).expect(201);
    let url = made.header("Location").expect("a path");
    assert!(made.text().contains(&format!("href=\"{url}\"")), "{made}");

    let member = server.user("carol").path();
    let id = member.split('/').nth(4).expect("an id");
    let users = format!("{url}users/");
    let associate = format!("{{\"id\": {id}}}");
    browser.form(&users, &[("_method", "POST"), ("_content", &associate)]).expect(303);
    assert_eq!(server.as_admin().get(&users).json()["count"], 1);

    let gone = browser.form(&url, &[("_method", "DELETE")]).expect(303);
    assert_eq!(gone.header("Location").as_deref(), Some("/api/v2/organizations/"));
    server.as_admin().get(&url).expect(404);
    let described = browser.form("/api/v2/organizations/", &[("_method", "OPTIONS")]).expect(200);
    assert!(described.text().contains("&quot;max_page_size&quot;"), "{described}");
}

#[test]
fn form_shows_new_token_once() {
    let server = start(Backend::Sqlite);
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    let made = browser.form("/api/v2/tokens/", &[("_method", "POST"), ("_content", "{}")]).expect(201).text();
    let (_, rest) = made.split_once("&quot;token&quot;</span>: <span class=\"text\">&quot;").expect("a token");
    let token = rest.split("&quot;").next().expect("its end");
    server.with_token(token).get("/api/v2/me/").expect(200);
    assert!(!browser.get("/api/v2/tokens/").text().contains(token));
}

#[test]
fn forged_form_is_rejected() {
    for backend in backends() {
        let server = start(backend);
        let url = server.user("carol").path();
        let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
        let wanted = [("_method", "PATCH"), ("_content", "{\"first_name\": \"Mallory\"}")];
        let token = browser.cookie("csrftoken");
        let wrong = "A".repeat(token.len());
        browser.raw_form(&url, &wanted).expect(403);
        browser.raw_form(&url, &[&[("csrfmiddlewaretoken", wrong.as_str())], &wanted[..]].concat()).expect(403);
        browser.raw_form(&url, &[&[("csrfmiddlewaretoken", "")], &wanted[..]].concat()).expect(403);
        // The CSRF token in the URL is not accepted.
        let query = format!("{url}?csrfmiddlewaretoken={token}");
        browser.raw_form(&query, &wanted).expect(403);
        browser.send("POST", &url, &[("X-CSRFToken", &wrong)], Some(encode(&wanted))).expect(403);
        // The right token from another site.
        let right = encode(&[&[("csrfmiddlewaretoken", token.as_str())], &wanted[..]].concat());
        for headers in
            [[("Origin", "https://example.org")], [("Origin", "null")], [("Referer", "https://example.org/x")]]
        {
            browser.send("POST", &url, &headers, Some(right.clone())).expect(403);
        }
        // Other content types are not forms, and need the CSRF header.
        let cookies = format!("awx_sessionid={}; csrftoken={token}", browser.cookie("awx_sessionid"));
        let anonymous = server.anonymous();
        let call = anonymous.request("POST", &url).header("Cookie", &cookies).header("Content-Type", "text/plain");
        call.body(right.clone()).send().expect(403);
        // The method comes from the form, not from a header.
        browser
            .send("POST", &url, &[("X-HTTP-Method-Override", "DELETE")], Some(right.replace("PATCH", "GET")))
            .expect(400);
        assert_eq!(server.as_admin().get(&url).expect(200).json()["first_name"], "", "{backend}");
        browser.raw_form(&url, &[&[("csrfmiddlewaretoken", token.as_str())], &wanted[..]].concat()).expect(303);
    }
}

#[test]
fn form_without_method_override_is_rejected() {
    let server = start(Backend::Sqlite);
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    let page = browser.form("/api/v2/organizations/", &[("name", "Acme")]).expect(415);
    assert!(is_page(&page), "{page}");
    browser.raw_form("/api/v2/organizations/", &[("name", "Acme")]).expect(403);
    assert_eq!(server.as_admin().get("/api/v2/organizations/").json()["count"], 0);
}

#[test]
fn form_requires_session() {
    let server = start(Backend::Sqlite);
    let url = server.user("carol").path();
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    let token = browser.cookie("csrftoken");
    let fields =
        [("csrfmiddlewaretoken", token.as_str()), ("_method", "PATCH"), ("_content", "{\"first_name\": \"Mallory\"}")];
    let cookies = format!("awx_sessionid={}; csrftoken={token}", browser.cookie("awx_sessionid"));
    let send = |client: Client, method: &str| {
        let call = client.request(method, &url).header("Cookie", &cookies).header("Content-Type", FORM);
        call.header("Accept", ACCEPT).body(encode(&fields)).send()
    };
    // A request with an Authorization header must send JSON; the session is ignored.
    let made = |scope: &str| server.as_admin().post("/api/v2/tokens/", json!({"scope": scope})).expect(201).json();
    let (read, write) = (made("read"), made("write"));
    let with = |token: &serde_json::Value| server.with_token(token["token"].as_str().expect("a token"));
    assert_eq!(send(server.as_admin(), "POST").status, 405);
    assert_eq!(send(with(&write), "POST").status, 405);
    assert_eq!(send(with(&read), "POST").status, 403);
    assert_eq!(send(server.anonymous().with_token("wrong"), "POST").status, 401);
    assert_eq!(send(server.anonymous().with_password(ADMIN, "wrong"), "POST").status, 401);
    // Only POST can carry another method.
    assert_eq!(send(server.anonymous(), "PATCH").status, 403);
    assert_eq!(server.as_admin().get(&url).json()["first_name"], "");
    // Without a session the request is anonymous.
    let anonymous = server.anonymous();
    let call = anonymous.request("POST", &url).header("Cookie", &format!("csrftoken={token}"));
    call.header("Content-Type", FORM).body(encode(&fields)).send().expect(401);
}

#[test]
fn logout_requires_form() {
    let server = start(Backend::Sqlite);
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    browser.raw_form("/api/logout/", &[]).expect(403);
    let page = browser.get("/api/v2/users/").expect(200);
    assert!(page.text().contains("action=\"/api/logout/\""), "{page}");
    let token = hidden_fields(&page, "csrfmiddlewaretoken").remove(0);
    let kept = browser.cookie("awx_sessionid");
    browser.raw_form("/api/logout/", &[("csrfmiddlewaretoken", &token)]).expect(302);
    let cookie = format!("awx_sessionid={kept}");
    server.anonymous().request("GET", "/api/v2/me/").header("Cookie", &cookie).send().expect(401);
}
