//! Data after a restore.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hostler_testkit::{Backend, Browser, PASSWORD, TestServer, backends, on_each_backend};
use serde_json::json;

use crate::backup::*;

on_each_backend!(restored_state_equals_backup, backup_during_writes_is_consistent, restore_keeps_replaced_data,);

fn restored_state_equals_backup(backend: Backend) {
    let server = populated(backend);
    let ann = server.as_user("ann", PASSWORD);
    let token = ann.post("/api/v2/tokens/", json!({"scope": "read"})).expect(201).json();
    let session = Browser::logged_in(&server, "ann", PASSWORD);
    let before = state(&server.as_admin());
    let (_folder, file) = backed_up(&server);
    assert_eq!(fs::metadata(&file).expect("the backup").permissions().mode() & 0o777, 0o600);
    for other in backends() {
        let mut restored = TestServer::stopped(BINARY, other);
        let output = works(restore(&restored, &file));
        assert!(output.starts_with("Restored "), "{output}");
        assert!(works(restored.command(&["check"])).contains("No problems found."));
        restored.restart();
        assert_same(&before, &state(&restored.as_admin()));
        // Indexes are created again.
        for (list, count) in
            [("users/?search=ann", 1), ("organizations/?search=GRÖSS", 0), ("organizations/?search=GRÖßER", 1)]
        {
            assert_eq!(
                restored.as_admin().get(&format!("/api/v2/{list}")).expect(200).json()["count"],
                count,
                "{list}"
            );
        }
        // The keys are part of the backup: tokens and encrypted secrets are still valid.
        restored.with_token(token["token"].as_str().expect("a token")).get("/api/v2/me/").expect(200);
        let cookie = format!("awx_sessionid={}", session.cookies["awx_sessionid"]);
        restored.anonymous().request("GET", "/api/v2/me/").header("Cookie", &cookie).send().expect(200);
        // No id is used again, not even that of a deleted object.
        let ids = before[0].1["results"].as_array().expect("users").iter().filter_map(|user| user["id"].as_i64());
        assert!(restored.user("new").id > ids.max().expect("a user") + 1);
    }
}

fn backup_during_writes_is_consistent(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (written, stop) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let folder = tempfile::TempDir::new().expect("a directory");
    let file = folder.path().join("backup.tar");
    let before = thread::scope(|scope| {
        scope.spawn(|| {
            while stop.load(Ordering::SeqCst) == 0 {
                let number = written.load(Ordering::SeqCst);
                admin.create("/api/v2/organizations/", json!({"name": format!("o{number}")}));
                written.store(number + 1, Ordering::SeqCst);
            }
        });
        while written.load(Ordering::SeqCst) < 5 {
            thread::yield_now();
        }
        let before = written.load(Ordering::SeqCst);
        works(backup(&server, &file));
        stop.store(1, Ordering::SeqCst);
        before
    });
    let mut restored = TestServer::stopped(BINARY, backend);
    works(restore(&restored, &file));
    restored.restart();
    let admin = restored.as_admin();
    let count = |path: &str| admin.get(path).expect(200).json()["count"].as_u64().expect("a count");
    let organizations = count("/api/v2/organizations/");
    assert!((before as u64..=written.load(Ordering::SeqCst) as u64).contains(&organizations), "{organizations}");
    // Each has its activity entry and its roles.
    assert_eq!(count("/api/v2/activity_stream/?object1=organization&operation=create"), organizations);
    assert_eq!(count("/api/v2/organizations/?name__startswith=o"), organizations);
    assert!(works(restored.command(&["check"])).contains("No problems found."));
}

fn restore_keeps_replaced_data(backend: Backend) {
    let server = populated(backend);
    let before = state(&server.as_admin());
    let (_folder, file) = backed_up(&server);
    let mut other = start(backend);
    other.user("zoe");
    other.stop();
    let secret = fs::read(other.data().join("secret.key")).expect("a key");
    let refused = fails(restore(&other, &file));
    assert!(refused.contains("--force") && refused.contains("secret.key"), "{refused}");
    other.restart();
    assert_eq!(other.as_admin().results("/api/v2/users/?username=zoe").len(), 1, "the refused restore did something");
    other.stop();
    works(other.command(&["restore", "--force", path(&file)]));
    let aside = other.data().join("replaced-1");
    assert!(fs::read(aside.join("secret.key")).expect("the old key") == secret);
    assert_eq!(aside.join("hostler.db").exists(), backend == Backend::Sqlite);
    other.restart();
    assert_same(&before, &state(&other.as_admin()));
}
