//! Objects of a deleted organization.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    projects_outlive_their_organization,
    everything_else_is_deleted_with_the_organization,
    projects_of_a_deleted_organization_keep_their_grants,
    nothing_refers_to_objects_that_were_deleted_with_another,
    deleting_a_linked_object_changes_the_entity_tag,
);

fn projects_outlive_their_organization(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let mut projects = vec![];
    // Both have the same name: names are unique within an organization only.
    for name in ["one", "two"] {
        let organization = server.organization(name);
        let body = json!({"name": "site", "organization": organization, "scm_branch": "dev"});
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
        assert_eq!(kept["scm_branch"], "dev");
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

/// The rows of `roles` and `activity_links` about objects of this type.
fn references(server: &TestServer, content_type: &str) -> usize {
    let named = format!("\t{content_type}\t");
    let dump = server.dump();
    dump.lines()
        .filter(|row| row.starts_with("activity_links\t") || row.starts_with("roles\t"))
        .filter(|row| row.contains(&named))
        .count()
}

fn nothing_refers_to_objects_that_were_deleted_with_another(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let organization = server.organization("gone");
    let user = server.user("user");
    let kind =
        |namespace: &str| admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"))[0]["id"].clone();
    let credential = |namespace: &str| {
        let inputs = if namespace == "ssh" { json!({}) } else { json!({"url": "https://vault.example"}) };
        let body = json!({"name": namespace, "organization": organization, "credential_type": kind(namespace),
            "inputs": inputs});
        admin.create("/api/v2/credentials/", body)
    };
    let (target, source) = (credential("ssh"), credential("hashivault_kv"));
    let input = json!({"target_credential": target, "source_credential": source, "input_field_name": "password",
        "metadata": {"secret_path": "a", "secret_key": "b", "secret_backend": ""}});
    admin.create("/api/v2/credential_input_sources/", input);
    let application = json!({"name": "app", "organization": organization, "client_type": "confidential",
        "authorization_grant_type": "password"});
    let application = admin.create("/api/v2/applications/", application);
    admin.create("/api/v2/tokens/", json!({"application": application, "scope": "read"}));
    let team = server.team("crew", organization);
    admin.attach(&format!("/api/v2/teams/{team}/users/"), user.id);
    user.client.post("/api/v2/tokens/", json!({"scope": "read"})).expect(201);

    let kept = references(&server, "credential");
    for content_type in ["credential_input_source", "o_auth2_access_token", "team", "role"] {
        assert!(references(&server, content_type) > 0, "{content_type}");
    }
    admin.delete(&format!("/api/v2/organizations/{organization}/")).expect(204);
    admin.delete(&format!("/api/v2/users/{}/", user.id)).expect(204);
    for content_type in ["credential_input_source", "o_auth2_access_token", "o_auth2_application", "team", "role"] {
        assert_eq!(references(&server, content_type), 0, "{content_type}");
    }
    // Those of the two credentials are gone, those of the managed one are kept.
    assert!(references(&server, "credential") < kept);
}

fn deleting_a_linked_object_changes_the_entity_tag(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let organization = server.organization("kept");
    let kind = admin.results("/api/v2/credential_types/?namespace=scm")[0]["id"].clone();
    let credential = json!({"name": "key", "organization": organization, "credential_type": kind, "inputs": {}});
    let credential = admin.create("/api/v2/credentials/", credential);
    let project = json!({"name": "site", "organization": organization, "scm_type": "git",
        "scm_url": "https://git.example/site.git", "credential": credential});
    let project = format!("/api/v2/projects/{}/", admin.create("/api/v2/projects/", project));
    let tag = admin.get(&project).expect(200).header("ETag").expect("an entity tag");
    admin.delete(&format!("/api/v2/credentials/{credential}/")).expect(204);
    let seen = admin.get(&project).expect(200);
    assert_ne!(seen.header("ETag"), Some(tag));
    assert!(seen.json()["credential"].is_null());
}
