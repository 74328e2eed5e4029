//! Credentials of an organization, a team and a user, and their input sources.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::permissions::fixture::{AccessFixture, Actor};
use crate::permissions::table::{Action, Table};

on_each_backend!(credentials, new_credentials, uses);

/// The roles of a credential.
const ROLES: &[&str] = &["admin_role", "use_role", "read_role"];

/// The path of a new credential for this owner.
pub fn credential(fixture: &AccessFixture, name: &str, namespace: &str, owner: (&str, i64), inputs: Value) -> String {
    let admin = fixture.server.as_admin();
    let kind = admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"))[0]["id"].clone();
    let body = json!({"name": name, "credential_type": kind, owner.0: owner.1, "inputs": inputs});
    format!("/api/v2/credentials/{}/", admin.create("/api/v2/credentials/", body))
}

/// The path of a new Machine credential for this owner.
pub fn machine(fixture: &AccessFixture, name: &str, owner: (&str, i64)) -> String {
    credential(fixture, name, "ssh", owner, json!({"username": "root", "password": "secret"}))
}

/// The id in the path of an object.
pub fn id_of(path: &str) -> i64 {
    path.trim_end_matches('/').rsplit('/').next().and_then(|id| id.parse().ok()).expect("an id")
}

/// A member of home for each role of the credential, and users who have a role through a team.
pub fn holders(fixture: &AccessFixture, name: &str, path: &str) -> Vec<Actor> {
    let admin = fixture.server.as_admin();
    let mut actors: Vec<Actor> = ROLES
        .iter()
        .map(|field| {
            let what = format!("member of home, has {field} of {name}");
            let actor = fixture.user(&format!("{name}.{}", field.trim_end_matches("_role")), &what, json!({}));
            admin.attach(&format!("{}users/", fixture.home_path()), actor.id);
            admin.attach(&format!("/api/v2/users/{}/roles/", actor.id), fixture.role(path, field));
            actor
        })
        .collect();
    actors.extend(["admin_role", "use_role"].map(|field| fixture.through_team(name, path, field)));
    actors
}

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET credentials/?managed=false"),
    ("see", "GET the credential"),
    ("change", "PATCH its description"),
    ("secret", "PATCH its inputs"),
    ("move", "PATCH its organization"),
    ("copy", "POST to copy/ below it"),
    ("delete", "DELETE it"),
    ("sources", "GET input_sources/ below it"),
    ("source+", "POST an input source, whose source credential all may use"),
    ("access", "GET access_list/ below it"),
    ("activity", "GET activity_stream/ below it"),
];

