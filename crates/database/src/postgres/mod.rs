//! PostgreSQL.

pub(crate) mod connect;
mod error;
mod listen;
mod open;
pub(crate) mod tls;
mod transaction;
pub(crate) mod value;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use sea_query::Values;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, Row as DriverRow, Statement};

use self::connect::Connector;
pub(crate) use self::error::statement_error;
use self::error::{needs_preparing, pool_error};
pub(crate) use self::open::APPLICATION;
use self::open::{TRANSACTIONS, WAIT};
pub(crate) use self::transaction::PostgresTransaction;
use self::value::{Bound, decode};
use crate::listener::Shared;
use crate::{Error, OpenError, Row, Type};

/// The number of prepared statements per connection. Filters have many variants, and each statement costs memory in the
/// client and the server.
const STATEMENTS: usize = 500;

/// The number of connections to try for retriable statements. After a restart of the server the pool may contain closed
/// connections.
const ATTEMPTS: u32 = 3;

/// The maximum number of parameters in the protocol.
const MOST_PARAMETERS: usize = u16::MAX as usize;

/// The timeout of any response of the server: longer than its statement timeout. After it the server counts as gone.
const LONGEST: Duration = Duration::from_secs(15);

/// The connection pool.
#[derive(Clone)]
pub(crate) struct Postgres {
    pool: Pool,
    connector: Arc<Connector>,
    /// How to connect outside of the pool.
    config: Arc<Config>,
    /// The limit of open transactions: less than the number of connections, so that reads do not wait for them.
    turns: Arc<Semaphore>,
}

/// A connection from the pool. It is returned only if it is idle and outside of a transaction.
struct Lease {
    client: Option<Object>,
    state: State,
    /// The permit of an open transaction.
    turn: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Idle.
    Idle,
    /// A statement runs; its result may have been dropped.
    Busy,
    /// A transaction is open.
    Transaction,
    /// The server does not respond.
    Lost,
}

impl Postgres {
    /// Connects and migrates the schema.
    pub(crate) async fn open(url: &str) -> Result<Postgres, OpenError> {
        let (pool, connector, config) = open::open(url).await?;
        let turns = Arc::new(Semaphore::new(TRANSACTIONS));
        Ok(Postgres { pool, connector: Arc::new(connector), config: Arc::new(config), turns })
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

    /// Whether the server accepts writes.
    pub(crate) async fn is_writable(&self) -> Result<bool, Error> {
        let sql = "SELECT current_setting('transaction_read_only') = 'off'";
        let rows = self.read(sql, &Values(vec![]), &[Type::Boolean]).await?;
        Ok(rows.first().is_some_and(|row| row.boolean(0)))
    }

    /// A connection for a transaction, which begins with its first statement.
    pub(crate) async fn begin(&self) -> Result<PostgresTransaction, Error> {
        let turn = match timeout(WAIT, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(turn) => turn.map_err(|_| closed())?,
            Err(_) => return Err(Error::Unavailable("other transactions do not end".to_owned())),
        };
        let mut lease = self.lease().await?;
        lease.turn = Some(turn);
        Ok(PostgresTransaction::new(self.clone(), lease))
    }

    /// Notifies about each notification of a channel. The future never completes.
    pub(crate) fn listen(
        &self,
        channel: &'static str,
        lock: String,
        shared: Arc<Shared>,
    ) -> impl Future<Output = ()> + use<> {
        listen::listen((*self.config).clone(), (*self.connector).clone(), channel, lock, shared)
    }

    pub(crate) fn close(&self) {
        self.turns.close();
        self.pool.close();
    }

    async fn lease(&self) -> Result<Lease, Error> {
        let client = self.pool.get().await.map_err(|error| pool_error(error, self.connector.settings()))?;
        Ok(Lease { client: Some(client), state: State::Idle, turn: None })
    }
}

impl Lease {
    fn client(&self) -> Result<&Object, Error> {
        self.client.as_ref().ok_or_else(|| Error::Internal("the connection was given back".to_owned()))
    }

    /// Whether an unavailable server may be an error of this connection only: the server may have closed it and accept
    /// another one. The connection is discarded.
    fn broke_off(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Lost) != State::Lost
    }

    /// The response, or a timeout, after which the connection is unusable.
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
                let turn = self.turn.take();
                runtime.spawn(async move {
                    let _turn = turn;
                    let undone = timeout(LONGEST, client.batch_execute("ROLLBACK")).await;
                    if !matches!(undone, Ok(Ok(()))) {
                        drop(Object::take(client));
                    }
                });
            }
            // The connection is closed, and the pool opens a new one.
            _ => drop(Object::take(client)),
        }
    }
}

async fn query(client: &Object, sql: &str, values: &Values, types: &[Type]) -> Result<Vec<Row>, Error> {
    let statement = prepare(client, sql, values).await?;
    let rows = fetch(client, &statement, values).await?;
    rows.iter().map(|row| decode(row, types)).collect()
}

/// The result of a prepared statement.
async fn fetch(client: &Object, statement: &Statement, values: &Values) -> Result<Vec<DriverRow>, Error> {
    let parameters: Vec<Bound<'_>> = bind(values).collect();
    let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| value as _).collect();
    client.query(statement, &parameters).await.map_err(|error| failed(client, error))
}

/// Runs a prepared statement that returns no rows.
async fn change(client: &Object, statement: &Statement, values: &Values) -> Result<u64, Error> {
    client.execute_raw(statement, bind(values)).await.map_err(|error| failed(client, error))
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

/// The error of statements after the database was closed.
fn closed() -> Error {
    Error::Unavailable("the database was closed".to_owned())
}

fn failed(client: &Object, error: tokio_postgres::Error) -> Error {
    if needs_preparing(&error) {
        client.statement_cache.clear();
    }
    statement_error(error)
}
