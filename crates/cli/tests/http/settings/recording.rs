//! Activity entries about settings.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::settings::{AUTHENTICATION, SYSTEM, entries, set, start};

on_each_backend!(setting_changes_are_recorded, setting_entries_require_superuser_or_auditor);

fn setting_changes_are_recorded(backend: Backend) {
    let server = start(backend);
    set(
        &server,
        AUTHENTICATION,
        json!({"SESSIONS_PER_USER": 5, "OAUTH2_PROVIDER": {"ACCESS_TOKEN_EXPIRE_SECONDS": 60}}),
    );
    let created = entries(&server);
    assert_eq!(created.len(), 2, "{created:?}");
    let (lifetimes, entry) = (&created[0], &created[1]);
    assert_eq!(
        (&entry["operation"], &entry["object1"], &entry["object2"]),
        (&json!("create"), &json!("setting"), &json!(""))
    );
    assert_eq!(entry["changes"]["value"], 5);
    assert!(entry["changes"]["id"].is_number(), "{entry}");
    assert_eq!(
        entry["summary_fields"]["setting"],
        json!([{"category": "authentication", "name": "SESSIONS_PER_USER"}])
    );
    assert_eq!(entry["related"]["setting"], AUTHENTICATION);
    assert_eq!(entry["summary_fields"]["actor"]["username"], "admin");
    // A list or an object is recorded as JSON text, as in AWX.
    assert!(
        lifetimes["changes"]["value"].as_str().is_some_and(|text| text.starts_with("{\"ACCESS_TOKEN")),
        "{lifetimes}"
    );

    // Unchanged settings are not recorded, whether stored or default.
    set(&server, AUTHENTICATION, json!({"SESSIONS_PER_USER": "5", "AUTH_BASIC_ENABLED": true}));
    set(&server, SYSTEM, json!({}));
    assert_eq!(entries(&server).len(), 2);

    set(&server, AUTHENTICATION, json!({"SESSIONS_PER_USER": 6}));
    let updated = &entries(&server)[0];
    assert_eq!((&updated["operation"], &updated["changes"]), (&json!("update"), &json!({"value": [5, 6]})));

    server.as_admin().delete(AUTHENTICATION).expect(204);
    let deleted = &entries(&server)[..2];
    assert!(deleted.iter().all(|entry| entry["operation"] == "delete"), "{deleted:?}");
    let of_sessions = deleted.iter().find(|entry| entry["changes"]["value"] == 6);
    assert!(of_sessions.is_some_and(|entry| entry["summary_fields"]["setting"][0]["name"] == "SESSIONS_PER_USER"));
    server.as_admin().delete(AUTHENTICATION).expect(204);
    assert_eq!(entries(&server).len(), 5);

    let by_name = server.as_admin().results("/api/v2/activity_stream/?setting__icontains=OAUTH2_PROVIDER");
    assert_eq!(by_name.len(), 2, "{by_name:?}");
}

fn setting_entries_require_superuser_or_auditor(backend: Backend) {
    let server = start(backend);
    let (ann, auditor) = (server.user("ann"), server.user("auditor"));
    server.add_admin(server.organization("Acme"), &ann);
    server.as_admin().patch(&auditor.path(), json!({"is_system_auditor": true})).expect(200);
    set(&server, SYSTEM, json!({"ORG_ADMINS_CAN_SEE_ALL_USERS": false}));
    let path = "/api/v2/activity_stream/?object1=setting";
    let seen = [&server.as_admin(), &auditor.client, &ann.client].map(|client| client.results(path).len());
    assert_eq!(seen, [1, 1, 0]);
}
