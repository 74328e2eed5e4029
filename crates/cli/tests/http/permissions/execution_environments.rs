//! Execution environments, which have no roles of their own: those of their organization and role definitions decide.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(execution_environments);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET execution_environments/ with this name"),
    ("see", "GET the execution environment"),
    ("change", "PATCH its pull policy"),
    ("delete", "DELETE it"),
    ("copy", "POST to copy/ below it"),
    ("create", "POST one of the same organization"),
    ("activity", "GET activity_stream/ below it: whether it is shown"),
];

fn execution_environments(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let list = "/api/v2/execution_environments/";
    let own = admin.create(list, json!({"name": "own", "image": "a/b", "organization": fixture.home}));
    let global = admin.create(list, json!({"name": "global", "image": "a/b"}));
    let managed = admin.results(&format!("{list}?managed=true"))[0]["id"].as_i64().expect("an id");
    let mut actors = fixture.usual();
    actors.extend(fixture.holders_of_home());
    let kind = "awx.executionenvironment";
    // Only members of the organization can be assigned a role.
    let members = fixture.all_members(vec![fixture.user("custom.change", "", json!({}))]);
    actors
        .extend(members.into_iter().map(|user| fixture.assign(user, kind, own, &["awx.change_executionenvironment"])));
    let permissions = ["shared.view_organization", "awx.add_executionenvironment"];
    actors.push(fixture.defined("custom.add", "shared.organization", fixture.home, &permissions));
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    for (title, name, id, organization) in [
        ("own, of home", "own", own, Some(fixture.home)),
        ("global, of no organization", "global", global, None),
        ("the managed one", "Control%20Plane%20Execution%20Environment", managed, None),
    ] {
        let path = format!("{list}{id}/");
        table.block(title, &fixture, &actors, ACTIONS, |_, action| {
            Some(match action {
                "list" => Action::see(format!("{list}?name={name}")),
                "see" => Action::see(&path),
                "change" => Action::change(&path, json!({"pull": "never"})),
                "delete" => Action::delete(&path),
                "copy" => Action::create_elsewhere(format!("{path}copy/"), list, json!({"name": fixture.new_name()})),
                "create" => {
                    let body = json!({"name": fixture.new_name(), "image": "a/b", "organization": organization});
                    Action::create(list, body)
                }
                _ => Action::see(format!("{path}activity_stream/?count_disabled=true")),
            })
        });
    }
    table.compare(backend, "execution_environments");
}
