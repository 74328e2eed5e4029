//! Flags, organizations and teams by LDAP groups.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value as Json, json};

use crate::ldap::fixture::{LdapFixture, group};

on_each_backend!(
    user_flags_follow_groups,
    last_superuser_keeps_flag,
    organization_map_grants_and_revokes_roles,
    map_without_remove_keeps_roles,
    team_map_creates_team_in_organization,
);

/// The users with a role of an organization or a team.
fn members(fixture: &LdapFixture, list: &str) -> Vec<String> {
    let users = fixture.server.as_admin().results(&format!("/api/v2/{list}"));
    let mut names: Vec<String> =
        users.iter().map(|user| user["username"].as_str().unwrap_or_default().into()).collect();
    names.sort();
    names
}

fn user_flags_follow_groups(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    let flags = json!({"is_superuser": [group("admins"), group("gone")], "is_system_auditor": group("auditors")});
    fixture.configure(json!({"USER_FLAGS_BY_GROUP": flags}));
    let flags = |uid: &str| {
        fixture.log_in(uid).expect(302);
        let user = fixture.user(uid);
        (user["is_superuser"] == json!(true), user["is_system_auditor"] == json!(true))
    };
    assert_eq!(flags("ann"), (true, false));
    assert_eq!(flags("carol"), (false, true));
    assert_eq!(flags("bob"), (false, false));
    fixture.person("ann").get("/api/v2/settings/ldap/").expect(200);
    fixture.slapd.change_member("delete", "admins", "ann");
    fixture.slapd.change_member("add", "auditors", "ann");
    fixture.slapd.change_member("add", "admins", "bob");
    assert_eq!(flags("ann"), (false, true));
    assert_eq!(flags("bob"), (true, false));
    // The system-wide roles follow the flags.
    let roles = fixture.server.as_admin().results(&format!("/api/v2/users/{}/roles/", fixture.user("ann")["id"]));
    let names: Vec<&Json> = roles.iter().map(|role| &role["name"]).collect();
    assert_eq!(names, [&json!("System Auditor")]);
}

fn last_superuser_keeps_flag(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.configure(json!({"USER_FLAGS_BY_GROUP": {"is_superuser": group("admins")}}));
    let ann = fixture.person("ann");
    ann.patch("/api/v2/users/admin/", json!({"is_superuser": false})).expect(200);
    fixture.slapd.change_member("delete", "admins", "ann");
    fixture.log_in("ann").expect(302);
    assert_eq!(ann.get("/api/v2/users/ann/").expect(200).json()["is_superuser"], true);
    let log = fixture.server.stderr();
    assert!(log.contains("an LDAP attribute is not valid"), "{log}");
}

fn organization_map_grants_and_revokes_roles(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.server.organization("Acme");
    fixture.configure(json!({
        "ORGANIZATION_MAP": {
            "Acme": {"admins": group("admins"), "auditors": [group("auditors")], "users": true},
            "Beta": {"users": [group("gone"), group("ops")]},
        },
        "TEAM_MAP": {"Operators": {"organization": "Acme", "users": group("ops")}},
    }));
    for uid in ["ann", "bob", "carol"] {
        fixture.log_in(uid).expect(302);
    }
    assert_eq!(members(&fixture, "organizations/Acme/users/"), ["ann", "bob", "carol"]);
    assert_eq!(members(&fixture, "organizations/Acme/admins/"), ["ann"]);
    assert_eq!(members(&fixture, "organizations/Beta/users/"), ["ann", "bob"]);
    assert_eq!(members(&fixture, "teams/Operators++Acme/users/"), ["ann", "bob"]);
    let auditors = fixture.server.as_admin().results("/api/v2/organizations/Acme/object_roles/");
    let auditor = auditors.iter().find(|role| role["name"] == "Auditor").expect("a role");
    assert_eq!(members(&fixture, &format!("roles/{}/users/", auditor["id"])), ["carol"]);

    // The entry has no actor, and a second sign-in changes nothing.
    let entries = fixture.activity("ann");
    let granted: Vec<_> = entries.iter().filter(|entry| entry["operation"] == "associate").collect();
    assert_eq!(granted.len(), 4, "{granted:?}");
    assert!(granted.iter().all(|entry| entry["summary_fields"]["actor"].is_null()));
    fixture.log_in("ann").expect(302);
    assert_eq!(fixture.activity("ann").len(), entries.len());

    fixture.slapd.change_member("delete", "ops", "ann");
    fixture.slapd.change_member("delete", "admins", "ann");
    fixture.log_in("ann").expect(302);
    assert_eq!(members(&fixture, "organizations/Acme/users/"), ["ann", "bob", "carol"]);
    assert_eq!(members(&fixture, "organizations/Acme/admins/"), [""; 0]);
    assert_eq!(members(&fixture, "organizations/Beta/users/"), ["bob"]);
    assert_eq!(members(&fixture, "teams/Operators++Acme/users/"), ["bob"]);
}

fn map_without_remove_keeps_roles(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    fixture.configure(json!({
        "ORGANIZATION_MAP": {"Acme": {
            "admins": group("admins"), "remove_admins": false, "users": group("ops"), "remove_users": true,
        }},
        "TEAM_MAP": {"Operators": {"organization": "Acme", "users": group("ops"), "remove": false}},
    }));
    fixture.log_in("ann").expect(302);
    for name in ["ops", "admins"] {
        fixture.slapd.change_member("delete", name, "ann");
    }
    fixture.log_in("ann").expect(302);
    assert_eq!(members(&fixture, "organizations/Acme/admins/"), ["ann"]);
    assert_eq!(members(&fixture, "organizations/Acme/users/"), [""; 0]);
    assert_eq!(members(&fixture, "teams/Operators++Acme/users/"), ["ann"]);
    // Organizations and teams that a map does not contain are unchanged.
    fixture.configure(json!({"ORGANIZATION_MAP": {"Acme": {"users": null}}, "TEAM_MAP": {}}));
    fixture.log_in("ann").expect(302);
    assert_eq!(members(&fixture, "organizations/Acme/admins/"), ["ann"]);
    assert_eq!(members(&fixture, "teams/Operators++Acme/users/"), ["ann"]);
}

fn team_map_creates_team_in_organization(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    // Another organization has a team of this name; the map means a new one.
    let elsewhere = fixture.server.organization("Elsewhere");
    fixture.server.team("Operators", elsewhere);
    fixture.configure(json!({"TEAM_MAP": {"Operators": {"organization": "Acme", "users": true}}}));
    fixture.log_in("ann").expect(302);
    assert_eq!(members(&fixture, "teams/Operators++Acme/users/"), ["ann"]);
    assert_eq!(members(&fixture, "teams/Operators++Elsewhere/users/"), [""; 0]);
}
