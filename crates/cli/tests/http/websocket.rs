//! The protocol of WebSockets: who may open one, and what is said about subscriptions.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hostler_testkit::browser::{CSRF_COOKIE, SESSION_COOKIE};
use hostler_testkit::{ADMIN, ADMIN_PASSWORD, Backend, Browser, PASSWORD, TestServer, Websocket, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    socket_is_opened_with_every_sign_in,
    origin_is_compared_for_sessions,
    handshake_is_checked,
    subscription_needs_the_token_of_the_handshake,
    groups_are_joined_and_left,
    broken_messages_are_answered,
    sign_out_closes,
    lost_sign_in_closes,
    sockets_of_a_user_are_limited,
    user_with_too_many_sessions_is_notified,
    stopped_server_closes,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

/// The value of `Authorization`.
pub fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))
}

fn as_admin(server: &TestServer) -> Websocket {
    server.websocket(&basic(ADMIN, ADMIN_PASSWORD))
}

fn cookies(browser: &Browser) -> String {
    let pairs: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("; ")
}

/// The socket of a session, which has read its first message.
fn of_session(server: &TestServer, browser: &Browser) -> Websocket {
    let mut socket = server.open_websocket("/websocket/", &[("Cookie", &cookies(browser))]).expect("a socket");
    assert_eq!(socket.read()["accept"], true);
    socket.with_token(&browser.cookies[CSRF_COOKIE])
}

fn token(server: &TestServer, user: &str, scope: &str) -> Value {
    let body = json!({"scope": scope});
    server.as_user(user, PASSWORD).post("/api/v2/tokens/", body).expect(201).json()
}

fn socket_is_opened_with_every_sign_in(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let browser = Browser::logged_in(&server, "ann", PASSWORD);
    let bearer = format!("Bearer {}", token(&server, "ann", "read")["token"].as_str().expect("a token"));
    let session = cookies(&browser);
    for path in ["/websocket/", "/api/websocket/"] {
        for header in
            [("Cookie", session.as_str()), ("Authorization", &bearer), ("Authorization", &basic("ann", PASSWORD))]
        {
            let mut socket = server.open_websocket(path, &[header]).expect("a socket");
            assert_eq!(socket.read(), json!({"accept": true, "user": ann.id}), "{header:?}");
        }
    }
    let denied = Err((403, "Access denied".to_owned()));
    for headers in [
        &[][..],
        &[("Authorization", "Bearer nothing")],
        &[("Authorization", &basic("ann", "wrong"))],
        &[("Cookie", "awx_sessionid=nothing")],
    ] {
        assert_eq!(server.open_websocket("/websocket/", headers).map(|_| ()), denied, "{headers:?}");
    }
    let with_token = format!("/websocket/?token={}", bearer.trim_start_matches("Bearer "));
    assert_eq!(server.open_websocket(&with_token, &[]).map(|_| ()), denied);
}

fn origin_is_compared_for_sessions(backend: Backend) {
    let server = start(backend);
    server.user("ann");
    let browser = Browser::logged_in(&server, "ann", PASSWORD);
    let session = cookies(&browser);
    let status =
        |headers: &[(&str, &str)]| server.open_websocket("/websocket/", headers).map(|_| ()).err().map(|it| it.0);
    for (origin, refused) in
        [("https://them.example", true), ("null", true), ("http://127.0.0.1", true), (&server.base(), false)]
    {
        let expected = refused.then_some(403);
        assert_eq!(status(&[("Cookie", &session), ("Origin", origin)]), expected, "{origin}");
        // Browsers do not send a token or a password by themselves.
        assert_eq!(status(&[("Authorization", &basic("ann", PASSWORD)), ("Origin", origin)]), None, "{origin}");
    }
    server.configure("system", json!({"CSRF_TRUSTED_ORIGINS": ["https://them.example"]}));
    assert_eq!(status(&[("Cookie", &session), ("Origin", "https://them.example")]), None);
}

