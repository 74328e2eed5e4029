//! Labels: uniqueness, renaming, moving, and who creates them.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    label_is_unique_in_its_organization,
    label_is_renamed_and_moved_but_not_deleted,
    members_create_labels,
    labels_of_visible_templates_are_visible,
);

const LIST: &str = "/api/v2/labels/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn label_is_unique_in_its_organization(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let [home, away] = ["home", "away"].map(|name| server.organization(name));
    admin.create(LIST, json!({"name": "a", "organization": home}));
    let refused = admin.post(LIST, json!({"name": "a", "organization": home})).expect(400).json();
    assert_eq!(refused, json!({"__all__": ["Label with this Name and Organization already exists."]}));
    admin.create(LIST, json!({"name": "A", "organization": home}));
    admin.create(LIST, json!({"name": "a", "organization": away}));
    for (body, field, message) in [
        (json!({"name": "x"}), "organization", "This field is required."),
        (json!({"organization": home}), "name", "This field is required."),
        (json!({"name": "", "organization": home}), "name", "This field may not be blank."),
        (
            json!({"name": "l".repeat(513), "organization": home}),
            "name",
            "Ensure this field has no more than 512 characters.",
        ),
        (
            json!({"name": "y", "organization": 99_999_999}),
            "organization",
            "Invalid pk \"99999999\" - object does not exist.",
        ),
    ] {
        assert_eq!(admin.post(LIST, body).expect(400).json(), json!({field: [message]}));
    }
    assert_eq!(admin.results(LIST).len(), 3);
}

fn label_is_renamed_and_moved_but_not_deleted(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let [home, away] = ["home", "away"].map(|name| server.organization(name));
    let id = admin.create(LIST, json!({"name": "a", "organization": home}));
    let path = format!("{LIST}{id}/");
    assert_eq!(admin.patch(&path, json!({"name": "b"})).expect(200).json()["name"], "b");
    assert_eq!(admin.patch(&path, json!({"organization": away})).expect(200).json()["organization"], away);
    admin.create(LIST, json!({"name": "b", "organization": home}));
    admin.patch(&path, json!({"organization": home})).expect(400);
    let refused = admin.delete(&path).expect(405).json();
    assert_eq!(refused, json!({"detail": "Method \"DELETE\" not allowed."}));
    let entries = admin.results(&format!("/api/v2/activity_stream/?label={id}&order_by=id"));
    let operations: Vec<_> = entries.iter().map(|entry| entry["operation"].clone()).collect();
    assert_eq!(operations, ["create", "update", "update"]);
}

fn members_create_labels(backend: Backend) {
    let server = start(backend);
    let home = server.organization("home");
    let [member, stranger] = ["member", "stranger"].map(|name| server.user(name));
    server.add_member(home, &member);
    let body = json!({"name": "a", "organization": home});
    stranger.client.post(LIST, body.clone()).expect(403);
    let label = member.client.post(LIST, body).expect(201).json();
    let path = label["url"].as_str().expect("a path");
    member.client.get(path).expect(200);
    stranger.client.get(path).expect(403);
    member.client.patch(path, json!({"name": "b"})).expect(403);
}

fn labels_of_visible_templates_are_visible(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let label = admin.create(LIST, json!({"name": "a", "organization": home}));
    let source = json!({"name": "p", "organization": home, "scm_type": "git", "scm_url": "https://127.0.0.1:9/x"});
    let project = admin.create("/api/v2/projects/", source);
    let body = json!({"name": "t", "project": project, "playbook": "site.yml", "ask_inventory_on_launch": true});
    let template = format!("/api/v2/job_templates/{}/", admin.create("/api/v2/job_templates/", body));
    let reader = server.user("reader");
    let roles = admin.get(&template).expect(200).json()["summary_fields"]["object_roles"].clone();
    admin.attach(&format!("{}roles/", reader.path()), roles["read_role"]["id"].as_i64().expect("a role"));
    let path = format!("{LIST}{label}/");
    reader.client.get(&path).expect(403);
    admin.attach(&format!("{template}labels/"), label);
    assert_eq!(reader.client.get(&path).expect(200).json()["name"], "a");
    assert_eq!(reader.client.results(LIST).len(), 1);
    reader.client.patch(&path, json!({"name": "b"})).expect(403);
}
