//! An organization admin who takes somebody in may then set their password. So
//! nobody can be taken in who was granted something out of that admin's reach.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(somebody_with_rights_elsewhere_cannot_be_taken_in, somebody_without_any_rights_can_be_taken_in,);

fn make(server: &TestServer, path: &str, body: Value) -> i64 {
    server.as_admin().post(path, body).expect(201).json()["id"].as_i64().expect("an id")
}

/// A server with the organizations home and away, and the user rival, who administers away.
fn start(backend: Backend) -> (TestServer, i64, i64) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let home = make(&server, "/api/v2/organizations/", json!({"name": "home"}));
    let away = make(&server, "/api/v2/organizations/", json!({"name": "away"}));
    let rival = make(&server, "/api/v2/users/", json!({"username": "rival", "password": "pw"}));
    server.as_admin().post(&format!("/api/v2/organizations/{away}/admins/"), json!({"id": rival})).expect(204);
    (server, home, away)
}

fn somebody_with_rights_elsewhere_cannot_be_taken_in(backend: Backend) {
    let (server, home, away) = start(backend);
    let admin = server.as_admin();
    let team = make(&server, "/api/v2/teams/", json!({"name": "crew", "organization": home}));
    let project = make(&server, "/api/v2/projects/", json!({"name": "site", "organization": home}));
    let sailor = make(&server, "/api/v2/users/", json!({"username": "sailor", "password": "pw"}));
    admin.post(&format!("/api/v2/teams/{team}/users/"), json!({"id": sailor})).expect(204);
    let editor = make(&server, "/api/v2/users/", json!({"username": "editor", "password": "pw"}));
    let shown = admin.get(&format!("/api/v2/projects/{project}/")).json();
    let role = shown["summary_fields"]["object_roles"]["admin_role"]["id"].clone();
    admin.post(&format!("/api/v2/users/{editor}/roles/"), json!({"id": role})).expect(204);

    let rival = server.as_user("rival", "pw");
    for user in [sailor, editor] {
        for list in ["users", "admins"] {
            rival.post(&format!("/api/v2/organizations/{away}/{list}/"), json!({"id": user})).expect(403);
        }
        rival.patch(&format!("/api/v2/users/{user}/"), json!({"password": "taken"})).expect(403);
        rival.delete(&format!("/api/v2/users/{user}/")).expect(403);
    }
    // Even a superuser's taking the sailor in gives the rival no power: home's team is still theirs.
    admin.post(&format!("/api/v2/organizations/{away}/users/"), json!({"id": sailor})).expect(204);
    rival.patch(&format!("/api/v2/users/{sailor}/"), json!({"password": "taken"})).expect(403);
}

fn somebody_without_any_rights_can_be_taken_in(backend: Backend) {
    let (server, _, away) = start(backend);
    let fresh = make(&server, "/api/v2/users/", json!({"username": "fresh", "password": "pw"}));
    let rival = server.as_user("rival", "pw");
    rival.patch(&format!("/api/v2/users/{fresh}/"), json!({"first_name": "x"})).expect(403);
    rival.post(&format!("/api/v2/organizations/{away}/users/"), json!({"id": fresh})).expect(204);
    rival.patch(&format!("/api/v2/users/{fresh}/"), json!({"first_name": "x"})).expect(200);
}
