//! Hostler over HTTP: the only place that knows statuses and headers.

mod api;
mod arrival;
mod authenticate;
mod body;
mod bootstrap;
mod browse;
mod cleanup;
mod directory;
mod dispatch;
mod last_used;
mod login;
mod metrics;
mod oauth;
mod openapi;
mod probe;
mod proxy;
mod reply;
mod roots;
mod route;
mod sealed;
mod session_age;
mod settings;
mod sign_in;
mod state;
mod status;

pub use bootstrap::{BootstrapError, FirstUser, create_first_superuser};
pub use dispatch::handle;
pub use sealed::shelves;
pub use settings::{SettingError, Settings, list_settings, name_installation, reset_setting, set_setting};
pub use sign_in::{reset_second_factor, unlock};
pub use state::{App, Keys, Options};

use std::future::Future;

use axum::Router;
use hostler_door::{Door, Limits};

/// Answers requests until `stop` is done, then lets the running ones finish, until `hurry` is done or the limit is
/// reached.
pub async fn serve(
    doors: Vec<Door>,
    app: App,
    limits: Limits,
    stop: impl Future<Output = ()>,
    hurry: impl Future<Output = ()>,
) {
    let cleanup = tokio::spawn(cleanup::run(app.clone()));
    let router = Router::new().fallback(handle).with_state(app.clone()).merge(probe::routes(app.engine));
    hostler_door::serve(doors, router, limits, stop, hurry).await;
    // What it was about to remove stays for the next time.
    cleanup.abort();
}
