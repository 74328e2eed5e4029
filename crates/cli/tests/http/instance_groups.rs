//! Instance groups: those of every server, validation, instances, and the groups of organizations.

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    preloaded_instance_groups_contain_this_node,
    invalid_instance_groups_are_rejected,
    preloaded_instance_groups_are_protected,
    container_group_is_checked,
    associating_an_instance_changes_the_policy_list,
    hybrid_node_stays_in_the_control_plane,
    groups_of_an_organization_keep_their_order,
    groups_of_an_organization_need_use_permission,
    managed_role_definition_of_instance_groups_can_be_assigned,
);

const LIST: &str = "/api/v2/instance_groups/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn path(id: i64) -> String {
    format!("{LIST}{id}/")
}

fn names(client: &Client, list: &str) -> Vec<Value> {
    client.results(list).iter().map(|object| object["name"].clone()).collect()
}

/// The id of this node.
fn instance(admin: &Client) -> i64 {
    admin.results("/api/v2/instances/")[0]["id"].as_i64().expect("an id")
}

fn credential(admin: &Client, organization: i64, namespace: &str, inputs: &Value) -> i64 {
    let kind = admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"))[0]["id"].clone();
    let body = json!({"name": namespace, "organization": organization, "credential_type": kind, "inputs": inputs});
    admin.create("/api/v2/credentials/", body)
}

fn preloaded_instance_groups_contain_this_node(backend: Backend) {
    let mut server = start(backend);
    let check = |server: &TestServer| {
        let admin = server.as_admin();
        let groups = admin.results(&format!("{LIST}?order_by=id"));
        assert_eq!(groups.len(), 2);
        for (group, name) in groups.iter().zip(["controlplane", "default"]) {
            assert_eq!((&group["name"], &group["policy_instance_percentage"]), (&json!(name), &json!(100)));
            assert_eq!(group["instances"], json!(1));
            let instances = admin.results(&format!("{LIST}{name}/instances/"));
            assert_eq!(instances[0]["hostname"], "awx-1");
        }
        assert_eq!(admin.results("/api/v2/instances/").len(), 1);
    };
    check(&server);
    server.restart();
    check(&server);
}

fn invalid_instance_groups_are_rejected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for (body, field, message) in [
        (json!({}), "name", "This field is required."),
        (json!({"name": "default"}), "name", "Instance group with this Name already exists."),
        (
            json!({"name": "a", "policy_instance_percentage": 101}),
            "policy_instance_percentage",
            "Ensure this value is less than or equal to 100.",
        ),
        (json!({"name": "a", "max_forks": -1}), "max_forks", "Ensure this value is greater than or equal to 0."),
        (
            json!({"name": "a", "policy_instance_list": ["nosuch"]}),
            "policy_instance_list",
            "nosuch is not a valid hostname of an existing instance.",
        ),
        (
            json!({"name": "a", "policy_instance_list": ["awx-1", "awx-1"]}),
            "policy_instance_list",
            "awx-1 occurs more than once.",
        ),
        (
            json!({"name": "a", "policy_instance_list": "x"}),
            "policy_instance_list",
            "Expected a list of items but got type \"str\".",
        ),
    ] {
        assert_eq!(admin.post(LIST, body).expect(400).json(), json!({field: [message]}));
    }
    assert_eq!(admin.results(LIST).len(), 2);
}

fn preloaded_instance_groups_are_protected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for name in ["default", "controlplane"] {
        let path = format!("{LIST}{name}/");
        for (body, message) in [
            (json!({"name": "x"}), "name may not be changed."),
            (json!({"is_container_group": true}), "is_container_group may not be changed."),
            (
                json!({"policy_instance_percentage": 7}),
                "policy_instance_percentage may not be changed from the initial value set by the installer.",
            ),
            (json!({"policy_instance_list": ["awx-1"]}), "policy_instance_list may not be changed."),
        ] {
            let field = body.as_object().and_then(|body| body.keys().next().cloned()).expect("a field");
            let message = format!("{name} instance group {message}");
            assert_eq!(admin.patch(&path, body).expect(400).json(), json!({field: [message]}));
        }
        assert_eq!(admin.patch(&path, json!({"max_forks": 5})).expect(200).json()["max_forks"], 5);
        admin.delete(&path).expect(403);
    }
}

