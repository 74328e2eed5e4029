//! Organizations with so many objects that a task deletes them in steps.

use std::thread::sleep;
use std::time::Duration;

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    large_organization_disappears_at_once,
    objects_of_large_organization_are_deleted_in_steps,
    roles_of_disappearing_organization_cannot_be_granted,
    killed_server_continues_deletion,
    second_server_continues_deletion,
);

/// More objects than are deleted in one transaction.
const MANY: u32 = 15_000;

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

/// Adds labels to an organization, without activity entries.
fn add_labels(server: &TestServer, organization: i64, count: u32) {
    server.execute(&format!(
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {count})
         INSERT INTO labels (created, modified, name, organization_id)
         SELECT organizations.created, organizations.created, 'label ' || numbers.number, organizations.id
         FROM numbers, organizations WHERE organizations.id = {organization}"
    ));
}

fn count(client: &Client, list: &str) -> i64 {
    client.get(list).expect(200).json()["count"].as_i64().expect("a count")
}

fn wait_for_count(client: &Client, list: &str, expected: i64) {
    for _ in 0..6000 {
        if count(client, list) == expected {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("{list} has {} objects instead of {expected}", count(client, list));
}

fn large_organization_disappears_at_once(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("gone");
    let path = format!("/api/v2/organizations/{organization}/");
    let ann = server.user("ann");
    server.add_member(organization, &ann);
    add_labels(&server, organization, MANY);
    ann.client.get(&path).expect(200);
    admin.delete(&path).expect(204);
    for client in [&admin, &ann.client] {
        client.get(&path).expect(404);
        client.get("/api/v2/organizations/gone/").expect(404);
        client.get(&format!("{path}labels/")).expect(404);
        assert_eq!(count(client, "/api/v2/organizations/"), 0);
        assert_eq!(count(client, "/api/v2/labels/?organization__name__icontains=e"), 0);
    }
    admin.patch(&path, json!({"description": "x"})).expect(404);
    admin.delete(&path).expect(404);
    admin.post("/api/v2/labels/", json!({"name": "new", "organization": organization})).expect(400);
    admin.post(&format!("{path}teams/"), json!({"name": "new"})).expect(404);
    assert_eq!(count(&admin, &format!("{}organizations/", ann.path())), 0);
    let entries = "/api/v2/activity_stream/?object1__exact=organization&operation=delete";
    assert_eq!(count(&admin, entries), 1);
    // The name is free.
    let again = server.organization("gone");
    assert_eq!(count(&admin, &format!("/api/v2/organizations/?id={again}")), 1);
    let metrics = admin.request("GET", "/api/v2/metrics/").header("Accept", "text/plain").send().expect(200).text();
    assert!(metrics.contains("\nawx_organizations_total 1\n"), "{metrics}");
}

fn objects_of_large_organization_are_deleted_in_steps(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let [organization, other] = ["gone", "other"].map(|name| server.organization(name));
    let [ann, boss] = ["ann", "boss"].map(|name| server.user(name));
    server.add_admin(organization, &boss);
    let team = server.team("crew", organization);
    admin.attach(&format!("/api/v2/teams/{team}/users/"), ann.id);
    let project = admin.create("/api/v2/projects/", json!({"name": "site", "organization": organization}));
    let kept = admin.create("/api/v2/labels/", json!({"name": "kept", "organization": other}));
    let roles = count(&admin, "/api/v2/roles/");
    let own_roles = count(&admin, &format!("/api/v2/organizations/{organization}/object_roles/"))
        + count(&admin, &format!("/api/v2/teams/{team}/object_roles/"));
    add_labels(&server, organization, MANY);
    admin.delete(&format!("/api/v2/organizations/{organization}/")).expect(204);
    wait_for_count(&admin, "/api/v2/labels/", 1);
    admin.get(&format!("/api/v2/labels/{kept}/")).expect(200);
    // The object itself comes last.
    wait_for_count(&admin, "/api/v2/roles/", roles - own_roles);
    admin.get(&format!("/api/v2/teams/{team}/")).expect(404);
    let project = admin.get(&format!("/api/v2/projects/{project}/")).expect(200).json();
    assert!(project["organization"].is_null(), "{project}");
    assert_eq!(count(&boss.client, "/api/v2/projects/"), 0);
    let metrics = admin.request("GET", "/api/v2/metrics/").header("Accept", "text/plain").send().expect(200).text();
    assert!(metrics.contains("\nhostler_tasks_failing 0\n"), "{metrics}");
}

fn roles_of_disappearing_organization_cannot_be_granted(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("gone");
    let boss = server.user("boss");
    server.add_admin(organization, &boss);
    let shown = admin.get(&format!("/api/v2/organizations/{organization}/")).expect(200).json();
    let reading = &shown["summary_fields"]["object_roles"]["read_role"]["id"];
    let definition = json!({"name": "Viewer", "content_type": "shared.organization",
        "permissions": ["shared.view_organization"]});
    let definition = admin.create("/api/v2/role_definitions/", definition);
    let assignment = json!({"user": boss.id, "role_definition": definition, "object_id": organization.to_string()});
    // Without a task, so it stays. Who administers nothing else assigns nothing.
    server.execute(&format!("UPDATE organizations SET is_deleted = TRUE WHERE id = {organization}"));
    for (client, assigned) in [(&admin, 400), (&boss.client, 403)] {
        client.post(&format!("/api/v2/roles/{reading}/users/"), json!({"id": boss.id})).expect(403);
        client.post("/api/v2/role_user_assignments/", assignment.clone()).expect(assigned);
    }
}

fn killed_server_continues_deletion(backend: Backend) {
    let mut server = start(backend);
    let organization = server.organization("gone");
    add_labels(&server, organization, 10 * MANY);
    server.as_admin().delete(&format!("/api/v2/organizations/{organization}/")).expect(204);
    server.kill9();
    server.restart();
    let admin = server.as_admin();
    assert!(count(&admin, "/api/v2/labels/") > 0, "the server was killed too late");
    wait_for_count(&admin, "/api/v2/labels/", 0);
    admin.get(&format!("/api/v2/organizations/{organization}/")).expect(404);
}

fn second_server_continues_deletion(backend: Backend) {
    let mut server = start(backend);
    let organization = server.organization("gone");
    add_labels(&server, organization, 10 * MANY);
    let second = server.start_second();
    server.as_admin().delete(&format!("/api/v2/organizations/{organization}/")).expect(204);
    // It gives the task up.
    server.stop();
    assert!(count(&second.as_admin(), "/api/v2/labels/") > 0, "the server was stopped too late");
    wait_for_count(&second.as_admin(), "/api/v2/labels/", 0);
    second.as_admin().get(&format!("/api/v2/organizations/{organization}/")).expect(404);
}
