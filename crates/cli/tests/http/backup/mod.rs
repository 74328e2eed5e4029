//! Backup and restore, between both databases, and after interruptions.

mod archives;
mod check;
mod interrupted;
mod migrate;
mod refusals;
mod restored;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hostler_testkit::{Backend, Client, TestServer};
use serde_json::{Value, json};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");

fn start(backend: Backend) -> TestServer {
    TestServer::start(BINARY, backend)
}

/// A server with objects of each kind.
fn populated(backend: Backend) -> TestServer {
    let server = start(backend);
    let (home, away) = (server.organization("home"), server.organization("größer 💥"));
    let (ann, bob) = (server.user("ann"), server.user_with("bob", json!({"is_system_auditor": true})));
    let team = server.team("ops", home);
    let admin = server.as_admin();
    server.add_member(home, &ann);
    server.add_admin(away, &bob);
    admin.attach(&format!("/api/v2/teams/{team}/users/"), ann.id);
    admin.create("/api/v2/labels/", json!({"name": "blue", "organization": home}));
    admin.create("/api/v2/projects/", json!({"name": "site", "organization": home}));
    let template = json!({
        "name": "chat", "organization": home, "notification_type": "slack",
        "notification_configuration": {"token": "t", "channels": ["#x"]},
    });
    let template = admin.create("/api/v2/notification_templates/", template);
    admin.attach(&format!("/api/v2/organizations/{home}/notification_templates_error/"), template);
    let application = json!({"name": "app", "organization": home, "client_type": "confidential",
        "authorization_grant_type": "password"});
    admin.create("/api/v2/applications/", application);
    server.configure("system", json!({"ORG_ADMINS_CAN_SEE_ALL_USERS": false}));
    // An id that must not be used again.
    let gone = server.user("gone");
    admin.delete(&gone.path()).expect(204);
    server
}

/// All objects as the API shows them.
fn state(client: &Client) -> Vec<(&'static str, Value)> {
    [
        "users",
        "organizations",
        "teams",
        "labels",
        "execution_environments",
        "notification_templates",
        "instance_groups",
        "instances",
        "projects",
        "applications",
        "tokens",
        "roles",
        "role_definitions",
        "role_user_assignments",
        "role_team_assignments",
        "activity_stream",
        "settings/all",
    ]
    .map(|name| {
        let mut list = client.get(&format!("/api/v2/{name}/?page_size=200&order_by=id")).expect(200).json();
        if name == "instances" {
            list["results"].as_array_mut().into_iter().flatten().for_each(remove_heartbeat);
        }
        (name, list)
    })
    .to_vec()
}

/// Removes the times that each server writes again.
fn remove_heartbeat(object: &mut Value) {
    if let Some(members) = object.as_object_mut() {
        members.retain(|name, _| name != "last_seen" && name != "last_health_check");
    }
}

/// Compares each part separately, because a diff of everything would be too long to read.
fn assert_same(left: &[(&str, Value)], right: &[(&str, Value)]) {
    for ((name, left), (_, right)) in left.iter().zip(right) {
        assert!(left == right, "{name} differs:\n{left:#}\n{right:#}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command that must succeed, and returns its output.
fn works(mut command: Command) -> String {
    let output = command.output().expect("the binary runs");
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must fail with a one-line message, and returns the message.
fn fails(mut command: Command) -> String {
    let Output { status, stderr, .. } = command.output().expect("the binary runs");
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(1), "{command:?}: {stderr}");
    assert!(stderr.lines().count() == 1 && !stderr.contains("panicked"), "{command:?}: {stderr}");
    stderr
}

/// A folder with a backup of the server.
fn backed_up(server: &TestServer) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a directory");
    let file = folder.path().join("backup.tar");
    works(backup(server, &file));
    (folder, file)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn backup(server: &TestServer, file: &Path) -> Command {
    server.command(&["backup", path(file)])
}

fn restore(server: &TestServer, file: &Path) -> Command {
    server.command(&["restore", path(file)])
}
