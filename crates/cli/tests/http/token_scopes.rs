//! Tokens: scopes and expiration.

use hostler_testkit::{Backend, Client, Fixture, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    read_token_cannot_write,
    read_token_shows_no_actions,
    unknown_scope_is_rejected,
    token_expires,
    token_lifetime_follows_settings,
    awx_token_lifetimes_are_accepted_and_capped,
    revoked_token_is_rejected,
    token_of_deleted_user_is_rejected,
    updated_token_still_works,
    tokens_are_visible_to_owner_only,
    unknown_token_is_rejected,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

/// A token and its description in the response to its creation.
fn make(client: &Client, body: Value) -> (Client, Value) {
    let made = client.post("/api/v2/tokens/", body).expect(201).json();
    (client.with_token(made["token"].as_str().expect("a token")), made)
}

/// Every path of the OpenAPI document, and some others.
fn paths(server: &TestServer, backend: Backend) -> Vec<String> {
    let fixture = Fixture::populate(server, backend, 1);
    let described = fixture.endpoints(server).into_iter().map(|endpoint| endpoint.path);
    // These work without a user: the login form, and logout.
    let mut paths: Vec<_> =
        described.filter(|path| !["/api/login/", "/api/logout/"].contains(&path.as_str())).collect();
    paths.extend(["all", "authentication", "changed"].map(|slug| format!("/api/v2/settings/{slug}/")));
    paths.extend(["/api/v2/tokens/9999/", "/api/v2/users/nobody/"].map(String::from));
    paths
}

/// All data that a write could change.
fn state(admin: &Client) -> Vec<Value> {
    let lists = [
        "users",
        "organizations",
        "teams",
        "projects",
        "labels",
        "execution_environments",
        "notification_templates",
        "instance_groups",
        "instances",
        "applications",
        "tokens",
        "role_definitions",
        "role_user_assignments",
        "role_team_assignments",
        "activity_stream",
    ];
    let mut state: Vec<_> =
        lists.iter().map(|list| admin.results(&format!("/api/v2/{list}/?order_by=id"))).map(Value::from).collect();
    state.push(admin.get("/api/v2/settings/all/").expect(200).json());
    state
}

fn read_token_cannot_write(backend: Backend) {
    let server = start(backend);
    let paths = paths(&server, backend);
    assert!(paths.len() > 100, "only {paths:?}");
    let admin = server.as_admin();
    // A token of a superuser, so that only the scope can be the reason.
    let (reader, _) = make(&admin, json!({"scope": "read"}));
    let before = state(&admin);
    let bodies = [
        json!({"id": 1}),
        json!({"id": 1, "disassociate": true}),
        json!({"name": "made", "username": "made", "password": "Made-Up-1", "organization": 1, "scope": "write"}),
    ];
    // The key of the template decides, and tokens are not read.
    let by_key = ["/callback/", "/github/", "/gitlab/", "/bitbucket_dc/"];
    for path in &paths {
        let has_key = by_key.iter().any(|end| path.ends_with(end));
        for method in ["POST", "PUT", "PATCH", "DELETE"].into_iter().filter(|method| !(has_key && *method == "POST")) {
            for body in &bodies {
                let answer = reader.request(method, path).json(body).send();
                assert_eq!(answer.status, 403, "{answer}");
            }
            // The check comes before the body is read.
            let broken = reader.request(method, path).header("Content-Type", "text/plain").body("{").send();
            assert_eq!(broken.status, 403, "{broken}");
        }
    }
    // Headers by which some frameworks override the method.
    for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        for method in ["GET", "POST"] {
            let call = reader.request(method, "/api/v2/organizations/1/").header(header, "DELETE");
            call.json(json!({"_method": "DELETE"})).send();
        }
    }
    reader.get("/api/v2/organizations/1/?_method=DELETE");
    let after = state(&admin);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after, before, "something was changed");
    }
}

fn read_token_shows_no_actions(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let org = server.organization("Acme");
    let (reader, _) = make(&admin, json!({"scope": "read"}));
    for path in ["/api/v2/users/".to_owned(), format!("/api/v2/organizations/{org}/")] {
        let actions = reader.options(&path).expect(200).json()["actions"].clone();
        assert!(actions.get("POST").is_none() && actions.get("PUT").is_none(), "{path}: {actions}");
    }
    let shown = reader.get(&format!("/api/v2/organizations/{org}/")).expect(200).json();
    assert_eq!(shown["summary_fields"]["user_capabilities"], json!({"edit": false, "delete": false}));
}

