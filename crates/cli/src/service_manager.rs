//! Notifications to the service manager (sd_notify(3)). They do nothing without `NOTIFY_SOCKET`.

use std::time::Duration;

use sd_notify::NotifyState;

/// The server answers requests.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The server reloads files; [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(problem) => tracing::warn!(%problem, "could not notify the service manager of the reload"),
    }
}

/// The server stops.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Sends watchdog notifications if the service manager expects them. Otherwise it completes at once.
pub async fn send_watchdog() {
    let Some(timeout) = sd_notify::watchdog_enabled() else { return };
    // Three for each timeout: one may be late.
    let mut interval = tokio::time::interval((timeout / 3).max(Duration::from_millis(1)));
    loop {
        interval.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(problem) = sd_notify::notify(state) {
        tracing::warn!(%problem, "could not notify the service manager (NOTIFY_SOCKET)");
    }
}
