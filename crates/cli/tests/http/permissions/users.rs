//! Users, by the flags and memberships of both users.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::permissions::fixture::{AccessFixture, Actor};
use crate::permissions::table::{Action, Table};

on_each_backend!(users);

const ACTIONS: &[(&str, &str)] = &[
    ("see", "GET the user"),
    ("name", "PATCH first_name"),
    ("password", "PATCH password"),
    ("superuser", "PATCH is_superuser to what it is not"),
    ("auditor", "PATCH is_system_auditor to what it is not"),
    ("username", "PATCH username"),
    ("delete", "DELETE the user"),
];
const OF_ALL: &[(&str, &str)] = &[("list", "GET users/"), ("create", "POST to users/")];

/// Flags and memberships of the target users. The flags, not the memberships, must protect the first two.
const TARGETS: &[(&str, &str)] = &[
    ("a superuser", "t-root"),
    ("an auditor", "t-auditor"),
    ("a member of home", "t-home"),
    ("a member of home and away", "t-both"),
    ("an admin of home", "t-boss"),
    ("an orphan", "t-orphan"),
];

fn actors(fixture: &AccessFixture) -> Vec<Actor> {
    let server = &fixture.server;
    let admin = server.as_admin();
    let elsewhere = server.organization("elsewhere");
    let organization = |id: i64, list: &str| format!("/api/v2/organizations/{id}/{list}/");
    let [member, captain, sailor, boss, head, third] = [
        ("member", "member of home"),
        ("captain", "admin of the team crew, member of home"),
        ("sailor", "member of the team crew, but of no organization"),
        ("boss", "admin of home"),
        ("head", "admin of home and away"),
        ("third", "admin of an organization that none of the targets belongs to"),
    ]
    .map(|(name, what)| fixture.user(name, what, json!({})));
    for (list, actor) in [
        (organization(fixture.home, "users"), &member),
        (organization(fixture.home, "users"), &captain),
        (format!("{}users/", fixture.crew_path()), &sailor),
        (organization(fixture.home, "admins"), &boss),
        (organization(fixture.home, "admins"), &head),
        (organization(fixture.away, "admins"), &head),
        (organization(elsewhere, "admins"), &third),
    ] {
        admin.attach(&list, actor.id);
    }
    admin.attach(&format!("/api/v2/users/{}/roles/", captain.id), fixture.role(&fixture.crew_path(), "admin_role"));
    let mut actors = fixture.usual();
    actors.splice(2..2, [boss, head, third, member, captain, sailor]);
    actors
}

fn attempt(path: &str, action: &str, now: &Value) -> Option<Action> {
    Some(match action {
        "see" => Action::see(path),
        "name" => Action::change(path, json!({"first_name": "Other"})),
        "password" => Action::change(path, json!({"password": format!("Another-Word-{}", now["id"])})).unseen(),
        "superuser" => Action::change(path, json!({"is_superuser": now["is_superuser"] == false})),
        "auditor" => Action::change(path, json!({"is_system_auditor": now["is_system_auditor"] == false})),
        "username" => {
            let username = now["username"].as_str().unwrap_or_default();
            Action::change(path, json!({"username": format!("{username}-renamed")}))
        }
        "delete" => Action::delete(path),
        _ => return None,
    })
}

fn users(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let actors = actors(&fixture);
    let mut paths = vec![];
    for (title, name) in TARGETS {
        let flags = json!({"is_superuser": *name == "t-root", "is_system_auditor": *name == "t-auditor"});
        let person = fixture.server.user_with(name, flags);
        match *name {
            "t-root" | "t-auditor" | "t-home" => fixture.server.add_member(fixture.home, &person),
            "t-both" => [fixture.home, fixture.away].iter().for_each(|org| fixture.server.add_member(*org, &person)),
            "t-boss" => fixture.server.add_admin(fixture.home, &person),
            _ => {}
        }
        paths.push((*title, person.path()));
    }
    let mut table = Table::new(&[OF_ALL, ACTIONS].concat());
    table.explain(&actors);
    table.block("all users", &fixture, &actors, OF_ALL, |_, action| {
        Some(match action {
            "list" => Action::see("/api/v2/users/"),
            _ => {
                let body = json!({"username": fixture.new_name(), "password": hostler_testkit::PASSWORD});
                Action::create("/api/v2/users/", body)
            }
        })
    });
    table.block("oneself", &fixture, &actors, ACTIONS, |actor, action| {
        let path = format!("/api/v2/users/{}/", actor.id);
        if actor.id == 0 {
            return None;
        }
        attempt(&path, action, &admin.get(&path).expect(200).json())
    });
    for (title, path) in paths {
        let now = admin.get(&path).expect(200).json();
        table.block(title, &fixture, &actors, ACTIONS, |_, action| attempt(&path, action, &now));
    }
    table.compare(backend, "users");
}
