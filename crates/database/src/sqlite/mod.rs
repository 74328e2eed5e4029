//! SQLite: readers on the async threads, and one writer.

pub(crate) mod connection;
mod error;
mod lock;
mod migrate;
mod read;
mod shared_snapshot;
#[cfg(test)]
mod tests;
mod value;
mod write;

pub(crate) use self::error::statement_error;
pub(crate) use self::migrate::{create, file_error, recorded_version};
pub(crate) use self::shared_snapshot::share_snapshots;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sea_query::Values;
use tokio::sync::Mutex;

use crate::listener::Shared;
use crate::{Error, OpenError, Row, Type};

/// An open database file.
#[derive(Clone)]
pub(crate) struct Sqlite {
    readers: Arc<read::Readers>,
    writer: Arc<Mutex<write::Writer>>,
    /// The file.
    path: Arc<Path>,
}

/// A transaction on the file.
pub(crate) struct SqliteTransaction {
    writer: Arc<Mutex<write::Writer>>,
    /// Empty after a cancelled statement.
    guard: Option<write::WriteGuard>,
}

impl Sqlite {
    /// Creates the file if it does not exist, migrates the schema, and opens it.
    pub(crate) async fn open(path: PathBuf) -> Result<Sqlite, OpenError> {
        let file = path.clone();
        let open = move || {
            migrate::prepare(&path)?;
            let file_error = |error| migrate::file_error(&path, &error);
            let readers = Arc::new(read::Readers::new(path.clone()));
            let writer = write::Writer::open(&path, readers.clone()).map_err(file_error)?;
            Ok(Sqlite { readers, writer: Arc::new(Mutex::new(writer)), path: path.into() })
        };
        tokio::task::spawn_blocking(open).await.unwrap_or_else(|_| {
            Err(OpenError::File { path: file, problem: "interrupted".to_owned(), remedy: "start again" })
        })
    }

    pub(crate) async fn read(&self, sql: &str, values: Values, types: &[Type]) -> Result<Vec<Row>, Error> {
        self.readers.read(sql, values, types).await
    }

    /// Takes the lock of this name as soon as no other process has it, and then never completes.
    pub(crate) fn listen(&self, channel: &str, shared: Arc<Shared>) -> impl Future<Output = ()> + use<> {
        let mut file = self.path.as_os_str().to_owned();
        file.push(format!(".{channel}"));
        lock::hold(file.into(), shared)
    }

    pub(crate) async fn begin(&self) -> Result<SqliteTransaction, Error> {
        // Later reads must see what the transaction commits.
        drop(shared_snapshot::take());
        let guard = write::begin(&self.writer).await?;
        Ok(SqliteTransaction { writer: self.writer.clone(), guard: Some(guard) })
    }

    pub(crate) async fn close(&self) {
        self.readers.close();
        let mut writer = self.writer.clone().lock_owned().await;
        if tokio::task::spawn_blocking(move || writer.close()).await.is_err() {
            tracing::warn!("closing the database was interrupted");
        }
    }
}

impl SqliteTransaction {
    pub(crate) async fn read(&mut self, sql: &str, values: Values, types: &[Type]) -> Result<Vec<Row>, Error> {
        write::WriteGuard::read(&mut self.guard, sql, values, types).await
    }

    pub(crate) fn insert(&mut self, sql: &str, values: &Values) -> Result<Vec<Row>, Error> {
        write::WriteGuard::insert(&mut self.guard, sql, values)
    }

    pub(crate) async fn execute(&mut self, sql: String, values: Values) -> Result<u64, Error> {
        write::WriteGuard::execute(&mut self.guard, sql, values).await
    }

    pub(crate) fn execute_inline(&mut self, sql: &str, values: &Values) -> Result<u64, Error> {
        write::WriteGuard::execute_inline(&mut self.guard, sql, values)
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        let guard = self.guard.take().ok_or_else(write::gone)?;
        drop(shared_snapshot::take());
        write::commit(&self.writer, guard).await
    }
}
