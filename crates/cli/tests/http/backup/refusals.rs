//! Backups and restores that are rejected because they would overwrite data.

use std::fs;

use hostler_testkit::{Backend, TestServer, on_each_backend};

use crate::backup::*;

on_each_backend!(backup_does_not_overwrite_files, backup_rejects_newer_schema, restore_rejects_running_server,);

fn backup_does_not_overwrite_files(backend: Backend) {
    let server = start(backend);
    let (folder, file) = backed_up(&server);
    let before = fs::read(&file).expect("the backup");
    let line = fails(backup(&server, &file));
    assert!(line.contains("already exists") && line.contains("--force"), "{line}");
    assert!(fs::read(&file).expect("the backup") == before);
    works(server.command(&["backup", "--force", path(&file)]));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "something was left behind");
    let line = fails(backup(&server, Path::new("/nowhere/backup.tar")));
    assert!(line.contains("/nowhere/backup.tar"), "{line}");
}

fn backup_rejects_newer_schema(backend: Backend) {
    let server = start(backend);
    server.execute(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
         VALUES (2000000000, 'from_the_future', '2999-01-01T00:00:00Z', '1')",
    );
    let folder = TempDir::new().expect("a directory");
    let file = folder.path().join("backup.tar");
    let line = fails(backup(&server, &file));
    assert!(line.contains("newer") && !file.exists(), "{line}");
}

fn restore_rejects_running_server(backend: Backend) {
    let server = start(backend);
    let (_folder, file) = backed_up(&server);
    let line = fails(server.command(&["restore", "--force", path(&file)]));
    assert!(line.contains("running: stop it first"), "{line}");
    server.as_admin().get("/api/v2/me/").expect(200);
}

#[test]
fn restore_rejects_database_in_use() {
    if !hostler_testkit::backends().contains(&Backend::Postgres) {
        return hostler_testkit::skip::skip("there is no PostgreSQL");
    }
    let server = start(Backend::Postgres);
    let (_folder, file) = backed_up(&server);
    let elsewhere = TempDir::new().expect("a directory");
    let url = server.database_url().expect("a URL");
    let mut command = hostler_testkit::command(BINARY);
    command.args(["restore", "--force", path(&file), "--database", &url, "--data"]).arg(elsewhere.path().join("data"));
    let line = fails(command);
    assert!(line.contains("is in use"), "{line}");
    server.as_admin().get("/api/v2/me/").expect(200);
}

#[test]
fn backup_rejects_missing_data() {
    let server = TestServer::stopped(BINARY, Backend::Sqlite);
    let folder = TempDir::new().expect("a directory");
    let line = fails(backup(&server, &folder.path().join("backup.tar")));
    assert!(line.contains("no data folder") && !server.data().exists(), "{line}");
    fs::create_dir(server.data()).expect("a folder");
    let line = fails(backup(&server, &folder.path().join("backup.tar")));
    assert!(line.contains("there is no database"), "{line}");
}
