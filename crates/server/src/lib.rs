//! Hostler's HTTP server: routes, dispatch, handlers, pages, OpenAPI, metrics.

mod actions;
mod background;
mod browse;
mod dispatch;
mod health;
mod key_requests;
mod live;
mod metrics;
mod openapi;
mod request_log;
mod resource_handlers;
mod route;
mod secret_columns;
mod service_info;
mod settings_handlers;
mod state;

pub use secret_columns::secret_columns;
pub use state::{App, Keys, Options};

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use futures_util::FutureExt as _;
use hostler_listener::{Listener, Timeouts};
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt as _, service_fn};

use crate::dispatch::panic_message;

/// Serves requests, runs background tasks and gives jobs to the executor until `stop` completes, then waits for running ones until `force` completes
/// or their timeouts expire.
pub async fn serve(
    listeners: Vec<Listener>,
    app: App,
    timeouts: Timeouts,
    stop: impl Future<Output = ()>,
    force: impl Future<Output = ()>,
) {
    let stop_tasks = CancellationToken::new();
    let worker = background::worker(&app).run(stop_tasks.clone());
    let dispatcher = background::dispatcher(&app).map(|dispatcher| dispatcher.run(stop_tasks.clone()));
    let app = Arc::new(app);
    let sockets = live::run(Arc::clone(&app), stop_tasks.clone());
    let mut tasks = tokio::spawn(async {
        let jobs = async {
            if let Some(dispatcher) = dispatcher {
                until_panic("jobs", dispatcher).await;
            }
        };
        tokio::join!(until_panic("background tasks", worker), jobs, until_panic("messages to WebSockets", sockets));
    });
    let force = force.shared();
    let probes = health::routes(app.engine().clone());
    let live = Arc::clone(&app.live);
    // `dispatch` routes requests itself.
    let service = service_fn(move |request: Request<Body>| {
        let app = Arc::clone(&app);
        let probe = health::PATHS.contains(&request.uri().path()).then(|| probes.clone());
        async move {
            match probe {
                Some(probe) => Box::pin(probe.oneshot(request)).await,
                None => Ok(dispatch::handle(&app, request).await),
            }
        }
    });
    // Tasks stop, and sockets are closed, while the running requests end.
    let stop = async {
        stop.await;
        stop_tasks.cancel();
        live.stop().await;
    };
    hostler_listener::serve(listeners, service, timeouts, stop, force.clone()).await;
    stop_tasks.cancel();
    tokio::select! {
        _ = &mut tasks => {}
        () = force => {
            tracing::warn!("stopping without waiting for running tasks");
            tasks.abort();
        }
    }
}

/// Runs a part of the server, and logs its panic.
async fn until_panic(part: &str, run: impl Future<Output = ()>) {
    if let Err(panic) = AssertUnwindSafe(run).catch_unwind().await {
        let panic = panic_message(&*panic);
        tracing::error!(panic, "no more {part} run on this server until it is started again");
    }
}
