//! Listeners: several addresses, Unix sockets, and sockets of systemd.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hostler_testkit::tls::{Files, Identity};
use hostler_testkit::{ADMIN, ADMIN_PASSWORD, Backend, TestServer};
use serde_json::json;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");

/// A folder, and the path of a socket in it.
fn socket() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a directory");
    let path = folder.path().join("hostler.sock");
    (folder, path)
}

/// A server with a TCP port and a Unix socket.
fn start(path: &Path, more: &[(&str, &str)]) -> TestServer {
    let places = format!("127.0.0.1:0,unix:{}", path.display());
    TestServer::start_with(BINARY, Backend::Sqlite, &[&[("HOSTLER_LISTEN", places.as_str())], more].concat())
}

/// The response over a Unix socket to a request with these headers.
fn ask(path: &Path, request: &str, headers: &str) -> String {
    answer(UnixStream::connect(path).expect("a connection"), request, headers)
}

fn answer(mut stream: impl std::io::Read + std::io::Write, request: &str, headers: &str) -> String {
    write!(stream, "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn unix_socket_exists_while_server_runs() {
    let (_folder, path) = socket();
    let mut server = start(&path, &[]);
    assert!(ask(&path, "GET /api/v2/ping/", "").starts_with("HTTP/1.1 200 OK\r\n"));
    server.anonymous().get("/api/v2/ping/").expect(200);
    let metadata = fs::symlink_metadata(&path).expect("a socket");
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
    assert_eq!(server.remaining_stdout(), [format!("Hostler is listening on unix:{}", path.display())]);
    assert!(server.stop().success());
    let left: Vec<_> = fs::read_dir(path.parent().expect("a folder")).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn unix_socket_permissions_are_kept() {
    let (_folder, path) = socket();
    let _server = start(&path, &[("HOSTLER_LISTEN_MODE", "606")]);
    assert_eq!(fs::metadata(&path).expect("a socket").permissions().mode() & 0o777, 0o606);
}

#[test]
fn only_stale_unix_socket_is_replaced() {
    let (_folder, path) = socket();
    drop(UnixListener::bind(&path).expect("a socket that is left over"));
    let mut server = start(&path, &[]);
    assert!(ask(&path, "GET /healthz", "").starts_with("HTTP/1.1 200 "));
    assert!(refusal(&path).contains(path.to_str().expect("a path")));
    assert!(ask(&path, "GET /healthz", "").starts_with("HTTP/1.1 200 "), "the other server's socket is gone");

    // A killed server leaves its socket file.
    server.kill9();
    assert!(path.exists());
    server.restart();
    assert!(ask(&path, "GET /healthz", "").starts_with("HTTP/1.1 200 "));

    // A file that replaced the socket is not removed.
    fs::remove_file(&path).expect("a file to remove");
    fs::write(&path, "other").expect("a file");
    assert!(server.stop().success());
    assert_eq!(fs::read_to_string(&path).expect("a file"), "other");
    assert!(refusal(&path).contains("exists"));
    assert_eq!(fs::read_to_string(&path).expect("a file"), "other");
}

/// The one-line error for a socket that cannot be used.
fn refusal(path: &Path) -> String {
    let data = TempDir::new().expect("a directory");
    let mut command = hostler_testkit::command(BINARY);
    command.args(["serve", "--listen", &format!("unix:{}", path.display()), "--data"]).arg(data.path().join("data"));
    let output = command.output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(!data.path().join("data").exists(), "the data were touched");
    stderr
}

#[test]
fn unix_socket_clients_are_trusted_proxies() {
    let (_folder, path) = socket();
    let server = start(&path, &[]);
    let headers = "X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\nX-Forwarded-Proto: https\r\nAccept: text/html\r\n";
    let client = |request: &str| {
        let answer = ask(&path, request, headers);
        let id = answer.split("x-api-request-id: ").nth(1).and_then(|rest| rest.lines().next()).expect("an id");
        server.wait_for_log(&[id]);
        let log = server.stderr();
        let line = log.lines().find(|line| line.contains(id)).expect("a line");
        let client = line.split("client=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a client");
        (client.trim_matches('"').to_owned(), answer)
    };
    // REMOTE_HOST_HEADERS does not contain the header yet.
    assert_eq!(client("GET /api/login/").0, "-");
    let settings = json!({"REMOTE_HOST_HEADERS": ["HTTP_X_FORWARDED_FOR"]});
    server.as_admin().patch("/api/v2/settings/system/", settings).expect(200);
    let (address, form) = client("GET /api/login/");
    assert_eq!(address, "198.51.100.7");
    assert!(form.contains("; Secure\r\n"), "{form}");

    // Over TCP the client is not a trusted proxy.
    let network = TcpStream::connect(server.base().trim_start_matches("http://")).expect("a connection");
    assert!(!answer(network, "GET /api/login/", headers).contains("; Secure"));
}

#[test]
fn unix_socket_rejects_tls() {
    let (folder, path) = socket();
    let files = Files::below(folder.path());
    let identity = Identity::default();
    identity.write(&files);
    let server = start(&path, &files.environment());
    assert!(identity.is_presented_at(server.base().trim_start_matches("https://")));
    assert!(ask(&path, "GET /healthz", "").starts_with("HTTP/1.1 200 "));
}

/// Runs `serve` with this socket as systemd passes it: descriptor 3, with the number of sockets and the process id in
/// the environment.
fn handed(socket: OwnedFd, data: &Path) -> Command {
    const SCRIPT: &str =
        "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID; exec \"$0\" \"$@\"";
    let mut command = hostler_testkit::command("/bin/sh");
    command.args(["-c", SCRIPT, BINARY, "serve", "--data"]).arg(data).stdin(Stdio::from(socket));
    // The server would reject it.
    command.env("HOSTLER_LISTEN", "192.0.2.1:1").env("HOSTLER_ADMIN_PASSWORD", ADMIN_PASSWORD);
    command
}

#[test]
fn systemd_sockets_are_used() {
    let folder = TempDir::new().expect("a directory");
    let path = folder.path().join("hostler.sock");
    let network = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = network.local_addr().expect("its address");
    let unix = UnixListener::bind(&path).expect("a socket");
    for (socket, name) in [
        (OwnedFd::from(network.try_clone().expect("a descriptor")), format!("http://{address}")),
        (OwnedFd::from(unix.try_clone().expect("a descriptor")), format!("unix:{}", path.display())),
    ] {
        // The first request is sent before the server starts, and waits.
        let early: Box<dyn ReadWrite> = match name.starts_with("unix:") {
            true => Box::new(UnixStream::connect(&path).expect("a connection")),
            false => Box::new(TcpStream::connect(address).expect("a connection")),
        };
        let mut command = handed(socket, &folder.path().join("data"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        assert_eq!(line, format!("Hostler is listening on {name}\n"));
        assert!(answer(early, "GET /healthz", "").starts_with("HTTP/1.1 200 "));
        stop(&mut child);
        assert!(path.exists(), "it is systemd's to remove");
    }
}

trait ReadWrite: std::io::Read + std::io::Write {}
impl<T: std::io::Read + std::io::Write> ReadWrite for T {}

fn stop(child: &mut std::process::Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::TERM)
        .expect("a signal");
    assert!(child.wait().expect("an end").success());
}

#[test]
fn non_listening_sockets_are_rejected() {
    let folder = TempDir::new().expect("a directory");
    let socket = UnixDatagram::bind(folder.path().join("datagrams")).expect("a socket");
    let output = handed(socket.into(), &folder.path().join("data")).output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("LISTEN_FDS") && !folder.path().join("data").exists(), "{stderr}");
}

/// The notifications of the server, until one is this line.
fn notifications(socket: &UnixDatagram, last: &str) -> Vec<String> {
    let mut lines = vec![];
    while lines.last().is_none_or(|line| line != last) {
        let mut bytes = [0; 1024];
        let length = socket.recv(&mut bytes).unwrap_or_else(|problem| panic!("no {last} after {lines:?}: {problem}"));
        lines.extend(String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned));
    }
    lines
}

#[test]
fn systemd_is_notified() {
    let folder = TempDir::new().expect("a directory");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).expect("a timeout");
    let environment = [("NOTIFY_SOCKET", path.to_str().expect("a path")), ("WATCHDOG_USEC", "3000000")];
    let mut server = TestServer::start_with(BINARY, Backend::Sqlite, &environment);
    assert_eq!(notifications(&socket, "READY=1"), ["READY=1"]);
    notifications(&socket, "WATCHDOG=1");
    notifications(&socket, "WATCHDOG=1");
    server.reload();
    let lines: Vec<_> = notifications(&socket, "READY=1").into_iter().filter(|line| line != "WATCHDOG=1").collect();
    assert_eq!(lines[0], "RELOADING=1");
    assert!(lines[1].starts_with("MONOTONIC_USEC="), "{lines:?}");
    server.as_user(ADMIN, ADMIN_PASSWORD).get("/api/v2/me/").expect(200);
    assert!(server.stop().success());
    notifications(&socket, "STOPPING=1");
}
