//! Who may do what to whom, as a table that people can read: `who_may_what.txt`
//! beside this file. After a deliberate change of the rules, write it anew with
//! `HOSTLER_REWRITE=1 cargo nextest run -p hostler --test who_may_what` and read
//! the difference line by line.
#![allow(clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use hostler_testkit::{Answer, Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(the_table_tells_who_may_what);

/// Users, and what each is. `home` and `away` are organizations, `crew` is a team of `home`.
const PEOPLE: &[(&str, &str)] = &[
    ("root", "superuser"),
    ("auditor", "system auditor"),
    ("boss", "admin of home"),
    ("rival", "admin of away"),
    ("head", "admin of home and away"),
    ("third", "admin of an organization that none of the targets belongs to"),
    ("member", "member of home"),
    ("captain", "admin of the team crew, member of home"),
    ("sailor", "member of the team crew, but of no organization"),
    ("stranger", "no role at all"),
];

/// What is called, and its path; people are told apart from the actors.
const TARGETS: &[(&str, &str)] = &[
    ("oneself", ""),
    ("a superuser", "users/t-root"),
    ("an auditor", "users/t-auditor"),
    ("a member of home", "users/t-home"),
    ("a member of home and away", "users/t-both"),
    ("an admin of home", "users/t-boss"),
    ("an orphan", "users/t-orphan"),
    ("home", "organizations/home"),
    ("crew, a team of home", "teams/crew"),
    ("a label of home", "labels/urgent"),
];

const ACTIONS: &[&str] = &["see", "name", "password", "superuser", "auditor", "username", "move", "delete"];

