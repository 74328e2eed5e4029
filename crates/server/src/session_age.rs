//! How long sessions last: for a time after their latest request.

use axum::http::{HeaderMap, HeaderName};
use hostler_database::Error;
use hostler_schema::column;
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, ExprTrait, Query};

use crate::settings::Settings;
use crate::settings::definitions::authentication::session_seconds;
use crate::state::App;

/// Tells a client for how many seconds its session lasts from now on, as AWX does.
pub(crate) const SESSION_TIMEOUT: HeaderName = HeaderName::from_static("session-timeout");
/// With this header a request is none of the person's own: a page asks by itself, and lengthens nothing, as in AWX.
const QUIET: HeaderName = HeaderName::from_static("x-ws-session-quiet");
/// So much of a session's time may be gone before it is written that it lasts longer; a tenth of short ones.
const GRAIN: SignedDuration = SignedDuration::from_secs(60);

/// The time for which a session lasts.
pub(crate) fn age(settings: &Settings) -> SignedDuration {
    SignedDuration::from_secs(session_seconds(settings))
}

/// Lets a session last its whole time from now on. Answers whether that was written, and its cookie is to be set
/// anew: it is not at each request, but so often that hardly any of the time is lost. One that would last longer was
/// used before the clock was set back, and lasts as long as all others from now on.
pub(crate) async fn renew(app: &App, settings: &Settings, headers: &HeaderMap, id: i64, expires: Timestamp) -> bool {
    let (now, age) = (app.engine.clock.now(), age(settings));
    let wanted = now.checked_add(age).unwrap_or(expires);
    if headers.contains_key(QUIET) || expires.duration_until(wanted).abs() < GRAIN.min(age / 10) {
        return false;
    }
    match write(app, id, wanted).await {
        Ok(()) => true,
        Err(problem) => {
            // The request itself does not depend on it; the next one tries again.
            tracing::warn!(%problem, "a session could not be renewed");
            false
        }
    }
}

async fn write(app: &App, id: i64, expires: Timestamp) -> Result<(), Error> {
    let update = Query::update()
        .table(Alias::new("sessions"))
        .value(Alias::new("expires"), expires)
        .and_where(column("sessions", "id").eq(id))
        .to_owned();
    let mut tx = app.engine.database.begin().await?;
    tx.execute_inline(&update).await?;
    tx.commit().await
}
