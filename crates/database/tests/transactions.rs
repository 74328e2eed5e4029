//! Transactions, errors and concurrency, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use hostler_database::{Database, Dialect, Error, Transaction, Type, count_statements};
use sea_query::{Expr, ExprTrait, InsertStatement, Query, SelectStatement};

/// A query with about this number of steps.
fn slow(steps: u64) -> Expr {
    Expr::cust(format!(
        "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {steps}) SELECT count(*) FROM n)"
    ))
}

fn setting(name: &str) -> InsertStatement {
    Query::insert().into_table("settings").columns(["name", "value"]).values_panic([name.into(), "1".into()]).to_owned()
}

fn count() -> SelectStatement {
    Query::select().expr(Expr::cust("count(*)")).from("settings").to_owned()
}

async fn counted_settings(database: &Database) -> i64 {
    database.read(&count(), &[Type::Integer]).await.unwrap()[0].integer(0).unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(9), future).await.expect("it is stuck")
}

fn is_send<T: Send>(value: T) -> T {
    value
}

both!(rows_refer_to_the_last_inserted_row, |database| {
    let label = |name: &str, organization: Expr| {
        let columns = ["created", "modified", "name", "organization_id"];
        let now = Expr::from(jiff::Timestamp::UNIX_EPOCH);
        let values = [now.clone(), now, name.into(), organization];
        Query::insert().into_table("labels").columns(columns).values_panic(values).to_owned()
    };
    let organization = |name: &str| {
        let columns = ["ansible_id", "created", "modified", "name"];
        let now = Expr::from(jiff::Timestamp::UNIX_EPOCH);
        let values = [name.into(), now.clone(), now, name.into()];
        Query::insert().into_table("organizations").columns(columns).values_panic(values).to_owned()
    };
    let dialect = database.dialect();
    let mut other = database.begin().await.unwrap();
    let first = other.insert(&organization("other")).await.unwrap();
    other.commit().await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    transaction.execute_deferred(&organization("home")).await.unwrap();
    for name in ["red", "blue"] {
        let insert = label(name, dialect.last_inserted_id("organizations"));
        transaction.execute_deferred(&insert).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let query = Query::select().column("organization_id").from("labels").to_owned();
    let rows = database.read(&query, &[Type::Integer]).await.unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.integer(0)).collect();
    assert_eq!(ids, [Some(first + 1), Some(first + 1)]);
});

both!(insert_answers_ids_and_commit_shows, |database| {
    let mut transaction = is_send(database.begin()).await.unwrap();
    assert_eq!(transaction.dialect(), database.dialect());
    let first = is_send(transaction.insert(&setting("a"))).await.unwrap();
    let second = transaction.insert(&setting("b")).await.unwrap();
    assert!(second > first);
    // The transaction sees its own row, others do not yet.
    assert_eq!(is_send(transaction.read(&count(), &[Type::Integer])).await.unwrap()[0].integer(0), Some(2));
    assert_eq!(counted_settings(&database).await, 0);
    is_send(transaction.commit()).await.unwrap();
    assert_eq!(counted_settings(&database).await, 2);

    let mut transaction = database.begin().await.unwrap();
    let update = Query::update().table("settings").value("value", "2").to_owned();
    assert_eq!(is_send(transaction.execute(&update)).await, Ok(2));
    let delete = Query::delete().from_table("settings").and_where(Expr::col("id").eq(first)).to_owned();
    assert_eq!(transaction.execute(&delete).await, Ok(1));
    transaction.lock("a name").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(counted_settings(&database).await, 1);
    is_send(database.ping()).await.unwrap();
});

both!(dropping_rolls_back, |database| {
    for _ in 0..40 {
        let mut transaction = within(database.begin()).await.unwrap();
        transaction.insert(&setting("a")).await.unwrap();
    }
    let mut transaction = within(database.begin()).await.unwrap();
    transaction.insert(&setting("a")).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(counted_settings(&database).await, 1);
});

both!(unique_and_foreign_key_errors_differ, |database| {
    let mut transaction = database.begin().await.unwrap();
    transaction.insert(&setting("a")).await.unwrap();
    let Err(Error::Unique(what)) = transaction.insert(&setting("a")).await else { panic!("not unique") };
    assert!(what.contains("settings") && what.contains("name"), "{what}");
    // The transaction is broken, and its commit must fail.
    assert!(matches!(transaction.insert(&setting("b")).await, Err(Error::Internal(_))));
    assert!(matches!(transaction.commit().await, Err(Error::Internal(_))));
    assert_eq!(counted_settings(&database).await, 0);

    let child =
        |parent: i64| Query::insert().into_table("sample").columns(["parent"]).values_panic([parent.into()]).to_owned();
    let mut transaction = database.begin().await.unwrap();
    assert_eq!(transaction.insert(&child(12345)).await, Err(Error::ForeignKey));
    drop(transaction);
    let mut transaction = database.begin().await.unwrap();
    let alone = Query::insert().into_table("sample").columns(["number"]).values_panic([1.into()]).to_owned();
    let id = transaction.insert(&alone).await.unwrap();
    transaction.insert(&child(id)).await.unwrap();
    let delete = Query::delete().from_table("sample").and_where(Expr::col("id").eq(id)).to_owned();
    assert_eq!(transaction.execute(&delete).await, Err(Error::ForeignKey));
});

