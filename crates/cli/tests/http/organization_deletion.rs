//! Objects of a deleted organization.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    projects_outlive_their_organization,
    everything_else_is_deleted_with_the_organization,
    projects_of_a_deleted_organization_keep_their_grants,
);

fn projects_outlive_their_organization(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let mut projects = vec![];
    // Both have the same name: names are unique within an organization only.
    for name in ["one", "two"] {
        let organization = server.organization(name);
        let body = json!({"name": "site", "organization": organization, "scm_type": "git",
            "scm_url": "https://git.example/site.git"});
        let project = admin.post("/api/v2/projects/", body).expect(201).json();
        let path = project["url"].as_str().expect("a path").to_owned();
        let tag = admin.get(&path).expect(200).header("ETag").expect("an entity tag");
        admin.delete(&format!("/api/v2/organizations/{organization}/")).expect(204);
        let kept = admin.get(&path).expect(200);
        assert_ne!(kept.header("ETag"), Some(tag.clone()));
        let kept = kept.json();
        assert!(kept["organization"].is_null(), "{kept}");
        assert!(kept["summary_fields"].get("organization").is_none(), "{kept}");
        assert!(kept["related"].get("organization").is_none(), "{kept}");
        assert_eq!(kept["scm_url"], "https://git.example/site.git");
        let stale = admin.request("PATCH", &path).header("If-Match", &tag).json(json!({"description": "x"})).send();
        stale.expect(412);
        projects.push(path);
    }
    let listed = admin.get("/api/v2/projects/?organization__isnull=true").expect(200).json();
    assert_eq!(listed["count"], 2);
    let adopter = server.organization("three");
    admin.patch(&projects[0], json!({"organization": adopter})).expect(200);
    admin.patch(&projects[1], json!({"organization": adopter})).expect(400);
    admin.delete(&projects[1]).expect(204);
}

fn everything_else_is_deleted_with_the_organization(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let organization = server.organization("gone");
    let ssh = admin.get("/api/v2/credential_types/?namespace=ssh").expect(200).json()["results"][0]["id"].clone();
    let team = server.team("crew", organization);
    let credential = json!({"name": "key", "organization": organization, "credential_type": ssh, "inputs": {}});
    let application = json!({"name": "app", "organization": organization, "client_type": "confidential",
        "authorization_grant_type": "password"});
    let paths = [
        format!("/api/v2/teams/{team}/"),
        format!("/api/v2/credentials/{}/", admin.create("/api/v2/credentials/", credential)),
        format!(
            "/api/v2/labels/{}/",
            admin.create("/api/v2/labels/", json!({"name": "l", "organization": organization}))
        ),
        format!("/api/v2/applications/{}/", admin.create("/api/v2/applications/", application)),
        format!(
            "/api/v2/execution_environments/{}/",
            admin.create(
                "/api/v2/execution_environments/",
                json!({"name": "e", "image": "a/b", "organization": organization})
            )
        ),
        format!(
            "/api/v2/notification_templates/{}/",
            admin.create(
                "/api/v2/notification_templates/",
                json!({
                    "name": "n", "organization": organization, "notification_type": "slack",
                    "notification_configuration": {"token": "t", "channels": ["#x"]},
                })
            )
        ),
    ];
    for path in &paths {
        admin.get(path).expect(200);
    }
    admin.delete(&format!("/api/v2/organizations/{organization}/")).expect(204);
    for path in &paths {
        admin.get(path).expect(404);
    }
}

fn projects_of_a_deleted_organization_keep_their_grants(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let organization = server.organization("gone");
    let [boss, user] = ["boss", "user"].map(|name| server.user(name));
    server.add_admin(organization, &boss);
    let project = admin.post("/api/v2/projects/", json!({"name": "site", "organization": organization}));
    let project = project.expect(201).json();
    let path = project["url"].as_str().expect("a path");
    let role = project["summary_fields"]["object_roles"]["use_role"]["id"].as_i64().expect("a role");
    admin.attach(&format!("/api/v2/users/{}/roles/", user.id), role);
    boss.client.get(path).expect(200);
    admin.delete(&format!("/api/v2/organizations/{organization}/")).expect(204);
    boss.client.get(path).expect(403);
    let seen = user.client.get(path).expect(200).json();
    assert_eq!(seen["summary_fields"]["object_roles"]["use_role"]["id"], role);
    let entries = admin.get(&format!("{path}activity_stream/")).expect(200).json();
    assert!(entries["count"].as_i64() > Some(0), "the history of the project is kept");
}
