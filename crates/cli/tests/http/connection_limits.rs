//! Timeouts of clients and of the shutdown.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use hostler_testkit::{Backend, TestServer};

const FOREVER: &str = "3600";

fn start(environment: &[(&str, &str)]) -> TestServer {
    TestServer::start_with(env!("CARGO_BIN_EXE_hostler"), Backend::Sqlite, environment)
}

fn connect(server: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(server.base().trim_start_matches("http://")).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    stream
}

/// Waits until the server closes the connection, and returns what it sent before.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = vec![];
    match stream.read_to_end(&mut bytes) {
        Err(problem) if problem.kind() != ErrorKind::ConnectionReset => {
            panic!("the connection is still open: {problem}")
        }
        _ => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

#[test]
fn slow_headers_time_out() {
    let server = start(&[("HOSTLER_HEADER_TIMEOUT", "1"), ("HOSTLER_IDLE_TIMEOUT", FOREVER)]);
    let mut slow = connect(&server);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: local").expect("a beginning");
    assert_eq!(rest(slow), "");

    // The same after another request on the connection, and byte by byte.
    let mut slow = connect(&server);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut writer = slow.try_clone().expect("a descriptor");
    let drip = std::thread::spawn(move || {
        for byte in b"GET /healthz HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
            sleep(Duration::from_millis(50));
            if writer.write_all(&[*byte]).is_err() {
                return;
            }
        }
    });
    assert!(rest(slow).starts_with("HTTP/1.1 200 "));
    drip.join().expect("no panic");
}

#[test]
fn idle_timeout_exceeds_header_timeout() {
    let server = start(&[("HOSTLER_HEADER_TIMEOUT", "1"), ("HOSTLER_IDLE_TIMEOUT", FOREVER)]);
    let mut stream = connect(&server);
    let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
    for _ in 0..2 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
        let mut line = String::new();
        reader.read_line(&mut line).expect("an answer");
        assert_eq!(line, "HTTP/1.1 200 OK\r\n");
        while line != "{\"status\":\"live\"}" {
            line.clear();
            let mut bytes = [0; 17];
            if reader.fill_buf().is_ok_and(|buffer| buffer.starts_with(b"{")) {
                reader.read_exact(&mut bytes).expect("a body");
                line = String::from_utf8_lossy(&bytes).into_owned();
            } else {
                reader.read_line(&mut line).expect("a header");
            }
        }
        sleep(Duration::from_millis(1500));
    }
}

#[test]
fn idle_connections_are_closed() {
    let server = start(&[("HOSTLER_IDLE_TIMEOUT", "1")]);
    let silent = connect(&server);
    let mut used = connect(&server);
    used.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    assert_eq!(rest(silent), "");
    assert!(rest(used).ends_with("{\"status\":\"live\"}"));
}

#[test]
fn oversized_headers_are_rejected() {
    let server = start(&[]);
    for (header, status) in [("x".repeat(60_000), "200"), ("x".repeat(70_000), "431")] {
        let mut stream = connect(&server);
        let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: {header}\r\n\r\n");
        // The server may close before it has read the whole request.
        let _ = stream.write_all(request.as_bytes());
        assert!(rest(stream).starts_with(&format!("HTTP/1.1 {status} ")), "{status}");
    }
}

/// A request whose body does not arrive.
fn endless(server: &TestServer) -> TcpStream {
    let mut stream = connect(server);
    let head = "POST /api/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("a head");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("to be asked for the body");
    assert_eq!(answer.as_slice(), b"HTTP/1.1 100");
    stream
}

#[test]
fn shutdown_has_a_deadline() {
    let mut server = start(&[("HOSTLER_STOP_TIMEOUT", "1")]);
    let stream = endless(&server);
    server.terminate();
    server.wait_for_log(&["WARN", "closing connections with unfinished requests", "connections=1"]);
    assert!(server.wait().success());
    assert_eq!(rest(stream), " Continue\r\n\r\n");
}

#[test]
fn second_signal_exits_immediately() {
    let mut server = start(&[("HOSTLER_STOP_TIMEOUT", FOREVER)]);
    let stream = endless(&server);
    server.terminate();
    server.wait_for_log(&["stopping"]);
    server.terminate();
    server.wait_for_log(&["WARN", "closing connections with unfinished requests", "connections=1"]);
    assert!(server.wait().success());
    assert_eq!(rest(stream), " Continue\r\n\r\n");
}
