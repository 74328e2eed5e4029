//! Connects to a server and brings its schema up to date.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime};
use tokio_postgres::Client;

use super::connect::{Connector, Server, append_options};
use crate::OpenError;
use crate::copy::UNFINISHED;
use crate::migrate;

/// Connections at most.
const CONNECTIONS: usize = 16;
/// Transactions at most. More at a time write no more: they wait for each other in the server, and reads for them.
pub(super) const TRANSACTIONS: usize = 8;
/// How long to wait for a free connection.
pub(super) const WAIT: Duration = Duration::from_secs(10);
/// What the server's own list of connections calls us.
pub(crate) const APPLICATION: &str = "hostler";
/// How long connecting may take.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long the other end may leave what we sent unacknowledged, and the pauses
/// after which an idle one is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(15);
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// How many signs of life may fail to come.
const MISSED: u32 = 3;
/// Our key among the server's advisory locks: any number that others hardly use.
const MIGRATING: i64 = 0x686f_7374_6c65_7201;

/// Connects, migrates, and answers the pool, and how it connects.
pub(super) async fn open(url: &str) -> Result<(Pool, Connector), OpenError> {
    let mut server = Server::parse(url)?;
    server.warn();
    migrate(&server).await?;
    let connector = server.connector();
    let config = &mut server.config;
    // A server restarts and drops our connections: a statement must not wait
    // for ever, nor may a forgotten transaction hold its locks.
    append_options(config, "-c statement_timeout=10s -c idle_in_transaction_session_timeout=60s -c timezone=UTC");
    // Conditions on who may see what look costly to the planner and are not:
    // compiling one took seconds, running it milliseconds.
    append_options(config, "-c jit=off");
    // For the same reason they take longer to plan than to run. A plan that is good for
    // any user is made once for each connection, rather than one for each question.
    append_options(config, "-c plan_cache_mode=force_generic_plan");
    // The host of the server may be gone without a word, which the defaults notice after hours.
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE).keepalives_idle(SILENCE);
        config.keepalives_interval(SIGN_OF_LIFE).keepalives_retries(MISSED);
    }
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let pool = Pool::builder(Manager::from_connect(server.config, connector.clone(), recycling))
        .max_size(CONNECTIONS)
        // The one used last has its plans at hand.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CONNECT))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| OpenError::Server { database: server.database, problem: error.to_string() })?;
    Ok((pool, connector))
}

/// Migrates over a connection of its own, which has all the time it takes.
async fn migrate(server: &Server) -> Result<(), OpenError> {
    let mut server = server.clone();
    append_options(&mut server.config, "-c statement_timeout=0 -c timezone=UTC");
    let (mut client, connection) = server.connect().await?;
    let database = &server.database;
    let failed = |error| server.failed(&error);
    // Of several servers that start at once one migrates, and the others wait
    // here and then find nothing to do. Closing the connection unlocks.
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATING]).await.map_err(failed)?;
    let unfinished = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&UNFINISHED]).await.map_err(failed)?;
    if unfinished.try_get(0).map_err(failed)? {
        return Err(OpenError::UnfinishedRestore { database: database.clone() });
    }
    let found = recorded_version(&client).await.map_err(failed)?;
    migrate::refuse_newer(found, migrate::postgres_runner())?;
    migrate::announce(found, &migrate::postgres_runner());
    let migrated = migrate::postgres_runner().run_async(&mut client).await;
    migrated.map_err(|error| OpenError::Migration { database: database.clone(), problem: migrate::problem(&error) })?;
    drop(client);
    // Ends once the termination message is sent. An error changes nothing.
    let _ = connection.await;
    Ok(())
}

async fn recorded_version(client: &Client) -> Result<Option<i64>, tokio_postgres::Error> {
    let table = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&migrate::TABLE]).await?;
    if !table.try_get(0)? {
        return Ok(None);
    }
    let sql = format!("SELECT max(version)::bigint FROM {}", migrate::TABLE);
    client.query_one(&sql, &[]).await?.try_get(0)
}
