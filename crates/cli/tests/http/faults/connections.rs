//! Slow, silent and disconnected clients.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use hostler_testkit::skip::skip_forbidden;
use hostler_testkit::{Backend, TestServer};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::faults::{BINARY, HERE, PATIENCE, start, token};

const CONNECTIONS: usize = 5_000;
/// The memory limit for an idle connection, in bytes: its buffers and its task.
const EACH: u64 = 16 << 10;

fn connect(server: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(server.base().trim_start_matches("http://")).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Raises the limit of open files of this process; skips the test if that is not allowed.
fn may_open(files: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < files) {
        skip_forbidden(&format!("a process may not open {files} files here"));
        return false;
    }
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(files), ..limit }).expect("more open files");
    true
}

/// The memory of the server, in bytes.
fn memory(server: &TestServer) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("the process in /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn open_files(server: &TestServer) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.id())).expect("the process in /proc").count()
}

fn wait_until_files(server: &TestServer, holds: impl Fn(usize) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds(open_files(server)) {
        assert!(Instant::now() < deadline, "{} open files", open_files(server));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn thousands_of_silent_connections_do_not_block() {
    if !may_open(CONNECTIONS as u64 + 1_000) {
        return;
    }
    // Includes the time to open all of them.
    let limits = [("HOSTLER_IDLE_TIMEOUT", "3600"), ("HOSTLER_HEADER_TIMEOUT", "3600")];
    let server = TestServer::start_with(BINARY, Backend::Sqlite, &limits);
    let admin = token(&server);
    for _ in 0..100 {
        admin.get(HERE).expect(200);
    }
    let (before, files) = (memory(&server), open_files(&server));
    let silent: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|number| {
            let mut stream = connect(&server);
            // Some have sent nothing, some an incomplete request.
            if number % 2 == 0 {
                stream.write_all(b"GET /api/v2/me/ HTTP/1.1\r\nHost: loc").expect("half a request");
            }
            stream
        })
        .collect();
    wait_until_files(&server, |open| open >= CONNECTIONS);
    for _ in 0..100 {
        admin.get(HERE).expect(200);
    }
    server.organization("among thousands");
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < CONNECTIONS as u64 * EACH, "{CONNECTIONS} connections take {} MiB", grown >> 20);
    drop(silent);
    wait_until_files(&server, |open| open <= files + 10);
    admin.get(HERE).expect(200);
}

#[test]
fn silent_connections_are_dropped() {
    let limits = [("HOSTLER_IDLE_TIMEOUT", "1"), ("HOSTLER_HEADER_TIMEOUT", "1")];
    let server = TestServer::start_with(BINARY, Backend::Sqlite, &limits);
    let admin = token(&server);
    let files = open_files(&server);
    // Clients whose machine is gone, as the server sees them: connected, but silent.
    let gone: Vec<TcpStream> = (0..100)
        .map(|number| {
            let mut stream = connect(&server);
            let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he";
            stream.write_all(&request[..number % request.len()]).expect("a part of a request");
            stream
        })
        .collect();
    // Connections time out before they are counted only on a machine that is stalled.
    wait_until_files(&server, |open| open >= files + gone.len() / 2);
    wait_until_files(&server, |open| open <= files + 10);
    admin.get(HERE).expect(200);
    drop(gone);
}

#[test]
fn slow_body_times_out() {
    let server = start(Backend::Sqlite);
    let admin = token(&server);
    let mut slow = connect(&server);
    let head = "POST /api/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";
    slow.write_all(head.as_bytes()).expect("a head");
    let mut writer = slow.try_clone().expect("a descriptor");
    let drip = thread::spawn(move || {
        while writer.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let mut answer = vec![];
    match slow.read_to_end(&mut answer) {
        Err(problem) if problem.kind() != ErrorKind::ConnectionReset => panic!("it is still waited for: {problem}"),
        _ => {}
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.ends_with("{\"detail\":\"The request's body did not arrive in time.\"}"), "{answer}");
    drip.join().expect("no panic");
    admin.get(HERE).expect(200);
}
