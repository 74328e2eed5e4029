//! Which LDAP users can sign in, and with which account.

use hostler_testkit::browser::Browser;
use hostler_testkit::slapd::password_of;
use hostler_testkit::{ADMIN, ADMIN_PASSWORD, Backend, PASSWORD, on_each_backend};
use serde_json::json;

use crate::ldap::fixture::{BASE, LdapFixture, entry, group};

on_each_backend!(
    first_login_creates_user,
    all_password_logins_use_ldap,
    login_updates_attributes,
    concurrent_logins_create_one_user,
    wrong_password_reveals_nothing,
    local_user_is_not_taken_over,
    removed_entry_cannot_log_in,
    disabled_user_cannot_log_in,
    user_is_bound_to_entry,
    user_follows_moved_entry,
    local_logins_can_be_disabled,
    external_user_tokens_follow_setting,
    managed_fields_are_read_only,
);

fn first_login_creates_user(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    let ann = fixture.me("ann");
    for (field, value) in [
        ("username", json!("ann")),
        ("first_name", json!("Ann")),
        ("last_name", json!("Smith")),
        ("email", json!("ann@example.org")),
        ("is_superuser", json!(false)),
        ("ldap_dn", json!(entry("ann"))),
        ("external_account", json!("ldap")),
    ] {
        assert_eq!(ann[field], value, "{field}");
    }
    assert!(!ann.to_string().contains(&password_of("ann")));
    let made = fixture.activity("ann");
    let [made] = made.as_slice() else { panic!("{made:?}") };
    assert_eq!(made["operation"], "create");
    // The entry has no actor.
    assert!(made["summary_fields"]["actor"].is_null(), "{made}");
    assert!(!made.to_string().contains(&password_of("ann")));

    // Usernames are compared without regard to case.
    assert_eq!(fixture.me("ann")["id"], ann["id"]);
    let shouted = fixture.server.as_user(" ANN ", &password_of("ann")).get("/api/v2/me/").expect(200).json();
    assert_eq!(shouted["results"][0]["id"], ann["id"]);
    assert_eq!(fixture.activity("ann").len(), 1);
}

fn all_password_logins_use_ldap(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.server.configure("authentication", json!({"ALLOW_OAUTH2_FOR_EXTERNAL_USERS": true}));
    let browser = Browser::logged_in(&fixture.server, "bob", &password_of("bob"));
    let me = browser.get("/api/v2/me/").expect(200).json()["results"][0].clone();
    assert_eq!(me["username"], "bob");
    assert!(me["last_login"].is_string());

    let organization = fixture.server.organization("Acme");
    let application = fixture
        .server
        .as_admin()
        .post(
            "/api/v2/applications/",
            json!({
                "name": "cli", "organization": organization, "client_type": "confidential",
                "authorization_grant_type": "password",
            }),
        )
        .expect(201)
        .json();
    let text = |name: &str| application[name].as_str().expect("a text").to_owned();
    let form = format!("grant_type=password&username=carol&password={}", password_of("carol").replace(' ', "+"));
    let granted = fixture
        .server
        .as_user(&text("client_id"), &text("client_secret"))
        .request("POST", "/api/o/token/")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .expect(200)
        .json();
    let token = fixture.server.with_token(granted["access_token"].as_str().expect("a token"));
    assert_eq!(token.get("/api/v2/me/").expect(200).json()["results"][0]["username"], "carol");
}

fn login_updates_attributes(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.log_in("ann").expect(302);
    let before = fixture.user("ann");
    fixture.slapd.modify(&format!(
        "dn: {}\nchangetype: modify\nreplace: mail\nmail: ann.miller@example.org\n-\nreplace: sn\nsn: Miller\n-\n\
         delete: givenName\n",
        entry("ann")
    ));
    fixture.log_in("ann").expect(302);
    let after = fixture.user("ann");
    assert_eq!((&after["id"], &after["email"]), (&before["id"], &json!("ann.miller@example.org")));
    assert_eq!(after["last_name"], "Miller");
    // An attribute that is missing in the entry keeps its stored value, as in AWX.
    assert_eq!(after["first_name"], "Ann");
    let entries = fixture.activity("ann");
    let update = entries.iter().find(|entry| entry["operation"] == "update").expect("an entry");
    assert_eq!(
        update["changes"],
        json!({"last_name": ["Smith", "Miller"], "email": ["ann@example.org", "ann.miller@example.org"]})
    );
    assert!(update["summary_fields"]["actor"].is_null());

    // An invalid email address is not stored, and does not prevent the sign-in.
    fixture.slapd.modify(&format!("dn: {}\nchangetype: modify\nreplace: mail\nmail: not an address\n", entry("ann")));
    fixture.log_in("ann").expect(302);
    assert_eq!(fixture.user("ann")["email"], "ann.miller@example.org");
    assert_eq!(fixture.activity("ann").len(), entries.len());
}

