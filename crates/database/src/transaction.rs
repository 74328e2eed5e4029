//! Transactions.

use sea_query::{Alias, InsertStatement, OnConflict, Query, QueryStatementWriter, SelectStatement};

use crate::postgres::PostgresTransaction;
use crate::sqlite::SqliteTransaction;
use crate::statement_count::count;
use crate::{Dialect, Error, PreparedQuery, Row, Type, Value, statement};

/// The limit of the number of parameters of a statement that inserts many rows. SQLite allows 32,766, PostgreSQL 65,535;
/// larger statements are not faster.
const MAX_PARAMETERS: usize = 6_000;

/// A transaction. Dropped without [`commit`](Transaction::commit), it is rolled back.
///
/// On SQLite only one can be open: keep it short, await only the database in it, and begin no other one in it.
///
/// After a failed statement, or a dropped future of one, the transaction can only be dropped: further statements and
/// the commit fail.
pub struct Transaction {
    backend: Backend,
    /// Whether a statement failed or did not end. PostgreSQL would report success for a COMMIT then, and roll back.
    broken: bool,
}

pub(crate) enum Backend {
    Sqlite(SqliteTransaction),
    // Boxed, because it is ten times the size of the other.
    Postgres(Box<PostgresTransaction>),
}

impl Transaction {
    pub(crate) fn new(backend: Backend) -> Transaction {
        Transaction { backend, broken: false }
    }

    /// The kind of the database.
    pub fn dialect(&self) -> Dialect {
        match self.backend {
            Backend::Sqlite(_) => Dialect::Sqlite,
            Backend::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Reads rows, including the changes of this transaction; `types` are the types of the columns.
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

    /// [Reads](Transaction::read_prepared) a prepared query, and then another query, on PostgreSQL in one round trip.
    ///
    /// # Errors
    /// As [`Transaction::read`].
    pub async fn read_both(
        &mut self,
        (prepared, parameters): (&PreparedQuery, &[sea_query::Value]),
        (query, types): (&SelectStatement, &[Type]),
    ) -> Result<(Vec<Row>, Vec<Row>), Error> {
        count();
        count();
        self.start()?;
        let first = prepared.values(parameters)?;
        let result = match &mut self.backend {
            Backend::Sqlite(backend) => {
                let (sql, second) = statement::for_sqlite(query);
                match backend.read(prepared.sql(), first, prepared.types()).await {
                    Ok(rows) => backend.read(&sql, second, types).await.map(|others| (rows, others)),
                    Err(problem) => Err(problem),
                }
            }
            Backend::Postgres(backend) => {
                let (sql, second) = statement::for_postgres(query);
                backend.read_both(((prepared.sql(), &first), prepared.types()), ((&sql, &second), types)).await
            }
        };
        self.end(result)
    }

    /// Inserts a row into a table with an integer `id`, and returns the id. The statement must have no RETURNING; for
    /// one that may insert nothing, because of a conflict, use [`execute`](Transaction::execute).
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

    /// Inserts many rows, in statements of bounded size, and returns their number.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn insert_rows<const COLUMNS: usize>(
        &mut self,
        table: &'static str,
        columns: [&'static str; COLUMNS],
        rows: impl IntoIterator<Item = [sea_query::Value; COLUMNS]>,
    ) -> Result<u64, Error> {
        self.insert_rows_or(table, columns, rows, None).await
    }

    /// As [`Transaction::insert_rows`]; for rows that exist already, this is done instead. It can change many rows by their
    /// ids, each in another way. Returns the number of inserted and changed rows.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn upsert_rows<const COLUMNS: usize>(
        &mut self,
        table: &'static str,
        columns: [&'static str; COLUMNS],
        rows: impl IntoIterator<Item = [sea_query::Value; COLUMNS]>,
        on_conflict: &OnConflict,
    ) -> Result<u64, Error> {
        self.insert_rows_or(table, columns, rows, Some(on_conflict)).await
    }

    async fn insert_rows_or<const COLUMNS: usize>(
        &mut self,
        table: &'static str,
        columns: [&'static str; COLUMNS],
        rows: impl IntoIterator<Item = [sea_query::Value; COLUMNS]>,
        on_conflict: Option<&OnConflict>,
    ) -> Result<u64, Error> {
        let limit = (MAX_PARAMETERS / COLUMNS.max(1)).max(1);
        let mut rows = rows.into_iter().peekable();
        let mut inserted = 0;
        while rows.peek().is_some() {
            let mut insert = Query::insert();
            insert.into_table(Alias::new(table)).columns(columns.map(Alias::new));
            for row in rows.by_ref().take(limit) {
                insert.values_panic(row.map(Into::into));
            }
            if let Some(on_conflict) = on_conflict {
                insert.on_conflict(on_conflict.clone());
            }
            inserted += self.execute(&insert).await?;
        }
        Ok(inserted)
    }

    /// Runs a statement that returns no rows, and returns the number of inserted, changed or deleted rows, without
    /// cascades.
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

    /// Like [`Transaction::execute`], for a change of a few rows by an index: on SQLite it runs on this thread, like
    /// INSERTs, which is cheaper than another thread.
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

    /// Like [`Transaction::execute_inline`], if the number of changed rows does not matter: on PostgreSQL it is sent
    /// with the next statement or the commit, which then returns its error.
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

    /// Waits for the lock of this name, and keeps it until the end of the transaction. On SQLite every transaction
    /// excludes all others anyway.
    ///
    /// # Errors
    /// [`Error::Timeout`] if another transaction has it for long; [`Error::Unavailable`].
    pub async fn lock(&mut self, name: &str) -> Result<(), Error> {
        self.start()?;
        let result = match &mut self.backend {
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(backend) => backend.lock(name).await,
        };
        self.end(result)
    }

    /// Notifies the servers that [listen](crate::Database::listen) to a channel, after the commit. Commits with
    /// notifications exclude each other, so use them for rare events. On SQLite there is only one server: it does nothing.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn notify(&mut self, channel: &str) -> Result<(), Error> {
        self.start()?;
        let result = match &mut self.backend {
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(backend) => backend.notify(channel).await,
        };
        self.end(result)
    }

    /// Commits; returns when the changes are durable. If the future is dropped, the outcome is unknown.
    ///
    /// # Errors
    /// [`Error::CommitUnknown`] if the outcome is unknown; [`Error::Full`] and [`Error::Unavailable`] if nothing was
    /// committed; [`Error::Internal`] if a statement of the transaction failed before.
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
    /// Those of both; only after [`Error::CommitUnknown`] may the changes have been committed.
    pub async fn read_prepared_and_commit(
        mut self,
        query: &PreparedQuery,
        parameters: &[sea_query::Value],
    ) -> Result<Vec<Row>, Error> {
        count();
        self.start()?;
        let values = query.values(parameters)?;
        match self.backend {
            Backend::Sqlite(mut backend) => {
                let rows = backend.read(query.sql(), values, query.types()).await?;
                backend.commit().await.map(|()| rows)
            }
            Backend::Postgres(backend) => backend.read_and_commit(query.sql(), &values, query.types()).await,
        }
    }

    /// Records that a statement begins; the transaction is unusable unless it ends successfully.
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
