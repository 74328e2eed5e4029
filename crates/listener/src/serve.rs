//! The accept loops and the graceful shutdown.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;

use crate::connection::{self, HttpService};
use crate::listener::Listener;
use crate::timeouts::Timeouts;

/// The state of the shutdown, as connections see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shutdown {
    NotStarted,
    /// Finish the running request, then close.
    Graceful,
    /// Close at once.
    Forced,
}

/// The delay before the next accept after an error that no client has caused, such as too many open files.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long to wait for connections to end after a forced shutdown.
const FORCED_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Answers requests until `stop` completes. Then running requests may finish until [`Timeouts::shutdown`] expires or
/// `force` completes. Each request carries its [`PeerAddr`](crate::PeerAddr) as an extension.
pub async fn serve<S: HttpService>(
    listeners: Vec<Listener>,
    service: S,
    timeouts: Timeouts,
    stop: impl Future<Output = ()>,
    force: impl Future<Output = ()>,
) {
    let (shutdown, receiver) = watch::channel(Shutdown::NotStarted);
    for listener in listeners {
        tokio::spawn(accept_loop(listener, service.clone(), timeouts, receiver.clone()));
    }
    drop(receiver);
    stop.await;
    shutdown.send_replace(Shutdown::Graceful);
    let mut all_closed = pin!(shutdown.closed());
    let deadline = async {
        tokio::select! {
            () = tokio::time::sleep(timeouts.shutdown) => {}
            () = force => {}
        }
    };
    tokio::select! {
        () = all_closed.as_mut() => return,
        () = deadline => {}
    }
    tracing::warn!(connections = shutdown.receiver_count(), "closing connections with unfinished requests");
    shutdown.send_replace(Shutdown::Forced);
    // A connection that does not end even now ends with the process.
    let _ = tokio::time::timeout(FORCED_SHUTDOWN_TIMEOUT, all_closed).await;
}

async fn accept_loop(
    listener: Listener,
    service: impl HttpService,
    timeouts: Timeouts,
    mut shutdown: watch::Receiver<Shutdown>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.changed() => return,
        };
        match accepted {
            Ok(accepted) => {
                let (tls, service) = (listener.tls.clone(), service.clone());
                tokio::spawn(connection::run(accepted, tls, service, timeouts, shutdown.clone()));
            }
            Err(problem) if is_client_error(&problem) => {}
            Err(problem) => {
                tracing::error!(%problem, "could not accept a connection");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

/// Whether the client closed the connection before it was accepted.
fn is_client_error(problem: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(problem.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
