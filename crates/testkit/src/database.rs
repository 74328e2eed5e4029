//! The databases of tests.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fmt, fs, thread};

use postgres::{Client, NoTls};
use tempfile::TempDir;
use ureq::http::Uri;
use ureq::http::uri::PathAndQuery;

use crate::server::command;

/// The environment variable with the URL of the PostgreSQL server on which tests may create databases.
pub const POSTGRES_VARIABLE: &str = "HOSTLER_TEST_POSTGRES";

/// The prefix of the names of test databases, which is followed by the time of creation.
const PREFIX: &str = "hostler_test_";
/// In seconds: longer than any test takes.
const A_DAY: u64 = 24 * 60 * 60;

/// Where a test server keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file in the server's data directory.
    Sqlite,
    /// A database on the server of `HOSTLER_TEST_POSTGRES`.
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

/// The backends that can be tested on this machine: PostgreSQL only if `HOSTLER_TEST_POSTGRES` is set.
pub fn backends() -> Vec<Backend> {
    match postgres_url() {
        Some(_) => vec![Backend::Sqlite, Backend::Postgres],
        None => vec![Backend::Sqlite],
    }
}

fn postgres_url() -> Option<String> {
    std::env::var(POSTGRES_VARIABLE).ok().filter(|url| !url.is_empty())
}

/// A place for one empty database, with a folder for other files. All is removed with this value.
#[derive(Debug)]
pub struct EmptyDatabase {
    server: Option<PostgresDatabase>,
    folder: TempDir,
}

impl EmptyDatabase {
    /// Creates a database on a server, or a folder for a file.
    pub fn create(backend: Backend) -> Self {
        let server = (backend == Backend::Postgres).then(PostgresDatabase::create);
        EmptyDatabase { server, folder: TempDir::with_prefix("hostler-test-").expect("a folder") }
    }

    /// The URL of the PostgreSQL database, or the path of the SQLite file, which does not exist yet.
    pub fn location(&self) -> Result<String, PathBuf> {
        self.server.as_ref().map(PostgresDatabase::url).ok_or_else(|| self.folder.path().join("test.db"))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A PostgreSQL database, dropped with this value.
#[derive(Debug)]
pub struct PostgresDatabase {
    server: String,
    name: String,
}

impl PostgresDatabase {
    /// Creates the database, which has no tables.
    pub fn create() -> Self {
        Self::create_on(postgres_url().unwrap_or_else(|| panic!("{POSTGRES_VARIABLE} names no server")))
    }

    /// Creates a database with the schema of this `hostler`: a copy takes a tenth of the time of a migration.
    pub fn migrated_by(binary: &Path) -> Self {
        let server = postgres_url().unwrap_or_else(|| panic!("{POSTGRES_VARIABLE} names no server"));
        let template = template(&server, binary);
        Self::make(server, &format!("TEMPLATE {template}"))
    }

    /// Creates the database with options of `CREATE DATABASE`; none if `HOSTLER_TEST_POSTGRES` is not set.
    pub fn create_with(options: &str) -> Option<Self> {
        Some(Self::make(postgres_url()?, options))
    }

    /// Creates a database on another server than that of `HOSTLER_TEST_POSTGRES`.
    pub fn create_on(server: String) -> Self {
        Self::make(server, "")
    }

    fn make(server: String, options: &str) -> Self {
        let name = format!("{PREFIX}{}_{}", seconds(), uuid::Uuid::new_v4().simple());
        let database = Self { server, name };
        database.execute(&format!("CREATE DATABASE {} {options}", database.name)).expect("a database for this test");
        database
    }

    /// The value of the server's option `--database`.
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
        run(&self.url(), statement)
    }

    /// Ends all connections to this database and rejects new ones.
    pub fn reject_connections(&self) {
        self.execute(&format!(
            "ALTER DATABASE {0} ALLOW_CONNECTIONS false;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{0}'",
            self.name
        ))
        .expect("the database is locked");
    }

    fn execute(&self, statement: &str) -> Result<(), postgres::Error> {
        run(&self.server, statement)
    }
}

/// The name of a database with the schema of this `hostler`, which is created if it does not exist. It is dropped with
/// the databases of killed tests.
fn template(server: &str, binary: &Path) -> String {
    let file = fs::metadata(binary).expect("the program");
    let built = file.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    let built = built.expect("the time of the program");
    let name = format!("{PREFIX}{}_{:x}{:x}", built.as_secs(), built.subsec_nanos(), file.len());
    on_own_thread(|| {
        let mut client = Client::connect(server, NoTls)?;
        let exists = format!("SELECT FROM pg_database WHERE datname = '{name}'");
        if client.query_opt(&exists, &[])?.is_some() {
            return Ok(());
        }
        // One test creates it. The lock ends with the connection.
        client.batch_execute("SELECT pg_advisory_lock(hashtext('template of tests'))")?;
        if client.query_opt(&exists, &[])?.is_some() {
            return Ok(());
        }
        let new = PostgresDatabase::make(server.to_owned(), "");
        let data = TempDir::with_prefix("hostler-test-").expect("a folder");
        let mut status = command(binary);
        status.args(["status", "--database", &new.url(), "--data"]).arg(data.path());
        let output = status.output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // It belongs to a key in the folder.
        Client::connect(&new.url(), NoTls)?.batch_execute("DELETE FROM vault")?;
        // The connections end soon after their processes.
        let rename = format!("ALTER DATABASE {} RENAME TO {name}", new.name);
        for _ in 0..100 {
            if client.batch_execute(&rename).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        client.batch_execute(&rename)
    })
    .expect("a database with the schema");
    name
}

fn run(url: &str, statement: &str) -> Result<(), postgres::Error> {
    on_own_thread(|| Client::connect(url, NoTls)?.batch_execute(statement))
}

/// The driver has its own runtime, and some tests have one too.
fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).expect("the driver does not panic")
}

