//! A PostgreSQL server.

mod error;
pub(crate) mod open;
pub(crate) mod value;

use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use sea_query::Values;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

pub(crate) use self::error::statement_error;
use self::error::{needs_preparing, pool_error};
pub(crate) use self::open::APPLICATION;
use self::value::{Bound, decode};
use crate::{Error, OpenError, Row, Type};

/// Prepared statements that a connection keeps; a filter can be written in many
/// ways, and both ends pay for each.
const STATEMENTS: usize = 500;

/// What the protocol can number.
const MOST_PARAMETERS: usize = u16::MAX as usize;

/// How long undoing a transaction may take, longer than any statement before it.
const ROLLBACK: Duration = Duration::from_secs(15);

/// Connections to a server.
#[derive(Clone)]
pub(crate) struct Postgres {
    pool: Pool,
}

/// A transaction on a connection of its own.
pub(crate) struct PostgresTransaction {
    client: Lease,
}

/// A connection from the pool. It goes back there only when it is known to be
/// idle and outside of a transaction.
struct Lease {
    client: Option<Object>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is going on.
    Idle,
    /// A statement runs; its result may have been given up.
    Busy,
    /// A transaction is open.
    Transaction,
}

impl Postgres {
    /// Connects and brings the schema up to date.
    pub(crate) async fn open(url: &str) -> Result<Postgres, OpenError> {
        Ok(Postgres { pool: open::open(url).await? })
    }

    pub(crate) async fn read(&self, sql: &str, values: &Values, types: &[Type]) -> Result<Vec<Row>, Error> {
        let mut lease = self.lease().await?;
        lease.state = State::Busy;
        let rows = query(lease.client()?, sql, values, types).await;
        lease.state = State::Idle;
        rows
    }

    pub(crate) async fn begin(&self) -> Result<PostgresTransaction, Error> {
        let mut client = self.lease().await?;
        client.state = State::Transaction;
        client.client()?.batch_execute("BEGIN").await.map_err(statement_error)?;
        Ok(PostgresTransaction { client })
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }

    async fn lease(&self) -> Result<Lease, Error> {
        let client = self.pool.get().await.map_err(pool_error)?;
        Ok(Lease { client: Some(client), state: State::Idle })
    }
}

impl PostgresTransaction {
    pub(crate) async fn read(&mut self, sql: &str, values: &Values, types: &[Type]) -> Result<Vec<Row>, Error> {
        query(self.client.client()?, sql, values, types).await
    }

    pub(crate) async fn execute(&mut self, sql: &str, values: &Values) -> Result<u64, Error> {
        let client = self.client.client()?;
        let statement = prepare(client, sql, values).await?;
        let changed = client.execute_raw(&statement, bind(values)).await;
        changed.map_err(|error| failed(client, error))
    }

    pub(crate) async fn lock(&mut self, name: &str) -> Result<(), Error> {
        let client = self.client.client()?;
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        let statement = client.prepare_cached(sql).await.map_err(statement_error)?;
        client.execute(&statement, &[&name]).await.map_err(|error| failed(client, error))?;
        Ok(())
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.client.client()?.batch_execute("COMMIT").await.map_err(statement_error)?;
        self.client.state = State::Idle;
        Ok(())
    }
}

impl Lease {
    fn client(&self) -> Result<&Object, Error> {
        self.client.as_ref().ok_or_else(|| Error::Internal("the connection was given back".to_owned()))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        match (self.state, tokio::runtime::Handle::try_current()) {
            (State::Idle, _) => drop(client),
            (State::Transaction, Ok(runtime)) => {
                runtime.spawn(async move {
                    let undone = tokio::time::timeout(ROLLBACK, client.batch_execute("ROLLBACK")).await;
                    if !matches!(undone, Ok(Ok(()))) {
                        drop(Object::take(client));
                    }
                });
            }
            // To close it is all that is left. The pool makes a new one.
            _ => drop(Object::take(client)),
        }
    }
}

async fn query(client: &Object, sql: &str, values: &Values, types: &[Type]) -> Result<Vec<Row>, Error> {
    let statement = prepare(client, sql, values).await?;
    let parameters: Vec<Bound<'_>> = bind(values).collect();
    let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| value as _).collect();
    let rows = client.query(&statement, &parameters).await.map_err(|error| failed(client, error))?;
    rows.iter().map(|row| decode(row, types)).collect()
}

fn bind(values: &Values) -> impl ExactSizeIterator<Item = Bound<'_>> {
    values.0.iter().map(Bound)
}

async fn prepare(client: &Object, sql: &str, values: &Values) -> Result<Statement, Error> {
    if values.0.len() > MOST_PARAMETERS {
        return Err(Error::TooComplex);
    }
    if client.statement_cache.size() >= STATEMENTS {
        client.statement_cache.clear();
    }
    let statement = client.prepare_cached(sql).await.map_err(statement_error)?;
    // The driver would panic.
    if statement.params().len() != values.0.len() {
        return Err(Error::Internal(format!("{} values for {} parameters", values.0.len(), statement.params().len())));
    }
    Ok(statement)
}

fn failed(client: &Object, error: tokio_postgres::Error) -> Error {
    if needs_preparing(&error) {
        client.statement_cache.clear();
    }
    statement_error(error)
}
