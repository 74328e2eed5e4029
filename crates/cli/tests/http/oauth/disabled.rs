//! Tokens and codes of a disabled user.

use serde_json::json;

use crate::oauth::fixture::{PASSWORD, each, refused};

#[test]
fn grants_of_disabled_user_are_rejected() {
    each(|fixture| {
        let by_code = fixture.application("confidential", "authorization-code", json!({}));
        let by_password = fixture.application("confidential", "password", json!({}));
        let tokens = fixture.tokens_of("bob", &by_code, "write");
        let (access, refresh) = (tokens["access_token"].as_str(), tokens["refresh_token"].as_str());
        let (access, refresh) = (access.expect("a token"), refresh.expect("a refresh token"));
        let code = fixture.code("bob", &by_code, &[]);
        let bob = fixture.admin.get("/api/v2/users/bob/").expect(200).json();
        let set = |active: bool| {
            fixture.admin.patch(&format!("/api/v2/users/{}/", bob["id"]), json!({"is_active": active})).expect(200);
        };
        let refreshing = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        let exchange = [("grant_type", "authorization_code"), ("code", code.as_str())];
        let password = [("grant_type", "password"), ("username", "bob"), ("password", PASSWORD)];
        set(false);
        assert_eq!(fixture.reach(access), "nothing");
        refused(fixture.token(&by_code.prove(&refreshing)), 400, "invalid_grant");
        refused(fixture.token(&by_code.prove(&exchange)), 400, "invalid_grant");
        refused(fixture.token(&by_password.prove(&password)), 400, "invalid_grant");
        set(true);
        // Tokens are valid again, an unused code is not.
        assert_eq!(fixture.reach(access), "write");
        refused(fixture.token(&by_code.prove(&exchange)), 400, "invalid_grant");
        fixture.token(&by_password.prove(&password)).expect(200);
        fixture.token(&by_code.prove(&refreshing)).expect(200);
    });
}
