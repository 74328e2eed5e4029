//! Labels, which have no roles of their own: those of their organization decide.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::table::{Attempt, Table};
use crate::world::World;

on_each_backend!(labels);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET labels/"),
    ("see", "GET the label"),
    ("change", "PATCH its name"),
    ("move", "PATCH its organization"),
    ("delete", "DELETE it: nobody can, as in AWX"),
];

fn labels(backend: Backend) {
    let world = World::new(backend);
    let mut actors = world.usual();
    actors.extend(world.holders_of_home());
    actors.extend(world.holders_of_crew());
    let path = format!("/api/v2/labels/{}/", world.urgent);
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    table.block("urgent, a label of home", &world, &actors, ACTIONS, |_, action| {
        Some(match action {
            "list" => Attempt::see("/api/v2/labels/"),
            "see" => Attempt::see(&path),
            "change" => Attempt::change(&path, json!({"name": "other"})),
            "move" => Attempt::change(&path, json!({"organization": world.away})),
            _ => Attempt::delete(&path),
        })
    });
    table.compare(backend, "labels");
}
