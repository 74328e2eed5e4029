//! Tests of internals: the number of commits, and a full disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use sea_query::{Value as Bound, Values};

use super::*;
use crate::Value;

const INSERT: &str = "INSERT INTO settings (name, value) VALUES (?, ?) RETURNING id";

async fn fresh() -> (Sqlite, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(directory.path().join("db")).await.unwrap();
    (sqlite, directory)
}

fn setting(name: &str, size: usize) -> Values {
    Values(vec![Bound::from(name), Bound::from("x".repeat(size))])
}

async fn write(sqlite: &Sqlite, name: &str, size: usize) -> Result<(), Error> {
    let mut transaction = sqlite.begin().await?;
    transaction.insert(INSERT, &setting(name, size))?;
    transaction.commit().await
}

async fn count(sqlite: &Sqlite) -> i64 {
    let rows = sqlite.read("SELECT count(*) FROM settings", Values(vec![]), &[Type::Integer]).await.unwrap();
    match rows[0][0] {
        Value::Integer(count) => count,
        _ => panic!(),
    }
}

async fn limit_pages(sqlite: &Sqlite, pages: i64) {
    let writer = sqlite.writer.lock().await;
    writer.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_writers_are_committed_together() {
    let (sqlite, _directory) = fresh().await;
    // All wait for this one.
    let first = sqlite.begin().await.unwrap();
    let writers: Vec<_> = (0..50)
        .map(|number| {
            let sqlite = sqlite.clone();
            tokio::spawn(async move { write(&sqlite, &number.to_string(), 1).await })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(first);
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(count(&sqlite).await, 50);
    let commits = sqlite.writer.lock().await.commits;
    assert!(commits <= 5, "{commits} commits");
}

#[tokio::test]
async fn one_thread_is_enough() {
    let (sqlite, _directory) = fresh().await;
    let writers: Vec<_> = (0..10)
        .map(|number| {
            let sqlite = sqlite.clone();
            tokio::spawn(async move { write(&sqlite, &number.to_string(), 1).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(count(&sqlite).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_is_reported_and_survived() {
    let (sqlite, _directory) = fresh().await;
    write(&sqlite, "before", 1).await.unwrap();
    limit_pages(&sqlite, 20).await;
    assert_eq!(write(&sqlite, "big", 1 << 20).await, Err(Error::Full));
    // Nothing is left of the failed write, and small writes still fit.
    write(&sqlite, "small", 1).await.unwrap();
    assert_eq!(count(&sqlite).await, 2);
    limit_pages(&sqlite, 1 << 20).await;
    write(&sqlite, "big", 1 << 20).await.unwrap();
    assert_eq!(count(&sqlite).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_reports_correct_outcome_of_grouped_commits() {
    let (sqlite, _directory) = fresh().await;
    limit_pages(&sqlite, 40).await;
    let first = sqlite.begin().await.unwrap();
    let writers: Vec<_> = (0..30)
        .map(|number| {
            let sqlite = sqlite.clone();
            let size = if number % 3 == 0 { 1 << 20 } else { 100 };
            tokio::spawn(async move { write(&sqlite, &number.to_string(), size).await })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(first);
    let mut committed = 0;
    for writer in writers {
        match writer.await.unwrap() {
            Ok(()) => committed += 1,
            Err(error) => assert_eq!(error, Error::Full),
        }
    }
    // Exactly the committed rows exist.
    assert_eq!(count(&sqlite).await, committed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_commit_fails_its_group_and_keeps_writer_usable() {
    let (sqlite, _directory) = fresh().await;
    let writers: Vec<_> = {
        // A commit hook that rejects simulates a failing disk.
        let first = sqlite.begin().await.unwrap();
        let writers = (0..5)
            .map(|number| {
                let sqlite = sqlite.clone();
                tokio::spawn(async move { write(&sqlite, &number.to_string(), 1).await })
            })
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let mut first = first;
        first.insert(INSERT, &setting("first", 1)).unwrap();
        first.refuse_commits();
        assert!(first.commit().await.is_err());
        writers
    };
    for writer in writers {
        assert!(writer.await.unwrap().is_err());
    }
    assert_eq!(count(&sqlite).await, 0);
    sqlite.writer.lock().await.connection.commit_hook(None::<fn() -> bool>).unwrap();
    write(&sqlite, "after", 1).await.unwrap();
    assert_eq!(count(&sqlite).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer_waits_for_other_process() {
    let (sqlite, directory) = fresh().await;
    let other = rusqlite::Connection::open(directory.path().join("db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writing = {
        let sqlite = sqlite.clone();
        tokio::spawn(async move { write(&sqlite, "a", 1).await })
    };
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!writing.is_finished());
    other.execute_batch("COMMIT").unwrap();
    writing.await.unwrap().unwrap();
    // Without other transactions it does not wait.
    drop(sqlite.begin().await.unwrap());
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; COMMIT").unwrap();
}

impl SqliteTransaction {
    fn refuse_commits(&mut self) {
        self.guard.as_mut().unwrap().refuse_commits();
    }
}

/// Inserts a setting as another process does.
fn insert_elsewhere(directory: &tempfile::TempDir, name: &str) {
    let connection = rusqlite::Connection::open(directory.path().join("db")).unwrap();
    connection.execute("INSERT INTO settings (name, value) VALUES (?1, '1')", [name]).unwrap();
}

#[tokio::test]
async fn reads_share_a_snapshot_until_they_wait() {
    let (sqlite, directory) = fresh().await;
    share_snapshots(async {
        assert_eq!(count(&sqlite).await, 0);
        insert_elsewhere(&directory, "first");
        assert_eq!(count(&sqlite).await, 0);
        tokio::task::yield_now().await;
        assert_eq!(count(&sqlite).await, 1);
        write(&sqlite, "second", 1).await.unwrap();
        assert_eq!(count(&sqlite).await, 2);
        let transaction = sqlite.begin().await.unwrap();
        drop(transaction);
        insert_elsewhere(&directory, "third");
        assert_eq!(count(&sqlite).await, 3);
    })
    .await;
    assert_eq!(count(&sqlite).await, 3);
    insert_elsewhere(&directory, "fourth");
    assert_eq!(count(&sqlite).await, 4);
}

#[tokio::test]
async fn no_connection_is_in_use_while_a_request_waits() {
    let (sqlite, _directory) = fresh().await;
    let (requests, release) = (100, Arc::new(tokio::sync::Barrier::new(100)));
    let requests = (0..requests).map(|_| {
        let (sqlite, release) = (sqlite.clone(), release.clone());
        tokio::spawn(share_snapshots(async move {
            count(&sqlite).await;
            release.wait().await;
            count(&sqlite).await
        }))
    });
    // Each waits until all others have read.
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.unwrap(), 0);
    }
}

#[tokio::test]
async fn failed_read_does_not_end_the_shared_snapshot() {
    let (sqlite, directory) = fresh().await;
    share_snapshots(async {
        assert_eq!(count(&sqlite).await, 0);
        insert_elsewhere(&directory, "first");
        let wrong = sqlite.read("SELECT 1", Values(vec![]), &[Type::Text]).await;
        assert!(matches!(wrong, Err(Error::Internal(_))));
        assert_eq!(count(&sqlite).await, 0);
    })
    .await;
    assert_eq!(count(&sqlite).await, 1);
}
