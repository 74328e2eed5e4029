//! A restore or a migration that is killed.

use std::thread::sleep;
use std::time::{Duration, Instant};

use hostler_testkit::{Backend, TestServer, on_each_backend};

use crate::backup::*;

on_each_backend!(killed_restore_can_be_repeated);

/// Adds enough rows that the command takes a while.
fn fill(server: &TestServer) {
    let (numbers, now) = match server.database_url() {
        None => {
            ("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT i FROM n", "1")
        }
        Some(_) => ("SELECT generate_series(1, 30000) AS i", "now()"),
    };
    server.execute(&format!(
        "INSERT INTO activity (timestamp, operation, changes, object1)
         SELECT {now}, 'update', '{{}}', 'user' FROM ({numbers}) AS numbers"
    ));
}

/// Runs a command and kills it as soon as `begun` returns true.
fn kill_when(mut command: Command, begun: impl Fn() -> bool) {
    let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("the binary runs");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !begun() {
        assert!(Instant::now() < deadline, "{command:?} did not begin");
        assert!(child.try_wait().expect("a child").is_none(), "{command:?} ended before it was seen to begin");
        sleep(Duration::from_millis(1));
    }
    child.kill().and_then(|()| child.wait()).expect("the command can be killed");
}

/// Whether PostgreSQL contains a database that is being filled.
fn is_marked(server: &TestServer) -> bool {
    let marked = "DO $$ BEGIN ASSERT to_regclass('hostler_unfinished_restore') IS NOT NULL; END $$";
    server.try_execute(marked).is_ok()
}

fn has_begun(target: &TestServer) -> bool {
    match target.database_url() {
        None => target.data().join("hostler.db.restoring").exists(),
        Some(_) => is_marked(target),
    }
}

fn serve(server: &TestServer) -> Command {
    server.command(&["serve", "--listen", "127.0.0.1:0"])
}

fn killed_restore_can_be_repeated(backend: Backend) {
    let server = populated(backend);
    fill(&server);
    let before = state(&server.as_admin());
    let (_folder, file) = backed_up(&server);
    let mut target = TestServer::stopped(BINARY, backend);
    kill_when(restore(&target, &file), || has_begun(&target));
    for refused in [serve(&target), target.command(&["user", "list"])] {
        let line = fails(refused);
        assert!(line.contains("restore"), "{line}");
    }
    works(restore(&target, &file));
    target.restart();
    assert_same(&before, &state(&target.as_admin()));
}

#[test]
fn killed_migration_can_be_repeated() {
    if !hostler_testkit::backends().contains(&Backend::Postgres) {
        return hostler_testkit::skip::skip("there is no PostgreSQL");
    }
    let mut server = populated(Backend::Sqlite);
    fill(&server);
    let before = state(&server.as_admin());
    server.stop();
    let mut target = TestServer::stopped(BINARY, Backend::Postgres);
    kill_when(crate::backup::migrate::migrate(&server, &target), || is_marked(&target));
    crate::backup::migrate::take_keys(&server, &target);
    let line = fails(serve(&target));
    assert!(line.contains("has an unfinished restore"), "{line}");
    works(crate::backup::migrate::migrate(&server, &target));
    target.restart();
    assert_same(&before, &state(&target.as_admin()));
    // The source is unchanged.
    server.restart();
    assert_same(&before, &state(&server.as_admin()));
}