fn container_group_is_checked(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let kube = json!({"host": "https://k8s.example", "bearer_token": "t"});
    let kube = credential(&admin, home, "kubernetes_bearer_token", &kube);
    let ssh = credential(&admin, home, "ssh", &json!({}));
    let group = |fields: Value| {
        let mut body = json!({"name": "group"});
        body.as_object_mut().expect("an object").extend(fields.as_object().cloned().unwrap_or_default());
        admin.post(LIST, body)
    };
    let needs = "is_container_group must be True when associating a credential to an Instance Group";
    let needs = json!({"is_container_group": [needs]});
    let message = "Only Kubernetes credentials can be associated with an Instance Group";
    assert_eq!(group(json!({"credential": ssh})).expect(400).json(), json!({"credential": [message]}));
    assert_eq!(group(json!({"credential": kube})).expect(400).json(), needs);
    // Parsing recurses: deep nesting would overflow the stack.
    let deep = format!("{}1{}", "{a: ".repeat(5000), "}".repeat(5000));
    for pod in ["{bad", "just text", "[1]", "a: 1\n---\nb: 2", &deep] {
        let answer = group(json!({"is_container_group": true, "pod_spec_override": pod})).expect(400).json();
        assert!(answer["pod_spec_override"][0].is_string(), "{answer}");
    }
    assert_eq!(
        group(json!({"max_forks": 2_147_483_648_i64})).expect(400).json(),
        json!({"max_forks": ["Ensure this value is less than or equal to 2147483647."]})
    );
    let pod = "apiVersion: v1\nspec: {containers: []}";
    let made = group(json!({"is_container_group": true, "credential": kube, "pod_spec_override": pod}));
    let made = made.expect(201).json();
    assert_eq!(made["related"]["credential"], format!("/api/v2/credentials/{kube}/"));
    assert_eq!(made["pod_spec_override"], pod);
    let group = path(made["id"].as_i64().expect("an id"));
    assert_eq!(admin.patch(&group, json!({"is_container_group": false})).expect(400).json(), needs);
    let message = json!({"policy_instance_minimum": ["Containerized instances may not be managed via the API"]});
    assert_eq!(admin.patch(&group, json!({"policy_instance_minimum": 2})).expect(400).json(), message);
    admin.patch(&group, json!({"is_container_group": false, "credential": null})).expect(200);
    admin.patch(&group, json!({"policy_instance_minimum": 2})).expect(200);
}

fn associating_an_instance_changes_the_policy_list(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let instance = instance(&admin);
    let group = admin.create(LIST, json!({"name": "group"}));
    let state = || {
        let shown = admin.get(&path(group)).expect(200).json();
        (shown["policy_instance_list"].clone(), shown["instances"].clone())
    };
    for (list, id) in [
        (format!("{}instances/", path(group)), instance),
        (format!("/api/v2/instances/{instance}/instance_groups/"), group),
    ] {
        let tag = admin.get(&path(group)).expect(200).header("ETag");
        admin.attach(&list, id);
        assert_eq!(state(), (json!(["awx-1"]), json!(1)));
        assert_ne!(admin.get(&path(group)).expect(200).header("ETag"), tag);
        admin.attach(&list, id);
        assert_eq!(state(), (json!(["awx-1"]), json!(1)));
        admin.post(&list, json!({"id": id, "disassociate": true})).expect(204);
        assert_eq!(state(), (json!([]), json!(0)));
    }
    admin.attach(&format!("{}instances/", path(group)), instance);
    let found = names(&admin, &format!("{LIST}?instances__hostname=awx-1&order_by=id"));
    assert_eq!(found, ["controlplane", "default", "group"]);
    let entries = admin.results(&format!("/api/v2/activity_stream/?instance_group={group}&order_by=id"));
    let operations: Vec<_> = entries.iter().map(|entry| entry["operation"].clone()).collect();
    assert_eq!(operations, ["create", "associate", "disassociate", "associate", "disassociate", "associate"]);
}

