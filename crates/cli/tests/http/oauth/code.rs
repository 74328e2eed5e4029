//! The grant type `authorization_code`.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::oauth::fixture::{CALLBACK, CHALLENGE, VERIFIER, each, form, refused};

const GRANT: (&str, &str) = ("grant_type", "authorization_code");
const PROOF: [(&str, &str); 2] = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];

#[test]
fn confidential_client_exchanges_code() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let code = fixture.code("bob", &application, &[("redirect_uri", CALLBACK), ("scope", "read")]);
        let sent = application.prove(&[GRANT, ("code", &code), ("redirect_uri", CALLBACK)]);
        let answer = fixture.token(&sent).expect(200);
        assert!(answer.header("Cache-Control").expect("Cache-Control").contains("no-store"));
        let answer = answer.json();
        assert_eq!(answer["token_type"], "Bearer");
        assert_eq!(answer["scope"], "read");
        assert_eq!(answer["expires_in"], 31_536_000);
        let token = answer["access_token"].as_str().expect("a token");
        assert_eq!(fixture.reach(token), "read");
        let me = fixture.server.with_token(token).get("/api/v2/me/").json();
        assert_eq!(me["results"][0]["username"], "bob");
        let listed = fixture.user("bob").get("/api/v2/tokens/").json();
        assert_eq!(listed["results"][0]["application"], application.id);
        assert_eq!(listed["results"][0]["refresh_token"], "************");

        // Also by the Authorization header.
        let code = fixture.code("bob", &application, &[]);
        let basic = fixture.server.as_user(&application.client_id, &application.secret);
        let answer = form(&basic, "/api/o/token/", &[GRANT, ("code", &code)]).expect(200).json();
        assert_eq!(answer["scope"], "read write");
        assert_eq!(fixture.reach(answer["access_token"].as_str().expect("a token")), "write");
    });
}

#[test]
fn public_client_requires_pkce() {
    each(|fixture| {
        let application = fixture.application("public", "authorization-code", json!({}));
        let code = fixture.code("bob", &application, &PROOF);
        let other = format!("{VERIFIER}x");
        for verifier in ["", CHALLENGE, other.as_str()] {
            let sent = application.prove(&[GRANT, ("code", &code), ("code_verifier", verifier)]);
            refused(fixture.token(&sent), 400, "invalid_grant");
        }
        let sent = application.prove(&[GRANT, ("code", &code), ("code_verifier", VERIFIER)]);
        fixture.token(&sent).expect(200);
        // PKCE is optional for confidential applications, but enforced if it is used. A verifier without a challenge
        // indicates a tampered request.
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let code = fixture.code("bob", &application, &PROOF);
        refused(fixture.token(&application.prove(&[GRANT, ("code", &code)])), 400, "invalid_grant");
        let code = fixture.code("bob", &application, &[]);
        let sent = application.prove(&[GRANT, ("code", &code), ("code_verifier", VERIFIER)]);
        refused(fixture.token(&sent), 400, "invalid_grant");
    });
}

#[test]
fn reused_code_revokes_its_tokens() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let code = fixture.code("bob", &application, &[]);
        let sent = application.prove(&[GRANT, ("code", &code)]);
        let first = fixture.token(&sent).expect(200).json();
        // The restriction also applies after a refresh.
        let refresh = first["refresh_token"].as_str().expect("a refresh token");
        let next = application.prove(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]);
        let next = fixture.token(&next).expect(200).json();
        let token = next["access_token"].as_str().expect("a token");
        assert_eq!(fixture.reach(token), "write");
        refused(fixture.token(&sent), 400, "invalid_grant");
        assert_eq!(fixture.reach(token), "nothing");
        let refresh = next["refresh_token"].as_str().expect("a refresh token");
        let sent = application.prove(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]);
        refused(fixture.token(&sent), 400, "invalid_grant");
    });
}

#[test]
fn concurrent_code_exchanges_have_one_winner() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let code = fixture.code("bob", &application, &[]);
        let sent = application.prove(&[GRANT, ("code", &code)]);
        let statuses = fixture.all_at_once(&sent);
        assert!(statuses.iter().all(|status| [200, 400].contains(status)), "{statuses:?}");
        assert!(statuses.iter().filter(|status| **status == 200).count() <= 1, "{statuses:?}");
        let left = fixture.user("bob").get("/api/v2/tokens/").json()["count"].clone();
        assert_eq!(left, 0, "{statuses:?}\n{}", fixture.server.stderr());
    });
}

