//! Descriptions and foreign keys agree on what happens to an object when an object that it links to is deleted.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use hostler_database::{Database, Dialect, Location, Row, Type};
use hostler_engine::{Dependent, Links};
use hostler_resources::REGISTRY;
use hostler_schema::{Field, Join, OnDelete, Post, Resource};
use hostler_testkit::database::PostgresDatabase;
use sea_query::{Expr, Func, JoinType, Query, SelectStatement};

/// The foreign keys of a database by table and column: the other table, and what the deletion of its row does.
type ForeignKeys = BTreeMap<(String, String), (String, OnDelete)>;

fn stored_resources() -> impl Iterator<Item = &'static Resource> {
    REGISTRY.resources().filter(|resource| !resource.is_view)
}

fn key(table: &str, column: &str) -> (String, String) {
    (table.to_owned(), column.to_owned())
}

async fn compare(database: &Database) {
    let keys = foreign_keys(database).await;
    let mut compared = 0;
    for resource in stored_resources() {
        for field in resource.fields {
            let Some(target) = field.target() else { continue };
            let expected = (target.stored_in().to_owned(), field.deletion());
            let found = keys.get(&key(resource.stored_in(), field.column));
            assert_eq!(found, Some(&expected), "{}.{}", resource.name, field.name);
            compared += 1;
        }
        for sublist in resource.sublists {
            let (Post::Associate(_), Join::JoinTable { table, left, right, .. }) = (sublist.post, sublist.join) else {
                continue;
            };
            for (column, end) in [(left, resource), (right, (sublist.target)())] {
                let expected = (end.stored_in().to_owned(), OnDelete::Cascade);
                assert_eq!(keys.get(&key(table, column)), Some(&expected), "{}/{}", resource.plural, sublist.name);
            }
        }
    }
    assert!(compared > 30, "only {compared} links were compared");
    // A cascade that no link declares would leave roles and activity links behind.
    let is_stored = |table: &str| stored_resources().any(|resource| resource.stored_in() == table);
    for ((table, column), (target, effect)) in &keys {
        if *effect == OnDelete::SetNull || !is_stored(table) || !is_stored(target) {
            continue;
        }
        let declares = |field: &Field| field.target().is_some() && field.column == column;
        let mut resources = stored_resources().filter(|resource| resource.stored_in() == table);
        assert!(resources.any(|resource| resource.fields.iter().any(declares)), "no link declares {table}.{column}");
    }
}

async fn foreign_keys(database: &Database) -> ForeignKeys {
    let query = match database.dialect() {
        Dialect::Sqlite => sqlite_foreign_keys(),
        Dialect::Postgres => postgres_foreign_keys(),
    };
    let rows = database.read(&query, &[Type::Text; 4]).await.expect("the foreign keys");
    let read = |row: &Row| {
        let text = |position| row.text(position).expect("a text").to_owned();
        ((text(0), text(1)), (text(2), effect(&text(3))))
    };
    rows.iter().map(read).collect()
}

fn sqlite_foreign_keys() -> SelectStatement {
    Query::select()
        .exprs([r#"tables."name""#, r#"keys."from""#, r#"keys."table""#, r#"keys."on_delete""#].map(Expr::cust))
        .from_as("sqlite_schema", "tables")
        .from_function(Func::cust("pragma_foreign_key_list").arg(Expr::cust(r#"tables."name""#)), "keys")
        .and_where(Expr::cust(r#"tables."type" = 'table'"#))
        .to_owned()
}

fn postgres_foreign_keys() -> SelectStatement {
    Query::select()
        .exprs(["conrelid::regclass::text", "attname::text"].map(Expr::cust))
        .exprs(["confrelid::regclass::text", "confdeltype::text"].map(Expr::cust))
        .from("pg_constraint")
        .join(JoinType::InnerJoin, "pg_attribute", Expr::cust("attrelid = conrelid AND attnum = conkey[1]"))
        .and_where(Expr::cust("contype = 'f'"))
        .to_owned()
}

fn effect(name: &str) -> OnDelete {
    match name {
        "c" | "CASCADE" => OnDelete::Cascade,
        "n" | "SET NULL" => OnDelete::SetNull,
        "a" | "r" | "NO ACTION" | "RESTRICT" => OnDelete::Restrict,
        other => panic!("unknown effect {other}"),
    }
}

/// A deletion counts and changes the rows of each once.
#[test]
fn dependents_have_no_rows_in_common() {
    let links = Links::new(REGISTRY);
    for resource in stored_resources() {
        let mut known = BTreeSet::new();
        for Dependent { resource: dependent, link } in links.dependents(resource.stored_in()) {
            let name = format!("{}.{}", dependent.name, link.name);
            assert!(dependent.variants.is_none(), "the rows of {name} are those of variants");
            assert!(known.insert(name.clone()), "{name} depends on {} twice", resource.name);
        }
    }
}

#[tokio::test]
async fn links_match_foreign_keys_in_sqlite() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = Database::open(&Location::Sqlite(folder.path().join("hostler.db"))).await.expect("a new database");
    compare(&database).await;
    database.close().await;
}

#[tokio::test]
async fn links_match_foreign_keys_in_postgresql() {
    let Some(empty) = PostgresDatabase::create_with("") else {
        return hostler_testkit::skip::skip("there is no PostgreSQL");
    };
    let database = Database::open(&Location::Postgres(empty.url())).await.expect("the new database");
    compare(&database).await;
    database.close().await;
}
