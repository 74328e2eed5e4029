//! Upgrades of databases that contain rows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use hostler_database::copy::{Destination, Import};
use hostler_database::{Database, Dialect, Location, Type, Value};
use hostler_testkit::database::PostgresDatabase;
use sea_query::{Alias, Expr, ExprTrait, Order, Query};

/// The rows of an older database. The project with the greatest id was deleted: that id must not be used again.
const PROJECTS: &str = "
    INSERT INTO organizations (id, ansible_id, created, modified, name) VALUES (1, 'o1', {time}, {time}, 'home');
    INSERT INTO projects (id, created, modified, organization_id, name, description, scm_type, scm_url, scm_clean, local_path)
    VALUES (4, {time}, {time}, 1, 'site', 'the site', 'git', 'https://git.example/site', {true}, '_4__site'),
           (7, {time}, {time}, NULL, 'site', '', '', '', {false}, 'folder');
    INSERT INTO roles (content_type, object_id, role_field) VALUES ('project', 4, 'admin_role'), ('project', 7, 'admin_role');
";
const DELETED: &str = "
    INSERT INTO projects (created, modified, name) VALUES ({time}, {time}, 'gone');
    DELETE FROM projects WHERE name = 'gone';
";

fn in_dialect(sql: &str, dialect: Dialect) -> String {
    let words = match dialect {
        Dialect::Sqlite => [("{time}", "1600000000000000"), ("{true}", "1"), ("{false}", "0")],
        Dialect::Postgres => [("{time}", "to_timestamp(1600000000)"), ("{true}", "true"), ("{false}", "false")],
    };
    words.iter().fold(sql.to_owned(), |sql, (name, word)| sql.replace(name, word))
}

/// An empty database with the schema of this version.
async fn create(location: &Location, schema: i64) {
    let destination = match location {
        Location::Sqlite(path) => Destination::Sqlite(path.clone()),
        Location::Postgres(url) => Destination::Postgres { url: url.clone(), replace: false },
    };
    let create = move || Import::begin(&destination, schema).unwrap().commit().unwrap();
    tokio::task::spawn_blocking(create).await.unwrap();
}

async fn projects_become_unified_job_templates(location: &Location, dialect: Dialect) {
    create(location, 23).await;
    common::raw(location, &in_dialect(PROJECTS, dialect)).await;
    if dialect == Dialect::Postgres {
        common::raw(location, "SELECT setval(pg_get_serial_sequence('projects', 'id'), 7)").await;
    }
    common::raw(location, &in_dialect(DELETED, dialect)).await;

    let database = Database::open(location).await.unwrap();
    let columns = ["id", "organization_id", "name", "description", "scm_url", "scm_clean", "local_path", "type"];
    let types =
        [Type::Integer, Type::Integer, Type::Text, Type::Text, Type::Text, Type::Boolean, Type::Text, Type::Text];
    let rows_of = |table: &'static str| {
        let mut query = Query::select();
        query.columns(columns.map(Alias::new)).from(Alias::new(table)).order_by(Alias::new("id"), Order::Asc);
        query
    };
    let text = |text: &str| Value::Text(text.to_owned());
    for table in ["projects", "unified_job_templates"] {
        let rows = database.read(&rows_of(table), &types).await.unwrap();
        let [of_home, of_nobody] = &rows[..] else { panic!("{table}: {rows:?}") };
        let expected = [
            Value::Integer(4),
            Value::Integer(1),
            text("site"),
            text("the site"),
            text("https://git.example/site"),
            Value::Boolean(true),
            text("_4__site"),
            text("project"),
        ];
        assert_eq!(of_home.0, expected, "{table}");
        assert_eq!((&of_nobody.0[0], &of_nobody.0[1]), (&Value::Integer(7), &Value::Null), "{table}");
    }

    let mut tx = database.begin().await.unwrap();
    let insert = Query::insert()
        .into_table(Alias::new("unified_job_templates"))
        .columns(["type", "created", "modified", "name"].map(Alias::new))
        .values_panic([
            Expr::from("project"),
            Expr::from(jiff::Timestamp::UNIX_EPOCH),
            Expr::from(jiff::Timestamp::UNIX_EPOCH),
            Expr::from("new"),
        ])
        .to_owned();
    assert_eq!(tx.insert(&insert).await.unwrap(), 9, "8 was the id of the deleted project");
    let delete =
        Query::delete().from_table(Alias::new("organizations")).and_where(Expr::col(Alias::new("id")).eq(1)).to_owned();
    tx.execute(&delete).await.unwrap();
    tx.commit().await.unwrap();
    let rows = database.read(&rows_of("projects"), &types).await.unwrap();
    assert!(rows.iter().all(|row| row.0[1] == Value::Null), "projects outlive their organization: {rows:?}");
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_become_unified_job_templates_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("test.db"));
    projects_become_unified_job_templates(&location, Dialect::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_become_unified_job_templates_postgres() {
    let Some(server) = PostgresDatabase::create_with("") else {
        return hostler_testkit::skip::skip("there is no PostgreSQL");
    };
    projects_become_unified_job_templates(&Location::Postgres(server.url()), Dialect::Postgres).await;
}
