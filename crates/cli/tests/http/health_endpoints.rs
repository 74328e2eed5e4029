//! The health endpoints `/healthz` and `/readyz`.

use hostler_testkit::{Backend, Response, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    health_endpoints_are_public,
    other_schema_version_is_not_ready,
    missing_key_is_not_ready,
    missing_database_is_not_ready,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn health_endpoints_are_public(backend: Backend) {
    let server = start(backend);
    let live = server.anonymous().get("/healthz").expect(200);
    assert_eq!(live.json(), json!({"status": "live"}));
    let ready = server.anonymous().get("/readyz").expect(200);
    assert_eq!(ready.json(), json!({"status": "ready"}));
    for answer in [live, ready] {
        assert_eq!(answer.header("Cache-Control").as_deref(), Some("no-store"), "{answer}");
    }
    server.with_token("wrong").get("/readyz").expect(200);
    server.anonymous().post("/readyz", json!({})).expect(405);
    server.anonymous().get("/readyz/").expect(404);
}

/// The response of `/readyz` after a change of state; the previous result is cached for a second.
fn broken(server: &TestServer) -> Response {
    server.anonymous().get("/healthz").expect(200);
    server.anonymous().get("/readyz").expect(503)
}

fn reasons(answer: &Response) -> serde_json::Value {
    let body = answer.json();
    assert_eq!(body["status"], "not ready");
    body["reasons"].clone()
}

fn other_schema_version_is_not_ready(backend: Backend) {
    let server = start(backend);
    server.execute(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
         VALUES (2000000000, 'from_the_future', '2999-01-01T00:00:00Z', '1')",
    );
    let expected = json!(["The schema of the database belongs to another version of Hostler."]);
    assert_eq!(reasons(&broken(&server)), expected);
}

fn missing_key_is_not_ready(backend: Backend) {
    let server = start(backend);
    server.execute("UPDATE vault SET current_key = '0123456789abcdef'");
    let answer = broken(&server);
    assert_eq!(reasons(&answer), json!(["The key that encrypts secrets is missing."]));
    for secret in ["0123456789abcdef", server.data().to_str().expect("a path")] {
        assert!(!answer.text().contains(secret), "{answer}");
    }
}

fn missing_database_is_not_ready(backend: Backend) {
    let server = start(backend);
    match &backend {
        // Simulates a damaged database file: the table is missing.
        Backend::Sqlite => server.execute("DROP TABLE refinery_schema_history"),
        Backend::Postgres => server.reject_connections(),
    }
    assert_eq!(reasons(&broken(&server)), json!(["The database does not respond."]));
}
