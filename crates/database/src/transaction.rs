//! Transactions.

use sea_query::{InsertStatement, QueryStatementWriter, SelectStatement};

use crate::postgres::PostgresTransaction;
use crate::sqlite::SqliteTransaction;
use crate::statement_count::count;
use crate::{Dialect, Error, PreparedQuery, Row, Type, Value, statement};

/// A transaction: all of it happens, or nothing. Dropped without
/// [`commit`](Transaction::commit), nothing does.
///
/// While one is open on SQLite, no other can be: keep it short, wait for nothing
/// but the database in it, and begin no other one in it.
///
/// After a statement has failed, or its future was dropped before it was done,
/// the transaction can only be dropped: further statements and the commit fail.
pub struct Transaction {
    backend: Backend,
    /// Whether a statement failed or did not end. PostgreSQL would answer a
    /// commit then as if all was well, and roll back.
    broken: bool,
}

pub(crate) enum Backend {
    Sqlite(SqliteTransaction),
    // Boxed, as it is ten times the size of the other.
    Postgres(Box<PostgresTransaction>),
}

impl Transaction {
    pub(crate) fn new(backend: Backend) -> Transaction {
        Transaction { backend, broken: false }
    }

    /// Which database this is on.
    pub fn dialect(&self) -> Dialect {
        match self.backend {
            Backend::Sqlite(_) => Dialect::Sqlite,
            Backend::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Reads rows, with what this transaction has changed so far; `types` says
    /// how to decode each column.
    ///
    /// # Errors
    /// Any but [`Error::Unique`] and [`Error::ForeignKey`].
    pub async fn read(&mut self, query: &SelectStatement, types: &[Type]) -> Result<Vec<Row>, Error> {
        count();
        self.start()?;
        let result = match &mut self.backend {
            Backend::Sqlite(backend) => {
                let (sql, values) = statement::for_sqlite(query);
                backend.read(&sql, values, types).await
            }
            Backend::Postgres(backend) => {
                let (sql, values) = statement::for_postgres(query);
                backend.read(&sql, &values, types).await
            }
        };
        self.end(result)
    }

    /// [Reads](Transaction::read) a prepared query with these parameters.
    ///
    /// # Errors
    /// As [`Transaction::read`].
    pub async fn read_prepared(
        &mut self,
        query: &PreparedQuery,
        parameters: &[sea_query::Value],
    ) -> Result<Vec<Row>, Error> {
        count();
        self.start()?;
        let (sql, values, types) = (query.sql(), query.values(parameters)?, query.types());
        let result = match &mut self.backend {
            Backend::Sqlite(backend) => backend.read(sql, values, types).await,
            Backend::Postgres(backend) => backend.read(sql, &values, types).await,
        };
        self.end(result)
    }

    /// Inserts one row into a table that has an integer `id`, and answers that.
    /// The statement must have no RETURNING of its own; one that may insert
    /// nothing, because of a conflict, is for [`execute`](Transaction::execute).
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn insert(&mut self, query: &InsertStatement) -> Result<i64, Error> {
        const RETURNING: &str = " RETURNING \"id\"";
        count();
        self.start()?;
        let result = match &mut self.backend {
            Backend::Sqlite(backend) => {
                let (sql, values) = statement::for_sqlite(query);
                backend.insert(&(sql + RETURNING), &values)
            }
            Backend::Postgres(backend) => {
                let (sql, values) = statement::for_postgres(query);
                backend.read(&(sql + RETURNING), &values, &[Type::Integer]).await
            }
        };
        let id = result.and_then(|rows| match rows.first().map(|row| &row[0]) {
            Some(Value::Integer(id)) => Ok(*id),
            _ => Err(Error::Internal("the INSERT inserted nothing".to_owned())),
        });
        self.end(id)
    }

    /// Runs a statement that returns no rows, and answers how many rows it
    /// inserted, changed or deleted; what cascades is not counted.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn execute(&mut self, statement: &(impl QueryStatementWriter + Sync)) -> Result<u64, Error> {
        count();
        self.start()?;
        let result = match &mut self.backend {
            Backend::Sqlite(backend) => {
                let (sql, values) = statement::for_sqlite(statement);
                backend.execute(sql, values).await
            }
            Backend::Postgres(backend) => {
                let (sql, values) = statement::for_postgres(statement);
                backend.execute(sql, values).await
            }
        };
        self.end(result)
    }

    /// As [`Transaction::execute`], for a change of a few rows that an index
    /// finds: on SQLite it runs at once on this thread, as INSERTs do, which
    /// costs less than handing it to another.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn execute_inline(&mut self, statement: &(impl QueryStatementWriter + Sync)) -> Result<u64, Error> {
        count();
        self.start()?;
        let result = match &mut self.backend {
            Backend::Sqlite(backend) => {
                let (sql, values) = statement::for_sqlite(statement);
                backend.execute_inline(&sql, &values)
            }
            Backend::Postgres(backend) => {
                let (sql, values) = statement::for_postgres(statement);
                backend.execute(sql, values).await
            }
        };
        self.end(result)
    }

