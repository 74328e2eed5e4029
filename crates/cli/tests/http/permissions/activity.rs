//! The activity stream: visibility of entries. No user can change it.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(activity);

const ACTIONS: &[(&str, &str)] = &[
    ("see", "GET the entry"),
    ("find", "GET activity_stream/ with its id"),
    ("change", "PATCH it"),
    ("delete", "DELETE it"),
    ("create", "POST to activity_stream/"),
];

fn activity(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let mut actors = fixture.usual();
    for field in ["admin_role", "auditor_role", "project_admin_role", "member_role", "read_role"] {
        actors.push(fixture.holder("home", &fixture.home_path(), field));
    }
    actors.push(fixture.holder("crew", &fixture.crew_path(), "member_role"));
    actors.push(fixture.holder("site", &fixture.site_path(), "use_role"));
    actors.push(fixture.defined("custom.view", "awx.project", fixture.site, &["awx.view_project"]));
    let person = fixture.server.user("t-member");
    fixture.server.add_member(fixture.home, &person);
    let application = json!({"name": "portal", "organization": fixture.home, "client_type": "confidential",
                             "authorization_grant_type": "password"});
    let application = admin.create("/api/v2/applications/", application);
    admin.create("/api/v2/tokens/", json!({"scope": "read"}));
    admin.delete(&format!("/api/v2/projects/{}/", {
        admin.create("/api/v2/projects/", json!({"name": "gone", "organization": fixture.home}))
    }));
    // An entry about a visible object and a hidden or deleted one.
    let key = admin.results("/api/v2/credential_types/?namespace=ssh")[0]["id"].clone();
    let key = json!({"name": "key", "organization": fixture.home, "credential_type": key, "inputs": {}});
    let key = admin.create("/api/v2/credentials/", key);
    for given in [fixture.site_path(), format!("/api/v2/credentials/{key}/")] {
        let role = fixture.role(&given, "read_role");
        admin.attach(&format!("{}roles/", fixture.crew_path()), role);
        let gone = json!({"id": role, "disassociate": true});
        admin.post(&format!("{}roles/", fixture.crew_path()), gone).expect(204);
    }
    let stranger = actors.iter().find(|actor| actor.name == "stranger").map_or(0, |actor| actor.id);
    admin.attach(&format!("{}users/", fixture.home_path()), stranger);
    admin.post(&format!("{}users/", fixture.home_path()), json!({"id": stranger, "disassociate": true})).expect(204);
    let entry = |filter: String| {
        let found = admin.get(&format!("/api/v2/activity_stream/?order_by=-id&{filter}")).expect(200).json();
        found["results"][0]["url"].as_str().unwrap_or_else(|| panic!("no entry for {filter}")).to_owned()
    };
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    for (title, filter) in [
        ("home was created", format!("operation=create&organization={}", fixture.home)),
        ("crew was created", format!("operation=create&team={}", fixture.crew)),
        ("site was created", format!("operation=create&project={}", fixture.site)),
        ("a project of home was deleted", "operation=delete&object1=project".to_owned()),
        ("a label of home was created", format!("operation=create&label={}", fixture.urgent)),
        ("an app of home was created", format!("operation=create&o_auth2_application={application}")),
        ("a superuser made a token", "operation=create&object1=o_auth2_access_token".to_owned()),
        ("a member of home was created", format!("operation=create&user={}", person.id)),
        ("the member joined home", format!("operation=associate&user={}", person.id)),
        (
            "crew was given site for a while",
            format!("operation=associate&team={}&project={}", fixture.crew, fixture.site),
        ),
        ("crew was given a key", format!("operation=associate&team={}&credential={key}", fixture.crew)),
        ("the stranger joined home", format!("operation=associate&user={stranger}&organization={}", fixture.home)),
        ("a definition was made", "operation=create&object1=role_definition".to_owned()),
    ] {
        let path = entry(filter);
        table.block(title, &fixture, &actors, ACTIONS, |_, action| {
            Some(match action {
                "see" => Action::see(&path),
                "find" => Action::see(path.replace("activity_stream/", "activity_stream/?id=").trim_end_matches('/')),
                "change" => Action::change(&path, json!({"operation": "other"})),
                "delete" => Action::delete(&path),
                _ => Action::post("/api/v2/activity_stream/", json!({"operation": "other"})),
            })
        });
    }
    table.compare(backend, "activity");
}
