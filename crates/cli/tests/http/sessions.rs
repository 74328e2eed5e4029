//! Sessions: login and logout with the form, and their permissions.

use hostler_testkit::browser::{Browser, CSRF_COOKIE, SESSION_COOKIE};
use hostler_testkit::{Backend, PASSWORD, Response, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    login_creates_session,
    wrong_password_creates_no_session,
    login_requires_csrf_token,
    next_must_be_own_path,
    session_writes_require_csrf_token,
    own_password_change_ends_other_sessions,
    admin_password_change_ends_all_sessions,
    logout_ends_one_session,
    expired_session_is_rejected,
    deleted_user_has_no_session,
    django_hashes_are_accepted_and_rehashed,
    sessions_are_listed_without_their_secrets,
    session_can_be_deleted_from_another,
    sessions_are_visible_to_owner_only,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn is_alive(browser: &Browser) -> bool {
    let answer = browser.get("/api/v2/me/");
    assert!([200, 401].contains(&answer.status), "{answer}");
    answer.status == 200
}

fn cookie(answer: &Response, name: &str) -> Option<String> {
    let cookies = answer.headers.get_all("set-cookie").iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    cookies.into_iter().find(|text| text.starts_with(&format!("{name}="))).map(|text| text.into_owned())
}

fn login_creates_session(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    assert!(server.as_admin().get(&ann.path()).json()["last_login"].is_null());
    let mut browser = Browser::open(&server);
    let planted = browser.cookies[CSRF_COOKIE].clone();
    let form = browser.get("/api/login/").expect(200);
    assert!(form.text().contains("csrfmiddlewaretoken"), "{form}");
    let answer = browser.log_in(&[("username", "ann"), ("password", PASSWORD)]).expect(302);
    assert_eq!(answer.header("Location").as_deref(), Some("/api/"));
    assert_eq!(answer.header("X-API-Session-Cookie-Name").as_deref(), Some(SESSION_COOKIE));
    let session = cookie(&answer, SESSION_COOKIE).expect("a session cookie");
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=1800"] {
        assert!(session.contains(flag), "{flag} is missing from {session}");
    }
    assert!(browser.cookies[SESSION_COOKIE].len() >= 32, "a session that can be guessed: {session}");
    assert!(browser.cookies[CSRF_COOKIE] != planted, "the token from before the login is still good");
    assert_eq!(browser.get("/api/v2/me/").expect(200).json()["results"][0]["username"], "ann");
    let shown = server.as_admin().get(&ann.path()).expect(200).json();
    assert!(shown["last_login"].is_string() && shown["modified"] == shown["last_login"], "{shown}");
}

fn wrong_password_creates_no_session(backend: Backend) {
    let server = start(backend);
    server.user("ann");
    for fields in [
        &[("username", "ann"), ("password", "wrong")][..],
        &[("username", "nobody"), ("password", PASSWORD)],
        &[("username", "ANN"), ("password", PASSWORD)],
        &[("username", "ann"), ("password", "")],
        &[("username", "ann")],
        &[],
    ] {
        let mut browser = Browser::open(&server);
        let answer = browser.log_in(fields).expect(401);
        assert!(cookie(&answer, SESSION_COOKIE).is_none(), "{fields:?}: {answer}");
        assert!(!answer.text().contains(PASSWORD), "{answer}");
        assert!(!is_alive(&browser));
    }
}

fn login_requires_csrf_token(backend: Backend) {
    let server = start(backend);
    server.user("ann");
    let body = format!("username=ann&password={PASSWORD}");
    let post = |browser: &Browser, body: &str, headers: &[(&str, &str)]| {
        let call = browser.call("POST", "/api/login/").header("Content-Type", "application/x-www-form-urlencoded");
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).body(body).send()
    };
    let browser = Browser::open(&server);
    let token = browser.cookies[CSRF_COOKIE].clone();
    let mut blank = browser.clone();
    blank.cookies.clear();
    for refused in [
        post(&browser, &body, &[]),
        post(&browser, &format!("{body}&csrfmiddlewaretoken=wrong"), &[]),
        post(&blank, &format!("{body}&csrfmiddlewaretoken={token}"), &[]),
        post(&browser, &body, &[("X-CSRFToken", &token), ("Origin", "https://evil.example")]),
        post(&browser, &body, &[("X-CSRFToken", &token), ("Origin", "null")]),
    ] {
        assert!(refused.status == 403 && cookie(&refused, SESSION_COOKIE).is_none(), "{refused}");
    }
    // The Content-Type of the form.
    post(&browser, &format!("{body}&csrfmiddlewaretoken={token}"), &[("Origin", &server.base())]).expect(302);
}