fn unknown_scope_is_rejected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for scope in ["", "admin", "write,read", "WRITE", "read admin", "*"] {
        let answer = admin.post("/api/v2/tokens/", json!({"scope": scope}));
        assert!(answer.status == 400 && answer.json()["scope"].is_array(), "{scope:?}: {answer}");
    }
    for (scope, may_write) in [("read", false), ("write", true), ("read write", true)] {
        let (client, _) = make(&admin, json!({"scope": scope}));
        client.get("/api/v2/me/").expect(200);
        let status = client.patch("/api/v2/users/1/", json!({})).status;
        assert_eq!(status, if may_write { 200 } else { 403 }, "{scope:?}");
    }
    // A read token cannot create a write token.
    let (reader, made) = make(&admin, json!({"scope": "read"}));
    let path = format!("/api/v2/tokens/{}/", made["id"]);
    reader.patch(&path, json!({"scope": "write"})).expect(403);
    for list in ["/api/v2/tokens/", "/api/v2/users/1/tokens/", "/api/v2/users/1/personal_tokens/"] {
        reader.post(list, json!({"scope": "write"})).expect(403);
    }
    // The owner can widen the scope, and narrow it again, with immediate effect.
    admin.patch(&path, json!({"scope": "write"})).expect(200);
    reader.patch("/api/v2/users/1/", json!({})).expect(200);
    admin.patch(&path, json!({"scope": "read"})).expect(200);
    reader.patch("/api/v2/users/1/", json!({})).expect(403);
}

fn token_expires(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (client, made) = make(&admin, json!({"scope": "write", "expires": "2199-01-02T03:04:05Z"}));
    assert_eq!(made["expires"], "2199-01-02T03:04:05Z");
    client.get("/api/v2/me/").expect(200);
    for past in ["2001-01-01T00:00:00Z", "1960-01-01T00:00:00Z"] {
        let answer = admin.post("/api/v2/tokens/", json!({"expires": past})).expect(400);
        assert!(answer.json()["expires"].is_array(), "{answer}");
    }
    for nonsense in [json!("tomorrow"), json!(5), json!([]), json!("2199-13-01T00:00:00Z")] {
        admin.post("/api/v2/tokens/", json!({"expires": nonsense})).expect(400);
    }
    let path = format!("/api/v2/tokens/{}/", made["id"]);
    let patched = admin.patch(&path, json!({"expires": "2299-01-01T00:00:00Z"})).expect(200).json();
    assert_eq!(patched["expires"], made["expires"], "a token's life was prolonged");
    let past = match backend {
        Backend::Sqlite => "1",
        Backend::Postgres => "'2001-01-01T00:00:00Z'",
    };
    server.execute(&format!("UPDATE tokens SET expires = {past}"));
    client.get("/api/v2/me/").expect(401);
    client.patch("/api/v2/users/1/", json!({"first_name": "x"})).expect(401);
}

fn token_lifetime_follows_settings(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let year = |token: &Value, field: &str| token[field].as_str().and_then(|time| time[..4].parse::<i32>().ok());
    let (_, made) = make(&admin, json!({}));
    let (from, to) = (year(&made, "created").expect("a year"), year(&made, "expires").expect("a year"));
    assert!((1..=2).contains(&(to - from)), "by default a token lives from {from} to {to}");
    server.configure("authentication", json!({"OAUTH2_PROVIDER": {"ACCESS_TOKEN_EXPIRE_SECONDS": 315_360_000}}));
    let (_, made) = make(&admin, json!({}));
    let (from, to) = (year(&made, "created").expect("a year"), year(&made, "expires").expect("a year"));
    assert!((9..=10).contains(&(to - from)), "a token lives from {from} to {to}");
}

fn awx_token_lifetimes_are_accepted_and_capped(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let lifetimes = json!({
        "ACCESS_TOKEN_EXPIRE_SECONDS": 31_536_000_000_i64, "AUTHORIZATION_CODE_EXPIRE_SECONDS": 600,
        "REFRESH_TOKEN_EXPIRE_SECONDS": i64::MAX,
    });
    server.configure("authentication", json!({"OAUTH2_PROVIDER": lifetimes}));
    let kept = admin.get("/api/v2/settings/authentication/").expect(200).json();
    assert_eq!(kept["OAUTH2_PROVIDER"], lifetimes);
    let year = |token: &Value, field: &str| token[field].as_str().and_then(|time| time[..4].parse::<i32>().ok());
    let (client, made) = make(&admin, json!({}));
    let (from, to) = (year(&made, "created").expect("a year"), year(&made, "expires").expect("a year"));
    assert!((99..=100).contains(&(to - from)), "a token lives from {from} to {to}");
    client.get("/api/v2/me/").expect(200);
}