struct Scene {
    server: TestServer,
    clients: Vec<(&'static str, Client)>,
    ids: BTreeMap<&'static str, i64>,
    away: i64,
}

/// Always the same people and things, with the same ids.
fn set_up(backend: Backend) -> Scene {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let [home, away, elsewhere] = ["home", "away", "elsewhere"].map(|name| server.organization(name));
    let crew = server.team("crew", home);
    let admin = server.as_admin();
    let urgent = admin.create("/api/v2/labels/", json!({"name": "urgent", "organization": home}));
    let mut clients = vec![];
    let mut people = BTreeMap::new();
    for (name, _) in PEOPLE {
        let flags = json!({"is_superuser": *name == "root", "is_system_auditor": *name == "auditor"});
        let person = server.user_with(name, flags);
        // Tokens, because passwords are changed here.
        clients.push((*name, person.token("write")));
        people.insert(*name, person);
    }
    for name in ["boss", "head"] {
        server.promote(home, &people[name]);
    }
    for name in ["rival", "head"] {
        server.promote(away, &people[name]);
    }
    server.promote(elsewhere, &people["third"]);
    server.join(home, &people["member"]);
    server.join(home, &people["captain"]);
    admin.attach(&format!("/api/v2/teams/{crew}/users/"), people["sailor"].id);
    let roles = admin.get(&format!("/api/v2/teams/{crew}/")).json()["summary_fields"]["object_roles"].clone();
    admin.attach(
        &format!("/api/v2/users/{}/roles/", people["captain"].id),
        roles["admin_role"]["id"].as_i64().expect("a role"),
    );
    clients.push(("root, token to read", people["root"].token("read")));
    clients.push(("boss, token to read", people["boss"].token("read")));
    clients.push(("nobody", server.anonymous()));

    let targets = ["t-root", "t-auditor", "t-home", "t-both", "t-boss", "t-orphan"];
    let mut ids = BTreeMap::from([("home", home), ("crew", crew), ("urgent", urgent)]);
    for name in targets {
        let flags = json!({"is_superuser": name == "t-root", "is_system_auditor": name == "t-auditor"});
        let person = server.user_with(name, flags);
        match name {
            // The flags, not the membership, must be what protects these two.
            "t-root" | "t-auditor" | "t-home" => server.join(home, &person),
            "t-both" => [home, away].iter().for_each(|org| server.join(*org, &person)),
            "t-boss" => server.promote(home, &person),
            _ => {}
        }
        ids.insert(name, person.id);
    }
    Scene { server, clients, ids, away }
}

/// The path of a target; none if an actor is no user and so has no self.
fn path(scene: &Scene, actor: &str, target: &str) -> Option<String> {
    match target.split_once('/') {
        Some((plural, name)) => Some(format!("/api/v2/{plural}/{}/", scene.ids[name])),
        None => {
            let name = actor.split(',').next().unwrap_or(actor);
            let found = scene.server.as_admin().get(&format!("/api/v2/users/?username={name}")).json();
            found["results"][0]["url"].as_str().map(str::to_owned)
        }
    }
}

/// Tries one action; none if it makes no sense for the target.
fn attempt(client: &Client, away: i64, path: &str, action: &str, now: &Value) -> Option<Answer> {
    let is_user = path.contains("/users/");
    let body = match action {
        "see" => return Some(client.get(path)),
        // In a state that it is not in: 412 comes after the permission, and leaves all as it is.
        "delete" => return Some(client.request("DELETE", path).header("If-Match", "\"other\"").send()),
        "name" if is_user => json!({"first_name": "Other"}),
        "name" => json!({"name": "other"}),
        "move" if path.contains("/teams/") || path.contains("/labels/") => json!({"organization": away}),
        "password" if is_user => json!({"password": format!("Another-Word-{}", now["id"])}),
        "username" if is_user => {
            json!({"username": format!("{}-renamed", now["username"].as_str().unwrap_or_default())})
        }
        "superuser" if is_user => json!({"is_superuser": now["is_superuser"] == false}),
        "auditor" if is_user => json!({"is_system_auditor": now["is_system_auditor"] == false}),
        _ => return None,
    };
    Some(client.patch(path, body))
}

/// One line of the table: what each action answered. After each that worked, all is put back as it was.
fn line(scene: &Scene, number: usize, target: &str) -> Vec<String> {
    let mut cells = vec![];
    for action in ACTIONS {
        let (actor, client) = &scene.clients[number];
        let Some(path) = path(scene, actor, target) else { return vec!["-".to_owned(); ACTIONS.len()] };
        let admin = scene.server.as_admin();
        let now = admin.get(&path).expect(200).json();
        let Some(answer) = attempt(client, scene.away, &path, action, &now) else {
            cells.push("-".to_owned());
            continue;
        };
        let may_delete = *action == "delete" && answer.status == 412;
        cells.push(if may_delete { "204".to_owned() } else { answer.status.to_string() });
        if answer.status >= 300 {
            let after = admin.get(&path).expect(200).json();
            assert_eq!(after, now, "{actor}: {answer} changed something");
        } else if *action != "see" {
            assert!(
                admin.get(&path).expect(200).json() != now || *action == "password",
                "{actor}: {answer} did nothing"
            );
            admin.put(&path, &now).expect(200);
        }
    }
    cells
}

fn table(backend: Backend) -> String {
    let scene = set_up(backend);
    let mut text = String::from("Who they are:\n");
    for (name, what) in PEOPLE {
        let _ = writeln!(text, "  {name:<10}{what}");
    }
    for (title, target) in TARGETS {
        let _ = write!(text, "\n{title:<28}");
        for action in ACTIONS {
            let _ = write!(text, "{action:<10}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        for number in 0..scene.clients.len() {
            let actor = scene.clients[number].0;
            let cells: Vec<_> = line(&scene, number, target).iter().map(|cell| format!("{cell:<10}")).collect();
            let _ = writeln!(text, "{}", format!("  {actor:<26}{}", cells.concat()).trim_end());
        }
    }
    text
}

fn the_table_tells_who_may_what(backend: Backend) {
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/who_may_what.txt"));
    let found = table(backend);
    if std::env::var_os("HOSTLER_REWRITE").is_some() {
        std::fs::write(file, &found).expect("the table can be written");
    }
    let known = std::fs::read_to_string(file).unwrap_or_default();
    let mut differences = vec![];
    let mut heading = "";
    for (found, known) in found.lines().zip(known.lines().chain(std::iter::repeat(""))) {
        if !found.starts_with(' ') {
            heading = found;
        }
        if found != known {
            differences.push(format!("{heading}\n- {known}\n+ {found}"));
        }
    }
    assert!(differences.is_empty() && found == known, "{backend}: the rules changed:\n{}", differences.join("\n"));
}
