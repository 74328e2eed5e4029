//! Updates of users that no recorded conversation covers.

use hostler_testkit::{ADMIN, ADMIN_PASSWORD, Backend, Client, PASSWORD, Response, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    put_keeps_unnamed_flags,
    unchanged_password_skips_policy,
    responses_contain_no_password,
    same_password_changes_nothing,
    boolean_spellings_are_accepted,
    null_keeps_value,
    read_only_keys_are_ignored,
    writing_back_response_changes_nothing,
    renaming_keeps_everything_else,
    last_superuser_cannot_be_demoted_or_deleted,
    user_cannot_delete_self,
    organization_admins_without_manage_setting_are_rejected,
    ldap_managed_fields_are_rejected,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn put_keeps_unnamed_flags(backend: Backend) {
    let server = start(backend);
    for flag in ["is_superuser", "is_system_auditor"] {
        let user = server.user_with(&format!("holder-of-{flag}"), json!({flag: true}));
        let answer = server.as_admin().put(&user.path(), json!({"username": user.name})).expect(200);
        assert_eq!(answer.json()[flag], true, "PUT took {flag} away: {answer}");
        let shown = server.as_admin().get(&user.path()).expect(200);
        assert_eq!(shown.json()[flag], true, "PUT took {flag} away: {shown}");
    }
}

fn unchanged_password_skips_policy(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let user = server.user("ann");
    server.configure("authentication", json!({"LOCAL_PASSWORD_MIN_LENGTH": 100, "LOCAL_PASSWORD_MIN_SPECIAL": 50}));
    admin.patch(&user.path(), json!({"first_name": "A", "password": "$encrypted$"})).expect(200);
    admin.put(&user.path(), json!({"username": "ann", "password": "$encrypted$"})).expect(200);
    admin.put(&user.path(), json!({"username": "ann"})).expect(200);
    user.client.get("/api/v2/me/").expect(200);
    let refused = admin.patch(&user.path(), json!({"password": "Another-One-1"})).expect(400);
    assert!(refused.json()["password"].is_array(), "{refused}");
    user.client.get("/api/v2/me/").expect(200);
}

fn responses_contain_no_password(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let passwords = ["First-Secret-417", "Second-Secret-418", "Third-Secret-419", "Refused 420 \u{e9}"];
    let body = json!({"username": "ann", "password": passwords[0]});
    let created = admin.post("/api/v2/users/", body).expect(201);
    let path = format!("/api/v2/users/{}/", created.json()["id"]);
    let twice = json!({"username": "ann", "password": passwords[3]});
    let long = "x".repeat(200);
    let ann = server.as_user("ann", passwords[1]);
    let mut answers = vec![
        created,
        admin.post("/api/v2/users/", twice).expect(400),
        admin.patch(&path, json!({"password": passwords[1]})).expect(200),
        ann.patch(&path, json!({"password": passwords[3], "username": "other"})).expect(403),
        ann.patch(&path, json!({"password": [passwords[3]]})).expect(400),
        admin.patch(&path, json!({"password": passwords[3], "email": "none"})).expect(400),
        admin.patch(&path, json!({"password": format!("{}{long}", passwords[3])})).expect(400),
        admin.put(&path, json!({"username": "ann", "password": passwords[2]})).expect(200),
    ];
    let ann = server.as_user("ann", passwords[2]);
    for client in [&admin, &ann] {
        for list in ["users", "activity_stream", "me", "tokens", "roles"] {
            answers.push(client.get(&format!("/api/v2/{list}/?page_size=200")).expect(200));
        }
        answers.push(client.get(&path).expect(200));
        answers.push(client.get(&format!("{path}activity_stream/")).expect(200));
        answers.push(client.get("/api/v2/users/?password__startswith=argon").expect(403));
        answers.push(client.get("/api/v2/users/?order_by=password"));
    }
    answers.push(admin.delete(&path).expect(204));
    answers.push(admin.get("/api/v2/activity_stream/?page_size=200").expect(200));
    for answer in &answers {
        assert_no_secret(&answer.text(), &passwords, answer);
        if let Ok(json) = serde_json::from_slice(&answer.body) {
            assert_no_password_key(&json, answer);
        }
    }
    for secret in passwords.iter().chain(&[ADMIN_PASSWORD, "argon2"]) {
        // The first superuser's password is also a word in the log, so only its value in JSON is searched.
        let needle = if *secret == ADMIN_PASSWORD { "\"password\":\"password\"" } else { secret };
        assert!(!server.stderr().contains(needle), "{secret} is in the log");
    }
}

fn assert_no_secret(text: &str, passwords: &[&str], answer: &Response) {
    for secret in passwords.iter().chain(&["argon2", "pbkdf2", "Secret-4"]) {
        assert!(!text.contains(secret), "{secret} is in {answer}");
    }
}

/// A key `password` appears only in activity entries, masked, and in errors.
fn assert_no_password_key(json: &Value, answer: &Response) {
    match json {
        Value::Object(map) => {
            for (key, value) in map {
                let hidden = *value == json!("hidden") || *value == json!(["hidden", "hidden"]);
                assert!(key != "password" || hidden || answer.status == 400, "a password in {answer}");
                assert_no_password_key(value, answer);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| assert_no_password_key(value, answer)),
        _ => {}
    }
}

fn same_password_changes_nothing(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let user = server.user("ann");
    let before = admin.get(&user.path()).expect(200);
    let stream = format!("{}activity_stream/", user.path());
    let entries = admin.results(&stream).len();
    for body in [json!({"password": PASSWORD}), json!({"password": PASSWORD, "first_name": ""})] {
        admin.patch(&user.path(), &body).expect(200);
        user.client.patch(&user.path(), &body).expect(200);
    }
    let after = admin.get(&user.path()).expect(200);
    assert_eq!(after.header("ETag"), before.header("ETag"), "the same password made a new version");
    assert_eq!(admin.results(&stream).len(), entries, "the same password was recorded");
}

fn boolean_spellings_are_accepted(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let user = server.user("ann");
    for flag in ["is_superuser", "is_system_auditor"] {
        for (word, meaning) in [
            (json!(true), true),
            (json!(false), false),
            (json!("True"), true),
            (json!("FALSE"), false),
            (json!(1), true),
            (json!(0), false),
            (json!("yes"), true),
            (json!("no"), false),
            (json!("on"), true),
            (json!("off"), false),
        ] {
            let answer = admin.patch(&user.path(), json!({flag: word})).expect(200);
            assert_eq!(answer.json()[flag], meaning, "{flag}: {word}");
        }
        for word in [json!("maybe"), json!(""), json!(2), json!(-1), json!(0.5), json!([]), json!([true]), json!({})] {
            for answer in [
                admin.patch(&user.path(), json!({flag: word, "first_name": "Changed"})),
                admin.put(&user.path(), json!({"username": "ann", flag: word})),
                admin.post("/api/v2/users/", json!({"username": "b", "password": PASSWORD, flag: word})),
            ] {
                assert!(answer.status == 400 && answer.json()[flag].is_array(), "{flag}: {word}: {answer}");
            }
        }
    }
    let shown = admin.get(&user.path()).expect(200).json();
    assert_eq!(shown["first_name"], "", "a refused request changed the user");
}

fn null_keeps_value(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let user = server.user_with("ann", json!({"is_superuser": true, "first_name": "Ann", "email": "a@example.org"}));
    let answer = admin.patch(&user.path(), json!({"is_superuser": null})).expect(200);
    assert_eq!(answer.json()["is_superuser"], true, "null demoted");
    let emptied = admin.patch(&user.path(), json!({"first_name": null, "email": null})).expect(200).json();
    assert_eq!((&emptied["first_name"], &emptied["email"]), (&json!(""), &json!("")), "{emptied}");
    for field in ["username", "password", "is_system_auditor"] {
        let answer = admin.patch(&user.path(), json!({field: null})).expect(400);
        assert!(answer.json()[field].is_array(), "{answer}");
    }
    user.client.get("/api/v2/me/").expect(200);
}

fn read_only_keys_are_ignored(backend: Backend) {
    let server = start(backend);
    let user = server.user("ann");
    let before = server.as_admin().get(&user.path()).expect(200).json();
    let body = json!({
        "id": 4711, "url": "/x/", "type": "team", "created": "2001-01-01T00:00:00Z", "last_login": "2020-01-01T00:00:00Z",
        "modified": null, "ldap_dn": "cn=ann", "external_account": "ldap", "auth": [1], "related": {},
        "summary_fields": {"user_capabilities": {"delete": true}}, "never_heard_of": {"a": [1, 2]}, "version": 9,
    });
    let answer = server.as_admin().patch(&user.path(), &body).expect(200);
    assert_eq!(answer.json(), before);
    assert_eq!(server.as_admin().get(&user.path()).expect(200).json(), before);
    user.client.get("/api/v2/me/").expect(200);
}

fn writing_back_response_changes_nothing(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let org = server.organization("Acme");
    let team = server.team("ops", org);
    let user = server.user_with("ann", json!({"is_system_auditor": true, "email": "a@example.org"}));
    let label = admin.create("/api/v2/labels/", json!({"name": "urgent", "organization": org}));
    let token = user.client.post("/api/v2/tokens/", json!({"description": "ci", "scope": "read"})).expect(201).json();
    let paths = [
        user.path(),
        format!("/api/v2/organizations/{org}/"),
        format!("/api/v2/teams/{team}/"),
        format!("/api/v2/labels/{label}/"),
        format!("/api/v2/tokens/{}/", token["id"]),
    ];
    for path in paths {
        let before = admin.get(&path).expect(200);
        let entries = admin.get("/api/v2/activity_stream/?page_size=1").json()["count"].clone();
        admin.put(&path, before.json()).expect(200);
        admin.patch(&path, before.json()).expect(200);
        let after = admin.get(&path).expect(200);
        assert_eq!(after.json(), before.json(), "{path}");
        assert_eq!(after.header("ETag"), before.header("ETag"), "{path}");
        assert_eq!(admin.get("/api/v2/activity_stream/?page_size=1").json()["count"], entries, "{path}");
    }
    // GET shows a mask instead of the token; the written-back mask must not become the token.
    server.with_token(token["token"].as_str().expect("a token")).get("/api/v2/me/").expect(200);
}

fn renaming_keeps_everything_else(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let org = server.organization("Acme");
    let team = server.team("ops", org);
    let user = server.user("ann");
    server.add_member(org, &user);
    admin.attach(&format!("/api/v2/teams/{team}/users/"), user.id);
    let token = user.token("write");
    let below = |list: &str| {
        let found = admin.results(&format!("{}{list}/?order_by=id", user.path()));
        found.iter().map(|object| object["id"].clone()).collect::<Vec<_>>()
    };
    let lists = ["roles", "teams", "organizations", "tokens", "activity_stream"];
    let before: Vec<_> = lists.iter().map(|list| below(list)).collect();
    assert!(before.iter().all(|ids| !ids.is_empty()), "{before:?}");
    admin.patch(&user.path(), json!({"username": "anna"})).expect(200);
    for (list, before) in lists.iter().zip(before) {
        let after = below(list);
        assert!(after.starts_with(&before), "{list}: {after:?} in place of {before:?}");
    }
    let me = token.get("/api/v2/me/").expect(200).json();
    assert_eq!(me["results"][0]["username"], "anna");
    server.as_user("anna", PASSWORD).get("/api/v2/me/").expect(200);
    user.client.get("/api/v2/me/").expect(401);
    admin.get("/api/v2/users/anna/").expect(200);
    admin.get("/api/v2/users/ann/").expect(404);
}

fn last_superuser_cannot_be_demoted_or_deleted(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let administrators = "/api/v2/roles/1/";
    assert_eq!(admin.get(administrators).expect(200).json()["name"], "System Administrator");
    let me = "/api/v2/users/1/";
    let attempts: [&dyn Fn() -> Response; 6] = [
        &|| admin.patch(me, json!({"is_superuser": false})),
        &|| admin.patch(me, json!({"is_superuser": "no", "is_system_auditor": true})),
        &|| admin.put(me, json!({"username": ADMIN, "is_superuser": 0})),
        &|| admin.post("/api/v2/roles/1/users/", json!({"id": 1, "disassociate": true})),
        &|| admin.post("/api/v2/users/1/roles/", json!({"id": 1, "disassociate": true})),
        &|| admin.delete(me),
    ];
    for attempt in attempts {
        let answer = attempt();
        assert!([400, 403].contains(&answer.status), "{answer}");
        let still = admin.get(me).expect(200).json();
        assert!(still["is_superuser"] == true && still["is_system_auditor"] == false, "after {answer}: {still}");
    }
    // With a second superuser the first can be demoted; then the second is the last.
    let second = server.user_with("second", json!({"is_superuser": true}));
    admin.patch(me, json!({"is_superuser": false})).expect(200);
    let answer = second.client.patch(&second.path(), json!({"is_superuser": false}));
    assert!([400, 403].contains(&answer.status), "{answer}");
    // Granting the system role sets the flag, and the other way round.
    second.client.post("/api/v2/users/1/roles/", json!({"id": 1})).expect(204);
    assert_eq!(admin.get(me).expect(200).json()["is_superuser"], true);
    admin.post("/api/v2/roles/1/users/", json!({"id": second.id, "disassociate": true})).expect(204);
    assert_eq!(admin.get(&second.path()).expect(200).json()["is_superuser"], false);
}

fn user_cannot_delete_self(backend: Backend) {
    let server = start(backend);
    let org = server.organization("Acme");
    let people = [
        server.user_with("root", json!({"is_superuser": true})),
        server.user_with("auditor", json!({"is_system_auditor": true})),
        server.user("boss"),
        server.user("member"),
        server.user("stranger"),
    ];
    server.add_admin(org, &people[2]);
    server.add_member(org, &people[3]);
    for person in &people {
        person.client.delete(&person.path()).expect(403);
        person.client.delete(&format!("/api/v2/users/{}/", person.name)).expect(403);
        let shown = person.client.get(&person.path()).expect(200).json();
        assert_eq!(shown["summary_fields"]["user_capabilities"]["delete"], false, "{}", person.name);
    }
}

fn organization_admins_without_manage_setting_are_rejected(backend: Backend) {
    let server = start(backend);
    let org = server.organization("Acme");
    let (boss, member) = (server.user("boss"), server.user("member"));
    server.add_admin(org, &boss);
    server.add_member(org, &member);
    boss.client.patch(&member.path(), json!({"first_name": "Before"})).expect(200);
    server.configure("system", json!({"MANAGE_ORGANIZATION_AUTH": false}));
    let refused = |client: &Client, path: &str| {
        client.patch(path, json!({"first_name": "After"})).expect(403);
        client.patch(path, json!({"password": "Some-New-Word-1"})).expect(403);
        client.put(path, json!({"username": "new"})).expect(403);
        client.delete(path).expect(403);
        let shown = client.get(path).expect(200).json();
        assert_eq!(shown["summary_fields"]["user_capabilities"], json!({"edit": false, "delete": false}), "{path}");
    };
    refused(&boss.client, &member.path());
    refused(&boss.client, &boss.path());
    refused(&member.client, &member.path());
    let users = format!("/api/v2/organizations/{org}/users/");
    boss.client.post(&users, json!({"id": member.id, "disassociate": true})).expect(403);
    boss.client.post(&users, json!({"username": "made", "password": PASSWORD})).expect(403);
    assert_eq!(server.as_admin().get(&member.path()).expect(200).json()["first_name"], "Before");
    server.as_admin().patch(&member.path(), json!({"first_name": "After"})).expect(200);
}

fn ldap_managed_fields_are_rejected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let user = server.user_with("ann", json!({"first_name": "Ann"}));
    server.execute("UPDATE users SET ldap_dn = 'cn=ann,dc=example', external_account = 'ldap' WHERE username = 'ann'");
    let shown = admin.get(&user.path()).expect(200).json();
    assert_eq!((&shown["ldap_dn"], &shown["external_account"]), (&json!("cn=ann,dc=example"), &json!("ldap")));
    server.configure(
        "ldap",
        json!({
            "AUTH_LDAP_SERVER_URI": "ldap://127.0.0.1:1",
            "AUTH_LDAP_USER_DN_TEMPLATE": "cn=%(user)s,dc=example",
            "AUTH_LDAP_USER_ATTR_MAP": {"first_name": "givenName", "last_name": "sn", "email": "mail"},
        }),
    );
    for field in ["username", "first_name", "last_name", "email"] {
        let answer = admin.patch(&user.path(), json!({field: "x@example.org"})).expect(400);
        assert_eq!(answer.json(), json!({field: [format!("Unable to change {field} on user managed by LDAP.")]}));
    }
    admin.patch(&user.path(), json!({"first_name": "Ann", "is_system_auditor": true})).expect(200);
    // Without a directory the fields can be changed, and the local password is valid, as in AWX.
    server.configure("ldap", json!({"AUTH_LDAP_SERVER_URI": ""}));
    admin.patch(&user.path(), json!({"first_name": "Anna"})).expect(200);
    // A password for such an account is accepted and ignored.
    admin.patch(&user.path(), json!({"password": "Another-Word-99"})).expect(200);
    user.client.get("/api/v2/me/").expect(200);
    server.as_user("ann", "Another-Word-99").get("/api/v2/me/").expect(401);
}
