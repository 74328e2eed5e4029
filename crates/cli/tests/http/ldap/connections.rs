//! Directories with TLS, several directories, and unreachable ones.

use hostler_testkit::slapd::{READER, READER_PASSWORD};
use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::ldap::fixture::{BASE, LdapFixture, entry};

on_each_backend!(
    connections_are_encrypted,
    unreachable_directory_does_not_block_local_users,
    basic_auth_is_cached,
    directories_are_tried_in_order,
    dn_template_needs_no_search,
    misconfigured_directory_rejects_logins,
);

fn connections_are_encrypted(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    for (uri, start_tls) in [(fixture.slapd.uri(), true), (fixture.slapd.tls_uri(), false)] {
        let trusted = json!({"OPT_X_TLS_CACERTFILE": fixture.slapd.ca_file()});
        fixture.configure(json!({"SERVER_URI": uri, "START_TLS": start_tls, "CONNECTION_OPTIONS": trusted}));
        fixture.log_in("ann").expect(302);
        let strange = json!({"OPT_X_TLS_CACERTFILE": fixture.slapd.unrelated_ca_file()});
        fixture.configure(json!({"CONNECTION_OPTIONS": strange}));
        fixture.log_in("ann").expect(401);
        let log = fixture.server.stderr();
        assert!(log.contains(&uri) && log.contains("certificate"), "{log}");
        fixture.configure(json!({"CONNECTION_OPTIONS": {"OPT_X_TLS_REQUIRE_CERT": 0}}));
        fixture.log_in("ann").expect(302);
    }
}

fn unreachable_directory_does_not_block_local_users(backend: Backend) {
    let Some(mut fixture) = LdapFixture::start(backend) else { return };
    fixture.log_in("ann").expect(302);
    fixture.slapd.stop();
    fixture.log_in("ann").expect(401);
    fixture.person("nobody").get("/api/v2/me/").expect(401);
    fixture.server.as_admin().get("/api/v2/me/").expect(200);
    let log = fixture.server.stderr();
    assert!(log.contains("LDAP directory is unavailable") && log.contains(&fixture.slapd.uri()), "{log}");
    assert!(!log.contains(READER_PASSWORD), "{log}");
    fixture.slapd.restart();
    fixture.log_in("ann").expect(302);
}

fn basic_auth_is_cached(backend: Backend) {
    let Some(mut fixture) = LdapFixture::start(backend) else { return };
    fixture.me("ann");
    fixture.slapd.stop();
    fixture.me("ann");
    // The cache does not accept another password, another name, or a session.
    fixture.server.as_user("ann", "wrong").get("/api/v2/me/").expect(401);
    fixture.person("bob").get("/api/v2/me/").expect(401);
    fixture.log_in("ann").expect(401);
    fixture.me("ann");
    // The cache is empty after a change of settings.
    fixture.configure(json!({"START_TLS": true}));
    fixture.person("ann").get("/api/v2/me/").expect(401);
}

fn directories_are_tried_in_order(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    let search = json!([format!("ou=contractors,{BASE}"), "SCOPE_ONELEVEL", "(uid=%(user)s)"]);
    fixture.configure_family(
        "3_",
        json!({
            "SERVER_URI": fixture.slapd.uri(), "BIND_DN": READER, "BIND_PASSWORD": READER_PASSWORD,
            "USER_SEARCH": search, "ORGANIZATION_MAP": {"Contractors": {"users": true}},
        }),
    );
    fixture.log_in("ann").expect(302);
    fixture.log_in("dave").expect(302);
    let names = |list: &str| {
        let users = fixture.server.as_admin().results(list);
        users.iter().map(|user| user["username"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("/api/v2/organizations/Contractors/users/"), ["dave"]);
    // The first directory has a user with this name; that of the second directory is another user.
    fixture.log_in("twin").expect(302);
    assert_eq!(fixture.user("twin")["ldap_dn"], entry("twin"));
    fixture
        .slapd
        .modify(&format!("dn: {}\nchangetype: modify\nreplace: userPassword\nuserPassword: new\n", entry("twin")));
    fixture.log_in("twin").expect(401);
    assert_eq!(names("/api/v2/organizations/Contractors/users/"), ["dave"]);
    // An unreachable first directory does not hide the second.
    fixture.configure(json!({"SERVER_URI": "ldap://127.0.0.1:1"}));
    fixture.log_in("ann").expect(401);
    fixture.log_in("dave").expect(302);
}

fn dn_template_needs_no_search(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.configure(json!({
        "BIND_DN": "", "BIND_PASSWORD": "", "USER_DN_TEMPLATE": format!("uid=%(user)s,ou=people,{BASE}"),
    }));
    fixture.log_in("ann").expect(302);
    assert_eq!(fixture.user("ann")["email"], "ann@example.org");
    fixture.log_in("dave").expect(401);
    for name in ["ann,ou=people", "ann+cn=Ann Smith", "*", "ann\\"] {
        fixture.server.as_user(name, "ann knows this").get("/api/v2/me/").expect(401);
    }
}

fn misconfigured_directory_rejects_logins(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.configure(json!({"BIND_PASSWORD": "wrong"}));
    fixture.log_in("ann").expect(401);
    // A bind without a password would be an anonymous one.
    fixture.configure(json!({"BIND_PASSWORD": ""}));
    fixture.log_in("ann").expect(401);
    let log = fixture.server.stderr();
    assert!(log.contains("AUTH_LDAP_BIND_PASSWORD") && log.contains("BIND_DN"), "{log}");
    fixture.configure(json!({"BIND_PASSWORD": READER_PASSWORD}));
    fixture.log_in("ann").expect(302);
}
