//! Token revocation (RFC 7009).

use serde_json::json;

use crate::oauth::fixture::{each, form, refused};

#[test]
fn client_revokes_own_tokens() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let other = fixture.application("confidential", "authorization-code", json!({"name": "other"}));
        let anonymous = fixture.server.anonymous();
        let revoke = |pairs: &[(&str, &str)]| form(&anonymous, "/api/o/revoke_token/", pairs);
        for (which, left) in [("access_token", "refresh_token"), ("refresh_token", "access_token")] {
            let tokens = fixture.tokens_of("bob", &application, "write");
            let (token, access) = (tokens[which].as_str(), tokens["access_token"].as_str());
            let (token, access) = (token.expect("a token"), access.expect("a token"));
            revoke(&other.prove(&[("token", token)])).expect(200);
            refused(revoke(&[("token", token)]), 401, "invalid_client");
            let wrong = [("token", token), ("client_id", &application.client_id), ("client_secret", "wrong")];
            refused(revoke(&wrong), 401, "invalid_client");
            assert_eq!(fixture.reach(access), "write");
            revoke(&application.prove(&[("token", token), ("token_type_hint", left)])).expect(200);
            assert_eq!(fixture.reach(access), "nothing");
            let refresh = tokens["refresh_token"].as_str().expect("a token");
            let sent = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
            refused(fixture.token(&application.prove(&sent)), 400, "invalid_grant");
            revoke(&application.prove(&[("token", token)])).expect(200);
        }
        revoke(&application.prove(&[("token", "nonsense")])).expect(200);
        refused(revoke(&application.prove(&[])), 400, "invalid_request");
        // A personal token belongs to no application.
        let personal = fixture.user("bob").post("/api/v2/tokens/", json!({})).expect(201).json();
        let personal = personal["token"].as_str().expect("a token");
        revoke(&application.prove(&[("token", personal)])).expect(200);
        assert_eq!(fixture.reach(personal), "write");
    });
}

#[test]
fn oauth_root_lists_endpoints() {
    each(|fixture| {
        let links =
            json!({"authorize": "/api/o/authorize/", "token": "/api/o/token/", "revoke_token": "/api/o/revoke_token/"});
        for client in [fixture.server.anonymous(), fixture.user("bob")] {
            assert_eq!(client.get("/api/o/").expect(200).json(), links);
        }
        fixture.server.anonymous().get("/api/o/nothing/").expect(404);
    });
}
