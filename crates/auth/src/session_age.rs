//! The lifetime of a session after its latest request.

use hostler_database::Error;
use hostler_schema::column;
use hostler_settings::Settings;
use hostler_settings::definitions::authentication::session_seconds;
use http::{HeaderMap, HeaderName};
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, ExprTrait, Query};

use crate::authenticator::Authenticator;

/// The header with the remaining lifetime of the session in seconds, as in AWX.
pub const SESSION_TIMEOUT: HeaderName = HeaderName::from_static("session-timeout");
/// A request with this header does not renew the session, as in AWX: pages send it for background requests.
const QUIET_HEADER: HeaderName = HeaderName::from_static("x-ws-session-quiet");
/// The part of the lifetime after which a session is renewed.
const RENEWAL_INTERVAL: SignedDuration = SignedDuration::from_secs(60);

/// The lifetime of a session.
pub(crate) fn age(settings: &Settings) -> SignedDuration {
    SignedDuration::from_secs(session_seconds(settings))
}

/// Extends a session to its full lifetime from now. Returns whether that was written, so that its cookie must be set
/// again. It is not written with each request, but often enough to lose little time. A session that ends later than
/// that was renewed before the clock was set back, and is shortened.
pub(crate) async fn renew(
    auth: &Authenticator,
    settings: &Settings,
    headers: &HeaderMap,
    id: i64,
    expires: Timestamp,
) -> bool {
    let (now, age) = (auth.engine.clock.now(), age(settings));
    let new_expires = now.checked_add(age).unwrap_or(expires);
    if headers.contains_key(QUIET_HEADER) || expires.duration_until(new_expires).abs() < RENEWAL_INTERVAL.min(age / 10)
    {
        return false;
    }
    match write(auth, id, new_expires).await {
        Ok(()) => true,
        Err(error) => {
            // The request does not depend on it, and the next one retries.
            tracing::warn!(%error, "could not renew a session");
            false
        }
    }
}

async fn write(auth: &Authenticator, id: i64, expires: Timestamp) -> Result<(), Error> {
    let update = Query::update()
        .table(Alias::new("sessions"))
        .value(Alias::new("expires"), expires)
        .and_where(column("sessions", "id").eq(id))
        .to_owned();
    let mut tx = auth.engine.database.begin().await?;
    tx.execute_inline(&update).await?;
    tx.commit().await
}
