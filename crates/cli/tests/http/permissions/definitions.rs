//! Role definitions: all users see them, superusers create them.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(definitions);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET role_definitions/"),
    ("see", "GET the definition"),
    ("change", "PATCH its description"),
    ("delete", "DELETE it"),
    ("create", "POST to role_definitions/"),
    ("users", "GET user_assignments/ below it"),
    ("teams", "GET team_assignments/ below it"),
];

fn definitions(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let mut actors = fixture.usual();
    actors.push(fixture.holder("home", &fixture.home_path(), "admin_role"));
    actors.push(fixture.holder("home", &fixture.home_path(), "member_role"));
    actors.push(fixture.holder("site", &fixture.site_path(), "use_role"));
    actors.push(fixture.defined("custom.view", "awx.project", fixture.site, &["awx.view_project"]));
    let custom = json!({"name": "Reader", "content_type": "awx.project", "permissions": ["awx.view_project"]});
    let custom = admin.create("/api/v2/role_definitions/", custom);
    let managed = admin.results("/api/v2/role_definitions/?name=Project%20Use")[0]["id"].as_i64().expect("an id");
    let assigned = admin.results("/api/v2/role_definitions/?name=custom.view")[0]["id"].as_i64().expect("an id");
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    for (title, id) in
        [("Project Use, managed", managed), ("Reader, custom", custom), ("custom.view, assigned", assigned)]
    {
        let path = format!("/api/v2/role_definitions/{id}/");
        table.block(title, &fixture, &actors, ACTIONS, |_, action| {
            Some(match action {
                "list" => Action::see("/api/v2/role_definitions/"),
                "see" => Action::see(&path),
                "change" => Action::change(&path, json!({"description": "other"})),
                "delete" => Action::delete(&path),
                "create" => {
                    let permissions = ["awx.view_project", "awx.use_project"];
                    let body =
                        json!({"name": fixture.new_name(), "content_type": "awx.project", "permissions": permissions});
                    Action::create("/api/v2/role_definitions/", body)
                }
                "users" => Action::see(format!("{path}user_assignments/")),
                _ => Action::see(format!("{path}team_assignments/")),
            })
        });
    }
    table.compare(backend, "definitions");
}
