//! `/api/v2/metrics/`: permissions, formats and counts.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hostler_testkit::{Backend, Browser, PASSWORD, Response, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    metrics_require_superuser_or_auditor,
    anonymous_metrics_follow_setting,
    metrics_as_text_or_json,
    object_counts_take_one_statement,
    requests_are_counted_by_route,
    failed_logins_are_counted,
    failing_task_is_counted,
);

const METRICS: &str = "/api/v2/metrics/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn as_text(server: &TestServer) -> Response {
    server.as_admin().request("GET", METRICS).header("Accept", "*/*").send().expect(200)
}

/// The samples of the text, by name and labels.
fn samples(server: &TestServer) -> BTreeMap<String, f64> {
    let text = as_text(server).text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?} is no sample"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line:?} has no value")))
        })
        .collect()
}

fn value(samples: &BTreeMap<String, f64>, name: &str) -> f64 {
    *samples.get(name).unwrap_or_else(|| panic!("{name} is not in {samples:#?}"))
}

fn metrics_require_superuser_or_auditor(backend: Backend) {
    let server = start(backend);
    let auditor = server.user_with("auditor", json!({"is_system_auditor": true}));
    let ann = server.user("ann");
    server.as_admin().get(METRICS).expect(200);
    auditor.client.get(METRICS).expect(200);
    auditor.token("read").get(METRICS).expect(200);
    ann.client.get(METRICS).expect(403);
    server.anonymous().get(METRICS).expect(401);
    server.as_admin().post(METRICS, json!({})).expect(405);
    let root = server.anonymous().get("/api/v2/").expect(200).json();
    assert_eq!(root["metrics"], METRICS);
}

fn anonymous_metrics_follow_setting(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    server.configure("authentication", json!({"ALLOW_METRICS_FOR_ANONYMOUS_USERS": true}));
    server.anonymous().get(METRICS).expect(200);
    ann.client.get(METRICS).expect(200);
    server.with_token("wrong").get(METRICS).expect(401);
    server.anonymous().post(METRICS, json!({})).expect(405);
    server.configure("authentication", json!({"ALLOW_METRICS_FOR_ANONYMOUS_USERS": false}));
    server.anonymous().get(METRICS).expect(401);
    ann.client.get(METRICS).expect(403);
}

fn metrics_as_text_or_json(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    for accept in ["*/*", "text/plain", prometheus] {
        let answer = admin.request("GET", METRICS).header("Accept", accept).send().expect(200);
        assert_eq!(answer.header("Content-Type").as_deref(), Some("text/plain; charset=utf-8"), "{accept}");
        assert!(answer.text().contains("# TYPE awx_users_total gauge\nawx_users_total 1\n"), "{accept}: {answer}");
    }
    assert!(admin.get(&format!("{METRICS}?format=txt")).expect(200).text().starts_with("# HELP "));
    for answer in [admin.get(METRICS), admin.get(&format!("{METRICS}?format=json"))] {
        let body = answer.expect(200).json();
        assert_eq!(body["awx_users_total"]["type"], "gauge");
        assert_eq!(body["awx_users_total"]["samples"], json!([{"labels": {}, "value": 1.0}]));
        let parts = body["hostler_http_request_duration_seconds"]["samples"].as_array().expect("samples").clone();
        assert!(parts.iter().any(|sample| sample["sample_type"] == "sum"), "{parts:?}");
    }
    let page = admin.request("GET", METRICS).header("Accept", "text/html").send().expect(200);
    assert!(page.text().contains("awx_users_total"), "{page}");
    admin.request("GET", METRICS).header("Accept", "image/png").send().expect(406);
    let half = admin.get(&format!("{METRICS}?dbonly=1")).expect(200).json();
    assert!(half.get("awx_users_total").is_some() && half.get("hostler_http_requests_total").is_none());
    let half = admin.get(&format!("{METRICS}?subsystemonly=1")).expect(200).json();
    assert!(half.get("awx_users_total").is_none() && half.get("hostler_http_requests_total").is_some());
}

fn object_counts_take_one_statement(backend: Backend) {
    let server = start(backend);
    // The first request with a password is more expensive.
    server.as_admin().get(METRICS).expect(200);
    let before = server.as_admin().get(METRICS).expect(200).queries();
    let home = server.organization("home");
    server.team("ops", home);
    server.team("more", home);
    server.user("ann");
    server.as_admin().create("/api/v2/projects/", json!({"name": "site", "organization": home}));
    Browser::logged_in(&server, "ann", PASSWORD);
    let found = samples(&server);
    for (name, expected) in [
        ("awx_organizations_total", 1.0),
        ("awx_users_total", 2.0),
        ("awx_teams_total", 2.0),
        ("awx_projects_total", 1.0),
        ("awx_sessions_total{type=\"all\"}", 1.0),
        ("awx_sessions_total{type=\"user\"}", 1.0),
        ("awx_sessions_total{type=\"anonymous\"}", 0.0),
    ] {
        assert_eq!(value(&found, name), expected, "{name}");
    }
    let system = found.keys().find(|name| name.starts_with("awx_system_info{")).expect("the system");
    let ping = server.anonymous().get("/api/v2/ping/").expect(200).json();
    let id = format!("install_uuid={}", ping["install_uuid"]);
    assert!(system.contains(&id) && system.contains("tower_version=\"24.6.1\""), "{system}");
    assert_eq!(server.as_admin().get(METRICS).expect(200).queries(), before);
}