fn concurrent_logins_create_one_user(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.configure(json!({
        "ORGANIZATION_MAP": {"Acme": {"users": true}}, "TEAM_MAP": {"Operators": {"organization": "Acme", "users": true}},
    }));
    let ann = fixture.person("ann");
    std::thread::scope(|scope| {
        let requests: Vec<_> = (0..8).map(|_| scope.spawn(|| ann.get("/api/v2/me/").expect(200).json())).collect();
        let answers: Vec<_> = requests.into_iter().map(|request| request.join().expect("an answer")).collect();
        let ids: Vec<_> = answers.iter().map(|answer| &answer["results"][0]["id"]).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    });
    assert_eq!(fixture.server.as_admin().results("/api/v2/teams/Operators++Acme/users/").len(), 1);
}

fn wrong_password_reveals_nothing(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.me("ann");
    let answer = |name: &str, password: &str| {
        let answer = fixture.server.as_user(name, password).get("/api/v2/me/").expect(401);
        (answer.header("WWW-Authenticate"), answer.text())
    };
    let nobody = answer("nobody", "wrong");
    for (name, password) in [
        ("ann", "wrong"),
        ("ann", ""),
        ("bob", "wrong"),
        ("bob", ""),
        ("twin", "wrong"),
        (ADMIN, "wrong"),
        (ADMIN, ""),
        ("", "wrong"),
        ("*", &password_of("ann")),
        ("ann)(uid=*", &password_of("ann")),
        ("ann,ou=people", &password_of("ann")),
        ("an*", &password_of("ann")),
    ] {
        assert_eq!(answer(name, password), nobody, "{name} {password}");
    }
    // A rejected user was not created either.
    assert_eq!(fixture.server.as_admin().results("/api/v2/users/").len(), 2);
    // Users type passwords into the username field.
    answer("Hunter2Hunter2", "wrong");
    let log = fixture.server.stderr();
    assert!(!log.contains(&password_of("ann")) && !log.contains("wrong") && !log.contains("Hunter2"), "{log}");
    assert!(log.contains("password rejected"), "{log}");
}

fn local_user_is_not_taken_over(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    let bob = fixture.server.user("bob");
    // The directory has an admin and a bob with other passwords.
    for name in [ADMIN, "ADMIN", "Admin", " admin", "bob", "BOB"] {
        fixture.server.as_user(name, &password_of(&name.trim().to_lowercase())).get("/api/v2/me/").expect(401);
    }
    fixture.log_in(ADMIN).expect(401);
    let me = |name: &str, password: &str| {
        fixture.server.as_user(name, password).get("/api/v2/me/").expect(200).json()["results"][0].clone()
    };
    assert_eq!(me(ADMIN, ADMIN_PASSWORD)["ldap_dn"], "");
    let local = me("bob", PASSWORD);
    assert_eq!((&local["id"], &local["external_account"]), (&json!(bob.id), &json!(null)));
    assert_eq!(fixture.server.as_admin().results("/api/v2/users/").len(), 2);
}

fn removed_entry_cannot_log_in(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    for uid in ["ann", "bob", "carol"] {
        fixture.log_in(uid).expect(302);
    }
    fixture.slapd.modify(&format!("dn: {}\nchangetype: delete\n", entry("ann")));
    fixture.log_in("ann").expect(401);
    fixture
        .slapd
        .modify(&format!("dn: {}\nchangetype: modify\nreplace: userPassword\nuserPassword: new\n", entry("bob")));
    fixture.log_in("bob").expect(401);
    fixture.configure(json!({"DENY_GROUP": group("auditors")}));
    fixture.log_in("carol").expect(401);
    fixture.configure(json!({"DENY_GROUP": null, "REQUIRE_GROUP": group("admins")}));
    fixture.log_in("carol").expect(401);
    fixture.configure(json!({"REQUIRE_GROUP": group("auditors")}));
    fixture.log_in("carol").expect(302);
    // No user was deleted here.
    assert_eq!(fixture.user("ann")["external_account"], "ldap");
}

fn disabled_user_cannot_log_in(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.log_in("ann").expect(302);
    fixture.me("ann");
    let id = &fixture.user("ann")["id"];
    fixture.server.as_admin().patch(&format!("/api/v2/users/{id}/"), json!({"is_active": false})).expect(200);
    fixture.log_in("ann").expect(401);
    fixture.person("ann").get("/api/v2/me/").expect(401);
    fixture.server.as_admin().patch(&format!("/api/v2/users/{id}/"), json!({"is_active": true})).expect(200);
    fixture.log_in("ann").expect(302);
}