fn next_must_be_own_path(backend: Backend) {
    let server = start(backend);
    let places = [
        ("/api/v2/users/?page=2", "/api/v2/users/?page=2"),
        ("https://evil.example/", "/api/"),
        ("//evil.example/", "/api/"),
        ("/\\evil.example/", "/api/"),
        ("\\\\evil.example/", "/api/"),
        ("/\t/evil.example/", "/api/"),
        ("/\n/evil.example/", "/api/"),
        (" //evil.example/", "/api/"),
        ("javascript:alert(1)", "/api/"),
        ("evil.example", "/api/"),
        ("/api/\r\nSet-Cookie: a=b", "/api/"),
        ("", "/api/"),
    ];
    for (next, place) in places {
        let mut browser = Browser::open(&server);
        let fields = [("username", "admin"), ("password", "password"), ("next", next)];
        let answer = browser.log_in(&fields).expect(302);
        assert_eq!(answer.header("Location").as_deref(), Some(place), "next={next:?}");
        assert!(cookie(&answer, "a").is_none(), "{next:?} set a cookie");
    }
    let form = server.anonymous().get("/api/login/?next=//evil.example/%22%3E%3Cscript%3E").expect(200);
    assert!(!form.text().contains("evil.example"), "{form}");
    let form = server.anonymous().get("/api/login/?next=/%22%3E%3Cscript%3E").expect(200);
    assert!(!form.text().contains("<script>"), "{form}");
}

fn session_writes_require_csrf_token(backend: Backend) {
    let server = start(backend);
    let browser = Browser::logged_in(&server, "admin", "password");
    let token = browser.cookies[CSRF_COOKIE].clone();
    let own = server.base();
    let organizations = "/api/v2/organizations/";
    let post = |name: &str, headers: &[(&str, &str)]| {
        let call = browser.call("POST", organizations).json(json!({"name": name}));
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send()
    };
    let good = ("X-CSRFToken", token.as_str());
    let mut without = browser.clone();
    without.cookies.remove(CSRF_COOKIE);
    for refused in [
        post("a", &[]),
        post("a", &[("X-CSRFToken", "wrong")]),
        post("a", &[("X-CSRFToken", "")]),
        post("a", &[good, ("Origin", "https://evil.example")]),
        post("a", &[good, ("Origin", "null")]),
        post("a", &[good, ("Referer", "https://evil.example/api/")]),
        browser.call("PATCH", "/api/v2/users/1/").json(json!({"first_name": "a"})).send(),
        browser.call("PUT", "/api/v2/users/1/").json(json!({"username": "a"})).send(),
        browser.call("DELETE", "/api/v2/users/1/").send(),
        without.write("POST", organizations).header("X-CSRFToken", &token).json(json!({"name": "a"})).send(),
    ] {
        assert_eq!(refused.status, 403, "{refused}");
        assert!(refused.json()["detail"].as_str().is_some_and(|text| text.starts_with("CSRF Failed")), "{refused}");
    }
    assert_eq!(browser.get(organizations).expect(200).json()["count"], 0);
    post("none", &[good]).expect(201);
    post("own", &[good, ("Origin", &own)]).expect(201);
    post("page", &[good, ("Referer", &format!("{own}/api/v2/"))]).expect(201);
}

fn own_password_change_ends_other_sessions(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let (here, there) = (Browser::logged_in(&server, "ann", PASSWORD), Browser::logged_in(&server, "ann", PASSWORD));
    let (bystander, token) = (Browser::logged_in(&server, "admin", "password"), ann.token("read"));
    here.write("PATCH", &ann.path()).json(json!({"first_name": "Ann"})).send().expect(200);
    here.write("PATCH", &ann.path()).json(json!({"password": PASSWORD})).send().expect(200);
    assert!(is_alive(&here) && is_alive(&there), "a session ended though the password is the same");
    here.write("PATCH", &ann.path()).json(json!({"password": "Another-Word-1"})).send().expect(200);
    assert!(is_alive(&here), "the caller's own session ended");
    assert!(!is_alive(&there), "another session outlived the password");
    assert!(is_alive(&bystander), "the session of another user ended");
    token.get("/api/v2/me/").expect(200);
    ann.client.get("/api/v2/me/").expect(401);
    // The kept session is still valid.
    here.write("PATCH", &ann.path()).json(json!({"password": "Another-Word-2"})).send().expect(200);
    assert!(is_alive(&here));
}

