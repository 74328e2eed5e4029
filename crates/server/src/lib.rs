//! Hostler's HTTP server: the only crate with HTTP statuses and headers.

mod authenticate;
mod body;
mod bootstrap;
mod browse;
mod cleanup;
mod client_info;
mod cookies;
mod dispatch;
mod error;
mod health;
mod last_used;
mod ldap;
mod login;
mod metrics;
mod oauth;
mod openapi;
mod request;
mod resource_handlers;
mod response;
mod route;
mod secret_columns;
mod service_info;
mod session_age;
mod settings;
mod sign_in;
mod state;
mod trusted_proxies;
mod user_row;

pub use bootstrap::{BootstrapError, FirstPassword, FirstUser, create_first_superuser};
pub use secret_columns::secret_columns;
pub use settings::{SettingError, Settings, ensure_install_uuid, list_settings, reset_setting, set_setting};
pub use sign_in::{reset_second_factor, unlock};
pub use state::{App, Keys, Options};

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use hostler_listener::{Listener, Timeouts};
use tower::{ServiceExt as _, service_fn};

/// Serves requests until `stop` completes, then waits for running ones until `force` completes or the timeout expires.
pub async fn serve(
    listeners: Vec<Listener>,
    app: App,
    timeouts: Timeouts,
    stop: impl Future<Output = ()>,
    force: impl Future<Output = ()>,
) {
    let cleanup = tokio::spawn(cleanup::run(app.clone()));
    let probes = health::routes(app.engine.clone());
    let app = Arc::new(app);
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
    hostler_listener::serve(listeners, service, timeouts, stop, force).await;
    // Interrupted cleanup continues at the next start.
    cleanup.abort();
}
