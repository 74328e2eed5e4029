//! The databases that tests run on.

use std::fmt;

use postgres::{Client, NoTls};
use ureq::http::Uri;
use ureq::http::uri::PathAndQuery;

/// Names the PostgreSQL server on which tests may create databases, as a URL.
pub const POSTGRES_VARIABLE: &str = "HOSTLER_TEST_POSTGRES";

/// Where a test server keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file in the server's data directory.
    Sqlite,
    /// A database of its own on the server that `HOSTLER_TEST_POSTGRES` names.
    Postgres,
}

impl fmt::Display for Backend {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Backend::Sqlite => "sqlite",
            Backend::Postgres => "postgres",
        })
    }
}

/// The backends that can be tested here: PostgreSQL only where a server is named.
pub fn backends() -> Vec<Backend> {
    match postgres_url() {
        Some(_) => vec![Backend::Sqlite, Backend::Postgres],
        None => vec![Backend::Sqlite],
    }
}

fn postgres_url() -> Option<String> {
    std::env::var(POSTGRES_VARIABLE).ok().filter(|url| !url.is_empty())
}

/// An empty PostgreSQL database, dropped with this value.
#[derive(Debug)]
pub struct PostgresDatabase {
    server: String,
    name: String,
}

impl PostgresDatabase {
    /// Creates the database.
    pub fn create() -> Self {
        Self::create_on(postgres_url().unwrap_or_else(|| panic!("{POSTGRES_VARIABLE} names no server")))
    }

    /// Creates a database on another server than the one that all tests share.
    pub fn create_on(server: String) -> Self {
        let name = format!("hostler_test_{}", uuid::Uuid::new_v4().simple());
        let database = Self { server, name };
        database.execute(&format!("CREATE DATABASE {}", database.name)).expect("a database for this test");
        database
    }

    /// The URL that a server takes as `--database`.
    pub fn url(&self) -> String {
        let mut parts = self.server.parse::<Uri>().expect("HOSTLER_TEST_POSTGRES is a URL").into_parts();
        let query = parts.path_and_query.as_ref().and_then(PathAndQuery::query);
        let path = match query {
            Some(query) => format!("/{}?{query}", self.name),
            None => format!("/{}", self.name),
        };
        parts.path_and_query = Some(path.parse().expect("a path"));
        Uri::from_parts(parts).expect("a URL").to_string()
    }

    /// Runs SQL in this database.
    pub fn execute_inside(&self, statement: &str) -> Result<(), postgres::Error> {
        Client::connect(&self.url(), NoTls)?.batch_execute(statement)
    }

    /// Ends all connections to this database and lets nobody connect any more.
    pub fn lock_out(&self) {
        self.execute(&format!(
            "ALTER DATABASE {0} ALLOW_CONNECTIONS false;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{0}'",
            self.name
        ))
        .expect("the database is locked");
    }

    fn execute(&self, statement: &str) -> Result<(), postgres::Error> {
        Client::connect(&self.server, NoTls)?.batch_execute(statement)
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // FORCE: the connections of a killed server may linger for a moment.
        let dropped = self.execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // A database left behind is a nuisance, not a failure of the test.
        if let Err(problem) = dropped {
            eprintln!("could not drop {}: {problem}", self.name);
        }
    }
}
