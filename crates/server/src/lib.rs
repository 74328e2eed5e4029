//! Hostler over HTTP: the only place that knows statuses and headers.

mod api;
mod authenticate;
mod body;
mod bootstrap;
mod browse;
mod dispatch;
mod last_used;
mod login;
mod oauth;
mod openapi;
mod reply;
mod roots;
mod route;
mod settings;
mod state;
mod status;

pub use bootstrap::{BootstrapError, FirstUser, create_first_superuser};
pub use dispatch::handle;
pub use settings::Settings;
pub use state::{App, Keys, Options};

use std::future::Future;

use axum::Router;
use tokio::net::TcpListener;

/// Answers requests until `stop` is done, then lets the running ones finish.
///
/// # Errors
/// What the operating system says of the listening socket.
pub async fn serve(
    listener: TcpListener,
    app: App,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new().fallback(handle).with_state(app);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}
