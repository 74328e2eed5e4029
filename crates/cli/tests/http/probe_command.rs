//! `hostler probe`, the health check of containers.

use std::path::Path;
use std::process::Output;

use hostler_testkit::tls::{Files, Identity};
use hostler_testkit::{Backend, TestServer};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");

fn probe(places: &str, more: &[&str]) -> Output {
    let mut command = hostler_testkit::command(BINARY);
    command.arg("probe").args(more).env("HOSTLER_LISTEN", places).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The one-line error of a probe of an unhealthy server.
fn complaint(output: &Output) -> String {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

fn socket(folder: &TempDir) -> String {
    format!("unix:{}", folder.path().join("hostler.sock").display())
}

fn authority(server: &TestServer) -> String {
    server.base().split("//").nth(1).expect("an address").to_owned()
}

#[test]
fn probe_uses_listen_address() {
    let folder = TempDir::new().expect("a directory");
    let socket = socket(&folder);
    let mut server =
        TestServer::start_with(BINARY, Backend::Sqlite, &[("HOSTLER_LISTEN", &format!("127.0.0.1:0,{socket}"))]);
    let port = authority(&server).split(':').nth(1).expect("a port").to_owned();
    for places in [authority(&server), format!("0.0.0.0:{port}"), socket.clone(), format!("127.0.0.1:9,{socket}")] {
        let ready = probe(&places, &[]);
        assert!(ready.status.success(), "{places}: {}", text(&ready.stderr));
        assert!(text(&ready.stdout).contains("ready"), "{}", text(&ready.stdout));
        assert!(probe(&places, &["--alive"]).status.success(), "{places}");
    }
    assert!(server.stop().success());
    for places in [format!("127.0.0.1:{port}"), socket] {
        let said = complaint(&probe(&places, &[]));
        assert!(said.contains(&places), "{said}");
    }
}

#[test]
fn server_without_keys_is_alive_not_ready() {
    let server = TestServer::start(BINARY, Backend::Sqlite);
    server.execute("UPDATE vault SET current_key = '0123456789abcdef'");
    let said = complaint(&probe(&authority(&server), &[]));
    assert!(said.contains("503") && said.contains("key"), "{said}");
    assert!(probe(&authority(&server), &["--alive"]).status.success());
}

#[test]
fn probe_with_tls_explains_option() {
    let folder = TempDir::new().expect("a directory");
    let files = Files::below(folder.path());
    Identity::default().write(&files);
    let socket = socket(&folder);
    let places = format!("127.0.0.1:0,{socket}");
    let environment = [&files.environment()[..], &[("HOSTLER_LISTEN", places.as_str())]].concat();
    let server = TestServer::start_with(BINARY, Backend::Sqlite, &environment);
    let said = complaint(&probe(&authority(&server), &[]));
    assert!(said.contains("Unix socket"), "{said}");
    assert!(probe(&socket, &[]).status.success());
    assert!(!Path::new("hostler-data").exists(), "a probe makes no data");
}
