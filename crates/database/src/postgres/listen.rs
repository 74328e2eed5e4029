//! Notifications between the servers on one database.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::{Config, Error};

use super::connect::Connector;
use crate::migrate;

/// The pause before the next attempt to connect.
const PAUSE: Duration = Duration::from_secs(2);

/// Listens to a channel on a connection of its own, and connects again when that is lost. Never completes.
pub(super) async fn listen(config: Config, connector: Connector, channel: &'static str, notify: Arc<Notify>) {
    let connector = connector.notifying(Arc::clone(&notify));
    loop {
        if let Err(error) = listen_once(&config, &connector, channel, &notify).await {
            tracing::warn!(problem = migrate::problem(&error), channel, "cannot listen to PostgreSQL");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Completes when the connection is lost.
async fn listen_once(config: &Config, connector: &Connector, channel: &str, notify: &Notify) -> Result<(), Error> {
    let (client, connection) = connector.connect(config).await?;
    client.batch_execute(&format!("LISTEN \"{channel}\"")).await?;
    // Notifications may have been sent before.
    notify.notify_one();
    // It logs its own errors.
    let _ = connection.await;
    drop(client);
    Ok(())
}
