//! Tokens of applications as objects.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::oauth::fixture::{OauthFixture, each, form, refused};

fn id_of(fixture: &OauthFixture, name: &str) -> i64 {
    fixture.admin.get(&format!("/api/v2/users/{name}/")).json()["id"].as_i64().expect("an id")
}

#[test]
fn personal_and_authorized_tokens_are_listed_separately() {
    each(|fixture| {
        let application = fixture.application("confidential", "password", json!({}));
        let (bob, id) = (fixture.user("bob"), id_of(fixture, "bob"));
        let list = |name: &str| format!("/api/v2/users/{id}/{name}/");
        bob.post(&list("personal_tokens"), json!({"description": "mine", "application": application.id})).expect(201);
        let made = json!({"description": "theirs", "application": application.id});
        let made = bob.post(&list("authorized_tokens"), made).expect(201).json();
        bob.post(&list("authorized_tokens"), json!({"description": "whose?"})).expect(400);
        for (name, required) in [("authorized_tokens", true), ("tokens", false)] {
            let options = bob.options(&list(name)).expect(200).json();
            assert_eq!(options["actions"]["POST"]["application"]["required"], required, "{name}");
        }
        bob.post(&list("tokens"), json!({"description": "mine too"})).expect(201);
        let names = |list: &str| -> Vec<Value> {
            let results = bob.get(list).expect(200).json()["results"].as_array().cloned().unwrap_or_default();
            results.iter().map(|token| token["description"].clone()).collect()
        };
        assert_eq!(names(&format!("{}?order_by=id", list("personal_tokens"))), ["mine", "mine too"]);
        assert_eq!(names(&list("authorized_tokens")), ["theirs"]);
        assert_eq!(names(&list("tokens")).len(), 3);
        // A token from the API can be refreshed like any other.
        let refresh = made["refresh_token"].as_str().expect("a refresh token");
        let sent = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        fixture.token(&application.prove(&sent)).expect(200);
    });
}

#[test]
fn application_admin_revokes_but_does_not_widen_tokens() {
    each(|fixture| {
        let application = fixture.application("confidential", "password", json!({}));
        let tokens = format!("/api/v2/applications/{}/tokens/", application.id);
        let made = fixture.admin.post(&tokens, json!({"scope": "read"})).expect(201).json();
        let url = made["url"].as_str().expect("a url");
        for (name, seen, status) in [("ann", 1, 403), ("bob", 0, 403), ("eve", 0, 403)] {
            let client = fixture.user(name);
            client.patch(url, json!({"scope": "write"})).expect(status);
            let summary = client.get(&format!("/api/v2/applications/{}/", application.id));
            if summary.status == 200 {
                assert_eq!(summary.json()["summary_fields"]["tokens"]["count"], seen, "{name}");
                assert_eq!(client.get(&tokens).expect(200).json()["count"], seen, "{name}");
            }
        }
        fixture.user("bob").delete(url).expect(403);
        fixture.user("ann").delete(url).expect(204);
    });
}

#[test]
fn token_summary_takes_constant_queries() {
    each(|fixture| {
        let application = fixture.application("confidential", "password", json!({}));
        let url = format!("/api/v2/applications/{}/", application.id);
        let before = fixture.admin.get("/api/v2/applications/").queries();
        for _ in 0..12 {
            fixture.admin.post(&format!("{url}tokens/"), json!({})).expect(201);
        }
        let one = fixture.admin.get(&format!("{url}tokens/?page_size=1")).queries();
        assert_eq!(fixture.admin.get(&format!("{url}tokens/?page_size=10")).queries(), one);
        fixture.application("public", "password", json!({"name": "another"}));
        assert_eq!(fixture.admin.get("/api/v2/applications/").queries(), before);
        let summary = fixture.admin.get(&url).json()["summary_fields"]["tokens"].clone();
        assert_eq!((&summary["count"], summary["results"].as_array().map(Vec::len)), (&json!(12), Some(10)));
    });
}

#[test]
fn read_token_cannot_create_write_token() {
    each(|fixture| {
        let application = fixture.application("confidential", "password", json!({}));
        let bob = id_of(fixture, "bob");
        let made = fixture.user("bob").post("/api/v2/tokens/", json!({"scope": "read", "application": application.id}));
        let made = made.expect(201).json();
        let token = made["token"].as_str().expect("a token");
        let client = fixture.server.with_token(token);
        let write = json!({"scope": "write", "application": application.id});
        for path in [
            "/api/v2/tokens/".to_owned(),
            format!("/api/v2/users/{bob}/tokens/"),
            format!("/api/v2/users/{bob}/authorized_tokens/"),
            format!("/api/v2/users/{bob}/personal_tokens/"),
            format!("/api/v2/applications/{}/tokens/", application.id),
            "/api/v2/applications/".to_owned(),
        ] {
            client.post(&path, &write).expect(403);
        }
        client.patch(made["url"].as_str().expect("a url"), &write).expect(403);
        let refresh = made["refresh_token"].as_str().expect("a refresh token");
        for grant in ["refresh_token", "authorization_code", "password"] {
            let sent = [("grant_type", grant), ("refresh_token", refresh), ("code", token), ("scope", "write")];
            refused(form(&client, "/api/o/token/", &application.prove(&sent)), 401, "invalid_client");
        }
        let sent = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", "write")];
        refused(fixture.token(&application.prove(&sent)), 400, "invalid_scope");
        assert_eq!(fixture.admin.get("/api/v2/tokens/?scope__contains=write").json()["count"], 0);
    });
}

#[test]
fn update_keeps_token_value() {
    each(|fixture| {
        let bob = fixture.user("bob");
        let made = bob.post("/api/v2/tokens/", json!({})).expect(201).json();
        let url = made["url"].as_str().expect("a url");
        bob.patch(url, json!({"token": "x", "description": "renamed"})).expect(200);
        assert_eq!(fixture.reach(made["token"].as_str().expect("a token")), "write");
    });
}

#[test]
fn last_used_is_recorded() {
    each(|fixture| {
        let token = fixture.user("bob").post("/api/v2/tokens/", json!({})).expect(201).json();
        let client = fixture.server.with_token(token["token"].as_str().expect("a token"));
        let used = || fixture.admin.get("/api/v2/tokens/?last_used__isnull=false").expect(200).json()["count"].clone();
        assert_eq!(used(), 0);
        let queries = client.get("/api/v2/me/").expect(200).queries();
        for _ in 0..50 {
            if used() == 1 {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        assert_eq!(used(), 1);
        assert_eq!(client.get("/api/v2/me/").queries(), queries);
        let shown = fixture.admin.get(token["url"].as_str().expect("a url")).expect(200).json();
        assert!(shown.get("last_used").is_none());
        assert_eq!(fixture.admin.get("/api/v2/tokens/?last_used__gt=2020-01-01").expect(200).json()["count"], 1);
    });
}
