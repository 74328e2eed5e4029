//! The grant type `password`.

use serde_json::json;

use crate::oauth::fixture::{PASSWORD, each, refused};

#[test]
fn password_grant_issues_token() {
    each(|fixture| {
        let application = fixture.application("confidential", "password", json!({"redirect_uris": ""}));
        let grant = |name, password, scope| {
            let sent = [("grant_type", "password"), ("username", name), ("password", password), ("scope", scope)];
            fixture.token(&application.prove(&sent))
        };
        for (scope, granted, reach) in
            [("", "read write", "write"), ("read", "read", "read"), ("write", "write", "write")]
        {
            let answer = grant("bob", PASSWORD, scope).expect(200).json();
            assert_eq!(answer["scope"], granted);
            assert_eq!(fixture.reach(answer["access_token"].as_str().expect("a token")), reach);
        }
        refused(grant("bob", "wrong", ""), 400, "invalid_grant");
        refused(grant("nobody", PASSWORD, ""), 400, "invalid_grant");
        refused(grant("bob", "", ""), 400, "invalid_request");
        refused(grant("bob", PASSWORD, "admin"), 400, "invalid_scope");
        refused(grant("b\0b", PASSWORD, ""), 400, "invalid_request");
        // The application cannot use another grant type.
        let sent = [("grant_type", "authorization_code"), ("code", "x")];
        refused(fixture.token(&application.prove(&sent)), 400, "unauthorized_client");
    });
}
