//! An organization, by the roles on it.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(organizations);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET organizations/"),
    ("see", "GET the organization"),
    ("change", "PATCH its description"),
    ("delete", "DELETE it"),
    ("create", "POST to organizations/"),
];
const PEOPLE: &[(&str, &str)] = &[
    ("people", "GET users/ below it"),
    ("admins", "GET admins/ below it"),
    ("access", "GET access_list/ below it"),
    ("roles", "GET object_roles/ below it"),
    ("activity", "GET activity_stream/ below it: whether it is shown"),
    ("take in", "add a user without any grant to its users"),
    ("put out", "remove a member from its users"),
    ("promote", "add that member to its admins"),
    ("demote", "remove an admin from its admins"),
    ("new user", "POST a user to its users"),
];
const THINGS: &[(&str, &str)] = &[
    ("teams", "GET teams/ below it"),
    ("projects", "GET projects/ below it"),
    ("team", "POST a team to its teams"),
    ("project", "POST a project to its projects"),
    ("label", "POST a label of it to labels/"),
    ("app", "POST an application to its applications"),
];

fn organizations(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let server = &fixture.server;
    let mut actors = fixture.usual();
    actors.extend(fixture.holders_of_home());
    actors.push(fixture.through_team("home", &fixture.home_path(), "project_admin_role"));
    actors.push(fixture.holder("crew", &fixture.crew_path(), "member_role"));
    let organization = "shared.organization";
    let view = "shared.view_organization";
    actors.push(fixture.defined("custom.view", organization, fixture.home, &[view]));
    actors.push(fixture.defined("custom.change", organization, fixture.home, &[view, "shared.change_organization"]));
    actors.push(fixture.defined("custom.delete", organization, fixture.home, &[view, "shared.delete_organization"]));
    actors.push(fixture.defined("custom.add", organization, fixture.home, &[view, "awx.add_project"]));
    let [orphan, member, chief] = ["t-orphan", "t-member", "t-chief"].map(|name| server.user(name));
    server.add_member(fixture.home, &member);
    server.add_admin(fixture.home, &chief);
    let path = fixture.home_path();
    let below = |list: &str| format!("{path}{list}/");
    let named = || json!({"name": fixture.new_name(), "organization": fixture.home});

    let mut table = Table::new(&[ACTIONS, PEOPLE, THINGS].concat());
    table.explain(&actors);
    table.block("home", &fixture, &actors, ACTIONS, |_, action| {
        Some(match action {
            "list" => Action::see("/api/v2/organizations/"),
            "see" => Action::see(&path),
            "change" => Action::change(&path, json!({"description": "other"})),
            "delete" => Action::delete(&path),
            _ => Action::create("/api/v2/organizations/", json!({"name": fixture.new_name()})),
        })
    });
    table.block("the people of home", &fixture, &actors, PEOPLE, |_, action| {
        Some(match action {
            "people" => Action::see(below("users")),
            "admins" => Action::see(below("admins")),
            "access" => Action::see(below("access_list")),
            "roles" => Action::see(below("object_roles")),
            // Without the count: the tables before this one left entries.
            "activity" => Action::see(format!("{}?count_disabled=true", below("activity_stream"))),
            "take in" => Action::attach(below("users"), orphan.id),
            "put out" => Action::detach(below("users"), member.id),
            "promote" => Action::attach(below("admins"), member.id),
            "demote" => Action::detach(below("admins"), chief.id),
            _ => {
                let body = json!({"username": fixture.new_name(), "password": hostler_testkit::PASSWORD});
                Action::create(below("users"), body)
            }
        })
    });
    table.block("the things of home", &fixture, &actors, THINGS, |_, action| {
        Some(match action {
            "teams" => Action::see(below("teams")),
            "projects" => Action::see(below("projects")),
            "team" => Action::create(below("teams"), named()),
            "project" => Action::create(below("projects"), named()),
            "label" => Action::create("/api/v2/labels/", named()),
            _ => Action::create(
                below("applications"),
                json!({"name": fixture.new_name(), "client_type": "confidential", "authorization_grant_type": "password"}),
            ),
        })
    });
    table.compare(backend, "organizations");
}
