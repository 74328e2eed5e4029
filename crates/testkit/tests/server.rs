//! Tests of how `TestServer` handles its process, with a stand-in for the binary.

use std::time::{Duration, Instant};

use hostler_testkit::{Backend, TestServer};

const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand-in");

#[test]
fn server_can_be_restarted() {
    let mut server = TestServer::start(STAND_IN, Backend::Sqlite);
    assert_eq!(server.base(), "http://127.0.0.1:9");
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.stderr() != "a line of the log\n" && Instant::now() < deadline {}
    assert_eq!(server.stderr(), "a line of the log\n");
    assert_eq!(server.stop().code(), Some(0));
    server.restart();
    server.kill9();
    server.restart();
    server.restart();
}

#[test]
fn server_gets_listen_address_and_data_folder() {
    let server = TestServer::start(STAND_IN, Backend::Sqlite);
    let wanted = [format!("serve --listen 127.0.0.1:0 --data {}", server.data().display())];
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut lines = Vec::new();
    while lines.is_empty() && Instant::now() < deadline {
        lines = server.remaining_stdout();
    }
    assert_eq!(lines, wanted);
}

#[test]
#[should_panic(expected = "no more space")]
fn a_server_that_does_not_start_shows_its_log() {
    TestServer::start_with(STAND_IN, Backend::Sqlite, &[("HOSTLER_STAND_IN_FAILS", "1")]);
}
