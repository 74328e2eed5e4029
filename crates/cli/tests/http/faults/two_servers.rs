//! Two servers on one database: a permission that is removed on one is invalid on the other from the next request on.

use hostler_testkit::{Backend, Browser, PASSWORD, TestServer, TestUser, on_each_backend};
use serde_json::json;

use crate::faults::{HERE, start};

on_each_backend!(
    token_revocation_applies_on_second_server,
    role_revocation_applies_on_second_server,
    disabling_user_applies_on_second_server,
    password_change_applies_on_second_server,
    setting_applies_on_second_server,
    second_factor_applies_on_second_server,
    account_lock_applies_on_second_server,
);

/// Often enough to detect a short-lived cache.
const ROUNDS: usize = 5;

fn two(backend: Backend) -> (TestServer, TestServer, TestUser) {
    let here = start(backend);
    let there = here.start_second();
    let ann = here.user("ann");
    (here, there, ann)
}

fn token_revocation_applies_on_second_server(backend: Backend) {
    let (here, there, ann) = two(backend);
    for _ in 0..ROUNDS {
        let made = ann.client.post("/api/v2/tokens/", json!({"scope": "write"})).expect(201).json();
        let by_token = there.with_token(made["token"].as_str().expect("a token"));
        for _ in 0..3 {
            by_token.get(HERE).expect(200);
        }
        here.as_admin().delete(&format!("/api/v2/tokens/{}/", made["id"])).expect(204);
        by_token.get(HERE).expect(401);
    }
}

fn role_revocation_applies_on_second_server(backend: Backend) {
    let (here, there, ann) = two(backend);
    let organization = here.organization("Acme");
    let project = here.as_admin().create("/api/v2/projects/", json!({"name": "site", "organization": organization}));
    let path = format!("/api/v2/projects/{project}/");
    let team = here.team("ops", organization);
    here.as_admin().attach(&format!("/api/v2/teams/{team}/users/"), ann.id);
    let roles = here.as_admin().get(&path).expect(200).json()["summary_fields"]["object_roles"].clone();
    let role = roles["admin_role"]["id"].as_i64().expect("a role");
    let ann_there = there.with_token(&secret(&ann));
    // Directly, and through a team.
    for holders in [format!("/api/v2/users/{}/roles/", ann.id), format!("/api/v2/teams/{team}/roles/")] {
        for round in 0..ROUNDS {
            here.as_admin().attach(&holders, role);
            ann_there.patch(&path, json!({"description": round.to_string()})).expect(200);
            here.as_admin().post(&holders, json!({"id": role, "disassociate": true})).expect(204);
            ann_there.patch(&path, json!({"description": "revoked"})).expect(403);
        }
    }
}

fn disabling_user_applies_on_second_server(backend: Backend) {
    let (here, there, ann) = two(backend);
    let (by_token, by_password) = (there.with_token(&secret(&ann)), there.as_user("ann", PASSWORD));
    for _ in 0..ROUNDS {
        let session = Browser::logged_in(&there, "ann", PASSWORD);
        by_password.get(HERE).expect(200);
        by_token.get(HERE).expect(200);
        session.get(HERE).expect(200);
        here.as_admin().patch(&ann.path(), json!({"is_active": false})).expect(200);
        by_password.get(HERE).expect(401);
        by_token.get(HERE).expect(401);
        session.get(HERE).expect(401);
        here.as_admin().patch(&ann.path(), json!({"is_active": true})).expect(200);
    }
}

fn password_change_applies_on_second_server(backend: Backend) {
    let (here, there, ann) = two(backend);
    let mut old = PASSWORD.to_owned();
    for round in 0..ROUNDS {
        let session = Browser::logged_in(&there, "ann", &old);
        // The second request uses the password cache.
        for _ in 0..2 {
            there.as_user("ann", &old).get(HERE).expect(200);
        }
        let new = format!("Another-Word-{round}");
        here.as_admin().patch(&ann.path(), json!({"password": new})).expect(200);
        there.as_user("ann", &old).get(HERE).expect(401);
        session.get(HERE).expect(401);
        there.as_user("ann", &new).get(HERE).expect(200);
        old = new;
    }
}

fn setting_applies_on_second_server(backend: Backend) {
    let (here, there, ann) = two(backend);
    let path = "/api/v2/settings/authentication/";
    let admin = here.with_token(&secret(&TestUser { client: here.as_admin(), ..ann.clone() }));
    for _ in 0..ROUNDS {
        there.as_user("ann", PASSWORD).get(HERE).expect(200);
        admin.patch(path, json!({"AUTH_BASIC_ENABLED": false})).expect(200);
        there.as_user("ann", PASSWORD).get(HERE).expect(401);
        admin.patch(path, json!({"AUTH_BASIC_ENABLED": true})).expect(200);
    }
}

fn second_factor_applies_on_second_server(backend: Backend) {
    let (here, there, ann) = two(backend);
    let by_password = there.as_user("ann", PASSWORD);
    for _ in 0..2 {
        by_password.get(HERE).expect(200);
    }
    here.execute(&format!(
        "INSERT INTO second_factors (user_id, created, confirmed, secret)
         VALUES ({}, '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '')",
        ann.id
    ));
    by_password.get(HERE).expect(401);
}

fn account_lock_applies_on_second_server(backend: Backend) {
    let (here, there, _) = two(backend);
    let settings = json!({"LOGIN_FAILURES_UNTIL_LOCK": 3, "LOGIN_FAILURES_UNTIL_DELAY": 0});
    here.as_admin().patch("/api/v2/settings/authentication/", settings).expect(200);
    for _ in 0..2 {
        there.as_user("ann", PASSWORD).get(HERE).expect(200);
    }
    for _ in 0..3 {
        here.as_user("ann", "wrong").get(HERE).expect(401);
    }
    here.as_user("ann", PASSWORD).get(HERE).expect(429);
    // A password that was just verified is still cached there; others are rejected.
    crate::faults::until(
        "locked",
        || there.as_user("ann", "not yet asked there").get(HERE),
        |answer| answer.status == 429,
    );
}

/// A new token of a user.
fn secret(person: &TestUser) -> String {
    let made = person.client.post("/api/v2/tokens/", json!({"scope": "write"})).expect(201).json();
    made["token"].as_str().expect("a token").to_owned()
}
