//! Measures reads and commits on SQLite, or on the PostgreSQL server of the URL given.
//! Run it with `--release`, and with TMPDIR on the disk to measure.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use hostler_database::{Database, Location, Type};
use sea_query::{Expr, ExprTrait, Query};

const TIME: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let location = match std::env::args().nth(1) {
        Some(url) => Location::Postgres(url),
        None => Location::Sqlite(directory.path().join("throughput.sqlite3")),
    };
    let database = Database::open(&location).await.unwrap();
    let start = Instant::now();
    let id = write(&database, format!("first {start:?}")).await;

    let mut reads = 0;
    while start.elapsed() < TIME {
        let query = Query::select()
            .columns(["id", "name", "value"])
            .from("settings")
            .and_where(Expr::col("id").eq(id))
            .to_owned();
        let rows = database.read(&query, &[Type::Integer, Type::Text, Type::Json]).await.unwrap();
        assert_eq!(rows.len(), 1);
        reads += 1;
    }
    println!("{:.0} reads/s by primary key, one task", f64::from(reads) / start.elapsed().as_secs_f64());

    for writers in [1, 32] {
        let start = Instant::now();
        let tasks = (0..writers).map(|writer| {
            let database = database.clone();
            tokio::spawn(async move {
                let mut commits = 0;
                while start.elapsed() < TIME {
                    write(&database, format!("{start:?} {writers} {writer} {commits}")).await;
                    commits += 1;
                }
                commits
            })
        });
        let mut commits = 0;
        for task in tasks.collect::<Vec<_>>() {
            commits += task.await.unwrap();
        }
        println!("{:.0} commits/s by {writers} writers", f64::from(commits) / start.elapsed().as_secs_f64());
    }
    database.close().await;
}

async fn write(database: &Database, name: String) -> i64 {
    let mut transaction = database.begin().await.unwrap();
    let statement = Query::insert()
        .into_table("settings")
        .columns(["name", "value"])
        .values_panic([name.into(), "{\"on\": true}".into()])
        .to_owned();
    let id = transaction.insert(&statement).await.unwrap();
    transaction.commit().await.unwrap();
    id
}
