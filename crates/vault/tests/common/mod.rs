//! A database of either backend, and a folder for keys.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::PathBuf;

use hostler_database::{Database, Location};
use hostler_testkit::Backend;
use hostler_testkit::database::PostgresDatabase;
use hostler_vault::{SecretContext, Vault};

/// The context of single encrypted texts.
pub const CONTEXT: SecretContext<'static> = SecretContext::new("credential", 7, "password");

/// An additional table with a text column and a JSON column.
const TABLE: &str =
    "CREATE TABLE safes (id INTEGER PRIMARY KEY, pin TEXT NOT NULL DEFAULT '', papers TEXT NOT NULL DEFAULT '{}')";

/// A database and a key folder.
pub struct Fixture {
    pub database: Database,
    folder: tempfile::TempDir,
}

impl Fixture {
    /// The folder of the keys.
    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// Another folder.
    pub fn elsewhere(&self) -> PathBuf {
        self.folder.path().join("elsewhere")
    }

    /// The vault of a server that starts now.
    pub async fn vault(&self) -> Vault {
        Vault::open(&self.keys(), &self.database).await.unwrap()
    }

    pub async fn encrypt(&self, vault: &Vault, plain: &str) -> String {
        let mut tx = self.database.begin().await.unwrap();
        let encrypted = vault.encrypt(&mut tx, &CONTEXT, plain).await.unwrap();
        tx.commit().await.unwrap();
        encrypted
    }
}

pub fn on(backend: Backend, test: impl AsyncFnOnce(Fixture)) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    let server = (backend == Backend::Postgres).then(PostgresDatabase::create);
    let location = match &server {
        Some(server) => {
            server.execute_inside(&TABLE.replace("INTEGER", "BIGINT")).unwrap();
            Location::Postgres(server.url())
        }
        None => {
            rusqlite::Connection::open(&file).unwrap().execute_batch(TABLE).unwrap();
            Location::Sqlite(file)
        }
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let database = Database::open(&location).await.unwrap();
        test(Fixture { database, folder }).await;
    });
}