fn handshake_is_checked(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let answer = admin.get("/websocket/").expect(426);
    assert_eq!(answer.header("Upgrade").as_deref(), Some("websocket"));
    assert_eq!(answer.header("Sec-WebSocket-Version").as_deref(), Some("13"));
    admin.post("/websocket/", json!({})).expect(405);
    admin.get("/websocket").expect(404);
    admin.get("/websocket/x/").expect(404);
    assert_eq!(server.anonymous().get("/websocket/").expect(403).text(), "Access denied");
    let upgrade = |version: &str, key: &str| {
        let request = admin.request("GET", "/websocket/").header("Connection", "keep-alive, Upgrade");
        let request = request.header("Upgrade", "WebSocket").header("Sec-WebSocket-Version", version);
        request.header("Sec-WebSocket-Key", key).send()
    };
    upgrade("8", "dGhlIHNhbXBsZSBub25jZQ==").expect(426);
    upgrade("13", "short").expect(400);
}

fn subscription_needs_the_token_of_the_handshake(backend: Backend) {
    let server = start(backend);
    server.user("ann");
    let browser = Browser::logged_in(&server, "ann", PASSWORD);
    let groups = json!({"jobs": ["status_changed"]});
    let denied = json!({"error": "access denied to channel"});
    let mut socket = of_session(&server, &browser).with_token("another");
    assert_eq!(socket.subscribe(groups.clone()), denied);
    let mut socket = socket.with_token(&browser.cookies[CSRF_COOKIE]);
    assert_eq!(socket.subscribe(groups.clone())["groups_current"], json!(["jobs-status_changed"]));
    // A socket without the cookie cannot subscribe.
    let session = format!("{SESSION_COOKIE}={}", browser.cookies[SESSION_COOKIE]);
    let mut socket = server.open_websocket("/websocket/", &[("Cookie", &session)]).expect("a socket").with_token("");
    socket.read();
    assert_eq!(socket.subscribe(groups), denied);
}

fn groups_are_joined_and_left(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let mut socket = server.websocket(&basic("ann", PASSWORD));
    let own = format!("limit_reached_{}", ann.id);
    let answer = socket.subscribe(json!({"jobs": ["status_changed", "summary"], "control": [own], "nothing": [1]}));
    let names = json!(["jobs-status_changed", "jobs-summary", format!("control-{own}"), "nothing-1"]);
    assert_eq!(answer, json!({"groups_current": names, "groups_left": [], "groups_joined": names}));
    let answer = socket.subscribe(json!({"jobs": ["summary"], "schedules": ["changed"]}));
    assert_eq!(answer["groups_current"], json!(["jobs-summary", "schedules-changed"]));
    assert_eq!(answer["groups_joined"], json!(["schedules-changed"]));
    assert_eq!(answer["groups_left"].as_array().map(Vec::len), Some(3));
    let answer = socket.subscribe(json!({}));
    assert_eq!((&answer["groups_current"], &answer["groups_joined"]), (&json!([]), &json!([])));
    // Of another user, of nobody, and what does not exist.
    for (group, member) in
        [("control", json!("limit_reached_1")), ("job_events", json!(99)), ("job_events", json!("x"))]
    {
        let name = member.as_str().map_or_else(|| member.to_string(), str::to_owned);
        let error = format!("access denied to channel {group} for resource id {name}");
        assert_eq!(socket.subscribe(json!({group: [member]})), json!({"error": error}));
        assert_eq!(socket.read()["groups_current"], json!([]));
    }
    let mut admin = as_admin(&server);
    for kind in ["job", "ad_hoc_command", "project_update", "inventory_update", "system_job", "workflow"] {
        let error = format!("access denied to channel {kind}_events for resource id 99");
        assert_eq!(admin.subscribe(json!({format!("{kind}_events"): ["99"]})), json!({"error": error}));
        admin.read();
    }
}

