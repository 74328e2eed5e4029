//! Instances: the nodes of the installation.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    instances_cannot_be_created_or_deleted,
    fixed_fields_of_an_instance_cannot_be_changed,
    users_see_the_instances_of_their_groups,
);

const LIST: &str = "/api/v2/instances/";
const NODE: &str = "/api/v2/instances/awx-1/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn instances_cannot_be_created_or_deleted(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for (body, field, message) in [
        (json!({}), "hostname", "This field is required."),
        (json!({"hostname": "n"}), "__all__", "Can only create instances on Kubernetes or OpenShift."),
        (json!({"hostname": "n", "node_type": "hybrid"}), "node_type", "Can only create execution or hop nodes."),
    ] {
        assert_eq!(admin.post(LIST, body).expect(400).json(), json!({field: [message]}));
    }
    admin.delete(NODE).expect(405);
    assert_eq!(admin.results(LIST).len(), 1);
}

fn fixed_fields_of_an_instance_cannot_be_changed(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for (body, message) in [
        (json!({"hostname": "x"}), "Cannot change hostname."),
        (json!({"node_type": "hop"}), "Cannot change node type."),
        (json!({"node_state": "deprovisioning"}), "Can only change the state on Kubernetes or OpenShift."),
        (json!({"listener_port": 27199}), "Cannot change listener port."),
        (json!({"peers": [99]}), "Invalid pk \"99\" - object does not exist."),
        (json!({"peers_from_control_nodes": true}), "Cannot change peers_from_control_nodes for managed nodes."),
        (json!({"capacity_adjustment": "-1"}), "Ensure this value is greater than or equal to 0."),
        (json!({"capacity_adjustment": "x"}), "A valid number is required."),
        (json!({"enabled": "x"}), "Must be a valid boolean."),
    ] {
        let field = body.as_object().and_then(|body| body.keys().next().cloned()).expect("a field");
        assert_eq!(admin.patch(NODE, body).expect(400).json(), json!({field: [message]}));
    }
    let changed = admin.patch(NODE, json!({"capacity_adjustment": 0.5, "enabled": false})).expect(200).json();
    assert_eq!((&changed["capacity_adjustment"], &changed["enabled"]), (&json!("0.50"), &json!(false)));
    for (filter, count) in [("__lt=0.75", 1), ("=0.5", 1), ("=0.50", 1), ("__gt=0.5", 0), ("__in=1,0.5", 1)] {
        let list = format!("/api/v2/instances/?capacity_adjustment{filter}&order_by=-capacity_adjustment");
        assert_eq!(admin.results(&list).len(), count, "{filter}");
    }
    for filter in ["=x", "=0.505", "__startswith=0"] {
        admin.get(&format!("/api/v2/instances/?capacity_adjustment{filter}")).expect(400);
    }
    for precise in ["0.505", "10", "1e-1"] {
        admin.patch(NODE, json!({"capacity_adjustment": precise})).expect(400);
    }
    let put = admin.put(NODE, &changed).expect(200).json();
    assert_eq!(put["node_type"], "hybrid");
}

fn users_see_the_instances_of_their_groups(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let user = server.user("user");
    let node = admin.get(NODE).expect(200).json()["url"].as_str().expect("a path").to_owned();
    user.client.get(&node).expect(403);
    assert_eq!(user.client.results(LIST).len(), 0);
    let group = admin.get("/api/v2/instance_groups/default/").expect(200).json();
    let role = group["summary_fields"]["object_roles"]["read_role"]["id"].as_i64().expect("a role");
    admin.attach(&format!("/api/v2/users/{}/roles/", user.id), role);
    user.client.get(&node).expect(200);
    assert_eq!(user.client.results(LIST).len(), 1);
    user.client.patch(&node, json!({"enabled": false})).expect(403);
}
