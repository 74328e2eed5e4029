//! Opening databases: migrations, errors, files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use hostler_database::{Database, Dialect, Location, OpenError};

async fn refused(location: &Location) -> OpenError {
    let error = Database::open(location).await.map(drop).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.contains("s3cret"), "{text}");
    error
}

both!(opening_again_changes_nothing, |database| {
    Database::open(&database.location).await.unwrap().ping().await.unwrap();
});

both!(a_newer_schema_is_refused, |database| {
    database.close().await;
    database
        .raw(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES (99, 'later', '2030-01-01T00:00:00Z', '1')",
        )
        .await;
    let OpenError::NewerSchema { found: 99, known } = refused(&database.location).await else { panic!() };
    assert!(known < 99);
    // Nothing was changed: without that row it opens.
    database.raw("DELETE FROM refinery_schema_history WHERE version = 99").await;
    Database::open(&database.location).await.unwrap();
});

both!(a_changed_migration_is_refused, |database| {
    database.close().await;
    database.raw("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1").await;
    assert!(matches!(refused(&database.location).await, OpenError::Migration { .. }));
});

both!(servers_that_start_at_once_agree, |database| {
    if database.dialect() == Dialect::Sqlite {
        return;
    }
    database.raw("DROP TABLE refinery_schema_history; DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    let location = database.location.clone();
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let location = location.clone();
            tokio::spawn(async move { Database::open(&location).await.map(drop) })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
});

#[cfg(unix)]
#[tokio::test]
async fn database_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&Location::Sqlite(directory.path().join("db"))).await.unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
    database.close().await;
}

#[tokio::test]
async fn file_of_other_format_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    let notes = "no database ".repeat(200);
    std::fs::write(&path, &notes).unwrap();
    assert!(matches!(refused(&Location::Sqlite(path.clone())).await, OpenError::File { .. }));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), notes);
    let absent = directory.path().join("absent").join("db");
    assert!(matches!(refused(&Location::Sqlite(absent)).await, OpenError::File { .. }));
}

#[tokio::test]
async fn unreachable_server_is_reported() {
    let location = Location::Postgres("postgres://me:s3cret@127.0.0.1:1/hostler".to_owned());
    let error = refused(&location).await;
    assert!(matches!(&error, OpenError::Server { database, .. } if database == "127.0.0.1:1/hostler"), "{error}");
    assert!(!format!("{location:?}").contains("s3cret"));
}
