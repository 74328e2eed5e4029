//! What whoever supervises the server, such as systemd, is told of it (sd_notify(3)). Nobody is where it asks for nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// The server answers requests.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// It reads its files again; [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(problem) => tracing::warn!(%problem, "the supervisor is not told of the reload"),
    }
}

/// It ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells for as long as the server goes on that it does, if that is asked for; does not end.
pub async fn keep_telling() {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    // Late once is not too late.
    let mut beat = tokio::time::interval((patience / 3).max(Duration::from_millis(1)));
    loop {
        beat.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(problem) = sd_notify::notify(state) {
        tracing::warn!(%problem, "the supervisor (NOTIFY_SOCKET) could not be told");
    }
}