#[test]
fn code_is_bound_to_client_redirect_uri_user_and_time() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let other = fixture.application("confidential", "authorization-code", json!({"name": "other"}));
        let code = fixture.code("bob", &application, &[("redirect_uri", CALLBACK)]);
        for (who, uri) in [(&other, CALLBACK), (&application, ""), (&application, "https://app.example/cb")] {
            let sent = who.prove(&[GRANT, ("code", &code), ("redirect_uri", uri)]);
            refused(fixture.token(&sent), 400, "invalid_grant");
        }
        refused(fixture.token(&application.prove(&[GRANT, ("code", "nonsense")])), 400, "invalid_grant");
        refused(fixture.token(&application.prove(&[GRANT, ("code", "a\0b")])), 400, "invalid_request");
        refused(fixture.token(&application.prove(&[GRANT])), 400, "invalid_request");

        fixture.lifetimes(3600, 1, 3600);
        let code = fixture.code("bob", &application, &[]);
        sleep(Duration::from_millis(1100));
        refused(fixture.token(&application.prove(&[GRANT, ("code", &code)])), 400, "invalid_grant");

        fixture.lifetimes(3600, 600, 3600);
        let code = fixture.code("bob", &application, &[]);
        let bob = fixture.admin.get("/api/v2/users/bob/").json()["url"].as_str().expect("a url").to_owned();
        fixture.admin.delete(&bob).expect(204);
        refused(fixture.token(&application.prove(&[GRANT, ("code", &code)])), 400, "invalid_grant");
    });
}

#[test]
fn client_authentication_is_required() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let code = fixture.code("bob", &application, &[]);
        let id = application.client_id.as_str();
        for (name, secret) in [(id, ""), (id, "wrong"), (id, id), ("nobody", application.secret.as_str()), ("", "")] {
            let sent = [GRANT, ("code", code.as_str()), ("client_id", name), ("client_secret", secret)];
            let answer = fixture.token(&sent);
            assert_eq!(answer.header("WWW-Authenticate"), None);
            refused(answer, 401, "invalid_client");
            let basic = fixture.server.as_user(name, secret);
            let answer = form(&basic, "/api/o/token/", &[GRANT, ("code", &code)]);
            assert!(answer.header("WWW-Authenticate").expect("a challenge").starts_with("Basic "));
            refused(answer, 401, "invalid_client");
        }
        // A user's token or password does not authenticate a client.
        let bearer = fixture.user("bob").post("/api/v2/tokens/", json!({})).expect(201).json();
        let bearer = fixture.server.with_token(bearer["token"].as_str().expect("a token"));
        refused(form(&bearer, "/api/o/token/", &[GRANT, ("code", &code)]), 401, "invalid_client");
        // Exactly one kind of client authentication is accepted, and only form bodies.
        let basic = fixture.server.as_user(id, &application.secret);
        let both = [GRANT, ("code", code.as_str()), ("client_secret", application.secret.as_str())];
        refused(form(&basic, "/api/o/token/", &both), 400, "invalid_request");
        let other = [GRANT, ("code", code.as_str()), ("client_id", "other")];
        refused(form(&basic, "/api/o/token/", &other), 401, "invalid_client");
        let body = json!({"grant_type": "authorization_code", "code": code});
        refused(basic.post("/api/o/token/", body), 400, "invalid_request");
        let twice = application.prove(&[GRANT, GRANT, ("code", &code)]);
        refused(fixture.token(&twice), 400, "invalid_request");
        refused(fixture.token(&application.prove(&[])), 400, "invalid_request");
        refused(fixture.token(&application.prove(&[("grant_type", "implicit")])), 400, "unsupported_grant_type");
        let password = [("grant_type", "password"), ("username", "bob"), ("password", crate::oauth::fixture::PASSWORD)];
        refused(fixture.token(&application.prove(&password)), 400, "unauthorized_client");
        basic.get("/api/o/token/").expect(405);
        fixture.token(&application.prove(&[GRANT, ("code", &code)])).expect(200);
    });
}
