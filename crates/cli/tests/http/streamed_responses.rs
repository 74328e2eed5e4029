//! A response that is sent in parts: the OpenAPI document.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use hostler_testkit::{Backend, TestServer};
use serde_json::{Value, json};

const PATH: &str = "/api/v2/openapi.json";

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(server: &TestServer) -> Self {
        let stream = TcpStream::connect(server.base().trim_start_matches("http://")).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        Connection(BufReader::new(stream))
    }

    fn send(&mut self, method: &str, token: &str) {
        let request = format!("{method} {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).expect("a request");
    }

    /// The length of the body, from the headers of a successful response.
    fn length(&mut self) -> usize {
        let mut length = None;
        let mut lines = vec![];
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a header");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            length = length.or(line.strip_prefix("content-length: ").and_then(|length| length.parse().ok()));
            lines.push(line);
        }
        assert!(lines[0].starts_with("http/1.1 200"), "{lines:?}");
        length.unwrap_or_else(|| panic!("no length in {lines:?}"))
    }

    fn body(&mut self, length: usize) -> Value {
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("the body");
        serde_json::from_slice(&body).expect("the document")
    }
}

/// Waits until the log has this many lines about the document.
fn expect_log(log: &std::path::Path, count: usize) -> String {
    let mut text = String::new();
    for _ in 0..3000 {
        text = std::fs::read_to_string(log).expect("the log");
        if text.lines().filter(|line| line.contains(PATH)).count() == count {
            return text;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("expected {count} lines about {PATH}: {text}");
}

#[test]
fn connection_stays_open_after_streamed_response() {
    let mut server = TestServer::stopped(env!("CARGO_BIN_EXE_hostler"), Backend::Sqlite);
    let log = tempfile::NamedTempFile::new().expect("a file for the log");
    server.log_to(log.path());
    server.restart();
    let token = server.as_admin().post("/api/v2/tokens/", json!({"scope": "read"})).expect(201).json();
    let token = token["token"].as_str().expect("a token");
    let mut connection = Connection::open(&server);
    connection.send("GET", token);
    let length = connection.length();
    assert!(length > 100_000, "only {length} bytes");
    assert_eq!(connection.body(length)["openapi"], "3.1.0");
    connection.send("HEAD", token);
    assert_eq!(connection.length(), length);
    connection.send("GET", token);
    let again = connection.length();
    assert_eq!(connection.body(again)["openapi"], "3.1.0");
    // Each request is logged once, with its status and statements.
    let text = expect_log(log.path(), 3);
    for line in text.lines().filter(|line| line.contains(PATH)) {
        assert!(line.contains("status=200") && line.contains("queries=1"), "{line}");
        assert!(!line.contains("closed before"), "{line}");
    }
    // A client that leaves in the middle of a response.
    let mut leaving = Connection::open(&server);
    leaving.send("GET", token);
    leaving.length();
    drop(leaving);
    expect_log(log.path(), 4);
    connection.send("GET", token);
    let again = connection.length();
    connection.body(again);
}
