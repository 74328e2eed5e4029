//! Permissions to see and change settings.

use hostler_testkit::{Backend, PASSWORD, on_each_backend};
use serde_json::json;

use crate::settings::{AUTHENTICATION, CHANGED, start};

on_each_backend!(settings_permissions_by_role);

fn settings_permissions_by_role(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (ann, auditor) = (server.user("ann"), server.user("auditor"));
    server.add_admin(server.organization("Acme"), &ann);
    admin.patch(&auditor.path(), json!({"is_system_auditor": true})).expect(200);
    let superuser = server.user("root");
    admin.patch(&superuser.path(), json!({"is_superuser": true})).expect(200);
    let count = |client: &hostler_testkit::Client| client.get("/api/v2/settings/").expect(200).json()["count"].clone();

    assert_eq!((count(&admin), count(&auditor.client), count(&ann.client)), (json!(10), json!(10), json!(0)));
    auditor.client.get(AUTHENTICATION).expect(200);
    assert!(auditor.client.options(AUTHENTICATION).expect(200).json()["actions"]["PUT"].is_null());
    let change = json!({"SESSIONS_PER_USER": 5});
    for client in [&auditor.client, &ann.client, &superuser.token("read")] {
        client.patch(AUTHENTICATION, &change).expect(403);
        client.put(AUTHENTICATION, &change).expect(403);
        client.delete(AUTHENTICATION).expect(403);
    }
    ann.client.get(AUTHENTICATION).expect(403);
    for client in [&admin, &auditor.client, &ann.client] {
        client.get("/api/v2/settings/nope/").expect(404);
    }
    server.anonymous().get(AUTHENTICATION).expect(401);
    server.anonymous().patch(AUTHENTICATION, &change).expect(401);
    assert_eq!(admin.get(CHANGED).expect(200).json(), json!({}));
    server.as_user("root", PASSWORD).patch(AUTHENTICATION, &change).expect(200);
}
