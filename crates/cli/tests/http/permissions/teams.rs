//! A team, by the roles on it and on its organization.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(teams);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET teams/"),
    ("see", "GET the team"),
    ("change", "PATCH its description"),
    ("move", "PATCH its organization"),
    ("delete", "DELETE it"),
];
const PEOPLE: &[(&str, &str)] = &[
    ("people", "GET users/ below it"),
    ("access", "GET access_list/ below it"),
    ("roles", "GET object_roles/ below it"),
    ("grants", "GET roles/ below it: the roles granted to it"),
    ("projects", "GET projects/ below it"),
    ("activity", "GET activity_stream/ below it: whether it is shown"),
    ("take in", "add a user without any grant to its users"),
    ("put out", "remove a member from its users"),
];

fn teams(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let mut actors = fixture.usual();
    actors.extend(fixture.holders_of_home());
    actors.extend(fixture.all_members(fixture.holders_of_crew()));
    let view = "shared.view_organization";
    actors.push(fixture.defined("custom.view", "shared.organization", fixture.home, &[view]));
    actors.push(fixture.defined(
        "custom.change",
        "shared.organization",
        fixture.home,
        &[view, "shared.change_organization"],
    ));
    let [orphan, member] = ["t-orphan", "t-member"].map(|name| fixture.server.user(name));
    let path = fixture.crew_path();
    let below = |list: &str| format!("{path}{list}/");
    fixture.server.as_admin().attach(&below("users"), member.id);
    fixture.server.as_admin().attach(&below("roles"), fixture.role(&fixture.site_path(), "use_role"));

    let mut table = Table::new(&[ACTIONS, PEOPLE].concat());
    table.explain(&actors);
    table.block("crew, a team of home", &fixture, &actors, ACTIONS, |_, action| {
        Some(match action {
            "list" => Action::see("/api/v2/teams/"),
            "see" => Action::see(&path),
            "change" => Action::change(&path, json!({"description": "other"})),
            "move" => Action::change(&path, json!({"organization": fixture.away})),
            _ => Action::delete(&path),
        })
    });
    table.block("the people of crew", &fixture, &actors, PEOPLE, |_, action| {
        Some(match action {
            "people" => Action::see(below("users")),
            "access" => Action::see(below("access_list")),
            "roles" => Action::see(below("object_roles")),
            "grants" => Action::see(below("roles")),
            "projects" => Action::see(below("projects")),
            "activity" => Action::see(format!("{}?count_disabled=true", below("activity_stream"))),
            "take in" => Action::attach(below("users"), orphan.id),
            _ => Action::detach(below("users"), member.id),
        })
    });
    table.compare(backend, "teams");
}
