//! PATCH, PUT and DELETE of a category.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::settings::{ALL, AUTHENTICATION, CHANGED, SYSTEM, set, start};

on_each_backend!(
    patch_changes_named_settings,
    delete_resets_its_own_category_only,
    unknown_settings_are_rejected,
    settings_of_another_category_are_rejected,
    read_only_settings_are_rejected_unless_unchanged,
    put_replaces_category,
    delete_restores_defaults,
    changed_settings_can_be_changed_and_reset,
    installation_uuid_never_changes,
    invalid_value_changes_nothing,
);

fn patch_changes_named_settings(backend: Backend) {
    let server = start(backend);
    let before = server.as_admin().get(AUTHENTICATION).expect(200).json();
    let after = set(&server, AUTHENTICATION, json!({"SESSIONS_PER_USER": 5})).json();
    assert_eq!((&before["SESSIONS_PER_USER"], &after["SESSIONS_PER_USER"]), (&json!(-1), &json!(5)));
    assert_eq!(after["SESSION_COOKIE_AGE"], before["SESSION_COOKIE_AGE"]);
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({"SESSIONS_PER_USER": 5}));
    assert_eq!(server.as_admin().get(ALL).expect(200).json()["SESSIONS_PER_USER"], 5);
}

fn delete_resets_its_own_category_only(backend: Backend) {
    let server = start(backend);
    set(&server, ALL, json!({"SESSIONS_PER_USER": 5, "MANAGE_ORGANIZATION_AUTH": false}));
    server.as_admin().delete(SYSTEM).expect(204);
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({"SESSIONS_PER_USER": 5}));
    server.as_admin().delete(ALL).expect(204);
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({}));
}

fn put_replaces_category(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    set(&server, AUTHENTICATION, json!({"LOCAL_PASSWORD_MIN_LENGTH": 8, "SESSIONS_PER_USER": 5}));
    let refused = admin.put(AUTHENTICATION, json!({"SESSIONS_PER_USER": 7})).expect(400).json();
    let required = json!(["This field is required."]);
    assert_eq!(
        refused,
        json!({"SESSION_COOKIE_AGE": required, "DISABLE_LOCAL_AUTH": required, "AUTH_BASIC_ENABLED": required})
    );
    assert_eq!(admin.get(AUTHENTICATION).expect(200).json()["SESSIONS_PER_USER"], 5);
    let whole = json!({
        "SESSIONS_PER_USER": 7, "SESSION_COOKIE_AGE": 1800, "DISABLE_LOCAL_AUTH": false, "AUTH_BASIC_ENABLED": true,
    });
    let values = admin.put(AUTHENTICATION, whole).expect(200).json();
    assert_eq!((&values["SESSIONS_PER_USER"], &values["LOCAL_PASSWORD_MIN_LENGTH"]), (&json!(7), &json!(0)));
}

fn delete_restores_defaults(backend: Backend) {
    let server = start(backend);
    let before = server.as_admin().get(ALL).expect(200).json();
    set(
        &server,
        AUTHENTICATION,
        json!({"OAUTH2_PROVIDER": {"ACCESS_TOKEN_EXPIRE_SECONDS": 60}, "SESSIONS_PER_USER": 5}),
    );
    assert_ne!(server.as_admin().get(ALL).expect(200).json(), before);
    server.as_admin().delete(AUTHENTICATION).expect(204);
    assert_eq!(server.as_admin().get(ALL).expect(200).json(), before);
}

fn changed_settings_can_be_changed_and_reset(backend: Backend) {
    let server = start(backend);
    set(&server, ALL, json!({"SESSIONS_PER_USER": 5, "MANAGE_ORGANIZATION_AUTH": false}));
    // Settings with their defaults are not in `changed`.
    let body = json!({"SESSIONS_PER_USER": 6, "LOCAL_PASSWORD_MIN_LENGTH": 8});
    server.as_admin().patch(CHANGED, body).expect(400);
    set(&server, CHANGED, json!({"SESSIONS_PER_USER": 6}));
    let changed = server.as_admin().get(CHANGED).expect(200).json();
    assert_eq!(changed, json!({"SESSIONS_PER_USER": 6, "MANAGE_ORGANIZATION_AUTH": false}));
    server.as_admin().delete(CHANGED).expect(204);
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({}));
}

