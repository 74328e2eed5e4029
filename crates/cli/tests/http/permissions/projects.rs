//! A project, by the roles on it and on its organization.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(projects);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET projects/"),
    ("unified", "GET unified_job_templates/"),
    ("see", "GET the project"),
    ("change", "PATCH its description"),
    ("move", "PATCH its organization"),
    ("delete", "DELETE it"),
    ("update", "POST to update/: 405 for those who may, because a manual project has no source"),
    ("access", "GET access_list/ below it"),
    ("roles", "GET object_roles/ below it"),
    ("activity", "GET activity_stream/ below it: whether it is shown"),
];

fn projects(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let mut actors = fixture.usual();
    actors.extend(fixture.holders_of_home());
    actors.extend(fixture.holders_of_crew());
    actors.extend(fixture.holders_of_site());
    let view = "awx.view_project";
    for action in ["view", "change", "delete", "update", "use"] {
        let permission = format!("awx.{action}_project");
        let both = [view, permission.as_str()];
        let permissions = if action == "view" { &both[..1] } else { &both[..] };
        actors.push(fixture.defined(&format!("custom.{action}"), "awx.project", fixture.site, permissions));
    }
    let above = ["shared.view_organization", view, "awx.change_project"];
    actors.push(fixture.defined("custom.home.change", "shared.organization", fixture.home, &above));
    let path = fixture.site_path();
    let below = |list: &str| format!("{path}{list}/");

    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    table.block("site, a project of home", &fixture, &actors, ACTIONS, |_, action| {
        Some(match action {
            "list" => Action::see("/api/v2/projects/"),
            "unified" => Action::see("/api/v2/unified_job_templates/"),
            "see" => Action::see(&path),
            "change" => Action::change(&path, json!({"description": "other"})),
            "move" => Action::change(&path, json!({"organization": fixture.away})),
            "delete" => Action::delete(&path),
            "update" => Action::post(below("update"), json!({})),
            "access" => Action::see(below("access_list")),
            "roles" => Action::see(below("object_roles")),
            _ => Action::see(format!("{}?count_disabled=true", below("activity_stream"))),
        })
    });
    table.compare(backend, "projects");
}
