//! Refresh tokens: rotation, and reuse.

use std::thread::sleep;
use std::time::Duration;

use hostler_testkit::Response;
use serde_json::{Value, json};

use crate::oauth::fixture::{Application, OauthFixture, each, refused};

fn refresh(fixture: &OauthFixture, application: &Application, tokens: &Value, scope: &str) -> Response {
    let token = tokens["refresh_token"].as_str().expect("a refresh token");
    let sent = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
    fixture.token(&application.prove(&sent))
}

fn reach(fixture: &OauthFixture, tokens: &Value) -> &'static str {
    fixture.reach(tokens["access_token"].as_str().expect("a token"))
}

#[test]
fn refresh_token_is_single_use() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let first = fixture.tokens_of("bob", &application, "write");
        let second = refresh(fixture, &application, &first, "").expect(200).json();
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        assert_eq!(second["scope"], "write");
        assert_eq!((reach(fixture, &first), reach(fixture, &second)), ("nothing", "write"));
        let third = refresh(fixture, &application, &second, "").expect(200).json();
        let bystander = fixture.tokens_of("bob", &application, "write");

        // Reuse of an old token revokes its whole family, and no other.
        refused(refresh(fixture, &application, &first, ""), 400, "invalid_grant");
        assert_eq!(reach(fixture, &third), "nothing");
        refused(refresh(fixture, &application, &third, ""), 400, "invalid_grant");
        assert_eq!(reach(fixture, &bystander), "write");
        refresh(fixture, &application, &bystander, "").expect(200);

        let log: Vec<Value> =
            fixture.admin.get("/api/v2/activity_stream/?object1=o_auth2_access_token&order_by=id").json()["results"]
                .as_array()
                .cloned()
                .unwrap_or_default();
        let operations: Vec<&str> = log.iter().filter_map(|entry| entry["operation"].as_str()).collect();
        let created = operations.iter().filter(|operation| **operation == "create").count();
        assert_eq!((created, operations.len()), (5, 9), "{operations:?}");
        assert!(log.iter().all(|entry| entry["changes"]["token"] == "hidden"), "{log:?}");
    });
}

#[test]
fn refresh_never_widens_scope() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let read = fixture.tokens_of("bob", &application, "read");
        for scope in ["write", "read write", "admin"] {
            refused(refresh(fixture, &application, &read, scope), 400, "invalid_scope");
        }
        let read = refresh(fixture, &application, &read, "").expect(200).json();
        assert_eq!(reach(fixture, &read), "read");

        let write = fixture.tokens_of("bob", &application, "read write");
        let narrowed = refresh(fixture, &application, &write, "read").expect(200).json();
        assert_eq!(reach(fixture, &narrowed), "read");
        refused(refresh(fixture, &application, &narrowed, "write"), 400, "invalid_scope");

        // A scope that the owner removed is not restored.
        let write = fixture.tokens_of("bob", &application, "write");
        let bob = fixture.user("bob");
        let listed = bob.get("/api/v2/tokens/?order_by=-id").json()["results"][0]["url"].clone();
        bob.patch(listed.as_str().expect("a url"), json!({"scope": "read"})).expect(200);
        assert_eq!(reach(fixture, &refresh(fixture, &application, &write, "").expect(200).json()), "read");
    });
}

#[test]
fn refresh_token_is_bound_to_client_user_and_time() {
    each(|fixture| {
        let application = fixture.application("public", "password", json!({}));
        let other = fixture.application("public", "password", json!({"name": "other"}));
        let grant = || {
            let sent = [("grant_type", "password"), ("username", "bob"), ("password", crate::oauth::fixture::PASSWORD)];
            fixture.token(&application.prove(&sent)).expect(200).json()
        };
        let tokens = grant();
        refused(refresh(fixture, &other, &tokens, ""), 400, "invalid_grant");
        refused(refresh(fixture, &application, &json!({"refresh_token": "nonsense"}), ""), 400, "invalid_grant");
        let access = json!({"refresh_token": tokens["access_token"]});
        refused(refresh(fixture, &application, &access, ""), 400, "invalid_grant");
        // A refresh token does not authenticate API requests.
        assert_eq!(fixture.reach(tokens["refresh_token"].as_str().expect("a refresh token")), "nothing");

        // An access token that has expired can still be refreshed.
        fixture.lifetimes(1, 600, 3600);
        let short = grant();
        assert_eq!(short["expires_in"], 1);
        sleep(Duration::from_millis(1100));
        assert_eq!(reach(fixture, &short), "nothing");
        refresh(fixture, &application, &short, "").expect(200);
        fixture.lifetimes(3600, 600, 1);
        let short = grant();
        sleep(Duration::from_millis(1100));
        assert_eq!(reach(fixture, &short), "write");
        refused(refresh(fixture, &application, &short, ""), 400, "invalid_grant");

        // Deleting the access token deletes its refresh token.
        let bob = fixture.user("bob");
        let newest = bob.get("/api/v2/tokens/?order_by=id").json()["results"][0]["url"].clone();
        bob.delete(newest.as_str().expect("a url")).expect(204);
        refused(refresh(fixture, &application, &tokens, ""), 400, "invalid_grant");
    });
}

#[test]
fn concurrent_refreshes_have_one_winner() {
    each(|fixture| {
        let application = fixture.application("confidential", "authorization-code", json!({}));
        let tokens = fixture.tokens_of("bob", &application, "write");
        let token = tokens["refresh_token"].as_str().expect("a refresh token");
        let sent = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let statuses = fixture.all_at_once(&application.prove(&sent));
        assert!(statuses.iter().all(|status| [200, 400].contains(status)), "{statuses:?}");
        assert!(statuses.iter().filter(|status| **status == 200).count() <= 1, "{statuses:?}");
        let left = fixture.user("bob").get("/api/v2/tokens/").json()["count"].clone();
        assert_eq!(left, 0, "{statuses:?}\n{}", fixture.server.stderr());
    });
}