fn user_is_bound_to_entry(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.log_in("carol").expect(302);
    // Bob renames his entry to carol.
    fixture
        .slapd
        .modify(&format!("dn: {}\nchangetype: modify\nadd: employeeType\nemployeeType: carol\n", entry("bob")));
    let search = json!([format!("ou=people,{BASE}"), "SCOPE_SUBTREE", "(employeeType=%(user)s)"]);
    fixture.configure(json!({"USER_SEARCH": search}));
    let as_carol = || Browser::open(&fixture.server).log_in(&[("username", "carol"), ("password", "bob knows this")]);
    as_carol().expect(401);
    assert_eq!(fixture.user("carol")["ldap_dn"], entry("carol"));
    let log = fixture.server.stderr();
    assert!(log.contains("belongs to another LDAP entry"), "{log}");
}

fn user_follows_moved_entry(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.configure(json!({"USER_SEARCH": [BASE, "SCOPE_SUBTREE", "(uid=%(user)s)"]}));
    fixture.log_in("ann").expect(302);
    let before = fixture.user("ann");
    fixture.slapd.modify(&format!(
        "dn: {}\nchangetype: moddn\nnewrdn: uid=ann\ndeleteoldrdn: 0\nnewsuperior: ou=contractors,{BASE}\n",
        entry("ann")
    ));
    fixture.log_in("ann").expect(302);
    let after = fixture.user("ann");
    assert_eq!((&after["id"], &after["ldap_dn"]), (&before["id"], &json!(format!("uid=ann,ou=contractors,{BASE}"))));
}

fn local_logins_can_be_disabled(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.configure(json!({"USER_FLAGS_BY_GROUP": {"is_superuser": group("admins")}}));
    fixture.log_in("ann").expect(302);
    fixture.server.configure("authentication", json!({"DISABLE_LOCAL_AUTH": true}));
    fixture.server.as_admin().get("/api/v2/me/").expect(401);
    Browser::open(&fixture.server).log_in(&[("username", ADMIN), ("password", ADMIN_PASSWORD)]).expect(401);
    let ann = fixture.person("ann");
    ann.get("/api/v2/me/").expect(200);
    // The last authentication system cannot be disabled now.
    ann.patch("/api/v2/settings/ldap/", json!({"AUTH_LDAP_SERVER_URI": ""})).expect(400);
    ann.patch("/api/v2/settings/authentication/", json!({"DISABLE_LOCAL_AUTH": false})).expect(200);
    fixture.server.as_admin().get("/api/v2/me/").expect(200);
    ann.patch("/api/v2/settings/ldap/", json!({"AUTH_LDAP_SERVER_URI": ""})).expect(200);
    ann.get("/api/v2/me/").expect(401);
}

fn external_user_tokens_follow_setting(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    let ann = fixture.person("ann");
    ann.post("/api/v2/tokens/", json!({"scope": "read"})).expect(403);
    fixture.server.configure("authentication", json!({"ALLOW_OAUTH2_FOR_EXTERNAL_USERS": true}));
    ann.post("/api/v2/tokens/", json!({"scope": "read"})).expect(201);
}

fn managed_fields_are_read_only(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.configure(json!({
        "USER_ATTR_MAP": {"first_name": "givenName", "email": "mail"},
        "USER_FLAGS_BY_GROUP": {"is_system_auditor": group("auditors")},
    }));
    fixture.log_in("ann").expect(302);
    let admin = fixture.server.as_admin();
    let path = format!("/api/v2/users/{}/", fixture.user("ann")["id"]);
    for (field, value) in [
        ("username", json!("anna")),
        ("first_name", json!("Anna")),
        ("email", json!("anna@example.org")),
        ("is_system_auditor", json!(true)),
    ] {
        let answer = admin.patch(&path, json!({field: value})).expect(400);
        assert_eq!(answer.json(), json!({field: [format!("Unable to change {field} on user managed by LDAP.")]}));
    }
    // Sending the stored value is not a change, and fields that the directory does not set can be changed.
    admin.patch(&path, json!({"username": "ann", "first_name": "Ann", "last_name": "Miller"})).expect(200);
    admin.patch(&path, json!({"is_superuser": true})).expect(200);
    fixture.log_in("ann").expect(302);
    let ann = fixture.user("ann");
    assert_eq!((&ann["last_name"], &ann["is_superuser"]), (&json!("Miller"), &json!(true)));
    // A local password is ignored, and does not let her sign in.
    admin.patch(&path, json!({"password": PASSWORD})).expect(200);
    fixture.server.as_user("ann", PASSWORD).get("/api/v2/me/").expect(401);
    // Without a configured directory her fields are not read-only.
    fixture.configure(json!({"SERVER_URI": ""}));
    admin.patch(&path, json!({"first_name": "Anna"})).expect(200);
    fixture.server.as_user("ann", PASSWORD).get("/api/v2/me/").expect(401);
}
