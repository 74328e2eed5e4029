//! ACTIVITY_STREAM_ENABLED.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::settings::{SYSTEM, entries, set, start};

on_each_backend!(disabled_activity_stream_records_only_the_switch);

fn disabled_activity_stream_records_only_the_switch(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let count = || admin.get("/api/v2/activity_stream/").expect(200).json()["count"].as_i64().expect("a number");
    let organization = server.organization("Acme");
    let ann = server.user("ann");
    set(&server, SYSTEM, json!({"ACTIVITY_STREAM_ENABLED": false}));
    let before = count();
    assert_eq!(entries(&server).len(), 1, "switching it off was not recorded");
    server.organization("Silent");
    admin.patch(&ann.path(), json!({"first_name": "Ann", "is_system_auditor": true})).expect(200);
    server.add_admin(organization, &ann);
    admin.delete(&ann.path()).expect(204);
    set(&server, SYSTEM, json!({"MANAGE_ORGANIZATION_AUTH": false}));
    assert_eq!(count(), before, "something was recorded");
    set(&server, SYSTEM, json!({"ACTIVITY_STREAM_ENABLED": true}));
    assert_eq!(count(), before + 1, "switching it on was not recorded");
    server.organization("Loud");
    assert_eq!(count(), before + 2);
}
