//! TLS listeners: certificates, their replacement, and clients without TLS.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use hostler_testkit::tls::{Files, Identity, replace};
use hostler_testkit::{ADMIN_PASSWORD, Backend, TestServer};
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");

/// A server with a certificate.
struct Secured {
    server: TestServer,
    identity: Identity,
    files: Files,
    _folder: TempDir,
}

fn start(more: &[(&str, &str)]) -> Secured {
    let folder = TempDir::new().expect("a directory");
    let files = Files::below(folder.path());
    let identity = Identity::default();
    identity.write(&files);
    let environment = [&files.environment(), more].concat();
    let server = TestServer::start_with(BINARY, Backend::Sqlite, &environment);
    Secured { server, identity, files, _folder: folder }
}

impl Secured {
    /// Such as `127.0.0.1:40123`.
    fn address(&self) -> String {
        self.server.base().strip_prefix("https://").expect("it listens for https").to_owned()
    }

    /// The raw response to a request with these headers.
    fn ask(&self, request: &str, headers: &str) -> String {
        let connection = self.identity.connect(&self.address(), rustls::ALL_VERSIONS, &["http/1.1"]);
        let request = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        connection.and_then(|connection| connection.send(&request)).expect("an answer")
    }
}

#[test]
fn tls_1_2_and_1_3_are_accepted() {
    let secured = start(&[]);
    for version in [&TLS12, &TLS13] {
        let connection = secured.identity.connect(&secured.address(), &[version], &["h2", "http/1.1"]);
        let connection = connection.expect("an agreement");
        assert_eq!(connection.protocol().as_deref(), Some("http/1.1"));
        let answer = connection.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert!(answer.expect("an answer").starts_with("HTTP/1.1 200 OK\r\n"));
    }
    assert!(secured.identity.connect(&secured.address(), &[&TLS13], &["h2"]).is_err(), "it speaks no HTTP/2");
}

#[test]
fn hsts_header_is_sent() {
    let secured = start(&[]);
    let form = secured.ask("GET /api/login/", "Accept: text/html\r\n");
    let cookies: Vec<&str> = form.lines().filter(|line| line.starts_with("set-cookie: ")).collect();
    assert!(!cookies.is_empty() && cookies.iter().all(|cookie| cookie.ends_with("; Secure")), "{form}");
    assert!(form.contains("\r\nstrict-transport-security: max-age=15768000\r\n"), "{form}");

    let shorter = start(&[("HOSTLER_HSTS", "0")]);
    let form = shorter.ask("GET /api/login/", "Accept: text/html\r\n");
    assert!(form.contains("; Secure\r\n") && !form.contains("strict-transport-security"), "{form}");

    let plain = TestServer::start(BINARY, Backend::Sqlite);
    assert_eq!(plain.anonymous().get("/api/").header("Strict-Transport-Security"), None);
}

#[test]
fn form_origin_must_be_https() {
    let secured = start(&[]);
    let form = secured.ask("GET /api/login/", "Accept: text/html\r\n");
    let token = form.split("csrftoken=").nth(1).and_then(|rest| rest.split(';').next()).expect("a cookie");
    let body = format!("username=admin&password={ADMIN_PASSWORD}&csrfmiddlewaretoken={token}");
    for (origin, status) in [("https://localhost", "302"), ("http://localhost", "403")] {
        let headers = format!(
            "Origin: {origin}\r\nCookie: csrftoken={token}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = secured.ask("POST /api/login/", &headers);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{origin}: {answer}");
    }
}

#[test]
fn renewed_certificate_is_used_without_restart() {
    let secured = start(&[]);
    let address = secured.address();
    let mut open = secured.identity.connect(&address, rustls::ALL_VERSIONS, &[]).expect("a connection");

    let second = Identity::default();
    second.write(&secured.files);
    secured.server.reload();
    secured.server.wait_for_log(&["reloaded the TLS certificate"]);
    assert!(second.is_presented_at(&address) && !secured.identity.is_presented_at(&address));

    // This change is not signalled to the server.
    let third = Identity::default();
    third.write(&secured.files);
    let is_shown = (0..3000).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        third.is_presented_at(&address)
    });
    assert!(is_shown, "{}", secured.server.stderr());
    open.keep_alive("/healthz").expect("a connection from before goes on");
}

#[test]
fn bad_certificate_keeps_the_old_one() {
    let secured = start(&[]);
    let address = secured.address();
    let other = Identity::default();
    replace(&secured.files.certificate, &other.certificate());
    secured.server.reload();
    secured.server.wait_for_log(&[
        "ERROR",
        "could not reload the TLS certificate",
        "the key does not belong to the certificate",
    ]);
    assert!(secured.identity.is_presented_at(&address) && !other.is_presented_at(&address));

    fs::remove_file(&secured.files.key).expect("a file to remove");
    secured.server.reload();
    secured.server.wait_for_log(&["ERROR", "could not reload the TLS certificate", "tls.key", "No such file"]);
    assert!(secured.identity.is_presented_at(&address));

    replace(&secured.files.key, &other.key());
    secured.server.reload();
    secured.server.wait_for_log(&["reloaded the TLS certificate"]);
    assert!(other.is_presented_at(&address));
    assert!(!secured.server.stderr().contains("PRIVATE KEY"), "{}", secured.server.stderr());
}

