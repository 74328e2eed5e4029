//! Why somebody may do something, told as the shortest chain of grants.

#![allow(clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    a_chain_through_a_team_is_told,
    the_shortest_chain_wins_and_superusers_need_no_grant,
    only_oneself_admins_and_those_above_all_learn_it,
    what_names_no_object_is_a_clear_error,
);

struct World {
    organization: i64,
    project: i64,
    ada: i64,
    bob: i64,
    ops: i64,
}

fn id(answer: &Value) -> i64 {
    answer["id"].as_i64().expect("an id")
}

/// Ada is a member of ops, which may use the project; Bob administers the organization.
fn world(server: &TestServer) -> World {
    let admin = server.as_admin();
    let make = |path: &str, body: Value| id(&admin.post(path, &body).expect(201).json());
    let organization = make("/api/v2/organizations/", json!({"name": "acme"}));
    let project = make("/api/v2/projects/", json!({"name": "site", "organization": organization}));
    let ada = make("/api/v2/users/", json!({"username": "ada", "password": "pw-of-ada"}));
    let bob = make("/api/v2/users/", json!({"username": "bob", "password": "pw-of-bob"}));
    let ops = make("/api/v2/teams/", json!({"name": "ops", "organization": organization}));
    admin.post(&format!("/api/v2/teams/{ops}/users/"), json!({"id": ada})).expect(204);
    admin.post(&format!("/api/v2/organizations/{organization}/admins/"), json!({"id": bob})).expect(204);
    let project_answer = admin.get(&format!("/api/v2/projects/{project}/")).expect(200).json();
    let use_role = project_answer["summary_fields"]["object_roles"]["use_role"]["id"].clone();
    admin.post(&format!("/api/v2/teams/{ops}/roles/"), json!({"id": use_role})).expect(204);
    World { organization, project, ada, bob, ops }
}

fn role<'a>(explained: &'a Value, field: &str) -> &'a Value {
    let roles = explained["roles"].as_array().expect("roles");
    roles.iter().find(|role| role["role_field"] == field).expect("the role")
}

fn a_chain_through_a_team_is_told(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let World { project, ada, ops, .. } = world(server);
    let path = format!("/api/v2/users/{ada}/explain_access/?object=/api/v2/projects/{project}/");
    let explained = server.as_admin().get(&path).expect(200).json();
    assert_eq!(explained["actions"], json!({"read": true, "change": false, "delete": false}));
    assert_eq!(role(&explained, "admin_role")["allowed"], false);
    assert_eq!(role(&explained, "admin_role")["because"], Value::Null);
    let because = role(&explained, "read_role")["because"].as_array().expect("a chain").clone();
    assert_eq!(because.len(), 3, "member of ops, ops may use the project, use implies read: {because:?}");
    assert_eq!(because[0]["holds"], "member_role");
    assert_eq!(because[1]["holder"], json!({"type": "team", "id": ops, "name": "ops"}));
    assert_eq!(because[1]["holds"], "use_role");
    assert_eq!(because[2], json!({"implies": "read_role", "of": "project"}));
}

fn the_shortest_chain_wins_and_superusers_need_no_grant(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let World { organization, project, bob, ops, .. } = world(server);
    let admin = server.as_admin();
    let explain = |user: i64, object: &str| {
        admin.get(&format!("/api/v2/users/{user}/explain_access/?object={object}")).expect(200).json()
    };
    let of_team = explain(bob, &format!("/api/v2/teams/{ops}/"));
    assert_eq!(role(&of_team, "admin_role")["because"][0]["holds"], "admin_role");
    assert_eq!(role(&of_team, "admin_role")["because"][1], json!({"implies": "admin_role", "of": "team"}));
    assert_eq!(of_team["actions"]["delete"], true);

    let named = explain(bob, "/api/v2/organizations/acme/");
    assert_eq!(named["url"], format!("/api/v2/organizations/{organization}/"));
    assert_eq!(role(&named, "auditor_role")["allowed"], false);

    let of_project = explain(1, &format!("/api/v2/projects/{project}/"));
    for role in of_project["roles"].as_array().expect("roles") {
        assert_eq!(role["allowed"], true, "{role}");
        assert_eq!(role["because"][0]["holds"], "system_administrator", "{role}");
    }
}

fn only_oneself_admins_and_those_above_all_learn_it(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let World { project, ada, bob, .. } = world(server);
    let path = |user: i64| format!("/api/v2/users/{user}/explain_access/?object=/api/v2/projects/{project}/");
    server.as_user("ada", "pw-of-ada").get(&path(ada)).expect(200);
    server.as_user("bob", "pw-of-bob").get(&path(ada)).expect(200);
    // Ada may see user 1, a superuser, but not how that one comes to their rights.
    server.as_user("ada", "pw-of-ada").get(&path(1)).expect(403);
    server.as_user("ada", "pw-of-ada").get(&path(bob)).expect(403);
    server.anonymous().get(&path(ada)).expect(401);
}

fn what_names_no_object_is_a_clear_error(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    for object in ["", "x", "/api/v2/", "/api/v2/nothing/1/", "/api/v2/users/", "https://example.org/api/v2/users/1/"] {
        let answer = server.as_admin().get(&format!("/api/v2/users/1/explain_access/?object={object}"));
        assert_eq!(answer.status, 400, "{object:?}");
        assert!(answer.json()["object"][0].is_string(), "{object:?}");
    }
    server.as_admin().get("/api/v2/users/1/explain_access/?object=/api/v2/users/999999/").expect(404);
    server.as_admin().post("/api/v2/users/1/explain_access/", json!({})).expect(405);
}
