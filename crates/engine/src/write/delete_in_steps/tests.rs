#![allow(clippy::unwrap_used, reason = "tests report by panicking")]

use std::time::Duration;

use hostler_database::{Database, Location};
use hostler_schema::{Access, Action, Actor, Draft, Field, Rule, fields};
use hostler_testkit::database::PostgresDatabase;
use hostler_testkit::{Backend, on_each_backend};

use super::*;
use crate::{NoHooks, Registered, Registry};

on_each_backend!(object_moved_away_during_deletion_survives);

struct Everybody;

impl Access for Everybody {
    fn rows(&self, _: &Actor, _: Action, _: &str) -> Rule {
        Rule::All
    }
    fn create(&self, _: &Actor, _: Draft<'_>) -> Rule {
        Rule::All
    }
}

static LIBRARY: Resource = Resource {
    recorded: false,
    deleted_in_steps: true,
    ..Resource::new("library", "libraries", "Library", &[fields::id()], &Everybody)
};
const LIBRARY_LINK: Field = fields::link("library", "library_id", || &LIBRARY);
static BOOK: Resource =
    Resource { recorded: false, ..Resource::new("book", "books", "Book", &[fields::id(), LIBRARY_LINK], &Everybody) };
static REGISTERED: [Registered; 2] =
    [Registered { resource: &LIBRARY, hooks: &NoHooks }, Registered { resource: &BOOK, hooks: &NoHooks }];

const TABLES: &str = "
    CREATE TABLE libraries (id INTEGER PRIMARY KEY, is_deleted BOOLEAN NOT NULL DEFAULT FALSE);
    CREATE TABLE books (id INTEGER PRIMARY KEY, library_id INTEGER NOT NULL REFERENCES libraries (id) ON DELETE CASCADE);
    INSERT INTO libraries (id) VALUES (1), (2);
    INSERT INTO books (id, library_id) VALUES (1, 1), (2, 1), (3, 2);
";

/// Runs a test with two libraries, of which the first has the books 1 and 2.
fn on(backend: Backend, test: impl AsyncFnOnce(Database)) {
    let folder = tempfile::tempdir().unwrap();
    let server = (backend == Backend::Postgres).then(PostgresDatabase::create);
    let location = match &server {
        Some(server) => {
            server.execute_inside(&TABLES.replace("INTEGER", "BIGINT")).unwrap();
            Location::Postgres(server.url())
        }
        None => {
            let file = folder.path().join("test.db");
            rusqlite::Connection::open(&file).unwrap().execute_batch(TABLES).unwrap();
            Location::Sqlite(file)
        }
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { test(Database::open(&location).await.unwrap()).await });
}

fn object_moved_away_during_deletion_survives(backend: Backend) {
    on(backend, async |database| {
        let links = Links::new(Registry(&REGISTERED));
        let [books] = <[DependentRows; 1]>::try_from(dependent_rows(&links, &LIBRARY, 1)).ok().unwrap();
        let mut moving = database.begin().await.unwrap();
        let mut update = Query::update();
        update.table("books").value("library_id", 2).and_where(column("books", "id").eq(1));
        moving.execute(&update).await.unwrap();
        let deletion = async {
            let mut tx = database.begin().await.unwrap();
            let changed = books.change_some(&links, &mut tx).await.unwrap();
            tx.commit().await.unwrap();
            changed
        };
        let commit = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            moving.commit().await.unwrap();
        };
        assert_eq!(tokio::join!(deletion, commit).0, 1);
        let rest = Query::select().column("id").from("books").order_by("id", sea_query::Order::Asc).to_owned();
        let rest = database.read(&rest, &[Type::Integer]).await.unwrap();
        assert_eq!(rest.iter().filter_map(|row| row.integer(0)).collect::<Vec<_>>(), [1, 3]);
    });
}
