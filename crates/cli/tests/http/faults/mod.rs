//! Faults of disk, database, clock, network and process: no partial writes, no wrong responses, and recovery without a
//! restart.

mod activity_entries;
mod clock;
mod connections;
mod failover;
mod forced_stop;
mod full_disk;
mod killed;
mod postgres_away;
mod two_servers;

use std::thread;
use std::time::{Duration, Instant};

use hostler_testkit::{Backend, Client, Cluster, Response, TestServer};

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");
const ORGANIZATIONS: &str = "/api/v2/organizations/";
const HERE: &str = "/api/v2/me/";

/// The timeout of waits, not a measure of speed.
const PATIENCE: Duration = Duration::from_secs(45);

fn start(backend: Backend) -> TestServer {
    TestServer::start(BINARY, backend)
}

/// A server on a PostgreSQL that the test may stop.
fn start_on_cluster() -> Option<(TestServer, Cluster)> {
    let cluster = Cluster::start_for_test()?;
    Some((TestServer::start_on(BINARY, &cluster), cluster))
}

/// A token of the first superuser, for whom no password has to be hashed.
fn token(server: &TestServer) -> Client {
    let made = server.as_admin().post("/api/v2/tokens/", serde_json::json!({"scope": "write"})).expect(201).json();
    server.with_token(made["token"].as_str().expect("a token"))
}

/// Repeats the request until the condition is true for the response.
fn until(what: &str, ask: impl Fn() -> Response, holds: impl Fn(&Response) -> bool) -> Response {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if holds(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "not {what}: {answer}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The text in `detail`, which each error has.
fn detail(answer: &Response) -> String {
    answer.json()["detail"].as_str().unwrap_or_else(|| panic!("no detail in {answer}")).to_owned()
}
