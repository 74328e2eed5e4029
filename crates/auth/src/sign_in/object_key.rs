//! Keys of objects that hosts and services send instead of a user's credentials.

use std::net::IpAddr;

use hostler_engine::Error;
use hostler_identity::webhook_signature::is_key;
use hostler_settings::Settings;

use super::check_password::refusal;
use super::rate_limit::LoginLimits;
use crate::authenticator::Authenticator;

/// Whether the sent key is that of the object. Wrong keys from a network delay further ones from there.
///
/// # Errors
/// [`Error::TooManyAttempts`].
pub async fn check_object_key(
    auth: &Authenticator,
    settings: &Settings,
    (object, key): (i64, &str),
    sent: &str,
    address: Option<IpAddr>,
) -> Result<bool, Error> {
    let limits = LoginLimits::new(settings);
    let slot = auth.rate_limiter.admit_key(&auth.engine, limits, object, address).await.map_err(refusal)?;
    let is_right = is_key(sent, key);
    if !is_right {
        slot.fail(auth.engine.clock.now());
    }
    Ok(is_right)
}