#[test]
fn plain_http_on_tls_port_is_reported() {
    let secured = start(&[]);
    let mut stream = TcpStream::connect(secured.address()).expect("a connection");
    stream.write_all(b"GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream
        .shutdown(std::net::Shutdown::Write)
        .and_then(|()| stream.read_to_string(&mut answer).map(drop))
        .expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("{\"detail\": \"This port requires TLS: use https:// instead of http://.\"}"), "{answer}");
    secured.server.wait_for_log(&["plain HTTP request on TLS port", "127.0.0.1:"]);

    let mut stream = TcpStream::connect(secured.address()).expect("a connection");
    stream.write_all(&[0x80, 0x2e, 1, 0, 2]).expect("a greeting of SSL 2");
    let mut answer = vec![];
    // The connection ends with an alert or a reset, and does not hang.
    let _ = stream.read_to_end(&mut answer);
    secured.server.wait_for_log(&["TLS handshake failed", "127.0.0.1:"]);
    assert!(secured.identity.is_presented_at(&secured.address()));
}

#[test]
fn stalled_handshakes_do_not_block() {
    let mut secured = start(&[]);
    let silent: Vec<_> = (0..200).map(|_| TcpStream::connect(secured.address()).expect("a connection")).collect();
    assert!(secured.ask("GET /healthz", "").starts_with("HTTP/1.1 200 "));
    // The shutdown does not wait either.
    assert!(secured.server.stop().success());
    drop(silent);
}

/// The one-line error for these files.
fn refusal(variables: &[(&str, &str)]) -> String {
    let data = TempDir::new().expect("a directory");
    let mut command = hostler_testkit::command(BINARY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path().join("data"));
    let output = command.envs(variables.iter().copied()).output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!data.path().join("data").exists(), "the data were touched");
    stderr
}

#[test]
fn bad_tls_files_are_rejected_at_start() {
    let folder = TempDir::new().expect("a directory");
    let files = Files::below(folder.path());
    let (first, second) = (Identity::default(), Identity::default());
    let says = |words: [&str; 2]| {
        let line = refusal(&files.environment());
        assert!(words.iter().all(|word| line.contains(word)), "{words:?} are not in {line}");
    };
    says(["tls.crt", "No such file"]);
    replace(&files.certificate, "nothing");
    says(["tls.crt", "has no certificate"]);
    replace(&files.certificate, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    says(["tls.crt", "not PEM"]);
    replace(&files.certificate, &first.certificate());
    says(["tls.key", "No such file"]);
    replace(&files.key, &first.certificate());
    says(["tls.key", "has no unencrypted private key"]);
    replace(&files.key, &second.key());
    says(["tls.key", "the key does not belong to the certificate"]);
    replace(&files.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    says(["tls.crt", "cannot be used"]);

    for alone in files.environment() {
        let line = refusal(&[alone]);
        assert!(line.contains("--tls-certificate and --tls-key"), "{line}");
    }
}

#[test]
fn tls_files_from_config_file() {
    let folder = TempDir::new().expect("a directory");
    let files = Files::below(folder.path());
    let identity = Identity::default();
    identity.write(&files);
    let config = folder.path().join("hostler.toml");
    let [(_, certificate), (_, key)] = files.environment();
    fs::write(&config, format!("tls_certificate = {certificate:?}\ntls_key = {key:?}\n")).expect("a file");
    let environment = [("HOSTLER_CONFIG", config.to_str().expect("a path"))];
    let server = TestServer::start_with(BINARY, Backend::Sqlite, &environment);
    assert!(identity.is_presented_at(server.base().strip_prefix("https://").expect("it listens for https")));
}

#[test]
fn world_readable_key_is_reported() {
    let folder = TempDir::new().expect("a directory");
    let files = Files::below(folder.path());
    Identity::default().write(&files);
    let config = folder.path().join("hostler.toml");
    fs::write(&config, format!("tls_key = {:?}\n", files.key.to_str().expect("a path"))).expect("a file");
    // Both the starting server and `hostler check` warn.
    let warns = || {
        let server = TestServer::start_with(BINARY, Backend::Sqlite, &files.environment());
        let check = server.command(&["check"]).env("HOSTLER_CONFIG", &config).output().expect("the binary runs");
        let found = String::from_utf8_lossy(&check.stdout).contains("is the key for TLS and all users can read it");
        if found {
            server.wait_for_log(&["WARN", "run chmod o= on it"]);
        } else {
            assert!(!server.stderr().contains("chmod"));
        }
        found
    };
    assert!(!warns());
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o640)).expect("a mode");
    assert!(!warns());
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).expect("a mode");
    assert!(warns());
}
