//! A full disk: writes are rejected, reads are served, and writes resume once there is space.

use std::thread;

use hostler_testkit::server::Resource;
use hostler_testkit::{Backend, Browser, Client, SmallDisk, TestServer};
use serde_json::json;

use crate::faults::activity_entries::balanced;
use crate::faults::{BINARY, HERE, ORGANIZATIONS, detail, start, token};

/// In MiB: enough for the database and its write-ahead log.
const SIZE: u32 = 12;
const FULL: &str = "The server's disk is full: nothing was changed.";

/// Creates organizations until that fails; returns how many were created.
fn write_until_refused(client: &Client, name: &str) -> usize {
    let words = "x".repeat(100_000);
    for number in 0..1_000 {
        let body = json!({"name": format!("{name}-{number}"), "description": words});
        let answer = client.post(ORGANIZATIONS, body);
        if answer.status != 201 {
            assert_eq!((answer.status, detail(&answer).as_str()), (507, FULL), "{answer}");
            return number;
        }
    }
    panic!("the disk does not become full");
}

#[test]
fn full_disk_rejects_writes_and_serves_reads() {
    let Some(disk) = SmallDisk::mount(SIZE) else { return };
    let mut server = TestServer::stopped(BINARY, Backend::Sqlite);
    server.move_to(disk.path());
    server.restart();
    let admin = token(&server);
    let ann = server.user("ann");
    let browser = Browser::logged_in(&server, "admin", "password");
    disk.fill();
    // The write-ahead log has some preallocated space, which several concurrent writes use up.
    let created: usize = thread::scope(|scope| {
        let writers = [0, 1, 2, 3].map(|writer| {
            scope.spawn({
                let admin = admin.clone();
                move || write_until_refused(&admin, &format!("full-{writer}"))
            })
        });
        writers.into_iter().map(|writer| writer.join().expect("a writer")).sum()
    });
    let refusals = [
        ("a change", admin.patch(&ann.path(), json!({"first_name": "y".repeat(150)}))),
        ("a new token", admin.post("/api/v2/tokens/", json!({"description": "z".repeat(100_000)}))),
        ("what a session sends", {
            browser.write("POST", ORGANIZATIONS).json(json!({"name": "a", "description": "x".repeat(100_000)})).send()
        }),
    ];
    for (what, answer) in refusals {
        // A small write may still fit into a page of the log.
        assert!([200, 201, 507].contains(&answer.status), "{what}: {answer}");
    }
    assert_eq!(balanced(&server).len(), created, "a refused one was created, or one that was created is gone");
    for path in [HERE, "/api/v2/ping/", "/healthz", "/readyz", ORGANIZATIONS, "/api/v2/activity_stream/"] {
        admin.get(path).expect(200);
    }
    assert_eq!(browser.get(HERE).expect(200).status, 200);
    assert_eq!(write_until_refused(&admin, "still"), 0, "it is as full as before");

    disk.empty();
    server.organization("there is room");
    admin.delete(&ann.path()).expect(204);
    assert_eq!(balanced(&server).len(), created + 1);
    server.restart();
    assert_eq!(balanced(&server).len(), created + 1);
    let checked = server.command(&["check"]).output().expect("the command runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn start_on_full_disk_is_reported() {
    let Some(disk) = SmallDisk::mount(SIZE) else { return };
    let mut server = TestServer::stopped(BINARY, Backend::Sqlite);
    server.move_to(disk.path());
    disk.fill();
    let output = server.command(&["serve", "--listen", "127.0.0.1:0"]).output().expect("the command runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && !said.contains("panicked"), "{said}");
    assert!(said.contains("free some space") || said.contains("No space left"), "{said}");
    disk.empty();
    server.restart();
    server.organization("there is room");
}

/// Like a quota, or a limit of the service.
#[test]
fn file_size_limit_is_reported_as_full_disk() {
    let server = start(Backend::Sqlite);
    let admin = token(&server);
    server.organization("before");
    server.limit(Resource::Fsize, Some(64 << 10));
    write_until_refused(&admin, "small");
    admin.get(ORGANIZATIONS).expect(200);
    server.limit(Resource::Fsize, None);
    server.organization("after");
    balanced(&server);
}

#[test]
fn unwritable_log_does_not_stop_requests() {
    let mut server = TestServer::stopped(BINARY, Backend::Sqlite);
    // Rejects every write, like a full disk.
    server.log_to("/dev/full");
    server.set_variable("HOSTLER_LOG", "debug");
    server.restart();
    for number in 0..20 {
        server.organization(&format!("org-{number}"));
        server.with_token("wrong").get(HERE).expect(401);
        server.anonymous().get("/nowhere/").expect(404);
    }
    balanced(&server);
    assert!(server.stop().success());
}