fn revoked_token_is_rejected(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let (client, made) = make(&ann.client, json!({"scope": "write"}));
    let (other, _) = make(&ann.client, json!({"scope": "write"}));
    client.get("/api/v2/me/").expect(200);
    client.delete(&format!("/api/v2/tokens/{}/", made["id"])).expect(204);
    client.get("/api/v2/me/").expect(401);
    other.get("/api/v2/me/").expect(200);
}

fn token_of_deleted_user_is_rejected(backend: Backend) {
    let server = start(backend);
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    let (of_ann, _) = make(&ann.client, json!({}));
    let (of_bob, _) = make(&bob.client, json!({}));
    of_ann.get("/api/v2/me/").expect(200);
    server.as_admin().delete(&ann.path()).expect(204);
    server.execute("UPDATE users SET is_active = false WHERE username = 'bob'");
    for client in [&of_ann, &of_bob] {
        client.get("/api/v2/me/").expect(401);
        client.post("/api/v2/tokens/", json!({})).expect(401);
    }
    assert_eq!(server.as_admin().get("/api/v2/tokens/?user__username=ann").expect(200).json()["count"], 0);
}

/// Writing a token back as read sends the mask in place of its value.
fn updated_token_still_works(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let (client, made) = make(&ann.client, json!({"description": "ci"}));
    let path = format!("/api/v2/tokens/{}/", made["id"]);
    let stream = format!("{path}activity_stream/");
    let entries = server.as_admin().results(&stream).len();
    for writer in [&ann.client, &server.as_admin()] {
        let read = writer.get(&path).expect(200).json();
        assert_eq!(read["token"], "************", "a token was shown again");
        writer.put(&path, &read).expect(200);
        let body = json!({"token": "mine-now", "user": 1, "refresh_token": "x", "application": null});
        let answer = writer.patch(&path, body).expect(200).json();
        assert_eq!((&answer["token"], &answer["user"]), (&read["token"], &json!(ann.id)));
        client.get("/api/v2/me/").expect(200);
        server.with_token("mine-now").get("/api/v2/me/").expect(401);
    }
    assert_eq!(server.as_admin().results(&stream).len(), entries, "nothing changed, and yet it was recorded");
    let mut body = ann.client.get(&path).expect(200).json();
    body["description"] = json!("nightly");
    let answer = ann.client.put(&path, &body).expect(200).json();
    assert_eq!((&answer["token"], &answer["description"]), (&json!("************"), &json!("nightly")));
    client.get("/api/v2/me/").expect(200);
    let last = server.as_admin().results(&stream).pop().expect("an entry");
    assert_eq!(last["changes"], json!({"description": ["ci", "nightly"]}));
}

fn tokens_are_visible_to_owner_only(backend: Backend) {
    let server = start(backend);
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    let (_, made) = make(&ann.client, json!({"description": "ci"}));
    let path = format!("/api/v2/tokens/{}/", made["id"]);
    for body in [json!({"scope": "write"}), json!({"user": bob.id})] {
        bob.client.patch(&path, body).expect(403);
    }
    bob.client.get(&path).expect(403);
    bob.client.delete(&path).expect(403);
    assert!(bob.client.results("/api/v2/tokens/").is_empty());
    for list in ["tokens", "personal_tokens"] {
        let below = format!("{}{list}/", ann.path());
        assert!([403, 404].contains(&bob.client.get(&below).status), "{below}");
        // Superusers cannot create tokens for other users either.
        for client in [&bob.client, &server.as_admin()] {
            assert_eq!(client.post(&below, json!({"scope": "write"})).status, 403, "{below}");
        }
        assert_eq!(server.as_admin().results(&below).len(), 1, "{below}");
        assert_eq!(ann.client.results(&below).len(), 1, "{below}");
    }
    let forged = bob.client.post("/api/v2/tokens/", json!({"user": ann.id})).expect(201).json();
    assert_eq!(forged["user"], bob.id, "a token for another user");
}

fn unknown_token_is_rejected(backend: Backend) {
    let server = start(backend);
    for header in ["Bearer", "Bearer ", "Bearer x", "Bearer ' OR 1=1", "Basic", "Basic x", "Basic Og=="] {
        let answer = server.anonymous().request("GET", "/api/v2/me/").header("Authorization", header).send();
        assert_eq!(answer.status, 401, "{header:?}: {answer}");
        let challenge = answer.header("WWW-Authenticate").expect("a challenge");
        assert_eq!(challenge, "Bearer realm=api authorization_url=/api/o/authorize/", "{header:?}");
    }
}
