//! Serving until the end.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;

use crate::connection::{self, HttpService};
use crate::listener::Listener;
use crate::timeouts::Timeouts;

/// What connections are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shutdown {
    Open,
    /// Finish what they are at.
    Finishing,
    /// End at once.
    Over,
}

/// How long to wait where a connection cannot be accepted for a reason that is not its own, such as too many open files.
const PAUSE: Duration = Duration::from_secs(1);
/// How long connections that are cut off may take to end.
const LAST: Duration = Duration::from_secs(1);

/// Answers requests until `stop` is done, then lets the running ones finish: until [`Timeouts::shutdown`] is over, or `force`
/// is done. Each request carries its [`PeerAddr`](crate::PeerAddr) as an extension.
pub async fn serve<A: HttpService>(
    listeners: Vec<Listener>,
    app: A,
    timeouts: Timeouts,
    stop: impl Future<Output = ()>,
    force: impl Future<Output = ()>,
) {
    let (stage, seen) = watch::channel(Shutdown::Open);
    for listener in listeners {
        tokio::spawn(listen(listener, app.clone(), timeouts, seen.clone()));
    }
    drop(seen);
    stop.await;
    stage.send_replace(Shutdown::Finishing);
    let mut ended = pin!(stage.closed());
    let patience = async {
        tokio::select! {
            () = tokio::time::sleep(timeouts.shutdown) => {}
            () = force => {}
        }
    };
    tokio::select! {
        () = ended.as_mut() => return,
        () = patience => {}
    }
    tracing::warn!(connections = stage.receiver_count(), "requests that did not finish in time are cut off");
    stage.send_replace(Shutdown::Over);
    // Whatever does not even end now ends with the process.
    let _ = tokio::time::timeout(LAST, ended).await;
}

async fn listen(listener: Listener, app: impl HttpService, timeouts: Timeouts, mut stage: watch::Receiver<Shutdown>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stage.changed() => return,
        };
        match accepted {
            Ok(incoming) => {
                tokio::spawn(connection::run(incoming, listener.tls.clone(), app.clone(), timeouts, stage.clone()));
            }
            Err(problem) if is_of_the_client(&problem) => {}
            Err(problem) => {
                tracing::error!(%problem, "no connection can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whether the client gave up before it was let in.
fn is_of_the_client(problem: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(problem.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
