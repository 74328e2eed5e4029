//! Labels, which have no roles: the roles of their organization decide.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(labels);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET labels/"),
    ("see", "GET the label"),
    ("change", "PATCH its name"),
    ("move", "PATCH its organization"),
    ("delete", "DELETE it: no user can, as in AWX"),
];

fn labels(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let mut actors = fixture.usual();
    actors.extend(fixture.holders_of_home());
    actors.extend(fixture.holders_of_crew());
    let path = format!("/api/v2/labels/{}/", fixture.urgent);
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    table.block("urgent, a label of home", &fixture, &actors, ACTIONS, |_, action| {
        Some(match action {
            "list" => Action::see("/api/v2/labels/"),
            "see" => Action::see(&path),
            "change" => Action::change(&path, json!({"name": "other"})),
            "move" => Action::change(&path, json!({"organization": fixture.away})),
            _ => Action::delete(&path),
        })
    });
    table.compare(backend, "labels");
}
