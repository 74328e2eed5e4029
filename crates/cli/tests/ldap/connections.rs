//! Directories that are encrypted, several, or away.

use hostler_testkit::slapd::{READER, READER_PASSWORD};
use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::world::{BASE, World, entry};

on_each_backend!(
    connections_are_encrypted,
    a_directory_that_is_down_keeps_only_its_own_out,
    passwords_with_each_request_are_not_asked_about_each_time,
    directories_are_asked_in_turn,
    a_template_needs_no_search,
    a_directory_that_can_only_fail_lets_nobody_in,
);

fn connections_are_encrypted(backend: Backend) {
    let Some(world) = World::start(backend) else { return };
    for (uri, start_tls) in [(world.slapd.uri(), true), (world.slapd.tls_uri(), false)] {
        let trusted = json!({"OPT_X_TLS_CACERTFILE": world.slapd.ca_file()});
        world.configure(json!({"SERVER_URI": uri, "START_TLS": start_tls, "CONNECTION_OPTIONS": trusted}));
        world.log_in("ann").expect(302);
        let strange = json!({"OPT_X_TLS_CACERTFILE": world.slapd.strange_ca_file()});
        world.configure(json!({"CONNECTION_OPTIONS": strange}));
        world.log_in("ann").expect(401);
        let log = world.server.stderr();
        assert!(log.contains(&uri) && log.contains("certificate"), "{log}");
        world.configure(json!({"CONNECTION_OPTIONS": {"OPT_X_TLS_REQUIRE_CERT": 0}}));
        world.log_in("ann").expect(302);
    }
}

fn a_directory_that_is_down_keeps_only_its_own_out(backend: Backend) {
    let Some(mut world) = World::start(backend) else { return };
    world.log_in("ann").expect(302);
    world.slapd.stop();
    world.log_in("ann").expect(401);
    world.person("nobody").get("/api/v2/me/").expect(401);
    world.server.as_admin().get("/api/v2/me/").expect(200);
    let log = world.server.stderr();
    assert!(log.contains("could not be asked") && log.contains(&world.slapd.uri()), "{log}");
    assert!(!log.contains(READER_PASSWORD), "{log}");
    world.slapd.start_again();
    world.log_in("ann").expect(302);
}

fn passwords_with_each_request_are_not_asked_about_each_time(backend: Backend) {
    let Some(mut world) = World::start(backend) else { return };
    world.me("ann");
    world.slapd.stop();
    world.me("ann");
    // No other password, no other name, and no session on the word of a moment ago.
    world.server.as_user("ann", "wrong").get("/api/v2/me/").expect(401);
    world.person("bob").get("/api/v2/me/").expect(401);
    world.log_in("ann").expect(401);
    world.me("ann");
    // Nor after any change of settings.
    world.configure(json!({"START_TLS": true}));
    world.person("ann").get("/api/v2/me/").expect(401);
}

fn directories_are_asked_in_turn(backend: Backend) {
    let Some(world) = World::start(backend) else { return };
    let search = json!([format!("ou=contractors,{BASE}"), "SCOPE_ONELEVEL", "(uid=%(user)s)"]);
    world.configure_family(
        "3_",
        json!({
            "SERVER_URI": world.slapd.uri(), "BIND_DN": READER, "BIND_PASSWORD": READER_PASSWORD,
            "USER_SEARCH": search, "ORGANIZATION_MAP": {"Contractors": {"users": true}},
        }),
    );
    world.log_in("ann").expect(302);
    world.log_in("dave").expect(302);
    let names = |list: &str| {
        let users = world.server.as_admin().results(list);
        users.iter().map(|user| user["username"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("/api/v2/organizations/Contractors/users/"), ["dave"]);
    // The first directory lets somebody in under this name; whoever has it in the second is somebody else.
    world.log_in("twin").expect(302);
    assert_eq!(world.user("twin")["ldap_dn"], entry("twin"));
    world
        .slapd
        .modify(&format!("dn: {}\nchangetype: modify\nreplace: userPassword\nuserPassword: new\n", entry("twin")));
    world.log_in("twin").expect(401);
    assert_eq!(names("/api/v2/organizations/Contractors/users/"), ["dave"]);
    // A first directory that is away does not hide the second.
    world.configure(json!({"SERVER_URI": "ldap://127.0.0.1:1"}));
    world.log_in("ann").expect(401);
    world.log_in("dave").expect(302);
}

fn a_template_needs_no_search(backend: Backend) {
    let Some(world) = World::start(backend) else { return };
    world.configure(json!({
        "BIND_DN": "", "BIND_PASSWORD": "", "USER_DN_TEMPLATE": format!("uid=%(user)s,ou=people,{BASE}"),
    }));
    world.log_in("ann").expect(302);
    assert_eq!(world.user("ann")["email"], "ann@example.org");
    world.log_in("dave").expect(401);
    for name in ["ann,ou=people", "ann+cn=Ann Smith", "*", "ann\\"] {
        world.server.as_user(name, "ann knows this").get("/api/v2/me/").expect(401);
    }
}

fn a_directory_that_can_only_fail_lets_nobody_in(backend: Backend) {
    let Some(world) = World::start(backend) else { return };
    world.configure(json!({"BIND_PASSWORD": "wrong"}));
    world.log_in("ann").expect(401);
    // A bind without a password would be an anonymous one.
    world.configure(json!({"BIND_PASSWORD": ""}));
    world.log_in("ann").expect(401);
    let log = world.server.stderr();
    assert!(log.contains("AUTH_LDAP_BIND_PASSWORD") && log.contains("BIND_DN"), "{log}");
    world.configure(json!({"BIND_PASSWORD": READER_PASSWORD}));
    world.log_in("ann").expect(302);
}
