//! Expired rows are deleted in the background.

use std::thread::sleep;
use std::time::Duration;

use hostler_testkit::{Backend, Browser, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(expired_tokens_and_sessions_are_deleted);

fn expired_tokens_and_sessions_are_deleted(backend: Backend) {
    let mut server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let application = json!({
        "name": "app", "organization": server.organization("Acme"), "client_type": "confidential",
        "authorization_grant_type": "password",
    });
    let application = admin.create("/api/v2/applications/", application);
    let token = |description: &str, application: Option<i64>| {
        admin
            .create("/api/v2/tokens/", json!({"scope": "read", "description": description, "application": application}))
    };
    // More rows than one batch.
    let rows: Vec<_> = (0..250).map(|number| format!("('{number}')")).collect();
    token("refreshable", Some(application));
    let used_up = token("used up", Some(application));
    token("past", None);
    Browser::logged_in(&server, "admin", "password");
    let past = if backend == Backend::Sqlite { "1" } else { "'2001-01-01T00:00:00Z'" };
    server.execute(&format!(
        "INSERT INTO tokens (user_id, created, modified, digest, expires) SELECT 1, created, created, d.column1, {past} \
         FROM users, (VALUES {}) AS d WHERE users.id = 1",
        rows.join(", ")
    ));
    server.execute(&format!("UPDATE tokens SET expires = {past}"));
    server.execute(&format!("UPDATE sessions SET expires = {past}"));
    server.execute(&format!("UPDATE refresh_tokens SET expires = {past} WHERE token_id = {used_up}"));
    token("good", None);
    let kept = Browser::logged_in(&server, "admin", "password");
    server.restart();
    let left = || {
        let tokens = server.as_admin().results("/api/v2/tokens/?order_by=id&description__isnull=false&page_size=200");
        tokens.iter().map(|token| token["description"].as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    // The cleanup begins at start and takes a moment.
    let count = || server.as_admin().get("/api/v2/tokens/").expect(200).json()["count"].as_i64().expect("a number");
    for _ in 0..3000 {
        if count() == 2 {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    assert_eq!(left(), ["refreshable", "good"]);
    kept.get("/api/v2/me/").expect(200);
    server.as_admin().delete(&format!("/api/v2/applications/{application}/")).expect(204);
}
