//! Applications as objects: rules and permissions.

use serde_json::{Value, json};

use crate::oauth::fixture::{OauthFixture, each};

fn new(organization: i64, more: Value) -> Value {
    let mut body = json!({"name": "app", "organization": organization, "client_type": "confidential",
        "authorization_grant_type": "authorization-code", "redirect_uris": "https://app.example/cb"});
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        body[key] = value;
    }
    body
}

#[test]
fn application_fields_are_validated() {
    each(|fixture| {
        let post = |more| fixture.admin.post("/api/v2/applications/", new(fixture.acme, more));
        let app = post(json!({"client_id": "chosen", "client_secret": "chosen"})).expect(201).json();
        assert_eq!(app["client_id"].as_str().map(str::len), Some(40));
        assert_eq!(app["client_secret"].as_str().map(str::len), Some(128));
        let url = app["url"].as_str().expect("a url");
        assert_eq!(fixture.admin.get("/api/v2/applications/app++Acme/").expect(200).json()["id"], app["id"]);

        assert_eq!(
            post(json!({})).expect(400).json(),
            json!({"__all__": ["Application with this Name and Organization already exists."]})
        );
        for (uris, wrong) in [
            ("javascript:alert(1)", 1),
            ("https://a.example/#x", 1),
            ("https://a.example/ data:x ftp://b.example/", 2),
            ("myapp://cb", 1),
        ] {
            let problems = post(json!({"name": "bad", "redirect_uris": uris})).expect(400).json();
            assert_eq!(problems["redirect_uris"].as_array().map(Vec::len), Some(wrong), "{problems}");
        }
        for uris in ["", " "] {
            let problems = fixture.admin.patch(url, json!({"redirect_uris": uris})).expect(400).json();
            assert!(problems["__all__"].is_array(), "{problems}");
        }
        let changed = json!({"authorization_grant_type": "password", "client_id": "x", "client_secret": "x"});
        let same = fixture.admin.patch(url, changed).expect(200).json();
        assert_eq!(same["authorization_grant_type"], "authorization-code");
        assert_eq!((&same["client_id"], &same["client_secret"]), (&app["client_id"], &json!("************")));

        let public = post(json!({"name": "public", "client_type": "public"})).expect(201).json();
        assert!(public.get("client_secret").is_none());
        let public = public["url"].as_str().expect("a url");
        fixture.admin.patch(public, json!({"client_type": "confidential"})).expect(400);
        fixture.admin.get("/api/v2/applications/?client_secret=x").expect(403);
        assert_eq!(fixture.admin.get("/api/v2/applications/?organization__name=Acme").expect(200).json()["count"], 2);
        let acme = format!("/api/v2/organizations/{}/", fixture.acme);
        assert_eq!(fixture.admin.get(&format!("{acme}applications/")).expect(200).json()["count"], 2);
        fixture.admin.delete(&acme).expect(204);
        fixture.admin.get(url).expect(404);
    });
}

#[test]
fn application_permissions() {
    each(|fixture| {
        let admin = &fixture.admin;
        let made = fixture.user("ann").post("/api/v2/applications/", new(fixture.acme, json!({}))).expect(201).json();
        let url = made["url"].as_str().expect("a url");
        let auditor =
            json!({"username": "aud", "password": crate::oauth::fixture::PASSWORD, "is_system_auditor": true});
        admin.post("/api/v2/users/", auditor).expect(201);
        for (name, read, write) in [("ann", 200, 200), ("bob", 200, 403), ("aud", 200, 403), ("eve", 403, 403)] {
            let client = fixture.user(name);
            client.get(url).expect(read);
            let count = client.get("/api/v2/applications/").expect(200).json()["count"].clone();
            assert_eq!(count != 0, read == 200, "{name}");
            client.patch(url, json!({"description": name})).expect(write);
            let other = new(fixture.acme, json!({"name": name}));
            client.post("/api/v2/applications/", other).expect(if write == 200 { 201 } else { 403 });
            if write == 403 {
                client.delete(url).expect(403);
            }
            if read == 403 {
                client.get("/api/v2/applications/app++Acme/").expect(404);
                client.get(&format!("{url}tokens/")).expect(403);
                client.post(&format!("{url}tokens/"), json!({"scope": "read"})).expect(403);
                client.post("/api/v2/tokens/", json!({"application": made["id"]})).expect(403);
            }
        }
        // An admin moves applications only between organizations of which they are an admin.
        fixture.user("ann").patch(url, json!({"organization": fixture.evil})).expect(403);
        grant_admin(fixture, "ann", fixture.evil);
        fixture.user("ann").patch(url, json!({"organization": fixture.evil})).expect(200);
        fixture.user("eve").get(url).expect(200);
        // Eve sees activity entries about the applications of her organization.
        let seen = fixture.user("eve").get(&format!("{url}activity_stream/")).expect(200).json();
        assert!(seen["count"].as_i64() > Some(0), "{seen}");
        fixture.user("ann").delete(url).expect(204);
    });
}

fn grant_admin(fixture: &OauthFixture, name: &str, organization: i64) {
    let id = fixture.admin.get(&format!("/api/v2/users/{name}/")).json()["id"].clone();
    fixture.admin.post(&format!("/api/v2/organizations/{organization}/admins/"), json!({"id": id})).expect(204);
}
