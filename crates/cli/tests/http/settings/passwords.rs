//! LOCAL_PASSWORD_MIN_LENGTH, _DIGITS, _UPPER and _SPECIAL.

use hostler_testkit::{Backend, PASSWORD, on_each_backend};
use serde_json::json;

use crate::settings::{AUTHENTICATION, set, start};

on_each_backend!(new_password_follows_policy);

fn new_password_follows_policy(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let refused = |password: &str| {
        let errors = ann.client.patch(&ann.path(), json!({"password": password})).expect(400).json();
        let user = json!({"username": "bob", "password": password});
        assert_eq!(server.as_admin().post("/api/v2/users/", user).expect(400).json(), errors, "{password}");
        errors["password"][0].as_str().expect("a message").to_owned()
    };
    set(&server, AUTHENTICATION, json!({"LOCAL_PASSWORD_MIN_LENGTH": 12}));
    assert_eq!(refused("short"), "Password must be at least 12 characters long.");
    set(&server, AUTHENTICATION, json!({"LOCAL_PASSWORD_MIN_DIGITS": 2}));
    assert_eq!(refused("longenough1plain"), "Password must contain at least 2 digits.");
    set(&server, AUTHENTICATION, json!({"LOCAL_PASSWORD_MIN_UPPER": 1}));
    assert_eq!(refused("longenough12plain"), "Password must contain at least 1 uppercase characters.");
    set(&server, AUTHENTICATION, json!({"LOCAL_PASSWORD_MIN_SPECIAL": 1}));
    assert_eq!(refused("Longenough12plain"), "Password must contain at least 1 special characters.");
    // Existing passwords stay valid.
    server.as_user("ann", PASSWORD).get("/api/v2/me/").expect(200);
    ann.client.patch(&ann.path(), json!({"password": "Longenough12!plain"})).expect(200);
    server.as_admin().delete(AUTHENTICATION).expect(204);
    server.as_user("ann", "Longenough12!plain").patch(&ann.path(), json!({"password": "a"})).expect(200);
}
