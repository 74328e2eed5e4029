//! Users, by what they and the others are.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::table::{Attempt, Table};
use crate::world::{Actor, World};

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

/// Flags and places of those who are acted upon. The flags, not the membership, must be what protects the first two.
const TARGETS: &[(&str, &str)] = &[
    ("a superuser", "t-root"),
    ("an auditor", "t-auditor"),
    ("a member of home", "t-home"),
    ("a member of home and away", "t-both"),
    ("an admin of home", "t-boss"),
    ("an orphan", "t-orphan"),
];

fn actors(world: &World) -> Vec<Actor> {
    let server = &world.server;
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
    .map(|(name, what)| world.user(name, what, json!({})));
    for (list, actor) in [
        (organization(world.home, "users"), &member),
        (organization(world.home, "users"), &captain),
        (format!("{}users/", world.crew_path()), &sailor),
        (organization(world.home, "admins"), &boss),
        (organization(world.home, "admins"), &head),
        (organization(world.away, "admins"), &head),
        (organization(elsewhere, "admins"), &third),
    ] {
        admin.attach(&list, actor.id);
    }
    admin.attach(&format!("/api/v2/users/{}/roles/", captain.id), world.role(&world.crew_path(), "admin_role"));
    let mut actors = world.usual();
    actors.splice(2..2, [boss, head, third, member, captain, sailor]);
    actors
}

fn attempt(path: &str, action: &str, now: &Value) -> Option<Attempt> {
    Some(match action {
        "see" => Attempt::see(path),
        "name" => Attempt::change(path, json!({"first_name": "Other"})),
        "password" => Attempt::change(path, json!({"password": format!("Another-Word-{}", now["id"])})).unseen(),
        "superuser" => Attempt::change(path, json!({"is_superuser": now["is_superuser"] == false})),
        "auditor" => Attempt::change(path, json!({"is_system_auditor": now["is_system_auditor"] == false})),
        "username" => {
            let username = now["username"].as_str().unwrap_or_default();
            Attempt::change(path, json!({"username": format!("{username}-renamed")}))
        }
        "delete" => Attempt::delete(path),
        _ => return None,
    })
}

fn users(backend: Backend) {
    let world = World::new(backend);
    let admin = world.server.as_admin();
    let actors = actors(&world);
    let mut paths = vec![];
    for (title, name) in TARGETS {
        let flags = json!({"is_superuser": *name == "t-root", "is_system_auditor": *name == "t-auditor"});
        let person = world.server.user_with(name, flags);
        match *name {
            "t-root" | "t-auditor" | "t-home" => world.server.join(world.home, &person),
            "t-both" => [world.home, world.away].iter().for_each(|org| world.server.join(*org, &person)),
            "t-boss" => world.server.promote(world.home, &person),
            _ => {}
        }
        paths.push((*title, person.path()));
    }
    let mut table = Table::new(&[OF_ALL, ACTIONS].concat());
    table.explain(&actors);
    table.block("all users", &world, &actors, OF_ALL, |_, action| {
        Some(match action {
            "list" => Attempt::see("/api/v2/users/"),
            _ => {
                let body = json!({"username": world.new_name(), "password": hostler_testkit::PASSWORD});
                Attempt::create("/api/v2/users/", body)
            }
        })
    });
    table.block("oneself", &world, &actors, ACTIONS, |actor, action| {
        let path = format!("/api/v2/users/{}/", actor.id);
        if actor.id == 0 {
            return None;
        }
        attempt(&path, action, &admin.get(&path).expect(200).json())
    });
    for (title, path) in paths {
        let now = admin.get(&path).expect(200).json();
        table.block(title, &world, &actors, ACTIONS, |_, action| attempt(&path, action, &now));
    }
    table.compare(backend, "users");
}
