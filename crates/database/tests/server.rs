//! Failures of a PostgreSQL server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use hostler_database::{Database, Dialect, Error, PreparedQuery, Type};
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

/// Reads until it works; returns whether it did within a few attempts.
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
async fn changed_column_type_is_detected() {
    let Some(database) = server().await else { return };
    assert!(recovers(&database).await);
    database.raw("ALTER TABLE sample ALTER COLUMN words TYPE VARCHAR(9)").await;
    assert!(recovers(&database).await);
}

#[tokio::test]
async fn reads_do_not_wait_for_transactions() {
    let Some(database) = server().await else { return };
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut transaction = database.begin().await.unwrap();
        transaction.insert(&insert()).await.unwrap();
        held.push(transaction);
    }
    for _ in 0..20 {
        assert!(database.read(&words(), &[Type::Text]).await.unwrap().is_empty());
    }
    // One more transaction exceeds the limit and fails after the timeout.
    let Err(error) = database.begin().await else { panic!("there are too many transactions") };
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    drop(held);
    database.begin().await.unwrap();
}

#[tokio::test]
async fn deferred_statements_are_atomic() {
    let Some(database) = server().await else { return };
    let types = [Type::Text];
    let words =
        |word: &str| Query::insert().into_table("sample").columns(["words"]).values_panic([word.into()]).to_owned();
    let everything = PreparedQuery::new(Dialect::Postgres, &self::words(), types.to_vec(), []);

    let mut transaction = database.begin().await.unwrap();
    transaction.execute_deferred(&words("a")).await.unwrap();
    assert_eq!(transaction.read(&self::words(), &types).await.unwrap().len(), 1);
    transaction.execute_deferred(&words("b")).await.unwrap();
    assert_eq!(transaction.read_prepared_and_commit(&everything, &[]).await.unwrap().len(), 2);
    let mut transaction = database.begin().await.unwrap();
    transaction.execute_deferred(&words("c")).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(database.read(&self::words(), &types).await.unwrap().len(), 3);

    // An error of a deferred statement, of the server or before it is sent, is returned by the next statement, and rolls back the rest.
    let twice = |name: &str| {
        let values = [[name.into(), "1".into()], [name.into(), "2".into()]];
        let mut insert = Query::insert().into_table("settings").columns(["name", "value"]).to_owned();
        for row in values {
            insert.values_panic(row);
        }
        insert
    };
    let unsendable =
        Query::insert().into_table("sample").columns(["parent"]).values_panic([u64::MAX.into()]).to_owned();
    for insert in [twice("x"), unsendable] {
        for asks in [true, false] {
            let mut transaction = database.begin().await.unwrap();
            transaction.execute_deferred(&words("d")).await.unwrap();
            transaction.execute_deferred(&insert).await.unwrap();
            transaction.execute_deferred(&words("e")).await.unwrap();
            let outcome = if asks {
                transaction.read_prepared_and_commit(&everything, &[]).await.map(drop)
            } else {
                transaction.commit().await
            };
            assert!(matches!(outcome, Err(Error::Unique(_) | Error::Internal(_))), "{outcome:?}");
            assert_eq!(database.read(&self::words(), &types).await.unwrap().len(), 3);
        }
    }
    let mut transaction = database.begin().await.unwrap();
    transaction.execute_deferred(&twice("x")).await.unwrap();
    assert!(matches!(transaction.insert(&words("f")).await, Err(Error::Unique(_))));
    assert!(matches!(transaction.commit().await, Err(Error::Internal(_))));
    assert_eq!(database.read(&self::words(), &types).await.unwrap().len(), 3);
    assert!(recovers(&database).await);
}