fn broken_messages_are_answered(backend: Backend) {
    let server = start(backend);
    let mut socket = as_admin(&server);
    for text in ["", "no JSON", "[]", "5", &"[".repeat(10_000)] {
        socket.send(text);
        assert_eq!(socket.read(), json!({"error": "the message is not a JSON object"}), "{text}");
    }
    socket.send_binary(&[0, 1, 2]);
    assert!(socket.read()["error"].is_string());
    for groups in [json!(5), json!([]), json!({"jobs": "status_changed"}), json!({"jobs": [{}]})] {
        assert!(socket.subscribe(groups.clone())["error"].is_string(), "{groups}");
    }
    let members: Vec<i64> = (0..1001).collect();
    assert_eq!(socket.subscribe(json!({"jobs": members})), json!({"error": "more than 1000 groups"}));
    assert_eq!(socket.subscribe(json!({"jobs": ["summary"]}))["groups_current"], json!(["jobs-summary"]));
    socket.send("x".repeat(70_000));
    assert_eq!(socket.closed(), Some(1009));
    assert_eq!(as_admin(&server).subscribe(json!({}))["groups_current"], json!([]));
}

fn sign_out_closes(backend: Backend) {
    let server = start(backend);
    server.user("ann");
    let mut browser = Browser::logged_in(&server, "ann", PASSWORD);
    let other = Browser::logged_in(&server, "ann", PASSWORD);
    let (mut socket, mut of_other) = (of_session(&server, &browser), of_session(&server, &other));
    let answer = browser.write("POST", "/api/logout/").send();
    browser.keep(&answer);
    assert_eq!(socket.closed(), Some(1008));
    assert_eq!(of_other.subscribe(json!({}))["groups_current"], json!([]));
}

fn lost_sign_in_closes(backend: Backend) {
    let server = start(backend);
    let (admin, ann) = (server.as_admin(), server.user("ann"));
    let of_token = |token: &Value| server.websocket(&format!("Bearer {}", token["token"].as_str().expect("a token")));
    let known = token(&server, "ann", "read");
    let mut socket = of_token(&known);
    admin.delete(&format!("/api/v2/tokens/{}/", known["id"])).expect(204);
    assert_eq!(socket.closed(), Some(1008));

    let browser = Browser::logged_in(&server, "ann", PASSWORD);
    let (mut of_password, mut session) = (server.websocket(&basic("ann", PASSWORD)), of_session(&server, &browser));
    let mut of_other_token = of_token(&token(&server, "ann", "read"));
    admin.patch(&ann.path(), json!({"password": "another-password-of-hers-7"})).expect(200);
    assert_eq!((of_password.closed(), session.closed()), (Some(1008), Some(1008)));
    // As with requests, tokens stay valid.
    of_other_token.subscribe(json!({}));
    admin.delete(&ann.path()).expect(204);
    assert_eq!(of_other_token.closed(), Some(1008));
}

fn sockets_of_a_user_are_limited(backend: Backend) {
    let server = start(backend);
    server.user("ann");
    server.configure("authentication", json!({"WEBSOCKETS_PER_USER": 2}));
    let headers = [("Authorization", basic("ann", PASSWORD))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let open = || server.open_websocket("/websocket/", &headers);
    let (first, second) = (open().expect("a socket"), open().expect("a socket"));
    assert_eq!(open().map(|_| ()).expect_err("a refusal").0, 429);
    as_admin(&server);
    drop(first);
    // The server learns of it a moment later.
    while open().is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(second);
}

fn user_with_too_many_sessions_is_notified(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    server.configure("authentication", json!({"SESSIONS_PER_USER": 1}));
    let mut socket = server.websocket(&basic("ann", PASSWORD));
    let mut admin = as_admin(&server);
    let group = json!({"control": [format!("limit_reached_{}", ann.id)]});
    socket.subscribe(group);
    admin.subscribe(json!({"control": ["limit_reached_1"]}));
    Browser::logged_in(&server, "ann", PASSWORD);
    Browser::logged_in(&server, "ann", PASSWORD);
    assert_eq!(socket.read(), json!({"group_name": "control", "reason": "limit_reached"}));
    assert_eq!(admin.subscribe(json!({}))["groups_current"], json!([]));
}

fn stopped_server_closes(backend: Backend) {
    let mut server = start(backend);
    let mut socket = as_admin(&server);
    let waiting = std::thread::spawn(move || socket.closed());
    assert!(server.stop().success());
    assert_eq!(waiting.join().expect("a code"), Some(1001));
}
