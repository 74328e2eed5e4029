//! Refreshing, its rotation, and what happens to whoever refreshes twice.

use std::thread::sleep;
use std::time::Duration;

use hostler_testkit::Answer;
use serde_json::{Value, json};

use crate::world::{Application, World, each, refused};

fn refresh(world: &World, application: &Application, tokens: &Value, scope: &str) -> Answer {
    let token = tokens["refresh_token"].as_str().expect("a refresh token");
    let sent = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
    world.token(&application.prove(&sent))
}

fn reach(world: &World, tokens: &Value) -> &'static str {
    world.reach(tokens["access_token"].as_str().expect("a token"))
}

#[test]
fn a_refresh_token_is_used_once() {
    each(|world| {
        let application = world.application("confidential", "authorization-code", json!({}));
        let first = world.tokens_of("bob", &application, "write");
        let second = refresh(world, &application, &first, "").expect(200).json();
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        assert_eq!(second["scope"], "write");
        assert_eq!((reach(world, &first), reach(world, &second)), ("nothing", "write"));
        let third = refresh(world, &application, &second, "").expect(200).json();
        let bystander = world.tokens_of("bob", &application, "write");

        // Whoever uses an old one ends the whole family, and no other.
        refused(refresh(world, &application, &first, ""), 400, "invalid_grant");
        assert_eq!(reach(world, &third), "nothing");
        refused(refresh(world, &application, &third, ""), 400, "invalid_grant");
        assert_eq!(reach(world, &bystander), "write");
        refresh(world, &application, &bystander, "").expect(200);

        let log: Vec<Value> =
            world.admin.get("/api/v2/activity_stream/?object1=o_auth2_access_token&order_by=id").json()["results"]
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
fn a_scope_is_narrowed_and_never_widened() {
    each(|world| {
        let application = world.application("confidential", "authorization-code", json!({}));
        let read = world.tokens_of("bob", &application, "read");
        for scope in ["write", "read write", "admin"] {
            refused(refresh(world, &application, &read, scope), 400, "invalid_scope");
        }
        let read = refresh(world, &application, &read, "").expect(200).json();
        assert_eq!(reach(world, &read), "read");

        let write = world.tokens_of("bob", &application, "read write");
        let narrowed = refresh(world, &application, &write, "read").expect(200).json();
        assert_eq!(reach(world, &narrowed), "read");
        refused(refresh(world, &application, &narrowed, "write"), 400, "invalid_scope");

        // What the owner takes away stays away.
        let write = world.tokens_of("bob", &application, "write");
        let bob = world.user("bob");
        let listed = bob.get("/api/v2/tokens/?order_by=-id").json()["results"][0]["url"].clone();
        bob.patch(listed.as_str().expect("a url"), json!({"scope": "read"})).expect(200);
        assert_eq!(reach(world, &refresh(world, &application, &write, "").expect(200).json()), "read");
    });
}

#[test]
fn a_refresh_token_is_bound_to_its_application_user_and_time() {
    each(|world| {
        let application = world.application("public", "password", json!({}));
        let other = world.application("public", "password", json!({"name": "other"}));
        let grant = || {
            let sent = [("grant_type", "password"), ("username", "bob"), ("password", crate::world::PASSWORD)];
            world.token(&application.prove(&sent)).expect(200).json()
        };
        let tokens = grant();
        refused(refresh(world, &other, &tokens, ""), 400, "invalid_grant");
        refused(refresh(world, &application, &json!({"refresh_token": "nonsense"}), ""), 400, "invalid_grant");
        let access = json!({"refresh_token": tokens["access_token"]});
        refused(refresh(world, &application, &access, ""), 400, "invalid_grant");
        // And it is no token to ask the API with.
        assert_eq!(world.reach(tokens["refresh_token"].as_str().expect("a refresh token")), "nothing");

        // An access token that has expired can still be refreshed.
        world.lifetimes(1, 600, 3600);
        let short = grant();
        assert_eq!(short["expires_in"], 1);
        sleep(Duration::from_millis(1100));
        assert_eq!(reach(world, &short), "nothing");
        refresh(world, &application, &short, "").expect(200);
        world.lifetimes(3600, 600, 1);
        let short = grant();
        sleep(Duration::from_millis(1100));
        assert_eq!(reach(world, &short), "write");
        refused(refresh(world, &application, &short, ""), 400, "invalid_grant");

        // The user who deletes the token means the refresh token too.
        let bob = world.user("bob");
        let newest = bob.get("/api/v2/tokens/?order_by=id").json()["results"][0]["url"].clone();
        bob.delete(newest.as_str().expect("a url")).expect(204);
        refused(refresh(world, &application, &tokens, ""), 400, "invalid_grant");
    });
}

#[test]
fn of_many_at_once_one_is_refreshed_at_most() {
    each(|world| {
        let application = world.application("confidential", "authorization-code", json!({}));
        let tokens = world.tokens_of("bob", &application, "write");
        let token = tokens["refresh_token"].as_str().expect("a refresh token");
        let sent = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let statuses = world.all_at_once(&application.prove(&sent));
        assert!(statuses.iter().all(|status| [200, 400].contains(status)), "{statuses:?}");
        assert!(statuses.iter().filter(|status| **status == 200).count() <= 1, "{statuses:?}");
        let left = world.user("bob").get("/api/v2/tokens/").json()["count"].clone();
        assert_eq!(left, 0, "{statuses:?}\n{}", world.server.stderr());
    });
}
