//! Disabled users (`is_active`).

use hostler_testkit::browser::Browser;
use hostler_testkit::{Backend, PASSWORD, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    disabled_user_cannot_authenticate,
    enabling_restores_tokens_not_sessions,
    user_created_disabled_cannot_authenticate,
    disabling_requires_change_permission,
    user_cannot_disable_self,
    last_superuser_cannot_be_disabled,
    is_active_is_not_shown,
    users_filter_by_is_active,
    disabling_is_recorded,
    is_active_rejects_non_boolean,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn disabled_user_cannot_authenticate(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let (session, token) = (Browser::logged_in(&server, "ann", PASSWORD), ann.token("write"));
    // Just verified, and so cached.
    ann.client.get("/api/v2/me/").expect(200);
    server.as_admin().patch(&ann.path(), json!({"is_active": false})).expect(200);
    ann.client.get("/api/v2/me/").expect(401);
    token.get("/api/v2/me/").expect(401);
    token.post("/api/v2/tokens/", json!({})).expect(401);
    session.get("/api/v2/me/").expect(401);
    Browser::open(&server).log_in(&[("username", "ann"), ("password", PASSWORD)]).expect(401);
    let sessions = server.as_admin().get("/api/v2/sessions/?user__username=ann").expect(200).json();
    assert_eq!(sessions["count"], 0, "{sessions}");
}

fn enabling_restores_tokens_not_sessions(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let (session, token) = (Browser::logged_in(&server, "ann", PASSWORD), ann.token("write"));
    let admin = server.as_admin();
    for active in [false, true] {
        admin.patch(&ann.path(), json!({"is_active": active})).expect(200);
    }
    ann.client.get("/api/v2/me/").expect(200);
    token.get("/api/v2/me/").expect(200);
    session.get("/api/v2/me/").expect(401);
}

fn user_created_disabled_cannot_authenticate(backend: Backend) {
    let server = start(backend);
    let ann = server.user_with("ann", json!({"is_active": false}));
    ann.client.get("/api/v2/me/").expect(401);
    // PUT keeps the field if it is missing.
    let admin = server.as_admin();
    admin.put(&ann.path(), json!({"username": "ann"})).expect(200);
    ann.client.get("/api/v2/me/").expect(401);
    admin.put(&ann.path(), json!({"username": "ann", "is_active": true})).expect(200);
    ann.client.get("/api/v2/me/").expect(200);
}

fn disabling_requires_change_permission(backend: Backend) {
    let server = start(backend);
    let (home, away) = (server.organization("home"), server.organization("away"));
    let (boss, rival, member, target) =
        (server.user("boss"), server.user("rival"), server.user("member"), server.user("target"));
    server.add_admin(home, &boss);
    server.add_admin(away, &rival);
    server.add_member(home, &member);
    server.add_member(home, &target);
    let root = server.user_with("root", json!({"is_superuser": true}));
    server.add_member(home, &root);
    let off = json!({"is_active": false});
    for client in [&rival.client, &member.client, &boss.token("read")] {
        client.patch(&target.path(), &off).expect(403);
    }
    boss.client.patch(&root.path(), &off).expect(403);
    target.client.get("/api/v2/me/").expect(200);
    boss.client.patch(&target.path(), &off).expect(200);
    target.client.get("/api/v2/me/").expect(401);
    rival.client.patch(&target.path(), json!({"is_active": true})).expect(403);
    server.configure("system", json!({"MANAGE_ORGANIZATION_AUTH": false}));
    boss.client.patch(&target.path(), json!({"is_active": true})).expect(403);
    server.as_admin().patch(&target.path(), json!({"is_active": true})).expect(200);
    target.client.get("/api/v2/me/").expect(200);
}

fn user_cannot_disable_self(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let root = server.user_with("root", json!({"is_superuser": true}));
    for person in [&ann, &root] {
        let refused = person.client.patch(&person.path(), json!({"is_active": false})).expect(403);
        assert_eq!(refused.json()["detail"], "Cannot change is_active.");
        // Sending the stored value is not a change.
        person.client.patch(&person.path(), json!({"is_active": true})).expect(200);
    }
}

fn last_superuser_cannot_be_disabled(backend: Backend) {
    let server = start(backend);
    let root = server.user_with("root", json!({"is_superuser": true}));
    let admin = server.as_admin();
    admin.patch(&root.path(), json!({"is_active": false})).expect(200);
    // A disabled superuser does not count as a remaining one.
    let refused = admin.patch("/api/v2/users/1/", json!({"is_superuser": false})).expect(400);
    assert!(refused.json()["is_superuser"].is_array(), "{refused}");
    admin.patch(&root.path(), json!({"is_active": true})).expect(200);
    root.client.patch("/api/v2/users/1/", json!({"is_active": false})).expect(200);
    admin.get("/api/v2/me/").expect(401);
    root.client.delete(&root.path()).expect(403);
}

fn is_active_is_not_shown(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let user = admin.get("/api/v2/users/1/").expect(200).json();
    assert!(user.get("is_active").is_none(), "{user}");
    for path in ["/api/v2/users/", "/api/v2/users/1/"] {
        let described = admin.options(path).expect(200);
        assert!(!described.text().contains("is_active"), "{described}");
    }
    let document = admin.get("/api/v2/openapi.json").expect(200).json();
    for body in ["UserCreate", "UserReplace", "UserChange"] {
        assert!(document["components"]["schemas"][body]["properties"]["is_active"].is_object(), "{body}");
    }
}

fn users_filter_by_is_active(backend: Backend) {
    let server = start(backend);
    server.user_with("ann", json!({"is_active": false}));
    server.user("bob");
    let names = |query: &str| -> Vec<String> {
        let found = server.as_admin().results(&format!("/api/v2/users/?order_by=id&{query}"));
        found.iter().map(|user| user["username"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names("is_active=false"), ["ann"]);
    assert_eq!(names("is_active=true"), ["admin", "bob"]);
    assert_eq!(names("not__is_active=true"), ["ann"]);
    server.as_admin().get("/api/v2/users/?is_active=perhaps").expect(400);
}

fn disabling_is_recorded(backend: Backend) {
    let server = start(backend);
    let (ann, bob) = (server.user("ann"), server.user_with("bob", json!({"is_active": false})));
    let admin = server.as_admin();
    admin.patch(&ann.path(), json!({"is_active": false, "first_name": "Ann"})).expect(200);
    admin.patch(&ann.path(), json!({"is_active": false})).expect(200);
    let entries = admin.results(&format!("{}activity_stream/?order_by=id", ann.path()));
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert!(entries[0]["changes"].get("is_active").is_none(), "{}", entries[0]);
    assert_eq!(entries[1]["changes"], json!({"first_name": ["", "Ann"], "is_active": [true, false]}));
    // The entry about a new user contains `is_active` only if it is false.
    let made = &admin.results(&format!("{}activity_stream/", bob.path()))[0];
    assert_eq!(made["changes"]["is_active"], false, "{made}");
}

fn is_active_rejects_non_boolean(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    for word in [json!("perhaps"), json!(7), json!([]), json!({}), json!(null)] {
        let refused = server.as_admin().patch(&ann.path(), json!({"is_active": word})).expect(400);
        assert!(refused.json()["is_active"].is_array(), "{refused}");
    }
    ann.client.get("/api/v2/me/").expect(200);
}
