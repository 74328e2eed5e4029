//! A PostgreSQL server that fails during a change.

use std::thread;
use std::time::{Duration, Instant};

use hostler_testkit::{Client, Cluster, Response, TestServer};
use postgres::NoTls;
use serde_json::json;

use crate::faults::activity_entries::balanced;
use crate::faults::{ORGANIZATIONS, PATIENCE, detail, start_on_cluster, token, until};

const NOT_MADE: &str = "The database cannot be reached right now: try again in a few seconds.";
const MAY_BE_MADE: &str = "may have been made or not";

/// The test's own connection.
fn connect(server: &TestServer) -> postgres::Client {
    postgres::Client::connect(&server.database_url().expect("PostgreSQL"), NoTls).expect("a connection")
}

/// Begins to create an organization, runs `then` once a statement waits for `waiting`, and returns the
/// client's response.
fn interrupted(
    admin: &Client,
    watcher: &mut postgres::Client,
    waiting: &str,
    name: &str,
    then: impl FnOnce(&mut postgres::Client, i32),
) -> Response {
    thread::scope(|scope| {
        let writing = scope.spawn(|| admin.post(ORGANIZATIONS, json!({"name": name})));
        let deadline = Instant::now() + PATIENCE;
        let sql = "SELECT pid FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type || wait_event = $1";
        let process = loop {
            if let Some(row) = watcher.query_opt(sql, &[&waiting]).expect("what waits") {
                break row.get(0);
            }
            assert!(!writing.is_finished(), "nothing waited: {}", writing.join().expect("an answer"));
            assert!(Instant::now() < deadline, "nothing waits");
            thread::sleep(Duration::from_millis(5));
        };
        then(watcher, process);
        writing.join().expect("an answer")
    })
}

fn terminate(watcher: &mut postgres::Client, process: i32) {
    watcher.execute("SELECT pg_terminate_backend($1)", &[&process]).expect("the connection is ended");
}

/// The row is written, and its activity entry is not written yet.
fn interrupt_half_way(server: &TestServer, admin: &Client, name: &str) -> Response {
    let mut watcher = connect(server);
    let mut blocker = connect(server);
    let mut lock = blocker.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE activity IN EXCLUSIVE MODE").expect("a lock");
    interrupted(admin, &mut watcher, "Lockrelation", name, terminate)
}

#[test]
fn aborted_transaction_is_rolled_back() {
    let Some((server, _cluster)) = start_on_cluster() else { return };
    let admin = token(&server);
    let answer = interrupt_half_way(&server, &admin, "half");
    assert_eq!((answer.status, detail(&answer).as_str()), (503, NOT_MADE), "{answer}");
    assert!(balanced(&server).is_empty());
    admin.post(ORGANIZATIONS, json!({"name": "half"})).expect(201);
    assert_eq!(balanced(&server).len(), 1);
}

/// The server has committed, and its response is lost.
#[test]
fn unknown_commit_is_reported_as_unknown() {
    let Some((server, cluster)) = start_on_cluster() else { return };
    let admin = token(&server);
    let mut watcher = connect(&server);
    // Commits wait for a standby that does not exist.
    wait_for_standby(&cluster, true);
    // Connections of the server use the setting too.
    let answer = interrupted(&admin, &mut watcher, "IPCSyncRep", "unknown", terminate);
    assert_eq!(answer.status, 503, "{answer}");
    assert!(detail(&answer).contains(MAY_BE_MADE), "{answer}");
    assert!(answer.header("Retry-After").is_some(), "{answer}");
    wait_for_standby(&cluster, false);
    // The organization was committed, with all that belongs to it.
    assert_eq!(balanced(&server).into_keys().collect::<Vec<_>>(), ["unknown"]);
    admin.post(ORGANIZATIONS, json!({"name": "known"})).expect(201);
    assert_eq!(balanced(&server).len(), 2);
}

fn wait_for_standby(cluster: &Cluster, waits: bool) {
    let mut operator = postgres::Client::connect(&cluster.url(), NoTls).expect("a connection");
    let (names, commit) = if waits { ("nobody", "on") } else { ("", "off") };
    // Separate statements, because this cannot run in a transaction.
    for statement in [
        "SET synchronous_commit = off".to_owned(),
        format!("ALTER ROLE hostler SET synchronous_commit = {commit}"),
        format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"),
        "SELECT pg_reload_conf()".to_owned(),
    ] {
        operator.batch_execute(&statement).expect("PostgreSQL takes the setting");
    }
    // A setting of a role applies to new connections.
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE backend_type = 'client backend' AND state = 'idle' AND application_name = 'hostler'";
    operator.query(sql, &[]).expect("the connections are ended");
}

#[test]
fn writes_resume_after_failover() {
    let Some((server, mut cluster)) = start_on_cluster() else { return };
    let admin = token(&server);
    let answers: Vec<Vec<(String, Response)>> = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let admin = admin.clone();
                scope.spawn(move || write(&admin, writer))
            })
            .collect();
        // During the requests.
        until("some were made", || admin.get(ORGANIZATIONS), |answer| answer.json()["count"].as_u64() > Some(20));
        cluster.stop();
        thread::sleep(Duration::from_millis(100));
        cluster.restart();
        writers.into_iter().map(|writer| writer.join().expect("a writer")).collect()
    });
    let rows = balanced(&server);
    let mut refused = 0;
    for (name, answer) in answers.iter().flatten() {
        match answer.status {
            201 => assert!(rows.contains_key(name), "the response was 201: {name}"),
            503 if detail(answer) == NOT_MADE => {
                refused += 1;
                assert!(!rows.contains_key(name), "the response was an error: {name}");
            }
            503 => assert!(detail(answer).contains(MAY_BE_MADE), "{answer}"),
            _ => panic!("{answer}"),
        }
    }
    assert!(refused > 0, "the server was not stopped during a request");
    let last = answers.iter().filter_map(|answers| answers.last());
    for (name, answer) in last {
        assert!(answer.status == 201 && rows.contains_key(name), "not recovered: {answer}");
    }
}

/// Creates organizations until enough were created after the first failure.
fn write(admin: &Client, writer: usize) -> Vec<(String, Response)> {
    let deadline = Instant::now() + PATIENCE;
    let mut answers = vec![];
    let mut since_refused = None;
    while since_refused < Some(5) {
        assert!(Instant::now() < deadline, "timeout: {since_refused:?} since a rejection");
        let name = format!("{writer}-{}", answers.len());
        let answer = admin.post(ORGANIZATIONS, json!({"name": name}));
        match (answer.status, &mut since_refused) {
            (201, Some(count)) => *count += 1,
            (201, None) => {}
            _ => {
                since_refused = Some(0);
                thread::sleep(Duration::from_millis(20));
            }
        }
        answers.push((name, answer));
    }
    answers
}
