//! Connects to a server and migrates the schema.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime};
use tokio_postgres::{Client, Config};

use super::connect::{Connector, Server, append_options};
use crate::OpenError;
use crate::copy::UNFINISHED;
use crate::migrate;

/// The maximum number of connections.
const CONNECTIONS: usize = 16;
/// The maximum number of transactions. More would not increase the throughput of writes: they wait for each other in
/// the server, and reads wait for them.
pub(super) const TRANSACTIONS: usize = 8;
/// How long to wait for a free connection.
pub(super) const WAIT: Duration = Duration::from_secs(10);
/// The application name in pg_stat_activity.
pub(crate) const APPLICATION: &str = "hostler";
/// The timeout of connecting.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// The TCP user timeout, and the keepalive interval of idle connections.
const TCP_TIMEOUT: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// The number of lost keepalives after which a connection is closed.
const KEEPALIVE_RETRIES: u32 = 3;
/// The key of the advisory lock of migrations: an arbitrary number.
const MIGRATING: i64 = 0x686f_7374_6c65_7201;

/// Connects, migrates, and returns the pool with its configuration.
pub(super) async fn open(url: &str) -> Result<(Pool, Connector, Config), OpenError> {
    let mut server = Server::parse(url)?;
    server.warn();
    migrate(&server).await?;
    let connector = server.connector();
    let config = &mut server.config;
    // After a restart or a lost connection a statement must not wait forever, and an idle transaction must not keep its
    // locks.
    append_options(config, "-c statement_timeout=10s -c idle_in_transaction_session_timeout=60s -c timezone=UTC");
    // The planner estimates access conditions as expensive, and would compile them with JIT: that took seconds, running
    // them milliseconds.
    append_options(config, "-c jit=off");
    // They also take longer to plan than to run: a generic plan is made once per connection, instead of one per query.
    append_options(config, "-c plan_cache_mode=force_generic_plan");
    // The host of the server may be gone without closing connections, which the defaults detect after hours.
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(TCP_TIMEOUT).keepalives_idle(TCP_TIMEOUT);
        config.keepalives_interval(KEEPALIVE_INTERVAL).keepalives_retries(KEEPALIVE_RETRIES);
    }
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let pool = Pool::builder(Manager::from_connect(server.config.clone(), connector.clone(), recycling))
        .max_size(CONNECTIONS)
        // The last used connection has the most cached plans.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CONNECT))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| OpenError::Server { database: server.database, problem: error.to_string() })?;
    Ok((pool, connector, server.config))
}

/// Migrates on a separate connection without a statement timeout.
async fn migrate(server: &Server) -> Result<(), OpenError> {
    let mut server = server.clone();
    append_options(&mut server.config, "-c statement_timeout=0 -c timezone=UTC");
    let (mut client, connection) = server.connect().await?;
    let database = &server.database;
    let failed = |error| server.failed(&error);
    // If several servers start at once, one migrates; the others wait here and find nothing to do. Closing the
    // connection releases the lock.
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
