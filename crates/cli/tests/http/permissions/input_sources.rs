//! An input source of a credential, by the roles on its target and its source.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::credentials::{credential, holders, id_of, machine};
use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(input_sources);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET credential_input_sources/"),
    ("see", "GET the input source"),
    ("change", "PATCH its description"),
    ("delete", "DELETE it"),
    ("create", "POST one for another input of the same target, with the same source"),
];

fn input_sources(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let target = machine(&fixture, "target", ("organization", fixture.home));
    let inputs = json!({"url": "https://vault.example", "api_version": "v2"});
    let source = credential(&fixture, "source", "hashivault_kv", ("organization", fixture.home), inputs);
    let body = |input: &str| {
        json!({
            "target_credential": id_of(&target), "source_credential": id_of(&source), "input_field_name": input,
            "metadata": {"secret_path": "kv", "secret_key": "key"},
        })
    };
    let list = "/api/v2/credential_input_sources/";
    let path = format!("{list}{}/", admin.create(list, body("password")));

    let mut actors = fixture.usual();
    actors.extend(fixture.holders_of_home());
    actors.extend(holders(&fixture, "target", &target));
    actors.extend(holders(&fixture, "source", &source));
    for field in ["admin_role", "read_role"] {
        let short = field.trim_end_matches("_role");
        let what = format!("member of home, has {field} of target and use_role of source");
        let actor = fixture.user(&format!("both.{short}"), &what, json!({}));
        admin.attach(&format!("{}users/", fixture.home_path()), actor.id);
        let roles = format!("/api/v2/users/{}/roles/", actor.id);
        admin.attach(&roles, fixture.role(&target, field));
        admin.attach(&roles, fixture.role(&source, "use_role"));
        actors.push(actor);
    }

    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    table.block("an input source of target", &fixture, &actors, ACTIONS, |_, action| {
        Some(match action {
            "list" => Action::see(list),
            "see" => Action::see(&path),
            "change" => Action::change(&path, json!({"description": "other"})),
            "delete" => Action::delete(&path),
            _ => Action::create(list, body("ssh_key_unlock")),
        })
    });
    table.compare(backend, "input_sources");
}
