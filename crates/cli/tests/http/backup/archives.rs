//! Damaged archives are rejected before anything is written.

use std::fs;

use hostler_testkit::{Backend, TestServer};

use crate::backup::*;

/// Restores these bytes; must fail and change nothing.
fn refused(bytes: &[u8]) -> String {
    let server = TestServer::stopped(BINARY, Backend::Sqlite);
    let folder = TempDir::new().expect("a directory");
    let file = folder.path().join("backup.tar");
    fs::write(&file, bytes).expect("a file");
    let line = fails(restore(&server, &file));
    assert!(!server.data().exists(), "the refused archive made a data folder: {line}");
    line
}

fn archive() -> Vec<u8> {
    let server = populated(Backend::Sqlite);
    let (_folder, file) = backed_up(&server);
    fs::read(file).expect("the backup")
}

/// The position of a text in the archive.
fn position(bytes: &[u8], needle: &str) -> usize {
    let found = bytes.windows(needle.len()).position(|window| window == needle.as_bytes());
    found.unwrap_or_else(|| panic!("{needle} is not in the archive"))
}

#[test]
fn changed_byte_is_detected() {
    let bytes = archive();
    // The name of an entry is at its start, its content 512 bytes later.
    let content = |name: &str| position(&bytes, name) + 512 + 10;
    let places = [
        content("manifest.json\0"),
        position(&bytes, "\"rows\":"),
        position(&bytes, "\"last_id\":") + 12,
        content("secret.key\0"),
        content("keys/1.key\0"),
        content("tables/users.jsonl.gz\0"),
        content("tables/activity.jsonl.gz\0"),
        content("manifest.sha256\0"),
        position(&bytes, "secret.key\0"),
        position(&bytes, "keys/1.key\0") + 5,
    ];
    for place in places {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let line = refused(&changed);
        assert!(line.contains("is not a complete backup") && line.contains("nothing was changed"), "{place}: {line}");
    }
}

#[test]
fn truncated_archive_is_rejected() {
    let bytes = archive();
    for length in [0, 100, 512, bytes.len() / 2, bytes.len() - 1024 - 512, bytes.len() - 1024 - 1024] {
        let line = refused(&bytes[..length]);
        assert!(line.contains("is not a complete backup"), "{length}: {line}");
    }
    let line = refused(b"SQLite format 3\0 and so on");
    assert!(line.contains("is not a complete backup"), "{line}");
}

#[test]
fn newer_format_is_rejected() {
    let mut bytes = archive();
    let place = position(&bytes, "\"format\": 1") + 10;
    bytes[place] = b'9';
    let line = refused(&bytes);
    assert!(line.contains("has the format 9") && line.contains("up to 1"), "{line}");
}

#[test]
fn missing_file_is_reported() {
    let server = TestServer::stopped(BINARY, Backend::Sqlite);
    let line = fails(restore(&server, Path::new("/nowhere/backup.tar")));
    assert!(line.contains("/nowhere/backup.tar"), "{line}");
}
