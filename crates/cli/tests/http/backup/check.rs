//! `hostler check` reports problems, and nothing for intact data.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use hostler_testkit::{Backend, TestServer, on_each_backend};

use crate::backup::*;

on_each_backend!(
    check_passes_on_valid_data,
    check_reports_orphaned_roles,
    check_reports_secrets_without_key,
    check_reports_flags_that_contradict_grants,
    check_reports_insecure_permissions,
);

/// The problems that `check` reports, one per line.
fn wrong(server: &TestServer) -> Vec<String> {
    let output = server.command(&["check"]).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    text(&output.stdout).lines().map(str::to_owned).collect()
}

fn assert_one(server: &TestServer, words: &[&str]) {
    let found = wrong(server);
    assert_eq!(found.len(), 1, "{found:?}");
    for word in words {
        assert!(found[0].contains(word), "{word} is not in {found:?}");
    }
}

fn check_passes_on_valid_data(backend: Backend) {
    // While the server runs, and after some objects of activity entries were deleted.
    assert_eq!(works(populated(backend).command(&["check"])), "No problems found.\n");
}

fn check_reports_orphaned_roles(backend: Backend) {
    let server = populated(backend);
    server.execute("DELETE FROM roles WHERE content_type = 'team' AND role_field = 'read_role'");
    assert_one(&server, &["1 of teams have no read_role"]);
    server.execute("INSERT INTO roles (content_type, object_id, role_field) VALUES ('team', 4711, 'read_role')");
    let found = wrong(&server);
    assert!(found.iter().any(|line| line.starts_with("1 roles belong to no team")), "{found:?}");
}

fn check_reports_secrets_without_key(backend: Backend) {
    let server = populated(backend);
    let encrypted = "$hostler$1$0123456789abcdef$AAAA";
    server.execute(&format!("UPDATE organizations SET description = 'x{encrypted}' WHERE name = 'home'"));
    assert_one(&server, &["secrets in 1 rows of organizations need the key 0123456789abcdef"]);
    fs::remove_file(server.data().join("keys/1.key")).expect("a key");
    let found = wrong(&server);
    assert!(found.iter().any(|line| line.contains("is not in keys")), "{found:?}");
}

fn check_reports_flags_that_contradict_grants(backend: Backend) {
    let server = populated(backend);
    server.execute("UPDATE users SET is_superuser = true WHERE username = 'ann'");
    assert_one(&server, &["is_superuser of 1 users"]);
    server.execute("UPDATE users SET is_superuser = false");
    let found = wrong(&server);
    assert!(found.iter().any(|line| line.contains("no active user is a superuser")), "{found:?}");
}

fn check_reports_insecure_permissions(backend: Backend) {
    let server = populated(backend);
    let open = |name: &str, mode: u32| {
        let path = server.data().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    open("", 0o755);
    assert_one(&server, &["is accessible to other users (mode 0755)", "chmod 700"]);
    open("", 0o700);
    open("secret.key", 0o644);
    assert_one(&server, &["secret.key is accessible to other users"]);
}

#[test]
fn check_reports_corrupt_file() {
    let mut server = populated(Backend::Sqlite);
    server.execute("PRAGMA foreign_keys = OFF; UPDATE teams SET organization_id = 4711");
    let found = wrong(&server);
    assert!(found.iter().any(|line| line.contains("of teams refers to a row of organizations")), "{found:?}");
    server.stop();
    let mut file = fs::OpenOptions::new().write(true).open(server.data().join("hostler.db")).expect("the database");
    file.write_all(&[0; 4096]).expect("a page");
    let found = wrong(&server);
    assert!(found.iter().any(|line| line.contains("hostler.db")), "{found:?}");
}

/// Simulates a failing disk, which seldom damages one page only.
#[test]
fn check_reports_corrupt_database() {
    let mut server = populated(Backend::Sqlite);
    assert!(server.stop().success());
    let path = server.data().join("hostler.db");
    let connection = rusqlite::Connection::open(&path).expect("the database");
    let place = |name: &str| -> u64 {
        let sql = "SELECT rootpage FROM sqlite_master WHERE name = ?1";
        let page: u32 = connection.query_row(sql, [name], |row| row.get(0)).expect("a page");
        let size: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).expect("a size");
        u64::from(page - 1) * u64::from(size)
    };
    let places = ["teams", "users"].map(place);
    drop(connection);
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the database");
    for place in places {
        file.write_all_at(&[0xde; 64], place).expect("it is written");
    }
    for line in wrong(&server) {
        assert!(line.contains("damaged"), "{line}");
        assert!(!line.contains("SQLite error"), "{line}");
    }
    assert!(wrong(&server).iter().any(|line| line.ends_with("restore a backup")), "{:?}", wrong(&server));
    let output = server.command(&["backup"]).arg(server.data().join("backup.tar")).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("the database file is damaged"), "{}", text(&output.stderr));
}
