//! SESSIONS_PER_USER, AUTH_BASIC_ENABLED and DISABLE_LOCAL_AUTH.

use hostler_testkit::{Backend, Browser, PASSWORD, TestServer, on_each_backend};
use serde_json::json;

use crate::settings::{AUTHENTICATION, set, start};

on_each_backend!(
    login_over_session_limit_ends_oldest,
    basic_auth_can_be_disabled,
    local_passwords_need_an_alternative,
    local_logins_can_be_disabled,
);

fn is_alive(browser: &Browser) -> bool {
    browser.get("/api/v2/me/").status == 200
}

fn log_in(server: &TestServer, name: &str) -> Browser {
    Browser::logged_in(server, name, PASSWORD)
}

fn login_over_session_limit_ends_oldest(backend: Backend) {
    let server = start(backend);
    server.user("ann");
    server.user("bob");
    let unlimited: Vec<_> = (0..4).map(|_| log_in(&server, "ann")).collect();
    let bob = log_in(&server, "bob");
    assert!(unlimited.iter().all(is_alive));
    set(&server, AUTHENTICATION, json!({"SESSIONS_PER_USER": 2}));
    let latest = log_in(&server, "ann");
    let alive: Vec<bool> = unlimited.iter().chain([&latest, &bob]).map(is_alive).collect();
    assert_eq!(alive, [false, false, false, true, true, true]);
    // A wrong password ends no session.
    Browser::open(&server).log_in(&[("username", "ann"), ("password", "wrong")]).expect(401);
    assert!(is_alive(&unlimited[3]));
    server.as_admin().delete(AUTHENTICATION).expect(204);
    let more = [log_in(&server, "ann"), log_in(&server, "ann")];
    assert!(more.iter().chain([&latest, &unlimited[3]]).all(is_alive));
}

fn basic_auth_can_be_disabled(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let (token, session) = (ann.token("read"), log_in(&server, "ann"));
    set(&server, AUTHENTICATION, json!({"AUTH_BASIC_ENABLED": false}));
    for client in [&ann.client, &server.as_user("ann", "wrong"), &server.as_user("nobody", PASSWORD)] {
        client.get("/api/v2/me/").expect(401);
        // Public paths are served with any credentials.
        client.get("/api/v2/ping/").expect(200);
    }
    token.get("/api/v2/me/").expect(200);
    assert!(is_alive(&session) && is_alive(&log_in(&server, "ann")));
}

fn local_passwords_need_an_alternative(backend: Backend) {
    let server = start(backend);
    let refused = server.as_admin().patch(AUTHENTICATION, json!({"DISABLE_LOCAL_AUTH": true})).expect(400);
    assert_eq!(refused.json(), json!({"__all__": ["There are no remote authentication systems configured."]}));
    server.as_admin().get("/api/v2/me/").expect(200);
}

fn local_logins_can_be_disabled(backend: Backend) {
    let server = start(backend);
    let (ann, eve) = (server.user("ann"), server.user("eve"));
    let (local, external) = (log_in(&server, "ann"), log_in(&server, "eve"));
    let tokens = [ann.token("read"), eve.token("read")];
    server.execute("UPDATE users SET external_account = 'ldap' WHERE username = 'eve'");
    // As if the other authentication system had been disabled later.
    server.execute("INSERT INTO settings (name, value) VALUES ('DISABLE_LOCAL_AUTH', 'true')");
    ann.client.get("/api/v2/me/").expect(401);
    // Local passwords are rejected, also of users who exist in a directory.
    eve.client.get("/api/v2/me/").expect(401);
    Browser::open(&server).log_in(&[("username", "ann"), ("password", PASSWORD)]).expect(401);
    assert!(!is_alive(&local) && is_alive(&external));
    assert_eq!(tokens.each_ref().map(|token| token.get("/api/v2/me/").status), [401, 200]);
    server.execute("DELETE FROM settings WHERE name = 'DISABLE_LOCAL_AUTH'");
    ann.client.get("/api/v2/me/").expect(200);
    assert!(is_alive(&local));
}