fn admin_password_change_ends_all_sessions(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let (session, token) = (Browser::logged_in(&server, "ann", PASSWORD), ann.token("write"));
    let admin = Browser::logged_in(&server, "admin", "password");
    admin.write("PATCH", &ann.path()).json(json!({"password": "Another-Word-1"})).send().expect(200);
    assert!(!is_alive(&session), "the session outlived the password");
    assert!(is_alive(&admin), "the caller's own session ended");
    token.get("/api/v2/me/").expect(200);
    // A session depends on the password hash, also if the hash was changed in the database.
    let session = Browser::logged_in(&server, "ann", "Another-Word-1");
    server.execute("UPDATE users SET password = '' WHERE username = 'ann'");
    assert!(!is_alive(&session), "the session outlived the hash");
}

fn logout_ends_one_session(backend: Backend) {
    let server = start(backend);
    server.user("ann");
    let mut here = Browser::logged_in(&server, "ann", PASSWORD);
    let there = Browser::logged_in(&server, "ann", PASSWORD);
    let copy = here.clone();
    here.call("POST", "/api/logout/").send().expect(403);
    assert!(is_alive(&here), "a forged logout worked");
    let answer = here.write("POST", "/api/logout/").send().expect(302);
    here.keep(&answer);
    assert!(!here.cookies.contains_key(SESSION_COOKIE), "the cookie stayed: {answer:?}");
    assert!(!is_alive(&copy), "the session outlived the logout");
    assert!(is_alive(&there), "another session ended");
    // Logging out twice, or without a session, is not an error.
    let answer = here.write("POST", "/api/logout/").send();
    assert!(answer.status < 500, "{answer}");
    server.anonymous().get("/api/logout/").expect(302);
}

fn expired_session_is_rejected(backend: Backend) {
    let server = start(backend);
    let browser = Browser::logged_in(&server, "admin", "password");
    assert!(is_alive(&browser));
    // No setting allows a session that is short enough to wait for its end.
    let past = match backend {
        Backend::Sqlite => "1",
        Backend::Postgres => "'2001-01-01T00:00:00Z'",
    };
    server.execute(&format!("UPDATE sessions SET expires = {past}"));
    assert!(!is_alive(&browser));
    browser.write("PATCH", "/api/v2/users/1/").json(json!({"first_name": "x"})).send().expect(401);
    let mut forged = browser.clone();
    for secret in ["", "x", &"0".repeat(64), "' OR 1=1 --"] {
        forged.cookies.insert(SESSION_COOKIE.to_owned(), secret.to_owned());
        assert!(!is_alive(&forged), "{secret:?} is a session");
    }
}

fn deleted_user_has_no_session(backend: Backend) {
    let server = start(backend);
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    let sessions = [Browser::logged_in(&server, "ann", PASSWORD), Browser::logged_in(&server, "bob", PASSWORD)];
    server.as_admin().delete(&ann.path()).expect(204);
    server.execute("UPDATE users SET is_active = false WHERE username = 'bob'");
    for session in &sessions {
        assert!(!is_alive(session));
    }
    ann.client.get("/api/v2/me/").expect(401);
    bob.client.get("/api/v2/me/").expect(401);
    Browser::open(&server).log_in(&[("username", "bob"), ("password", PASSWORD)]).expect(401);
}

fn django_hashes_are_accepted_and_rehashed(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    // The hash by Django's own hasher for "Moved-House-1" with this salt.
    let hash = "pbkdf2_sha256$1000$seasalt2$vrlSw78uZdMvz9QYtUtM8uvEt5HsKKiNTzeYSmwL3js=";
    server.execute(&format!("UPDATE users SET password = '{hash}' WHERE username = 'ann'"));
    ann.client.get("/api/v2/me/").expect(401);
    server.as_user("ann", "Moved-House-2").get("/api/v2/me/").expect(401);
    let first = Browser::logged_in(&server, "ann", "Moved-House-1");
    assert!(is_alive(&first));
    let stored = |like: &str| {
        let check = format!("UPDATE users SET last_name = 'matched' WHERE username = 'ann' AND password LIKE '{like}'");
        server.execute(&check);
        server.as_admin().get(&ann.path()).expect(200).json()["last_name"] == "matched"
    };
    assert!(!stored("pbkdf2%"), "the old hash is still stored");
    assert!(stored("$argon2id$%"), "no new hash is stored");
    server.as_user("ann", "Moved-House-1").get("/api/v2/me/").expect(200);
    assert!(is_alive(&first), "the renewal ended a session");
}

/// The list of a user's sessions, oldest first.
fn listed(client: &Browser, user: i64) -> Vec<serde_json::Value> {
    let page = client.get(&format!("/api/v2/users/{user}/sessions/?order_by=id")).expect(200).json();
    page["results"].as_array().expect("results").clone()
}