fn requests_are_counted_by_route(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for path in ["/api/v2/users/1/", "/api/v2/users/4711/", "/api/v2/users/admin/", "/api/v2/users/1/teams/"] {
        admin.get(path);
    }
    server.anonymous().get("/secret-path-that-nobody-knows/");
    server.send_raw(b"BREW /api/v2/users/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let found = samples(&server);
    let requests = |route: &str, method: &str, status: u16| {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        value(&found, &format!("hostler_http_requests_total{{{labels}}}"))
    };
    assert_eq!(requests("v2/users/{id}/", "GET", 200), 2.0);
    assert_eq!(requests("v2/users/{id}/teams/", "GET", 200), 1.0);
    assert_eq!(requests("unknown", "GET", 404), 1.0);
    assert!(found.keys().any(|name| name.contains("method=\"other\",route=\"v2/users/\"")), "{found:#?}");
    let labels = "method=\"GET\",route=\"v2/users/{id}/\"";
    let all = value(&found, &format!("hostler_http_request_duration_seconds_count{{{labels}}}"));
    assert_eq!(all, 3.0);
    assert_eq!(value(&found, &format!("hostler_http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}}")), all);
    assert!(value(&found, &format!("hostler_http_request_duration_seconds_sum{{{labels}}}")) > 0.0);
    assert!(value(&found, "hostler_database_statements_total") > 0.0);
    assert!(value(&found, "process_resident_memory_bytes") > 1e6);
    // Without the values and the id of the installation, which may contain any digits.
    for name in found.keys().filter(|name| name.starts_with("hostler_")) {
        for made_up in ["secret-path", "BREW", "4711", "admin"] {
            assert!(!name.contains(made_up), "{made_up} is in {name}");
        }
    }
}

fn failed_logins_are_counted(backend: Backend) {
    let server = start(backend);
    server.as_user("admin", "wrong").get("/api/v2/me/").expect(401);
    server.as_user("nobody", "wrong").get("/api/v2/me/").expect(401);
    server.with_token("wrong").get("/api/v2/me/").expect(401);
    server.anonymous().get("/api/v2/me/").expect(401);
    Browser::open(&server).log_in(&[("username", "admin"), ("password", "wrong")]).expect(401);
    let found = samples(&server);
    for (by, expected) in [("basic", 2.0), ("token", 1.0), ("login", 1.0)] {
        assert_eq!(value(&found, &format!("hostler_sign_in_failures_total{{by=\"{by}\"}}")), expected, "{by}");
    }
}

/// The lines that the server has logged up to the line with these words.
fn log_of(server: &TestServer, words: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let log = server.stderr();
        if log.lines().any(|line| line.contains(words)) {
            return log;
        }
        assert!(Instant::now() < deadline, "{words:?} is not in the log:\n{log}");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn slow_requests_are_logged() {
    let start = |slow| {
        TestServer::start_with(env!("CARGO_BIN_EXE_hostler"), Backend::Sqlite, &[("HOSTLER_SLOW_REQUEST", slow)])
    };
    // A wrong password takes as long as its hash.
    let server = start("1");
    server.as_user("admin", "wrong-and-secret").get("/api/v2/me/?first_name=personal").expect(401);
    let log = log_of(&server, "slow request");
    let line = log.lines().find(|line| line.contains("slow request")).expect("the line");
    assert!(line.contains("WARN") && line.contains("/api/v2/me/") && line.contains("client=\"127.0.0.1\""), "{line}");
    assert!(!log.contains("personal") && !log.contains("wrong-and-secret"), "{log}");
    let server = start("0");
    server.as_user("admin", "wrong-and-secret").get("/api/v2/me/").expect(401);
    assert!(!log_of(&server, "/api/v2/me/").contains("slow request"));
}

fn failing_task_is_counted(backend: Backend) {
    let mut server = start(backend);
    let complete = "hostler_task_runs_total{result=\"complete\",task=\"delete_expired_sessions\"}";
    let until = |server: &TestServer, name: &str, expected: f64| {
        for _ in 0..3000 {
            if samples(server).get(name) == Some(&expected) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("{name} is not {expected}: {:#?}", samples(server));
    };
    until(&server, complete, 1.0);
    assert_eq!(value(&samples(&server), "hostler_tasks_failing"), 0.0);
    let past = if backend == Backend::Sqlite { "1" } else { "'2001-01-01T00:00:00Z'" };
    // Arguments that this version cannot read, as another one may have stored them.
    server.execute(&format!(
        "INSERT INTO tasks (name, arguments, created, next_run) VALUES ('delete_expired_sessions', '1', {past}, {past})"
    ));
    let log = tempfile::NamedTempFile::new().expect("a file for the log");
    server.log_to(log.path());
    server.restart();
    until(&server, "hostler_tasks_failing", 1.0);
    until(&server, "hostler_tasks_unfinished", 1.0);
    until(&server, "hostler_task_runs_total{result=\"failed\",task=\"delete_expired_sessions\"}", 1.0);
    // Others still run.
    until(&server, complete, 1.0);
    let log = std::fs::read_to_string(log.path()).expect("the log");
    assert!(log.contains("task failed"), "{log}");
}