fn hybrid_node_stays_in_the_control_plane(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let instance = instance(&admin);
    let list = format!("{LIST}controlplane/instances/");
    let answer = admin.post(&list, json!({"id": instance, "disassociate": true})).expect(400).json();
    assert!(answer["msg"].is_string(), "{answer}");
    assert_eq!(admin.results(&list).len(), 1);
    admin.post(&format!("{LIST}default/instances/"), json!({"id": instance, "disassociate": true})).expect(204);
}

fn groups_of_an_organization_keep_their_order(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let list = format!("/api/v2/organizations/{}/instance_groups/", server.organization("home"));
    let [a, b] = ["a", "b"].map(|name| admin.create(LIST, json!({"name": name})));
    admin.attach(&list, b);
    admin.attach(&list, a);
    assert_eq!(names(&admin, &list), ["b", "a"]);
    assert_eq!(names(&admin, &format!("{list}?order_by=name")), ["a", "b"]);
    admin.post(&list, json!({"id": b, "disassociate": true})).expect(204);
    admin.attach(&list, b);
    assert_eq!(names(&admin, &list), ["a", "b"]);
    assert_eq!(admin.post(&list, json!({"name": "new"})).expect(201).json()["name"], "new");
    assert_eq!(names(&admin, &list), ["a", "b", "new"]);
    assert_eq!(names(&admin, "/api/v2/organizations/?instance_groups__name=new"), ["home"]);
    admin.delete(&path(a)).expect(204);
    assert_eq!(names(&admin, &list), ["b", "new"]);
}

fn groups_of_an_organization_need_use_permission(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let boss = server.user("boss");
    server.add_admin(home, &boss);
    let list = format!("/api/v2/organizations/{home}/instance_groups/");
    let created = admin.post(LIST, json!({"name": "group"})).expect(201).json();
    let group = created["id"].as_i64().expect("an id");
    boss.client.get(&path(group)).expect(403);
    boss.client.post(&list, json!({"id": group})).expect(403);
    admin.attach(&list, group);
    assert_eq!(boss.client.results(&list).len(), 0, "the group itself is hidden");
    boss.client.post(&list, json!({"id": group, "disassociate": true})).expect(403);
    let role = created["summary_fields"]["object_roles"]["use_role"]["id"].as_i64().expect("a role");
    admin.attach(&format!("/api/v2/users/{}/roles/", boss.id), role);
    assert_eq!(boss.client.results(&list).len(), 1);
    boss.client.post(&list, json!({"id": group, "disassociate": true})).expect(204);
    boss.client.post(&list, json!({"id": group})).expect(204);
    boss.client.post(&list, json!({"name": "new"})).expect(403);
    boss.client.patch(&path(group), json!({"max_forks": 1})).expect(403);
}

fn managed_role_definition_of_instance_groups_can_be_assigned(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let user = server.user("user");
    let group = admin.create(LIST, json!({"name": "group"}));
    let definitions = admin.results("/api/v2/role_definitions/?name=InstanceGroup%20Admin");
    let assignment = json!({"role_definition": definitions[0]["id"], "user": user.id, "object_id": group});
    admin.create("/api/v2/role_user_assignments/", assignment);
    user.client.patch(&path(group), json!({"max_forks": 1})).expect(200);
    let access = admin.get(&format!("{}access_list/?username=user", path(group))).expect(200).json();
    let role = &access["results"][0]["summary_fields"]["direct_access"][0];
    assert_eq!(role["role"]["name"], "Admin");
    assert_eq!(role["descendant_roles"].as_array().map(Vec::len), Some(3));
    user.client.delete(&path(group)).expect(204);
}