both!(errors_do_not_contain_values, |database| {
    let mut transaction = database.begin().await.unwrap();
    transaction.insert(&setting("s3cret")).await.unwrap();
    let error = transaction.insert(&setting("s3cret")).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"));
    let cast = Query::select().expr(Expr::cust_with_values("CAST($1 AS INTEGER)", ["s3cret"])).to_owned();
    if let Err(error) = database.read(&cast, &[Type::Integer]).await {
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
});

both!(fifty_writers_all_commit, |database| {
    let writers: Vec<_> = (0..50)
        .map(|number| {
            let database = database.database.clone();
            tokio::spawn(async move {
                let mut transaction = database.begin().await?;
                transaction.insert(&setting(&format!("writer {number}"))).await?;
                // Some are cancelled, which must not affect the others.
                if number % 5 == 0 { Ok(()) } else { transaction.commit().await }
            })
        })
        .collect();
    for writer in writers {
        within(writer).await.unwrap().unwrap();
    }
    assert_eq!(counted_settings(&database).await, 40);
});

both!(a_failed_writer_leaves_the_others, |database| {
    let writers: Vec<_> = (0..30)
        .map(|number| {
            let database = database.database.clone();
            tokio::spawn(async move {
                let mut transaction = database.begin().await?;
                transaction.insert(&setting(&format!("writer {}", number / 2))).await?;
                transaction.commit().await
            })
        })
        .collect();
    let mut refused = 0;
    for writer in writers {
        match within(writer).await.unwrap() {
            Ok(()) => {}
            Err(Error::Unique(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((refused, counted_settings(&database).await), (15, 15));
});

both!(locks_exclude, |database| {
    let mut increments = Vec::new();
    let mut transaction = database.begin().await.unwrap();
    transaction.insert(&setting("counter")).await.unwrap();
    transaction.commit().await.unwrap();
    for _ in 0..20 {
        let database = database.database.clone();
        increments.push(tokio::spawn(async move {
            let mut transaction = database.begin().await?;
            transaction.lock("counter").await?;
            let query = Query::select().column("value").from("settings").to_owned();
            let old: i64 = transaction.read(&query, &[Type::Text]).await?[0].text(0).unwrap().parse().unwrap();
            tokio::task::yield_now().await;
            let update = Query::update().table("settings").value("value", (old + 1).to_string()).to_owned();
            transaction.execute(&update).await?;
            transaction.commit().await
        }));
    }
    for increment in increments {
        within(increment).await.unwrap().unwrap();
    }
    let query = Query::select().column("value").from("settings").to_owned();
    assert_eq!(database.read(&query, &[Type::Text]).await.unwrap()[0].text(0), Some("21"));
});

async fn hold_all(database: &Database) -> Vec<Transaction> {
    let count = if database.dialect() == Dialect::Sqlite { 1 } else { 8 };
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(within(database.begin()).await.unwrap());
    }
    held
}

both!(a_cancelled_begin_wedges_nothing, |database| {
    let held = hold_all(&database).await;
    for _ in 0..20 {
        assert!(tokio::time::timeout(Duration::from_millis(2), database.begin()).await.is_err());
    }
    drop(held);
    // Cancelled at an arbitrary point.
    for delay in 0..50 {
        let _ = tokio::time::timeout(Duration::from_micros(delay * 20), database.begin()).await;
    }
    drop(hold_all(&database).await);
});

both!(a_cancelled_statement_wedges_nothing, |database| {
    for delay in [0, 1, 5, 20, 60] {
        let mut transaction = within(database.begin()).await.unwrap();
        transaction.insert(&setting("a")).await.unwrap();
        let update = Query::update().table("settings").value("value", slow(300_000)).to_owned();
        let cancelled = tokio::time::timeout(Duration::from_millis(delay), transaction.execute(&update)).await;
        if cancelled.is_err() {
            assert!(transaction.commit().await.is_err());
        }
        let query = Query::select().expr(slow(300_000)).to_owned();
        let _ = tokio::time::timeout(Duration::from_millis(delay), database.read(&query, &[Type::Integer])).await;
    }
    drop(hold_all(&database).await);
    let mut transaction = within(database.begin()).await.unwrap();
    transaction.insert(&setting("a")).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(counted_settings(&database).await, 1);
});

both!(a_cancelled_commit_wedges_nothing, |database| {
    for number in 0..40u64 {
        let mut transaction = within(database.begin()).await.unwrap();
        transaction.insert(&setting(&number.to_string())).await.unwrap();
        let _ = tokio::time::timeout(Duration::from_micros(number * 10), transaction.commit()).await;
    }
    drop(hold_all(&database).await);
});

both!(slow_reads_finish_and_let_others_pass, |database| {
    let query = Query::select().expr(slow(1_500_000)).to_owned();
    let slow_reads: Vec<_> = (0..8)
        .map(|_| {
            let (database, query) = (database.database.clone(), query.clone());
            tokio::spawn(async move { database.read(&query, &[Type::Integer]).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..10 {
        assert_eq!(within(counted_settings(&database)).await, 0);
    }
    for read in slow_reads {
        assert_eq!(within(read).await.unwrap().unwrap()[0].integer(0), Some(1_500_000));
    }
    // Also in a transaction, which stays usable.
    let mut transaction = database.begin().await.unwrap();
    transaction.insert(&setting("a")).await.unwrap();
    assert_eq!(transaction.read(&query, &[Type::Integer]).await.unwrap()[0].integer(0), Some(1_500_000));
    transaction.commit().await.unwrap();
    assert_eq!(counted_settings(&database).await, 1);
});

both!(
    #[ignore = "takes half a minute"]
    endless_statements_time_out,
    |database| {
        let query = Query::select().expr(slow(1 << 40)).to_owned();
        assert_eq!(database.read(&query, &[Type::Integer]).await, Err(Error::Timeout));
        let mut transaction = database.begin().await.unwrap();
        transaction.insert(&setting("a")).await.unwrap();
        assert_eq!(transaction.read(&query, &[Type::Integer]).await, Err(Error::Timeout));
        drop(transaction);
        let mut transaction = database.begin().await.unwrap();
        transaction.insert(&setting("a")).await.unwrap();
        let update = Query::update().table("settings").value("value", slow(1 << 40)).to_owned();
        assert_eq!(transaction.execute(&update).await, Err(Error::Timeout));
        assert!(transaction.commit().await.is_err());
        assert_eq!(counted_settings(&database).await, 0);
        drop(hold_all(&database).await);
    }
);

both!(statements_are_counted, |database| {
    let ((), outside) = count_statements(async {
        let (_, inside) = count_statements(async {
            counted_settings(&database).await;
            let mut transaction = database.begin().await.unwrap();
            transaction.insert(&setting("a")).await.unwrap();
            transaction.read(&count(), &[Type::Integer]).await.unwrap();
            let delete = Query::delete().from_table("settings").to_owned();
            transaction.execute(&delete).await.unwrap();
            transaction.commit().await.unwrap();
        })
        .await;
        assert_eq!(inside, 4);
        counted_settings(&database).await;
    })
    .await;
    assert_eq!(outside, 5);
    counted_settings(&database).await;
});

both!(closed_is_unavailable, |database| {
    let mut transaction = database.begin().await.unwrap();
    transaction.insert(&setting("a")).await.unwrap();
    transaction.commit().await.unwrap();
    within(database.close()).await;
    assert!(matches!(database.read(&count(), &[Type::Integer]).await, Err(Error::Unavailable(_))));
    assert!(matches!(database.begin().await.map(drop), Err(Error::Unavailable(_))));
    assert!(matches!(database.ping().await, Err(Error::Unavailable(_))));
    let again = Database::open(&database.location).await.unwrap();
    assert_eq!(counted_settings(&again).await, 1);
});

both!(many_rows_are_inserted_in_bounded_statements, |database| {
    // More parameters than either database allows in one statement.
    let rows = (0..40_000).map(|number| [format!("setting {number}").into(), "1".into()]);
    let mut transaction = database.begin().await.unwrap();
    let inserted = transaction.insert_rows("settings", ["name", "value"], rows).await.unwrap();
    assert_eq!(inserted, 40_000);
    assert_eq!(transaction.insert_rows("settings", ["name", "value"], []).await.unwrap(), 0);
    transaction.commit().await.unwrap();
    assert_eq!(counted_settings(&database).await, 40_000);
});

both!(rows_are_read_as_tuples, |database| {
    let mut transaction = database.begin().await.unwrap();
    transaction.insert(&setting("a")).await.unwrap();
    let query = Query::select().columns(["name", "value"]).from("settings").to_owned();
    let rows: Vec<(String, serde_json::Value)> = transaction.read_as(&query).await.unwrap();
    assert_eq!(rows, [("a".to_owned(), 1.into())]);
    let wrong: Result<Vec<(i64, String)>, Error> = transaction.read_as(&query).await;
    assert!(wrong.is_err());
});