#[expect(clippy::disallowed_methods, reason = "not the server's clock: it finds databases of old tests")]
fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Drops databases of killed tests on the server of `HOSTLER_TEST_POSTGRES`: those that were created more than a day
/// ago and have no connections.
///
/// # Errors
/// If the server cannot be reached. A database that cannot be dropped stays.
pub fn drop_abandoned() -> Result<(), postgres::Error> {
    let Some(url) = postgres_url() else { return Ok(()) };
    let mut client = Client::connect(&url, NoTls)?;
    for row in client.query("SELECT datname::text FROM pg_database WHERE NOT datistemplate", &[])? {
        let name: String = row.get(0);
        if began(&name).is_some_and(|began| began + A_DAY < seconds()) {
            // Without FORCE, which would end the connections of other tests.
            let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}"));
        }
    }
    Ok(())
}

/// The time of creation of the database with this name, in seconds since 1970; none for other databases.
fn began(name: &str) -> Option<u64> {
    let (seconds, rest) = name.strip_prefix(PREFIX)?.split_once('_')?;
    let is_ours = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    seconds.parse().ok().filter(|_| is_ours)
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // FORCE: the connections of a killed server may remain for a moment.
        let dropped = self.execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // A remaining database is not a failure of the test.
        if let Err(problem) = dropped {
            eprintln!("could not drop {}: {problem}", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creation_time_is_parsed_from_test_database_names() {
        assert_eq!(began("hostler_test_1700000000_00ff"), Some(1_700_000_000));
        for name in
            ["hostler", "hostler_test_", "hostler_test_00ff", "hostler_test_17_", "hostler_test_17_x; y", "x_17_00"]
        {
            assert_eq!(began(name), None, "{name}");
        }
    }

    #[test]
    fn databases_of_old_tests_are_dropped() {
        let (Some(new), Some(url)) = (PostgresDatabase::create_with(""), postgres_url()) else {
            return crate::skip::skip("there is no PostgreSQL");
        };
        let old = format!("{PREFIX}1700000000_{}", uuid::Uuid::new_v4().simple());
        run(&url, &format!("CREATE DATABASE {old}")).expect("an old database");
        drop_abandoned().expect("the server answers");
        let mut client = Client::connect(&url, NoTls).expect("the server answers");
        let names = client.query("SELECT datname::text FROM pg_database", &[]).expect("their names");
        let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
        assert!(names.contains(&new.name), "{names:?}");
        assert!(!names.contains(&old), "{names:?}");
    }
}
