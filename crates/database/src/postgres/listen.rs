//! Notifications between the servers on one database.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_postgres::{Client, Config, Error};

use super::connect::Connector;
use crate::listener::Shared;
use crate::migrate;

/// The pause before the next attempt to connect.
const PAUSE: Duration = Duration::from_secs(2);
/// The pause before the next attempt to take a lock that another server has.
const LOCK_PAUSE: Duration = Duration::from_millis(250);

/// Listens to a channel on a connection of its own, which also holds the lock of this name, and connects again when that
/// is lost. Never completes.
pub(super) async fn listen(
    config: Config,
    connector: Connector,
    channel: &'static str,
    lock: String,
    shared: Arc<Shared>,
) {
    let connector = connector.notifying(Arc::clone(&shared));
    loop {
        if let Err(error) = listen_once(&config, &connector, channel, &lock, &shared).await {
            tracing::warn!(problem = migrate::problem(&error), channel, "cannot listen to PostgreSQL");
        }
        shared.has_lock.store(false, Ordering::Release);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Completes when the connection is lost.
async fn listen_once(
    config: &Config,
    connector: &Connector,
    channel: &str,
    lock: &str,
    shared: &Shared,
) -> Result<(), Error> {
    let (client, connection) = connector.connect(config).await?;
    client.batch_execute(&format!("LISTEN \"{channel}\"")).await?;
    while !take_lock(&client, lock).await? {
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    shared.has_lock.store(true, Ordering::Release);
    // Notifications may have been sent before.
    shared.notify.notify_one();
    // It logs its own errors.
    let _ = connection.await;
    drop(client);
    Ok(())
}

async fn take_lock(client: &Client, lock: &str) -> Result<bool, Error> {
    client.query_one("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", &[&lock]).await?.try_get(0)
}
