//! REMOTE_HOST_HEADERS and PROXY_IP_ALLOWED_LIST: which address counts as the client's.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::json;

use crate::settings::{SYSTEM, set, start};

on_each_backend!(forwarded_address_counts_only_from_trusted_proxy);

/// The client's address in the log, for a request with this forwarded address.
fn logged(server: &TestServer, forwarded: &str) -> String {
    let answer =
        server.anonymous().request("GET", "/api/v2/ping/").header("X-Forwarded-For", forwarded).send().expect(200);
    let id = answer.header("X-API-Request-Id").expect("an id");
    // The line is written before the response, and read a moment later.
    for _ in 0..1000 {
        if let Some(line) = server.stderr().lines().find(|line| line.contains(&id)) {
            let rest = line.split("client=").nth(1).expect("an address in the line");
            return rest.split(' ').next().unwrap_or_default().trim_matches('"').to_owned();
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("the log has no line for {id}:\n{}", server.stderr());
}

fn forwarded_address_counts_only_from_trusted_proxy(backend: Backend) {
    let server = start(backend);
    assert_eq!(logged(&server, "198.51.100.7"), "127.0.0.1");
    let headers = json!(["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"]);
    set(&server, SYSTEM, json!({"REMOTE_HOST_HEADERS": headers}));
    // AWX would trust any client in this state.
    assert_eq!(logged(&server, "198.51.100.7"), "127.0.0.1");
    set(&server, SYSTEM, json!({"PROXY_IP_ALLOWED_LIST": ["127.0.0.0/8"]}));
    assert_eq!(logged(&server, "198.51.100.7"), "198.51.100.7");
    assert_eq!(logged(&server, "203.0.113.9, 198.51.100.7, 127.0.0.9"), "198.51.100.7");
    set(&server, SYSTEM, json!({"REMOTE_HOST_HEADERS": ["REMOTE_ADDR"]}));
    assert_eq!(logged(&server, "198.51.100.7"), "127.0.0.1");
}
