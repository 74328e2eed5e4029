//! What groups make of users.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value as Json, json};

use crate::world::{World, group};

on_each_backend!(
    flags_follow_groups,
    the_last_superuser_stays_one,
    maps_give_and_take_roles,
    maps_that_do_not_remove_leave_roles,
    teams_belong_to_their_organization,
);

/// Who holds a role of an organization or a team, by the list that shows it.
fn members(world: &World, list: &str) -> Vec<String> {
    let users = world.server.as_admin().results(&format!("/api/v2/{list}"));
    let mut names: Vec<String> =
        users.iter().map(|user| user["username"].as_str().unwrap_or_default().into()).collect();
    names.sort();
    names
}

fn flags_follow_groups(backend: Backend) {
    let Some(world) = World::start(backend) else { return };
    let flags = json!({"is_superuser": [group("admins"), group("gone")], "is_system_auditor": group("auditors")});
    world.configure(json!({"USER_FLAGS_BY_GROUP": flags}));
    let flags = |uid: &str| {
        world.log_in(uid).expect(302);
        let user = world.user(uid);
        (user["is_superuser"] == json!(true), user["is_system_auditor"] == json!(true))
    };
    assert_eq!(flags("ann"), (true, false));
    assert_eq!(flags("carol"), (false, true));
    assert_eq!(flags("bob"), (false, false));
    world.person("ann").get("/api/v2/settings/ldap/").expect(200);
    world.slapd.change_member("delete", "admins", "ann");
    world.slapd.change_member("add", "auditors", "ann");
    world.slapd.change_member("add", "admins", "bob");
    assert_eq!(flags("ann"), (false, true));
    assert_eq!(flags("bob"), (true, false));
    // The roles that stand for the flags go with them.
    let roles = world.server.as_admin().results(&format!("/api/v2/users/{}/roles/", world.user("ann")["id"]));
    let names: Vec<&Json> = roles.iter().map(|role| &role["name"]).collect();
    assert_eq!(names, [&json!("System Auditor")]);
}

fn the_last_superuser_stays_one(backend: Backend) {
    let Some(world) = World::start(backend) else { return };
    world.configure(json!({"USER_FLAGS_BY_GROUP": {"is_superuser": group("admins")}}));
    let ann = world.person("ann");
    ann.patch("/api/v2/users/admin/", json!({"is_superuser": false})).expect(200);
    world.slapd.change_member("delete", "admins", "ann");
    world.log_in("ann").expect(302);
    assert_eq!(ann.get("/api/v2/users/ann/").expect(200).json()["is_superuser"], true);
    let log = world.server.stderr();
    assert!(log.contains("cannot be taken over"), "{log}");
}

fn maps_give_and_take_roles(backend: Backend) {
    let Some(world) = World::start(backend) else { return };
    world.server.organization("Acme");
    world.configure(json!({
        "ORGANIZATION_MAP": {
            "Acme": {"admins": group("admins"), "auditors": [group("auditors")], "users": true},
            "Beta": {"users": [group("gone"), group("ops")]},
        },
        "TEAM_MAP": {"Operators": {"organization": "Acme", "users": group("ops")}},
    }));
    for uid in ["ann", "bob", "carol"] {
        world.log_in(uid).expect(302);
    }
    assert_eq!(members(&world, "organizations/Acme/users/"), ["ann", "bob", "carol"]);
    assert_eq!(members(&world, "organizations/Acme/admins/"), ["ann"]);
    assert_eq!(members(&world, "organizations/Beta/users/"), ["ann", "bob"]);
    assert_eq!(members(&world, "teams/Operators++Acme/users/"), ["ann", "bob"]);
    let auditors = world.server.as_admin().results("/api/v2/organizations/Acme/object_roles/");
    let auditor = auditors.iter().find(|role| role["name"] == "Auditor").expect("a role");
    assert_eq!(members(&world, &format!("roles/{}/users/", auditor["id"])), ["carol"]);

    // The sign-in has done it, not a user; and what is so already is not done again.
    let entries = world.activity("ann");
    let granted: Vec<_> = entries.iter().filter(|entry| entry["operation"] == "associate").collect();
    assert_eq!(granted.len(), 4, "{granted:?}");
    assert!(granted.iter().all(|entry| entry["summary_fields"]["actor"].is_null()));
    world.log_in("ann").expect(302);
    assert_eq!(world.activity("ann").len(), entries.len());

    world.slapd.change_member("delete", "ops", "ann");
    world.slapd.change_member("delete", "admins", "ann");
    world.log_in("ann").expect(302);
    assert_eq!(members(&world, "organizations/Acme/users/"), ["ann", "bob", "carol"]);
    assert_eq!(members(&world, "organizations/Acme/admins/"), [""; 0]);
    assert_eq!(members(&world, "organizations/Beta/users/"), ["bob"]);
    assert_eq!(members(&world, "teams/Operators++Acme/users/"), ["bob"]);
}

fn maps_that_do_not_remove_leave_roles(backend: Backend) {
    let Some(world) = World::start(backend) else { return };
    world.configure(json!({
        "ORGANIZATION_MAP": {"Acme": {
            "admins": group("admins"), "remove_admins": false, "users": group("ops"), "remove_users": true,
        }},
        "TEAM_MAP": {"Operators": {"organization": "Acme", "users": group("ops"), "remove": false}},
    }));
    world.log_in("ann").expect(302);
    for name in ["ops", "admins"] {
        world.slapd.change_member("delete", name, "ann");
    }
    world.log_in("ann").expect(302);
    assert_eq!(members(&world, "organizations/Acme/admins/"), ["ann"]);
    assert_eq!(members(&world, "organizations/Acme/users/"), [""; 0]);
    assert_eq!(members(&world, "teams/Operators++Acme/users/"), ["ann"]);
    // What a map does not mention, it does not touch.
    world.configure(json!({"ORGANIZATION_MAP": {"Acme": {"users": null}}, "TEAM_MAP": {}}));
    world.log_in("ann").expect(302);
    assert_eq!(members(&world, "organizations/Acme/admins/"), ["ann"]);
    assert_eq!(members(&world, "teams/Operators++Acme/users/"), ["ann"]);
}

fn teams_belong_to_their_organization(backend: Backend) {
    let Some(world) = World::start(backend) else { return };
    // A team of this name exists elsewhere: the map means another one.
    let elsewhere = world.server.organization("Elsewhere");
    world.server.team("Operators", elsewhere);
    world.configure(json!({"TEAM_MAP": {"Operators": {"organization": "Acme", "users": true}}}));
    world.log_in("ann").expect(302);
    assert_eq!(members(&world, "teams/Operators++Acme/users/"), ["ann"]);
    assert_eq!(members(&world, "teams/Operators++Elsewhere/users/"), [""; 0]);
}
