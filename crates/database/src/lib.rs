//! SQLite and PostgreSQL behind one small type.
//!
//! Statements are built with sea-query, and mean the same on both. The
//! differences are in [`Dialect`]; the drivers are known to this crate only.
//!
//! ```no_run
//! # use hostler_database::{Database, Error, Location, Type};
//! # use sea_query::{Expr, ExprTrait, Query};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let database = Database::open(&Location::Sqlite("hostler.sqlite3".into())).await?;
//! let mut transaction = database.begin().await?;
//! let setting = Query::insert()
//!     .into_table("settings")
//!     .columns(["name", "value"])
//!     .values(["PENDO_TRACKING_STATE".into(), "\"off\"".into()])?
//!     .to_owned();
//! let id = transaction.insert(&setting).await?;
//! transaction.commit().await?;
//!
//! let query = Query::select().column("value").from("settings").and_where(Expr::col("id").eq(id)).to_owned();
//! let rows = database.read(&query, &[Type::Json]).await?;
//! # Ok(())
//! # }
//! ```

pub mod copy;
mod dialect;
mod error;
mod from_row;
mod json_contains;
mod listener;
mod migrate;
mod postgres;
mod prepared_query;
mod sqlite;
mod statement;
mod statement_count;
mod text_matcher;
mod transaction;
mod value;

use std::path::PathBuf;

use sea_query::{Expr, Func, Query, SelectStatement};

pub use dialect::{Dialect, InvalidRegex, TextLookup};
pub use error::{Error, OpenError};
pub use from_row::{FromRow, FromValue, typed};
pub use listener::Listener;
pub use prepared_query::PreparedQuery;
pub use statement_count::{count_statements, count_statements_of};
pub use text_matcher::TextMatcher;
pub use transaction::Transaction;
pub use value::{Row, Type, Value};

use postgres::Postgres;
use sqlite::Sqlite;

/// The location of a database.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file; it is created if it does not exist.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL server: `postgres://user:password@host:5432/database`. TLS
    /// parameters mean what they mean to libpq: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`.
    Postgres(String),
}

impl Location {
    /// The file of the client certificate's key, if the URL names one (`sslkey`).
    pub fn client_key(&self) -> Option<PathBuf> {
        match self {
            Location::Sqlite(_) => None,
            Location::Postgres(url) => postgres::tls::separate(url).1.ok()?.identity.map(|identity| identity.key),
        }
    }
}

// The URL may contain a password.
impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Location::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

/// Runs a future, usually the handling of a request. On SQLite its reads share a snapshot as long as it does not wait in
/// between, and begins or commits no [`Transaction`]; on PostgreSQL each read has its own.
pub async fn share_snapshots<F: Future>(future: F) -> F::Output {
    sqlite::share_snapshots(future).await
}

/// An open database; cheap to clone.
#[derive(Clone)]
pub struct Database(Backend);

#[derive(Clone)]
enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    /// Opens a database and brings its schema up to date. Needs a multi-threaded
    /// or single-threaded tokio runtime with time and IO, as does all the rest.
    ///
    /// # Errors
    /// [`OpenError`], whose messages are for the operator.
    pub async fn open(location: &Location) -> Result<Database, OpenError> {
        Ok(Database(match location {
            Location::Sqlite(path) => Backend::Sqlite(Sqlite::open(path.clone()).await?),
            Location::Postgres(url) => Backend::Postgres(Postgres::open(url).await?),
        }))
    }

    /// The kind of the database.
    pub fn dialect(&self) -> Dialect {
        match self.0 {
            Backend::Sqlite(_) => Dialect::Sqlite,
            Backend::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Reads committed rows; `types` are the types of the columns. Each call reads one snapshot; two calls may read
    /// different ones, unless they [share it](share_snapshots).
    ///
    /// # Errors
    /// Any but [`Error::Unique`] and [`Error::ForeignKey`].
    pub async fn read(&self, query: &SelectStatement, types: &[Type]) -> Result<Vec<Row>, Error> {
        statement_count::count();
        match &self.0 {
            Backend::Sqlite(backend) => {
                let (sql, values) = statement::for_sqlite(query);
                backend.read(&sql, values, types).await
            }
            Backend::Postgres(backend) => {
                let (sql, values) = statement::for_postgres(query);
                backend.read(&sql, &values, types).await
            }
        }
    }

    /// [Reads](Database::read) a prepared query with these parameters.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn read_prepared(
        &self,
        query: &PreparedQuery,
        parameters: &[sea_query::Value],
    ) -> Result<Vec<Row>, Error> {
        statement_count::count();
        let (sql, values, types) = (query.sql(), query.values(parameters)?, query.types());
        match &self.0 {
            Backend::Sqlite(backend) => backend.read(sql, values, types).await,
            Backend::Postgres(backend) => backend.read(sql, &values, types).await,
        }
    }

    /// Begins a transaction; on SQLite, waits for earlier transactions.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Full`].
    pub async fn begin(&self) -> Result<Transaction, Error> {
        Ok(Transaction::new(match &self.0 {
            Backend::Sqlite(backend) => transaction::Backend::Sqlite(backend.begin().await?),
            Backend::Postgres(backend) => transaction::Backend::Postgres(Box::new(backend.begin().await?)),
        }))
    }

    /// Checks that the database responds.
    ///
    /// # Errors
    /// Usually [`Error::Unavailable`].
    pub async fn ping(&self) -> Result<(), Error> {
        let (sql, values, types) = ("SELECT 1", sea_query::Values(Vec::new()), [Type::Integer]);
        match &self.0 {
            Backend::Sqlite(backend) => backend.read(sql, values, &types).await?,
            Backend::Postgres(backend) => backend.read(sql, &values, &types).await?,
        };
        Ok(())
    }

    /// Whether the database accepts writes: a standby or read-only PostgreSQL server does not.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn is_writable(&self) -> Result<bool, Error> {
        match &self.0 {
            Backend::Sqlite(_) => Ok(true),
            Backend::Postgres(backend) => backend.is_writable().await,
        }
    }

    /// Whether the schema has the version of this program; a newer server may have migrated it meanwhile.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn is_current(&self) -> Result<bool, Error> {
        let query = Query::select().expr(Func::max(Expr::col("version"))).from(migrate::TABLE).to_owned();
        let rows = self.read(&query, &[Type::Integer]).await?;
        Ok(rows.first().and_then(|row| row.integer(0)) == Some(migrate::known(self.dialect())))
    }

    /// Waits for running writes and closes the database; later calls fail with
    /// [`Error::Unavailable`].
    pub async fn close(&self) {
        match &self.0 {
            Backend::Sqlite(backend) => backend.close().await,
            Backend::Postgres(backend) => backend.close(),
        }
    }
}
