//! Migration from SQLite to PostgreSQL.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;

use hostler_testkit::{Backend, TestServer};

use crate::backup::*;

/// The command that copies the database of one server to that of another.
pub fn migrate(from: &TestServer, to: &TestServer) -> Command {
    let mut command = hostler_testkit::command(BINARY);
    let url = to.database_url().expect("a server on PostgreSQL");
    command.args(["migrate", "--to", &url, "--data"]).arg(from.data());
    command
}

/// Copies the keys of one server to another: they stay in the data folder when the database moves.
pub fn take_keys(from: &TestServer, to: &TestServer) {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to.data().join("keys")).expect("a folder");
    for name in ["secret.key", "keys/1.key"] {
        fs::copy(from.data().join(name), to.data().join(name)).expect("a key");
    }
}

#[test]
fn migrate_copies_everything_to_postgres() {
    if !hostler_testkit::backends().contains(&Backend::Postgres) {
        return hostler_testkit::skip::skip("there is no PostgreSQL");
    }
    let mut server = populated(Backend::Sqlite);
    let before = state(&server.as_admin());
    let mut target = TestServer::stopped(BINARY, Backend::Postgres);
    let line = fails(migrate(&server, &target));
    assert!(line.contains("stop it first"), "{line}");
    server.stop();
    let output = works(migrate(&server, &target));
    assert!(output.contains("is the same"), "{output}");
    take_keys(&server, &target);
    target.restart();
    assert_same(&before, &state(&target.as_admin()));
    let newest = before[0].1["results"].as_array().expect("users").iter().filter_map(|user| user["id"].as_i64()).max();
    assert!(target.user("new").id > newest.expect("a user") + 1, "an id was given twice");
    target.stop();
    let line = fails(migrate(&server, &target));
    assert!(line.contains("is not empty"), "{line}");
    assert!(works(target.command(&["check"])).contains("No problems found."));
}

#[test]
fn migrate_rejects_other_urls() {
    let server = populated(Backend::Sqlite);
    let mut command = hostler_testkit::command(BINARY);
    command.args(["migrate", "--to", "mysql://me:secret@db/hostler", "--data"]).arg(server.data());
    let line = fails(command);
    assert!(line.contains("postgres://") && !line.contains("secret"), "{line}");
}