fn sessions_are_listed_without_their_secrets(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let here = Browser::logged_in(&server, "ann", PASSWORD);
    let mut there = Browser::open(&server);
    let form = format!("username=ann&password={PASSWORD}");
    let call = there.write("POST", "/api/login/").header("User-Agent", &"Netscape ".repeat(100));
    let answer = call.header("Content-Type", "application/x-www-form-urlencoded").body(form).send().expect(302);
    there.keep(&answer);
    let sessions = listed(&here, ann.id);
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    assert_eq!([&sessions[0]["current"], &sessions[1]["current"]], [&json!(true), &json!(false)]);
    assert_eq!(listed(&there, ann.id)[1]["current"], true);
    let agent = sessions[1]["user_agent"].as_str().expect("a text");
    assert!(agent.starts_with("Netscape") && agent.len() == 256, "{agent}");
    for session in &sessions {
        assert_eq!((&session["type"], &session["user"]), (&json!("session"), &json!(ann.id)));
        assert!(session["created"].is_string() && session["expires"].is_string(), "{session}");
        assert_eq!(session["summary_fields"]["user"]["username"], "ann");
        let path = session["url"].as_str().expect("a path");
        assert_eq!(here.get(path).expect(200).json()["id"], session["id"]);
    }
    let page = here.get("/api/v2/sessions/").expect(200);
    for secret in [&here.cookies[SESSION_COOKIE], &there.cookies[SESSION_COOKIE]] {
        assert!(!page.text().contains(secret.as_str()), "{page}");
    }
    for name in ["digest", "binding"] {
        assert!(!page.text().contains(name), "{page}");
        assert!(here.get(&format!("/api/v2/sessions/?{name}__startswith=a")).status >= 400);
    }
    // A password or a token is not a session.
    assert!(ann.client.results("/api/v2/sessions/").iter().all(|session| session["current"] == false));
    let user = here.get(&ann.path()).expect(200).json();
    assert!(user["related"].get("sessions").is_none(), "clients of AWX know no such link: {user}");
}

fn session_can_be_deleted_from_another(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let (here, there) = (Browser::logged_in(&server, "ann", PASSWORD), Browser::logged_in(&server, "ann", PASSWORD));
    let other = listed(&here, ann.id)[1]["url"].as_str().expect("a path").to_owned();
    here.call("DELETE", &other).send().expect(403);
    ann.token("read").delete(&other).expect(403);
    assert!(is_alive(&there), "a refused request ended a session");
    here.write("PATCH", &other).json(json!({"user_agent": "x"})).send().expect(405);
    here.write("DELETE", &other).send().expect(204);
    assert!(is_alive(&here) && !is_alive(&there));
    here.get(&other).expect(404);
    // Ending the own session works like logging out.
    let own = listed(&here, ann.id)[0]["url"].as_str().expect("a path").to_owned();
    here.write("DELETE", &own).send().expect(204);
    assert!(!is_alive(&here));
    let entries = server.as_admin().results("/api/v2/activity_stream/?object1=session");
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(
        (&entries[0]["operation"], &entries[0]["changes"]["user"]),
        (&json!("delete"), &json!(format!("ann-{}", ann.id)))
    );
}

fn sessions_are_visible_to_owner_only(backend: Backend) {
    let server = start(backend);
    let home = server.organization("home");
    let (ann, boss) = (server.user("ann"), server.user("boss"));
    let auditor = server.user_with("auditor", json!({"is_system_auditor": true}));
    server.add_member(home, &ann);
    server.add_admin(home, &boss);
    let session = Browser::logged_in(&server, "ann", PASSWORD);
    let path = listed(&session, ann.id)[0]["url"].as_str().expect("a path").to_owned();
    for client in [&boss.client, &auditor.client] {
        client.get(&path).expect(403);
        client.delete(&path).expect(403);
        for list in ["/api/v2/sessions/".to_owned(), format!("{}sessions/", ann.path())] {
            assert!(client.results(&list).is_empty(), "{list}");
        }
        let guess = client.get("/api/v2/sessions/?user__username=ann").expect(200).json();
        assert_eq!(guess["count"], 0, "{guess}");
    }
    let admin = server.as_admin();
    assert_eq!(admin.results(&format!("{}sessions/", ann.path())).len(), 1);
    admin.post("/api/v2/sessions/", json!({"user": ann.id})).expect(405);
    admin.delete(&path).expect(204);
    assert!(!is_alive(&session));
}
