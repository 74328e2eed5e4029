//! The number of all rows, which the database keeps for large tables, is the number of rows.
#![allow(clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(totals_are_what_counting_finds, connections_that_are_gone_have_counted);

/// Compares each list's count with that of a filter that every row meets.
fn assert_totals(admin: &Client, when: &str) {
    let root = admin.get("/api/v2/").expect(200).json();
    let mut compared = 0;
    for list in root.as_object().expect("an object").values().filter_map(|path| path.as_str()) {
        let answer = admin.get(&format!("{list}?page_size=1"));
        if answer.status != 200 || !answer.json()["count"].is_u64() {
            continue;
        }
        let filtered = admin.get(&format!("{list}?page_size=1&id__gte=0"));
        if filtered.status == 200 {
            assert_eq!(answer.json()["count"], filtered.json()["count"], "{list} {when}");
            compared += 1;
        }
    }
    assert!(compared >= 10, "only {compared} lists were compared");
}

fn totals_are_what_counting_finds(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    assert_totals(&admin, "on a new server");

    let organization = server.organization("org");
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    let team = server.team("team", organization);
    let project = admin.create("/api/v2/projects/", json!({"name": "project", "organization": organization}));
    server.join(organization, &ann);
    server.join(organization, &bob);
    server.promote(organization, &ann);
    admin.attach(&format!("/api/v2/teams/{team}/users/"), bob.id);
    let roles = admin.get(&format!("/api/v2/projects/{project}/object_roles/")).expect(200).json();
    for role in roles["results"].as_array().expect("a list") {
        admin.attach(&format!("/api/v2/teams/{team}/roles/"), role["id"].as_i64().expect("an id"));
    }
    bob.token("read");
    ann.token("write");
    admin.patch(&bob.path(), json!({"is_superuser": true})).expect(200);
    admin.patch(&ann.path(), json!({"is_system_auditor": true})).expect(200);
    assert_totals(&admin, "after granting");

    admin.post(&format!("/api/v2/organizations/{organization}/users/"), json!({"id": ann.id, "disassociate": true}));
    admin.post("/api/v2/users/", json!({"username": "bob", "password": "x"})).expect(400);
    admin.patch(&bob.path(), json!({"is_superuser": false})).expect(200);
    assert_totals(&admin, "after taking away");

    // With them go tokens, teams, roles, and the grants of all these.
    admin.delete(&bob.path()).expect(204);
    assert_totals(&admin, "after deleting a user");
    admin.delete(&format!("/api/v2/organizations/{organization}/")).expect(204);
    assert_totals(&admin, "after deleting an organization");
}

fn connections_that_are_gone_have_counted(backend: Backend) {
    let mut server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    for round in 0..3 {
        server.user(&format!("user-{round}"));
        server.restart();
        assert_totals(&server.as_admin(), "after a restart");
    }
    let users = server.as_admin().get("/api/v2/users/").expect(200).json();
    assert_eq!(users["count"], 4);
}