fn credentials(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let key = machine(&fixture, "key", ("organization", fixture.home));
    let of_crew = machine(&fixture, "of crew", ("team", fixture.crew));
    let owner = fixture.user("owner", "owner of the private credential", json!({}));
    let private = machine(&fixture, "private", ("user", owner.id));
    let inputs = json!({"url": "https://vault.example", "api_version": "v2"});
    let vault = credential(&fixture, "vault", "hashivault_kv", ("organization", fixture.home), inputs);

    let mut actors = fixture.usual();
    actors.extend(fixture.holders_of_home());
    actors.extend(fixture.holders_of_crew());
    actors.extend(holders(&fixture, "key", &key));
    let view = "awx.view_credential";
    for action in ["view", "change", "delete", "use"] {
        let actor = fixture.user(&format!("custom.{action}"), "", json!({}));
        admin.attach(&format!("{}users/", fixture.home_path()), actor.id);
        let permission = format!("awx.{action}_credential");
        let both = [view, permission.as_str()];
        let permissions = if action == "view" { &both[..1] } else { &both[..] };
        actors.push(fixture.assign(actor, "awx.credential", id_of(&key), permissions));
    }
    let above = ["shared.view_organization", view, "awx.change_credential"];
    actors.push(fixture.defined("custom.home.change", "shared.organization", fixture.home, &above));
    actors.push(owner);
    let everybody = admin.create("/api/v2/organizations/", json!({"name": "everybody"}));
    for actor in actors.iter().filter(|actor| actor.id != 0 && actor.name != "root, token to read") {
        // All of them may use the source, so that the permission on the target decides.
        admin.attach(&format!("{}users/", fixture.home_path()), actor.id);
        admin.attach(&format!("/api/v2/users/{}/roles/", actor.id), fixture.role(&vault, "use_role"));
        if !["home.member", "key.admin", "key.use", "key.read"].contains(&actor.name.as_str())
            && !actor.name.starts_with("custom.")
        {
            let out = json!({"id": actor.id, "disassociate": true});
            admin.post(&format!("{}users/", fixture.home_path()), out).expect(204);
        }
    }

    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    for (title, path) in [
        ("key, a credential of home", &key),
        ("of crew, of a team of home", &of_crew),
        ("private, of owner alone", &private),
    ] {
        table.block(title, &fixture, &actors, ACTIONS, |_, action| {
            let below = |list: &str| format!("{path}{list}/");
            Some(match action {
                "list" => Action::see("/api/v2/credentials/?managed=false"),
                "see" => Action::see(path),
                "change" => Action::change(path, json!({"description": "other"})),
                "secret" => Action::change(path, json!({"inputs": {"username": "other", "password": "$encrypted$"}})),
                // The team would lose it permanently.
                "move" if *path == of_crew => return None,
                "move" => Action::change(path, json!({"organization": everybody})),
                "copy" => {
                    Action::create_elsewhere(below("copy"), "/api/v2/credentials/", json!({"name": fixture.new_name()}))
                }
                "delete" => Action::delete(path),
                "sources" => Action::see(below("input_sources")),
                "source+" => {
                    let body = json!({
                        "source_credential": id_of(&vault), "input_field_name": "password",
                        "metadata": {"secret_path": "kv", "secret_key": "key"},
                    });
                    Action::create(below("input_sources"), body)
                }
                "access" => Action::see(below("access_list")),
                _ => Action::see(format!("{}?count_disabled=true", below("activity_stream"))),
            })
        });
    }
    table.compare(backend, "credentials");
}

const NEW: &[(&str, &str)] = &[
    ("oneself", "POST to credentials/ for the caller"),
    ("home", "for home"),
    ("away", "for away"),
    ("crew", "for crew"),
    ("member", "for a member of home"),
    ("below", "POST to credentials/ below home"),
    ("team", "POST to credentials/ below crew"),
    ("type", "POST to credential_types/"),
    ("types", "GET credential_types/"),
    ("type~", "PATCH the name of a custom type"),
    ("type-", "DELETE it"),
    ("machine~", "PATCH the name of the managed type Machine"),
    ("machine-", "DELETE it"),
];

fn new_credentials(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let member = fixture.server.user("member");
    fixture.server.add_member(fixture.home, &member);
    let custom = admin.create("/api/v2/credential_types/", json!({"name": "custom", "kind": "net"}));
    let custom = format!("/api/v2/credential_types/{custom}/");
    let machine = "/api/v2/credential_types/1/";
    let mut actors = fixture.usual();
    actors.extend(fixture.holders_of_home());
    actors.extend(fixture.holders_of_crew());
    let adds = ["shared.view_organization", "awx.add_credential"];
    actors.push(fixture.defined("custom.home.add", "shared.organization", fixture.home, &adds));

    let mut table = Table::new(NEW);
    table.explain(&actors);
    table.block("new credentials, and types", &fixture, &actors, NEW, |actor, action| {
        let list = "/api/v2/credentials/";
        let body = |owner: &str, id: i64| json!({"name": fixture.new_name(), "credential_type": 1, owner: id});
        let bare = || json!({"name": fixture.new_name(), "credential_type": 1});
        Some(match action {
            "oneself" if actor.id == 0 => return None,
            "oneself" => Action::create(list, body("user", actor.id)),
            "home" => Action::create(list, body("organization", fixture.home)),
            "away" => Action::create(list, body("organization", fixture.away)),
            "crew" => Action::create(list, body("team", fixture.crew)),
            "member" => Action::create(list, body("user", member.id)),
            "below" => Action::create(format!("{}credentials/", fixture.home_path()), bare()),
            "team" => Action::create(format!("{}credentials/", fixture.crew_path()), bare()),
            "type" => Action::create("/api/v2/credential_types/", json!({"name": fixture.new_name(), "kind": "net"})),
            "types" => Action::see("/api/v2/credential_types/?page_size=1"),
            "type~" => Action::change(&custom, json!({"name": "other"})),
            "type-" => Action::delete(&custom),
            "machine~" => Action::change(machine, json!({"name": "other"})),
            _ => Action::delete_for_good(machine),
        })
    });
    table.compare(backend, "new_credentials");
}

