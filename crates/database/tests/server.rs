//! What a PostgreSQL server does to its clients.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use hostler_database::{Database, Dialect, Error, Type};
use sea_query::{InsertStatement, Query, SelectStatement};

async fn server() -> Option<common::Fresh> {
    let fresh = common::Fresh::new(Dialect::Postgres).await;
    if fresh.is_none() {
        hostler_testkit::skip::skip("there is no PostgreSQL");
    }
    fresh
}

fn words() -> SelectStatement {
    Query::select().column("words").from("sample").to_owned()
}

fn insert() -> InsertStatement {
    Query::insert().into_table("sample").columns(["words"]).values_panic(["x".into()]).to_owned()
}

/// Reads until it works; answers whether it did within a few tries.
async fn recovers(database: &Database) -> bool {
    for _ in 0..40 {
        match database.read(&words(), &[Type::Text]).await {
            Ok(_) => return true,
            Err(Error::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    false
}

#[tokio::test]
async fn lost_connections_are_replaced() {
    let Some(database) = server().await else { return };
    let mut transaction = database.begin().await.unwrap();
    transaction.insert(&insert()).await.unwrap();
    database
        .raw(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = transaction.commit().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(recovers(&database).await);
    assert!(database.read(&words(), &[Type::Text]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_changed_column_is_noticed() {
    let Some(database) = server().await else { return };
    assert!(recovers(&database).await);
    database.raw("ALTER TABLE sample ALTER COLUMN words TYPE VARCHAR(9)").await;
    assert!(recovers(&database).await);
}

#[tokio::test]
async fn a_full_pool_is_unavailable() {
    let Some(database) = server().await else { return };
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(database.begin().await.unwrap());
    }
    let error = database.read(&words(), &[Type::Text]).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    drop(held);
    assert!(recovers(&database).await);
}
