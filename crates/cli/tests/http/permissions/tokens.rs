//! Tokens: users have access to their own only.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(tokens);

const ACTIONS: &[(&str, &str)] = &[
    ("see", "GET the token"),
    ("change", "PATCH its description"),
    ("widen", "PATCH its scope to write"),
    ("delete", "DELETE it"),
    ("list", "GET tokens/ below its user: how many of the two that there are"),
    ("create", "POST to tokens/ below its user"),
];

fn tokens(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let mut actors = fixture.usual();
    actors.push(fixture.holder("home", &fixture.home_path(), "admin_role"));
    actors.push(fixture.holder("home", &fixture.home_path(), "member_role"));
    actors.push(fixture.holder("home", &fixture.home_path(), "auditor_role"));
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    for owner in ["home.member", "root"] {
        let actor = actors.iter().find(|actor| actor.name == owner).expect("an actor");
        let path = format!("/api/v2/tokens/{}/", actor.client.create("/api/v2/tokens/", json!({"scope": "read"})));
        let below = format!("/api/v2/users/{}/tokens/", actor.id);
        table.block(&format!("a token of {owner}"), &fixture, &actors, ACTIONS, |_, action| {
            Some(match action {
                "see" => Action::see(&path),
                "change" => Action::change(&path, json!({"description": "other"})),
                "widen" => Action::change(&path, json!({"scope": "write"})),
                "delete" => Action::delete(&path),
                "list" => Action::see(&below),
                _ => Action::create(&below, json!({"scope": "read"})),
            })
        });
    }
    table.compare(backend, "tokens");
}