const USES: &[(&str, &str)] = &[
    ("project", "PATCH the credential of a project that all may change"),
    ("sign", "PATCH its signature_validation_credential"),
    ("galaxy", "POST to galaxy_credentials/ below an organization that all may change"),
    ("source", "POST an input source for a target that all may change"),
];

/// A credential of home of each kind; the objects that link to them can be changed by all.
fn uses(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let of_home = ("organization", fixture.home);
    let scm = credential(&fixture, "scm", "scm", of_home, json!({"username": "git"}));
    let gpg = credential(&fixture, "gpg", "gpg_public_key", of_home, json!({"gpg_public_key": "key"}));
    let hub = credential(&fixture, "hub", "galaxy_api_token", of_home, json!({"url": "https://galaxy.example"}));
    let inputs = json!({"url": "https://vault.example", "api_version": "v2"});
    let vault = credential(&fixture, "vault", "hashivault_kv", of_home, inputs);
    let all = [&scm, &gpg, &hub, &vault];

    let open = admin.create("/api/v2/organizations/", json!({"name": "open"}));
    let open_path = format!("/api/v2/organizations/{open}/");
    let project = json!({"name": "p", "organization": open, "scm_type": "git", "scm_url": "https://example.org/x.git"});
    let project = format!("/api/v2/projects/{}/", admin.create("/api/v2/projects/", project));
    let target = machine(&fixture, "target", ("organization", open));

    let mut actors = fixture.usual();
    actors.retain(|actor| actor.id != 0);
    actors.extend(fixture.holders_of_home());
    for field in ROLES {
        let what = format!("member of home, has {field} of the credentials");
        let actor = fixture.user(&format!("all.{}", field.trim_end_matches("_role")), &what, json!({}));
        admin.attach(&format!("{}users/", fixture.home_path()), actor.id);
        for path in all {
            admin.attach(&format!("/api/v2/users/{}/roles/", actor.id), fixture.role(path, field));
        }
        actors.push(actor);
    }
    for actor in actors.iter().filter(|actor| !actor.name.contains("root") && actor.name != "auditor") {
        admin.attach(&format!("{open_path}admins/"), actor.id);
    }

    let mut table = Table::new(USES);
    table.explain(&actors);
    table.block("uses of credentials of home", &fixture, &actors, USES, |_, action| {
        Some(match action {
            "project" => Action::change(&project, json!({"credential": id_of(&scm)})),
            "sign" => Action::change(&project, json!({"signature_validation_credential": id_of(&gpg)})),
            "galaxy" => Action::attach(format!("{open_path}galaxy_credentials/"), id_of(&hub)),
            _ => {
                let body = json!({
                    "target_credential": id_of(&target), "source_credential": id_of(&vault),
                    "input_field_name": "password", "metadata": {"secret_path": "kv", "secret_key": "key"},
                });
                Action::create("/api/v2/credential_input_sources/", body)
            }
        })
    });
    table.compare(backend, "credential_uses");
}
