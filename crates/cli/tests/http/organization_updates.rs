//! Who changes what of an organization.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(only_superusers_change_max_hosts);

fn only_superusers_change_max_hosts(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let organization = server.organization("acme");
    let path = format!("/api/v2/organizations/{organization}/");
    let boss = server.user("boss");
    server.add_admin(organization, &boss);
    admin.patch(&path, json!({"max_hosts": 2})).expect(200);
    let refused = boss.client.patch(&path, json!({"max_hosts": 100, "description": "x"})).expect(400).json();
    assert_eq!(refused, json!({"__all__": ["Cannot change max_hosts."]}));
    boss.client.put(&path, json!({"name": "acme", "max_hosts": 0})).expect(400);
    let body = json!({"name": "acme", "max_hosts": 2, "description": "y"});
    let changed = boss.client.put(&path, body).expect(200).json();
    assert_eq!((&changed["max_hosts"], &changed["description"]), (&json!(2), &json!("y")));
    boss.client.patch(&path, json!({"description": "z"})).expect(200);
    admin.patch(&path, json!({"max_hosts": 3})).expect(200);
}
