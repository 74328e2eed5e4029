//! All actions, by role: copies, tests of lookups, updates, sign-in, second factor, `explain_access`.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::permissions::fixture::{AccessFixture, Actor, webhook};
use crate::permissions::table::{Action, Table};

on_each_backend!(actions, capabilities_equal_permissions);

const COPY: &[(&str, &str)] = &[("may copy", "GET copy/"), ("copy", "POST to copy/")];
const TEST: &[(&str, &str)] =
    &[("may test", "GET test/"), ("test", "POST to test/: 400 for those who may, until lookups are implemented")];
const UPDATE: &[(&str, &str)] = &[("may upd.", "GET update/"), ("update", "POST to update/")];
const SIGN_IN: &[(&str, &str)] = &[
    ("sign-in", "GET sign_in/"),
    ("reset", "PATCH it"),
    ("factor", "GET second_factor/"),
    ("set up", "POST to it: 400 for a missing password"),
    ("remove", "DELETE it"),
    ("verify", "POST to second_factor/verify/: 400 for a missing code"),
    ("renew", "POST to second_factor/recovery_codes/"),
    ("disable", "POST to second_factor/disable/"),
    ("explain", "GET explain_access/ of the organization home"),
];

/// The objects of the table.
struct ActionsFixture {
    access: AccessFixture,
    credential: String,
    environment: String,
    member: i64,
    actors: Vec<Actor>,
}

fn build(backend: Backend) -> ActionsFixture {
    let access = AccessFixture::new(backend);
    let admin = access.server.as_admin();
    admin.patch(&access.site_path(), json!({"scm_type": "git", "scm_url": "https://git.invalid/x"})).expect(200);
    let kind = admin.results("/api/v2/credential_types/?namespace=hashivault_kv")[0]["id"].clone();
    let inputs = json!({"url": "https://vault.example", "api_version": "v2"});
    let body = json!({"name": "vault", "credential_type": kind, "organization": access.home, "inputs": inputs});
    let credential = format!("/api/v2/credentials/{}/", admin.create("/api/v2/credentials/", body));
    let body = json!({"name": "own", "image": "a/b", "organization": access.home});
    let list = "/api/v2/execution_environments/";
    let environment = format!("{list}{}/", admin.create(list, body));
    let member = access.server.user("subject");
    access.server.add_member(access.home, &member);
    let mut actors = access.usual();
    actors.extend(access.holders_of_home());
    actors.extend(access.holders_of_site());
    for field in ["admin_role", "use_role", "read_role"] {
        let what = format!("member of home, has {field} of vault");
        let actor = access.user(&format!("vault.{}", field.trim_end_matches("_role")), &what, json!({}));
        admin.attach(&format!("{}users/", access.home_path()), actor.id);
        admin.attach(&format!("/api/v2/users/{}/roles/", actor.id), access.role(&credential, field));
        actors.push(actor);
    }
    ActionsFixture { access, credential, environment, member: member.id, actors }
}

