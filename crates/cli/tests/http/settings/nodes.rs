//! A change of a setting applies on every node to every request that begins after the response.

use hostler_testkit::{Backend, PASSWORD, on_each_backend};
use serde_json::json;

use crate::settings::{AUTHENTICATION, SYSTEM, UI, set, start};

on_each_backend!(setting_change_applies_on_other_node, setting_change_adds_no_statements);

fn setting_change_applies_on_other_node(backend: Backend) {
    let here = start(backend);
    let there = here.start_second();
    let ann = here.user("ann");
    let token = ann.token("write");
    let there_by_token = there.with_token(&here_token(&here));
    let (path, ann_there) = (ann.path(), there.as_user("ann", PASSWORD));
    // Often enough to detect a short-lived cache.
    for round in 0..20 {
        set(&here, SYSTEM, json!({"MANAGE_ORGANIZATION_AUTH": false}));
        ann_there.patch(&path, json!({"first_name": round.to_string()})).expect(403);
        set(&here, SYSTEM, json!({"MANAGE_ORGANIZATION_AUTH": true}));
        ann_there.patch(&path, json!({"first_name": round.to_string()})).expect(200);
        // Anonymous requests too.
        set(&here, UI, json!({"CUSTOM_LOGIN_INFO": round.to_string()}));
        assert_eq!(there.anonymous().get("/api/").expect(200).json()["custom_login_info"], round.to_string());
        there_by_token.patch(UI, json!({"CUSTOM_LOGIN_INFO": "set there"})).expect(200);
        assert_eq!(here.anonymous().get("/api/").expect(200).json()["custom_login_info"], "set there");
    }
    set(&here, AUTHENTICATION, json!({"LOCAL_PASSWORD_MIN_LENGTH": 30}));
    ann_there.patch(&path, json!({"password": "Too-Short-1"})).expect(400);
    there_by_token.delete(AUTHENTICATION).expect(204);
    token.patch(&path, json!({"password": "Too-Short-1"})).expect(200);
}

fn setting_change_adds_no_statements(backend: Backend) {
    let server = start(backend);
    let client = server.with_token(&here_token(&server));
    client.get("/api/v2/users/1/").expect(200);
    let before = client.get("/api/v2/users/1/").expect(200).queries();
    set(&server, AUTHENTICATION, json!({"SESSIONS_PER_USER": 5}));
    // The response to the change has already reloaded the settings.
    assert_eq!(client.get("/api/v2/users/1/").expect(200).queries(), before);
    let other = server.start_second();
    set(&server, AUTHENTICATION, json!({"SESSIONS_PER_USER": 6}));
    let there = other.with_token(&here_token(&server));
    let counts = [0; 3].map(|_| there.get("/api/v2/users/1/").expect(200).queries());
    assert_eq!(counts, [before + 1, before, before]);
}

fn here_token(server: &hostler_testkit::TestServer) -> String {
    let made = server.as_admin().post("/api/v2/tokens/", json!({"scope": "write"})).expect(201).json();
    made["token"].as_str().expect("a token").to_owned()
}
