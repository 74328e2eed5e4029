//! PATCH, PUT and DELETE of a category.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::settings::{ALL, AUTHENTICATION, CHANGED, SYSTEM, set, start};

on_each_backend!(
    a_patch_changes_what_it_names,
    a_category_changes_its_own_settings_only,
    put_replaces_the_whole_category,
    delete_goes_back_to_the_defaults,
    what_is_changed_can_be_changed_and_reset,
    what_is_only_shown_stays,
    a_mistake_changes_nothing,
);

fn a_patch_changes_what_it_names(backend: Backend) {
    let server = start(backend);
    let before = server.as_admin().get(AUTHENTICATION).expect(200).json();
    let after = set(&server, AUTHENTICATION, json!({"SESSIONS_PER_USER": 5})).json();
    assert_eq!((&before["SESSIONS_PER_USER"], &after["SESSIONS_PER_USER"]), (&json!(-1), &json!(5)));
    assert_eq!(after["SESSION_COOKIE_AGE"], before["SESSION_COOKIE_AGE"]);
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({"SESSIONS_PER_USER": 5}));
    assert_eq!(server.as_admin().get(ALL).expect(200).json()["SESSIONS_PER_USER"], 5);
}

fn a_category_changes_its_own_settings_only(backend: Backend) {
    let server = start(backend);
    set(&server, SYSTEM, json!({"SESSIONS_PER_USER": 5, "NO_SUCH_SETTING": 1}));
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({}));
    set(&server, ALL, json!({"SESSIONS_PER_USER": 5, "MANAGE_ORGANIZATION_AUTH": false}));
    server.as_admin().delete(SYSTEM).expect(204);
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({"SESSIONS_PER_USER": 5}));
    server.as_admin().delete(ALL).expect(204);
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({}));
}

fn put_replaces_the_whole_category(backend: Backend) {
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

fn delete_goes_back_to_the_defaults(backend: Backend) {
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

fn what_is_changed_can_be_changed_and_reset(backend: Backend) {
    let server = start(backend);
    set(&server, ALL, json!({"SESSIONS_PER_USER": 5, "MANAGE_ORGANIZATION_AUTH": false}));
    // What is left to its default is not among them.
    set(&server, CHANGED, json!({"SESSIONS_PER_USER": 6, "LOCAL_PASSWORD_MIN_LENGTH": 8}));
    let changed = server.as_admin().get(CHANGED).expect(200).json();
    assert_eq!(changed, json!({"SESSIONS_PER_USER": 6, "MANAGE_ORGANIZATION_AUTH": false}));
    server.as_admin().delete(CHANGED).expect(204);
    assert_eq!(server.as_admin().get(CHANGED).expect(200).json(), json!({}));
}

fn what_is_only_shown_stays(backend: Backend) {
    let server = start(backend);
    let id = server.as_admin().get(SYSTEM).expect(200).json()["INSTALL_UUID"].clone();
    assert_eq!(id, server.anonymous().get("/api/v2/ping/").expect(200).json()["install_uuid"]);
    let text = id.as_str().expect("a text");
    assert!(text.len() == 36 && text.split('-').nth(2).is_some_and(|part| part.starts_with('4')), "{text} is no UUID");
    set(&server, SYSTEM, json!({"INSTALL_UUID": "0"}));
    server.as_admin().delete(ALL).expect(204);
    assert_eq!(server.as_admin().get(SYSTEM).expect(200).json()["INSTALL_UUID"], id);
}

fn a_mistake_changes_nothing(backend: Backend) {
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
