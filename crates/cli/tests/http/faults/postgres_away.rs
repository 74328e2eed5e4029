//! A PostgreSQL server that is unreachable for a while.

use std::time::Duration;

use hostler_testkit::{Browser, Client, Cluster, Response, TestServer};
use postgres::NoTls;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::faults::activity_entries::balanced;
use crate::faults::{BINARY, HERE, ORGANIZATIONS, detail, start_on_cluster, token, until};

/// Reads and writes with each kind of credentials.
fn requests(server: &TestServer, token: &Client, browser: &Browser) -> Vec<Response> {
    let admin = server.as_admin();
    vec![
        token.get(HERE),
        token.get(ORGANIZATIONS),
        token.post(ORGANIZATIONS, json!({"name": "while it is away"})),
        token.patch("/api/v2/users/1/", json!({"first_name": "x"})),
        token.delete("/api/v2/organizations/1/"),
        token.options("/api/v2/users/"),
        admin.get(HERE),
        admin.post("/api/v2/tokens/", json!({"scope": "read"})),
        server.as_user("nobody", "knows").get(HERE),
        browser.get(HERE),
        browser.write("POST", ORGANIZATIONS).json(json!({"name": "while it is away"})).send(),
        browser.clone().log_in(&[("username", "admin"), ("password", "password")]),
        server.anonymous().get("/api/"),
        server.anonymous().get("/api/v2/ping/"),
        token.get("/api/v2/metrics/"),
        server.anonymous().get("/readyz"),
    ]
}

/// Each response has Retry-After.
fn assert_unavailable(answers: &[Response]) {
    for answer in answers {
        assert_eq!(answer.status, 503, "{answer}");
        // Load balancers use their own interval.
        if !answer.to_string().contains("/readyz") {
            assert_eq!(answer.header("Retry-After").as_deref(), Some("5"), "{answer}");
        }
    }
}

#[test]
fn postgres_outage_answers_503_and_recovers() {
    let Some((server, mut cluster)) = start_on_cluster() else { return };
    let (token, browser) = (token(&server), Browser::logged_in(&server, "admin", "password"));
    server.organization("before");
    for _ in 0..2 {
        cluster.stop();
        until("seen as away", || server.anonymous().get("/readyz"), |answer| answer.status == 503);
        server.anonymous().get("/healthz").expect(200);
        assert_unavailable(&requests(&server, &token, &browser));
        cluster.restart();
        // The first request after the outage succeeds.
        token.get(HERE).expect(200);
        browser.get(HERE).expect(200);
        until("ready", || server.anonymous().get("/readyz"), |answer| answer.status == 200);
    }
    assert_eq!(balanced(&server).into_keys().collect::<Vec<_>>(), ["before"]);
    server.organization("after");
    assert_eq!(balanced(&server).len(), 2);
}

/// A host that is gone or hangs: no packet says that no response will come.
#[test]
fn unresponsive_postgres_times_out() {
    let Some((server, cluster)) = start_on_cluster() else { return };
    let token = token(&server);
    let name = server.database_url().and_then(|url| Some(url.rsplit_once('/')?.1.to_owned())).expect("a database");
    let mut watcher = postgres::Client::connect(&cluster.url(), NoTls).expect("a connection");
    let rows = watcher.query("SELECT pid FROM pg_stat_activity WHERE datname = $1", &[&name]).expect("connections");
    let backends: Vec<Pid> = rows.iter().filter_map(|row| Pid::from_raw(row.get(0))).collect();
    assert!(!backends.is_empty());
    for backend in &backends {
        kill_process(*backend, Signal::STOP).expect("a backend to stop");
    }
    // Each uses up one connection; then new ones are opened.
    let outcome = std::thread::scope(|scope| {
        let asked = scope.spawn(|| until("found", || token.get(HERE), |answer| answer.status == 200));
        let written = token.post(ORGANIZATIONS, json!({"name": "once"}));
        (written, asked.join())
    });
    assert!([201, 503].contains(&outcome.0.status), "{}", outcome.0);
    outcome.1.expect("a connection that works");
    for backend in &backends {
        kill_process(*backend, Signal::CONT).expect("a backend to go on");
    }
    let there = balanced(&server).contains_key("once");
    assert_eq!(there, outcome.0.status == 201, "{}", outcome.0);
}

#[test]
fn start_without_postgres_is_reported() {
    let Some(mut cluster) = Cluster::start_for_test() else { return };
    let mut server = TestServer::start_on(BINARY, &cluster);
    server.stop();
    cluster.stop();
    let output = server.command(&["serve", "--listen", "127.0.0.1:0"]).output().expect("the command runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("cannot connect to PostgreSQL at 127.0.0.1"), "{said}");
    cluster.restart();
    server.restart();
    server.organization("after");
}

/// The state during an unfinished failover.
#[test]
fn standby_serves_reads_only() {
    let Some((mut server, mut primary)) = start_on_cluster() else { return };
    server.organization("before");
    let standby = primary.standby();
    let database = server.database_url().and_then(|url| Some(url.rsplit_once('/')?.1.to_owned())).expect("a database");
    server.connect_to(format!("postgres://hostler@{},{}/{database}", primary.address(), standby.address()));
    server.restart();
    let admin = token(&server);
    server.organization("on the first");
    // Writes that the standby has not received are lost with the primary, as in every asynchronous failover.
    let mut there = postgres::Client::connect(&format!("postgres://hostler@{}/{database}", standby.address()), NoTls)
        .expect("the standby takes readers");
    let arrived = || -> i64 { there.query_one("SELECT count(*) FROM organizations", &[]).expect("a count").get(0) };
    wait_for(arrived, 2);
    primary.stop();
    let ready =
        until("seen as read-only", || server.anonymous().get("/readyz"), |answer| answer.text().contains("read-only"));
    assert_eq!(ready.status, 503);
    assert_eq!(admin.get(ORGANIZATIONS).expect(200).json()["count"], 2);
    let refused = admin.post(ORGANIZATIONS, json!({"name": "on a standby"}));
    assert_unavailable(std::slice::from_ref(&refused));
    assert_eq!(detail(&refused), "The database cannot be reached right now: try again in a few seconds.");
    standby.promote();
    until("ready", || server.anonymous().get("/readyz"), |answer| answer.status == 200);
    admin.post(ORGANIZATIONS, json!({"name": "on the second"})).expect(201);
    assert_eq!(balanced(&server).len(), 3);
}

fn wait_for(mut count: impl FnMut() -> i64, wanted: i64) {
    let deadline = std::time::Instant::now() + crate::faults::PATIENCE;
    while count() != wanted {
        assert!(std::time::Instant::now() < deadline, "the standby does not follow");
        std::thread::sleep(Duration::from_millis(20));
    }
}
