//! OAuth2 applications, by the roles on their organization.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(applications);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET applications/"),
    ("see", "GET the application"),
    ("change", "PATCH its description"),
    ("skip", "PATCH skip_authorization"),
    ("move", "PATCH its organization"),
    ("delete", "DELETE it"),
    ("tokens", "GET tokens/ below it: how many of the two that there are"),
    ("token", "POST a token of one's own to its tokens"),
    ("activity", "GET activity_stream/ below it: whether it is shown"),
];

fn applications(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let mut actors = fixture.usual();
    actors.extend(fixture.holders_of_home());
    let application = json!({"name": "portal", "organization": fixture.home, "client_type": "confidential",
                             "authorization_grant_type": "password"});
    let path =
        format!("/api/v2/applications/{}/", fixture.server.as_admin().create("/api/v2/applications/", application));
    let below = |list: &str| format!("{path}{list}/");
    for name in ["root", "home.member"] {
        let actor = actors.iter().find(|actor| actor.name == name).expect("an actor");
        actor.client.create(&below("tokens"), json!({"scope": "read"}));
    }
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    table.block("portal, an app of home", &fixture, &actors, ACTIONS, |_, action| {
        Some(match action {
            "list" => Action::see("/api/v2/applications/"),
            "see" => Action::see(&path),
            "change" => Action::change(&path, json!({"description": "other"})),
            "skip" => Action::change(&path, json!({"skip_authorization": true})),
            "move" => Action::change(&path, json!({"organization": fixture.away})),
            "delete" => Action::delete(&path),
            "tokens" => Action::see(below("tokens")),
            "token" => Action::create(below("tokens"), json!({"scope": "read"})),
            _ => Action::see(format!("{}?count_disabled=true", below("activity_stream"))),
        })
    });
    table.compare(backend, "applications");
}
