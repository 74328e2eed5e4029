//! Instance groups, by the roles on them.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(instance_groups);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET instance_groups/"),
    ("see", "GET the group"),
    ("change", "PATCH its max_forks"),
    ("delete", "DELETE it"),
    ("create", "POST to instance_groups/"),
    ("access", "GET access_list/ below it"),
    ("roles", "GET object_roles/ below it"),
    ("instances", "GET instances/ below it"),
    ("node", "add the node to its instances"),
    ("nodes", "GET instances/"),
    ("enable", "PATCH enabled of the node"),
    ("join", "add the group to the groups of home"),
    ("leave", "remove another group from the groups of home"),
];

fn instance_groups(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let list = "/api/v2/instance_groups/";
    let group = admin.create(list, json!({"name": "group"}));
    let other = admin.create(list, json!({"name": "other"}));
    let path = format!("{list}{group}/");
    let node = admin.results("/api/v2/instances/")[0]["id"].as_i64().expect("an id");
    let of_home = format!("{}instance_groups/", fixture.home_path());
    admin.attach(&of_home, other);
    let mut actors = fixture.usual();
    actors.push(fixture.holder("home", &fixture.home_path(), "admin_role"));
    for role in ["admin_role", "use_role", "read_role"] {
        actors.push(fixture.holder("group", &path, role));
    }
    actors.push(fixture.through_team("group", &path, "use_role"));
    let both = fixture.holder("both", &path, "use_role");
    let of_other = fixture.role(&format!("{list}{other}/"), "use_role");
    admin.attach(&format!("/api/v2/users/{}/roles/", both.id), of_other);
    admin.attach(&format!("{}admins/", fixture.home_path()), both.id);
    actors.push(both);
    let view = "awx.view_instancegroup";
    let kind = "awx.instancegroup";
    actors.push(fixture.defined("custom.view", kind, group, &[view]));
    actors.push(fixture.defined("custom.change", kind, group, &[view, "awx.change_instancegroup"]));
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    table.block("group", &fixture, &actors, ACTIONS, |_, action| {
        Some(match action {
            "list" => Action::see(list),
            "see" => Action::see(&path),
            "change" => Action::change(&path, json!({"max_forks": 7})),
            "delete" => Action::delete(&path),
            "create" => Action::create(list, json!({"name": fixture.new_name()})),
            "access" => Action::see(format!("{path}access_list/?count_disabled=true")),
            "roles" => Action::see(format!("{path}object_roles/")),
            "instances" => Action::see(format!("{path}instances/")),
            "node" => Action::attach(format!("{path}instances/"), node),
            "nodes" => Action::see("/api/v2/instances/"),
            "enable" => Action::change(format!("/api/v2/instances/{node}/"), json!({"enabled": false})),
            "join" => Action::attach(&of_home, group),
            _ => Action::detach(&of_home, other),
        })
    });
    table.compare(backend, "instance_groups");
}
