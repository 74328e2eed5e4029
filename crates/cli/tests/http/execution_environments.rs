//! Execution environments: those of every server, validation, links to them, copies and role definitions.

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    preloaded_execution_environments_are_created_once,
    invalid_execution_environments_are_rejected,
    managed_execution_environment_is_protected,
    organization_of_an_execution_environment_cannot_be_changed,
    credential_needs_use_permission_and_the_registry_type,
    copy_keeps_the_credential_only_if_it_may_be_used,
    default_environment_links_to_an_execution_environment,
    managed_role_definition_can_be_assigned,
);

const LIST: &str = "/api/v2/execution_environments/";
const CONTROL_PLANE: &str = "/api/v2/execution_environments/Control%20Plane%20Execution%20Environment/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn path(id: i64) -> String {
    format!("{LIST}{id}/")
}

/// A credential for a registry.
fn registry(admin: &Client, organization: i64) -> i64 {
    let kind = admin.results("/api/v2/credential_types/?namespace=registry")[0]["id"].clone();
    let inputs = json!({"host": "quay.example", "username": "u", "password": "p"});
    let body = json!({"name": "registry", "organization": organization, "credential_type": kind, "inputs": inputs});
    admin.create("/api/v2/credentials/", body)
}

fn preloaded_execution_environments_are_created_once(backend: Backend) {
    let mut server = start(backend);
    let names = |server: &TestServer| -> Vec<Value> {
        server.as_admin().results(&format!("{LIST}?order_by=id")).iter().map(|it| it["name"].clone()).collect()
    };
    assert_eq!(names(&server), ["Control Plane Execution Environment", "AWX EE (latest)"]);
    let default = server.as_admin().results(&format!("{LIST}?managed=false"))[0]["id"].as_i64().expect("an id");
    server.as_admin().delete(&path(default)).expect(204);
    server.restart();
    assert_eq!(names(&server), ["Control Plane Execution Environment"]);
}

fn invalid_execution_environments_are_rejected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let count = admin.results(LIST).len();
    for (body, field, message) in [
        (json!({"name": "x"}), "image", "This field is required."),
        (json!({"image": "a/b"}), "name", "This field is required."),
        (json!({"name": "x", "image": ""}), "image", "This field may not be blank."),
        (json!({"name": "x", "image": "a:b:c"}), "image", "The container image name a:b:c is not valid"),
        (json!({"name": "x", "image": "a/b", "pull": "sometimes"}), "pull", "\"sometimes\" is not a valid choice."),
        (
            json!({"name": "AWX EE (latest)", "image": "a/b"}),
            "name",
            "Execution environment with this Name already exists.",
        ),
    ] {
        assert_eq!(admin.post(LIST, body).expect(400).json(), json!({field: [message]}));
    }
    assert_eq!(admin.results(LIST).len(), count);
}

fn managed_execution_environment_is_protected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let detail = "Only the 'pull' field can be edited for managed execution environments.";
    let answer = admin.patch(CONTROL_PLANE, json!({"image": "a/b"})).expect(403).json();
    assert_eq!(answer["detail"], detail);
    assert_eq!(admin.patch(CONTROL_PLANE, json!({"pull": "always"})).expect(200).json()["pull"], "always");
    admin.delete(CONTROL_PLANE).expect(403);
    let made = admin.post(LIST, json!({"name": "x", "image": "a/b", "managed": true})).expect(201).json();
    assert_eq!(made["managed"], false);
}

fn organization_of_an_execution_environment_cannot_be_changed(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let [home, away] = ["home", "away"].map(|name| server.organization(name));
    let id = admin.create(LIST, json!({"name": "x", "image": "a/b", "organization": home}));
    let message = json!({"organization": ["Cannot change the organization of an execution environment"]});
    assert_eq!(admin.patch(&path(id), json!({"organization": away})).expect(400).json(), message);
    assert!(admin.patch(&path(id), json!({"organization": null})).expect(200).json()["organization"].is_null());
    assert_eq!(admin.patch(&path(id), json!({"organization": home})).expect(400).json(), message);
}

fn credential_needs_use_permission_and_the_registry_type(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let boss = server.user("boss");
    let organization = admin.get(&format!("/api/v2/organizations/{home}/")).expect(200).json();
    let role = organization["summary_fields"]["object_roles"]["execution_environment_admin_role"]["id"].clone();
    admin.attach(&format!("/api/v2/users/{}/roles/", boss.id), role.as_i64().expect("a role"));
    let registry = registry(&admin, home);
    let ssh = admin.results("/api/v2/credential_types/?namespace=ssh")[0]["id"].clone();
    let ssh = json!({"name": "ssh", "organization": home, "credential_type": ssh, "inputs": {}});
    let ssh = admin.create("/api/v2/credentials/", ssh);
    let body = |credential: i64| json!({"name": "x", "image": "a/b", "organization": home, "credential": credential});
    let message = "Only Container Registry credentials can be associated with an Execution Environment";
    assert_eq!(admin.post(LIST, body(ssh)).expect(400).json(), json!({"credential": [message]}));
    boss.client.post(LIST, body(registry)).expect(403);
    let id = boss.client.create(LIST, json!({"name": "x", "image": "a/b", "organization": home}));
    boss.client.patch(&path(id), json!({"credential": registry})).expect(403);
    admin.patch(&path(id), json!({"credential": registry})).expect(200);
    boss.client.patch(&path(id), json!({"credential": null})).expect(200);
    admin.patch(&path(id), json!({"credential": registry})).expect(200);
    admin.delete(&format!("/api/v2/credentials/{registry}/")).expect(204);
    assert!(admin.get(&path(id)).expect(200).json()["credential"].is_null());
}

