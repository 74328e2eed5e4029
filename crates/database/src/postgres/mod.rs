//! A PostgreSQL server.

mod error;
pub(crate) mod open;
pub(crate) mod value;

use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use sea_query::Values;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
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

/// How many connections are tried for what can be tried again. After a restart of the
/// server the pool may hold some that nobody has yet noticed to be closed.
const ATTEMPTS: u32 = 3;

/// What the protocol can number.
const MOST_PARAMETERS: usize = u16::MAX as usize;

/// How long the server may take to answer anything: longer than it lets a statement
/// run. One that takes longer is gone, though nobody has told us.
const LONGEST: Duration = Duration::from_secs(15);

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
    /// The server does not answer.
    Lost,
}

impl Postgres {
    /// Connects and brings the schema up to date.
    pub(crate) async fn open(url: &str) -> Result<Postgres, OpenError> {
        Ok(Postgres { pool: open::open(url).await? })
    }

    pub(crate) async fn read(&self, sql: &str, values: &Values, types: &[Type]) -> Result<Vec<Row>, Error> {
        let mut attempts = ATTEMPTS;
        loop {
            let mut lease = self.lease().await?;
            lease.state = State::Busy;
            let rows = timeout(LONGEST, query(lease.client()?, sql, values, types)).await;
            lease.state = State::Idle;
            attempts -= 1;
            match lease.answered(rows) {
                Err(Error::Unavailable(_)) if lease.broke_off() && attempts > 0 => {}
                rows => return rows,
            }
        }
    }

    /// Whether the server takes changes.
    pub(crate) async fn takes_changes(&self) -> Result<bool, Error> {
        let sql = "SELECT current_setting('transaction_read_only') = 'off'";
        let rows = self.read(sql, &Values(vec![]), &[Type::Boolean]).await?;
        Ok(rows.first().is_some_and(|row| row.boolean(0)))
    }

    pub(crate) async fn begin(&self) -> Result<PostgresTransaction, Error> {
        let mut attempts = ATTEMPTS;
        loop {
            let mut client = self.lease().await?;
            client.state = State::Transaction;
            let begun = timeout(LONGEST, client.client()?.batch_execute("BEGIN")).await;
            attempts -= 1;
            match client.answered(begun.map(|begun| begun.map_err(statement_error))) {
                Ok(()) => return Ok(PostgresTransaction { client }),
                Err(Error::Unavailable(_)) if client.broke_off() && attempts > 0 => {}
                Err(error) => return Err(error),
            }
        }
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
        let rows = timeout(LONGEST, query(self.client.client()?, sql, values, types)).await;
        self.client.answered(rows)
    }

    pub(crate) async fn execute(&mut self, sql: &str, values: &Values) -> Result<u64, Error> {
        let changed = timeout(LONGEST, change(self.client.client()?, sql, values)).await;
        self.client.answered(changed)
    }

    pub(crate) async fn lock(&mut self, name: &str) -> Result<(), Error> {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        let name = Values(vec![name.into()]);
        self.execute(sql, &name).await.map(drop)
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        let client = self.client.client()?;
        if client.is_closed() {
            // It was never told to commit.
            return Err(Error::Unavailable("the connection to PostgreSQL was lost".to_owned()));
        }
        let committed = timeout(LONGEST, client.batch_execute("COMMIT")).await;
        match self.client.answered(committed.map(|committed| committed.map_err(statement_error))) {
            Ok(()) => {
                self.client.state = State::Idle;
                Ok(())
            }
            // It may have been done before the answer was lost.
            Err(Error::Unavailable(_)) => Err(Error::Uncertain),
            Err(error) => Err(error),
        }
    }
}

impl Lease {
    fn client(&self) -> Result<&Object, Error> {
        self.client.as_ref().ok_or_else(|| Error::Internal("the connection was given back".to_owned()))
    }

    /// Whether an error that the server is unavailable was about this connection only, which is given up then: the
    /// server may have ended it a moment ago, and take another.
    fn broke_off(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Lost) != State::Lost
    }

    /// What was answered, unless time ran out; then the connection is of no more use.
    fn answered<T>(&mut self, answer: Result<Result<T, Error>, Elapsed>) -> Result<T, Error> {
        answer.unwrap_or_else(|_| {
            self.state = State::Lost;
            Err(Error::Unavailable("PostgreSQL does not answer".to_owned()))
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        match (self.state, tokio::runtime::Handle::try_current()) {
            (State::Idle, _) => drop(client),
            (State::Transaction, Ok(runtime)) => {
                runtime.spawn(async move {
                    let undone = timeout(LONGEST, client.batch_execute("ROLLBACK")).await;
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

async fn change(client: &Object, sql: &str, values: &Values) -> Result<u64, Error> {
    let statement = prepare(client, sql, values).await?;
    client.execute_raw(&statement, bind(values)).await.map_err(|error| failed(client, error))
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
