//! Sign-in by password and second factor.
//!
//! Every password and every code is checked here, behind the [`RateLimiter`]: for sessions, for Basic authentication,
//! for OAuth2, and where a user confirms a change with the password.

mod attempt_queue;
mod check_password;
mod django_hashes;
mod failure_store;
mod known_locations;
mod object_key;
mod rate_limit;
mod second_factor;
mod second_factor_store;
mod sign_in_status;

pub(crate) use check_password::{
    CacheUse, CheckedPassword, PasswordCredentials, admit, check_password, check_user_password, compare_password,
};
pub(crate) use django_hashes::DjangoHashes;
pub use object_key::check_object_key;
pub(crate) use rate_limit::{AttemptPermit, AttemptSubject, LoginLimits, RateLimiter};
pub use second_factor::reset_second_factor;
pub(crate) use second_factor_store::{consume_code, has_second_factor};
pub use sign_in_status::unlock;

use hostler_engine::{ActionRequest, ActionResponse, Error};
use hostler_http::Request;
use hostler_resources::users::actions::SIGN_IN;

use crate::authenticator::Authenticator;

/// Handles the actions of users that concern their sign-in and second factor.
///
/// # Errors
/// Errors of the engine.
pub async fn act(auth: &Authenticator, action: ActionRequest<'_>, request: &Request) -> Result<ActionResponse, Error> {
    match action.action.path {
        SIGN_IN => sign_in_status::act(auth, action, request).await,
        _ => second_factor::act(auth, action, request).await,
    }
}

/// Fails if the actor is the user. Nobody unlocks themselves.
fn require_other(action: &ActionRequest<'_>) -> Result<(), Error> {
    if action.id == action.actor.id {
        return Err(Error::Forbidden(Some("Another user who may change you has to do that.".into())));
    }
    Ok(())
}