    /// As [`Transaction::execute_inline`], if the number of changed rows does not matter: on PostgreSQL it is sent with the
    /// next statement or the commit, which then returns its error.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn execute_deferred(&mut self, statement: &(impl QueryStatementWriter + Sync)) -> Result<(), Error> {
        count();
        self.start()?;
        let result = match &mut self.backend {
            Backend::Sqlite(backend) => {
                let (sql, values) = statement::for_sqlite(statement);
                backend.execute_inline(&sql, &values).map(drop)
            }
            Backend::Postgres(backend) => {
                let (sql, values) = statement::for_postgres(statement);
                backend.execute_deferred(sql, values).await
            }
        };
        self.end(result)
    }

    /// Waits until no other transaction holds the lock of this name, and holds
    /// it till the end of this one. On SQLite every transaction excludes all others anyway.
    ///
    /// # Errors
    /// [`Error::Timeout`] if another holds it for long; [`Error::Unavailable`].
    pub async fn lock(&mut self, name: &str) -> Result<(), Error> {
        self.start()?;
        let result = match &mut self.backend {
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(backend) => backend.lock(name).await,
        };
        self.end(result)
    }

    /// Makes everything happen; returns only when it survives a power cut.
    /// If the future is dropped, it may have happened or not.
    ///
    /// # Errors
    /// [`Error::CommitUnknown`], after which it may have happened or not; [`Error::Full`]
    /// and [`Error::Unavailable`], after which it has not; [`Error::Internal`] if a statement
    /// of the transaction failed before.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.start()?;
        match self.backend {
            Backend::Sqlite(backend) => backend.commit().await,
            Backend::Postgres(backend) => backend.commit().await,
        }
    }

    /// [Reads](Transaction::read_prepared) and [commits](Transaction::commit), on PostgreSQL in one round trip.
    ///
    /// # Errors
    /// Those of both; only after [`Error::CommitUnknown`] may anything have happened.
    pub async fn read_prepared_and_commit(
        mut self,
        query: &PreparedQuery,
        parameters: &[sea_query::Value],
    ) -> Result<Vec<Row>, Error> {
        if let Backend::Sqlite(_) = self.backend {
            let rows = self.read_prepared(query, parameters).await?;
            return self.commit().await.map(|()| rows);
        }
        count();
        self.start()?;
        let values = query.values(parameters)?;
        match self.backend {
            Backend::Postgres(backend) => backend.read_and_commit(query.sql(), &values, query.types()).await,
            Backend::Sqlite(_) => Ok(Vec::new()),
        }
    }

    /// Notes that a statement begins, which breaks the transaction unless it ends well.
    fn start(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.broken, true) {
            return Err(Error::Internal("a statement of this transaction failed before".to_owned()));
        }
        Ok(())
    }

    fn end<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.broken = result.is_err();
        result
    }
}