fn copy_keeps_the_credential_only_if_it_may_be_used(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let (boss, member) = (server.user("boss"), server.user("member"));
    server.add_member(home, &member);
    let organization = admin.get(&format!("/api/v2/organizations/{home}/")).expect(200).json();
    let role = organization["summary_fields"]["object_roles"]["execution_environment_admin_role"]["id"].clone();
    admin.attach(&format!("/api/v2/users/{}/roles/", boss.id), role.as_i64().expect("a role"));
    let registry = registry(&admin, home);
    let body = json!({"name": "x", "image": "a/b:1", "organization": home, "credential": registry, "pull": "never"});
    let original = format!("{}copy/", path(admin.create(LIST, body)));
    assert_eq!(member.client.get(&original).expect(200).json(), json!({"can_copy": false}));
    member.client.post(&original, json!({"name": "y"})).expect(403);
    let copy = boss.client.post(&original, json!({"name": "y"})).expect(201).json();
    assert_eq!(
        (&copy["image"], &copy["pull"], &copy["organization"]),
        (&json!("a/b:1"), &json!("never"), &json!(home))
    );
    assert!(copy["credential"].is_null(), "{copy}");
    let copy = admin.post(&original, json!({"name": "z"})).expect(201).json();
    assert_eq!(copy["credential"], registry);
}

fn default_environment_links_to_an_execution_environment(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let [home, away] = ["home", "away"].map(|name| server.organization(name));
    let boss = server.user("boss");
    server.add_admin(home, &boss);
    let [own, hidden] = [(home, "own"), (away, "hidden")]
        .map(|(org, name)| admin.create(LIST, json!({"name": name, "image": "a/b", "organization": org})));
    let project = boss.client.create("/api/v2/projects/", json!({"name": "site", "organization": home}));
    let project = format!("/api/v2/projects/{project}/");
    let organization = format!("/api/v2/organizations/{home}/");
    let resolved = |name: &str| {
        let shown = admin.get(&project).expect(200).json();
        assert_eq!(shown["summary_fields"]["resolved_environment"]["name"], name, "{shown}");
    };
    resolved("AWX EE (latest)");
    for path in [&project, &organization] {
        boss.client.patch(path, json!({"default_environment": hidden})).expect(403);
        let missing = json!({"default_environment": ["Invalid pk \"9999\" - object does not exist."]});
        assert_eq!(admin.patch(path, json!({"default_environment": 9999})).expect(400).json(), missing);
        let shown = boss.client.patch(path, json!({"default_environment": own})).expect(200).json();
        assert_eq!(shown["default_environment"], own);
        assert_eq!(shown["related"]["default_environment"], path_of(own));
        let summary = json!({"id": own, "name": "own", "description": "", "image": "a/b"});
        assert_eq!(shown["summary_fields"]["default_environment"], summary);
    }
    resolved("own");
    let found = admin.results("/api/v2/organizations/?default_environment__name=own");
    assert_eq!(found.len(), 1);
    admin.delete(&path(own)).expect(204);
    for path in [&project, &organization] {
        let shown = admin.get(path).expect(200).json();
        assert!(shown["default_environment"].is_null(), "{shown}");
        assert!(shown["summary_fields"].get("default_environment").is_none(), "{shown}");
    }
}

fn path_of(id: i64) -> Value {
    path(id).into()
}

fn managed_role_definition_can_be_assigned(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let user = server.user("user");
    let id = admin.create(LIST, json!({"name": "x", "image": "a/b", "organization": home}));
    let definitions = admin.results("/api/v2/role_definitions/?name=ExecutionEnvironment%20Admin");
    let global = admin.create(LIST, json!({"name": "global", "image": "a/b"}));
    for object in [json!(1), json!(global)] {
        let assignment = json!({"role_definition": definitions[0]["id"], "user": user.id, "object_id": object});
        admin.post("/api/v2/role_user_assignments/", assignment).expect(400);
    }
    let assign = |client: &Client, user: i64| {
        let body = json!({"role_definition": definitions[0]["id"], "user": user, "object_id": id});
        client.post("/api/v2/role_user_assignments/", body)
    };
    let refused = assign(&admin, user.id).expect(400).json();
    assert_eq!(refused["msg"], "User must have view permission to Execution Environment organization");
    let other = server.user("other");
    for member in [&user, &other] {
        server.add_member(home, member);
    }
    assign(&other.client, other.id).expect(403);
    assign(&admin, user.id).expect(201);
    user.client.patch(&path(id), json!({"description": "mine"})).expect(200);
    assign(&user.client, other.id).expect(201);
    other.client.patch(&path(id), json!({"description": "ours"})).expect(200);
    let away = server.organization("away");
    for (team, status) in [(server.team("near", home), 201), (server.team("far", away), 400)] {
        let body = json!({"role_definition": definitions[0]["id"], "team": team, "object_id": id});
        admin.post("/api/v2/role_team_assignments/", body).expect(status);
    }
    user.client.patch(CONTROL_PLANE, json!({"pull": "never"})).expect(403);
    user.client.delete(&path(id)).expect(204);
    let definition = definitions[0]["id"].to_string();
    let left = admin.results(&format!("/api/v2/role_user_assignments/?role_definition={definition}"));
    assert_eq!(left.len(), 0, "the grants are deleted with the object");
}