fn actions(backend: Backend) {
    let ActionsFixture { access, credential, environment, member, actors } = build(backend);
    let mut table = Table::new(&[COPY, TEST, UPDATE, SIGN_IN].concat());
    table.explain(&actors);
    let copy = |path: &str, list: &str| {
        Action::create_elsewhere(format!("{path}copy/"), list, json!({"name": access.new_name()}))
    };
    table.block("vault, a credential of home", &access, &actors, &[COPY, TEST].concat(), |_, action| {
        Some(match action {
            "may copy" => Action::see(format!("{credential}copy/")),
            "copy" => copy(&credential, "/api/v2/credentials/"),
            "may test" => Action::see(format!("{credential}test/")),
            _ => Action::post(format!("{credential}test/"), json!({})),
        })
    });
    table.block("a credential type", &access, &actors, TEST, |_, action| {
        let path = "/api/v2/credential_types/1/test/";
        Some(if action == "may test" { Action::see(path) } else { Action::post(path, json!({})) })
    });
    table.block("own, an environment of home", &access, &actors, COPY, |_, action| {
        Some(match action {
            "may copy" => Action::see(format!("{environment}copy/")),
            _ => copy(&environment, "/api/v2/execution_environments/"),
        })
    });
    table.block("site, a project of home", &access, &actors, &[COPY, UPDATE].concat(), |_, action| {
        let below = |name: &str| format!("{}{name}/", access.site_path());
        Some(match action {
            "may copy" => Action::see(below("copy")),
            "copy" => Action::post(below("copy"), json!({"name": access.new_name()})),
            "may upd." => Action::see(below("update")),
            _ => Action::post(below("update"), json!({})),
        })
    });
    let attempt = |user: i64, action: &str| {
        let below = |name: &str| format!("/api/v2/users/{user}/{name}/");
        match action {
            "sign-in" => Action::see(below("sign_in")),
            "reset" => Action::patch(below("sign_in"), json!({})),
            "factor" => Action::see(below("second_factor")),
            "set up" => Action::post(below("second_factor"), json!({})),
            "remove" => Action::delete_for_good(below("second_factor")),
            "verify" => Action::post(below("second_factor/verify"), json!({})),
            "renew" => Action::post(below("second_factor/recovery_codes"), json!({})),
            "disable" => Action::post(below("second_factor/disable"), json!({})),
            _ => Action::see(format!("{}?object={}", below("explain_access"), access.home_path())),
        }
    };
    table.block("a user who is member of home", &access, &actors, SIGN_IN, |_, action| Some(attempt(member, action)));
    table.block("oneself", &access, &actors, SIGN_IN, |actor, action| {
        (actor.id != 0).then(|| attempt(actor.id, action))
    });
    table.compare(backend, "actions");
}

/// `user_capabilities` say what the requests then do.
fn capabilities_equal_permissions(backend: Backend) {
    let ActionsFixture { access, credential, environment, mut actors, .. } = build(backend);
    let list = "/api/v2/notification_templates/";
    let hook = access.server.as_admin().create(list, webhook("hook", access.home));
    let permissions = ["awx.view_notificationtemplate", "awx.change_notificationtemplate"];
    actors.push(access.defined("hook.change", "awx.notificationtemplate", hook, &permissions));
    let template = format!("{list}{hook}/");
    let site = access.site_path();
    let capabilities = |actor: &Actor, path: &str| -> Option<Value> {
        let shown = actor.client.get(path);
        (shown.status == 200).then(|| shown.json()["summary_fields"]["user_capabilities"].clone())
    };
    for actor in &actors {
        for path in [&credential, &environment, &template] {
            let Some(shown) = capabilities(actor, path) else { continue };
            let may_copy = actor.client.get(&format!("{path}copy/")).expect(200).json();
            assert_eq!(shown["copy"], may_copy["can_copy"], "{}: {path}", actor.name);
            let copied = actor.client.post(&format!("{path}copy/"), json!({"name": access.new_name()}));
            assert_eq!(shown["copy"], copied.status == 201, "{}: {path} {copied}", actor.name);
            let list = path.rsplitn(3, '/').nth(2).unwrap_or_default();
            let listed = actor.client.results(&format!("{list}/?name__in=vault,own,hook"));
            assert_eq!(listed[0]["summary_fields"]["user_capabilities"], shown, "{}: {path}", actor.name);
        }
        if let Some(shown) = capabilities(actor, &credential) {
            let may_use = actor.client.get(&format!("{credential}test/")).status == 200;
            let is_reader = actor.name == "root, token to read";
            assert_eq!(shown["use"], may_use && !is_reader, "{}", actor.name);
        }
        if let Some(shown) = capabilities(actor, &site) {
            let may_update = actor.client.post(&format!("{site}update/"), json!({})).status == 202;
            let copy = json!({"name": access.new_name()});
            let may_copy = actor.client.post(&format!("{site}copy/"), copy).status == 201;
            let expected = [may_update, may_update, may_copy];
            assert_eq!(["start", "schedule", "copy"].map(|key| shown[key] == true), expected, "{}", actor.name);
        }
    }
}