fn installation_uuid_never_changes(backend: Backend) {
    let server = start(backend);
    let id = server.as_admin().get(SYSTEM).expect(200).json()["INSTALL_UUID"].clone();
    assert_eq!(id, server.anonymous().get("/api/v2/ping/").expect(200).json()["install_uuid"]);
    let text = id.as_str().expect("a text");
    assert!(text.len() == 36 && text.split('-').nth(2).is_some_and(|part| part.starts_with('4')), "{text} is no UUID");
    server.as_admin().patch(SYSTEM, json!({"INSTALL_UUID": "0"})).expect(400);
    server.as_admin().delete(ALL).expect(204);
    assert_eq!(server.as_admin().get(SYSTEM).expect(200).json()["INSTALL_UUID"], id);
}

fn invalid_value_changes_nothing(backend: Backend) {
    let server = start(backend);
    let body = json!({"SESSIONS_PER_USER": 5, "SESSION_COOKIE_AGE": 1, "AUTH_BASIC_ENABLED": "perhaps"});
    let problems = server.as_admin().patch(AUTHENTICATION, body).expect(400).json();
    assert_eq!(
        problems,
        json!({
            "SESSION_COOKIE_AGE": ["Ensure this value is greater than or equal to 60."],
            "AUTH_BASIC_ENABLED": ["Must be a valid boolean."],
        })
    );
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({}));
    server.as_admin().patch(AUTHENTICATION, json!([])).expect(400);
    server.as_admin().post(AUTHENTICATION, json!({})).expect(405);
}

fn unknown_settings_are_rejected(backend: Backend) {
    let server = start(backend);
    let unknown = json!(["There is no setting of this name."]);
    for path in [AUTHENTICATION, ALL, CHANGED] {
        let body = json!({"SESSIONS_PER_USER": 5, "AUTOMATION_ANALYTICS_URL": true, "sessions_per_user": 5});
        let response = server.as_admin().patch(path, &body).expect(400).json();
        assert_eq!(response["AUTOMATION_ANALYTICS_URL"], unknown, "{path}");
        assert_eq!(response["sessions_per_user"], unknown, "{path}");
    }
    let mut whole = server.as_admin().get(ALL).expect(200).json();
    whole["SESSIONS_PER_USER"] = json!(5);
    whole["NO_SUCH_SETTING"] = json!(null);
    let response = server.as_admin().put(ALL, &whole).expect(400).json();
    assert_eq!(response, json!({"NO_SUCH_SETTING": unknown}));
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({}));
}

fn settings_of_another_category_are_rejected(backend: Backend) {
    let server = start(backend);
    let response = server.as_admin().patch(SYSTEM, json!({"SESSIONS_PER_USER": 5})).expect(400).json();
    let message = "This setting belongs to /api/v2/settings/authentication/.";
    assert_eq!(response, json!({"SESSIONS_PER_USER": [message]}));
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({}));
}

/// Clients send back what they read: PUT of everything that GET shows changes nothing.
fn read_only_settings_are_rejected_unless_unchanged(backend: Backend) {
    let server = start(backend);
    let whole = server.as_admin().get(ALL).expect(200).json();
    assert_eq!(server.as_admin().put(ALL, &whole).expect(200).json(), whole);
    let response = server.as_admin().patch(ALL, json!({"IS_K8S": true, "SESSIONS_PER_USER": 5})).expect(400).json();
    assert_eq!(response, json!({"IS_K8S": ["This setting is read-only."]}));
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({}));
}
