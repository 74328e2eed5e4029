//! A second SIGTERM, which stops the server without waiting.

use std::time::{Duration, Instant};

use hostler_testkit::{Backend, TestServer, backends};
use postgres::NoTls;

use crate::faults::BINARY;

#[test]
fn second_signal_does_not_wait_for_tasks() {
    if !backends().contains(&Backend::Postgres) {
        return;
    }
    let mut server = TestServer::start(BINARY, Backend::Postgres);
    let url = server.database_url().expect("PostgreSQL");
    let mut blocker = postgres::Client::connect(&url, NoTls).expect("a connection");
    let mut lock = blocker.transaction().expect("a transaction");
    // The worker of background tasks waits for this table, longer than this test.
    lock.batch_execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE").expect("a lock");
    server.terminate();
    server.wait_for_log(&["stopping: waiting for running requests"]);
    let begun = Instant::now();
    server.terminate();
    assert!(server.wait().success());
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}
