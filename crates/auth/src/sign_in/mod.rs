//! Sign-in by password and second factor.
//!
//! Every password and every code is checked here, behind the [`RateLimiter`]: for sessions, for Basic authentication,
//! for OAuth2, and where a user confirms a change with the password.

mod attempt_queue;
mod check_password;
mod django_hashes;
mod failure_store;
mod known_locations;
mod rate_limit;
mod second_factor;
mod second_factor_store;
mod sign_in_status;

pub(crate) use check_password::{
    CacheUse, CheckedPassword, PasswordCredentials, admit, check_password, check_user_password, compare_password,
};
pub(crate) use django_hashes::DjangoHashes;
pub(crate) use rate_limit::{AttemptPermit, AttemptSubject, LoginLimits, RateLimiter};
pub use second_factor::reset_second_factor;
pub(crate) use second_factor_store::{consume_code, has_second_factor};
pub use sign_in_status::unlock;

use hostler_engine::Error;
use hostler_http::{HandlerResult, Request, Response};
use hostler_schema::Actor;
use http::{Method, StatusCode};
use serde_json::json;

use crate::authenticator::Authenticator;

/// Handles the paths of a user's sign-in and second factor.
///
/// # Errors
/// Errors of the engine.
pub async fn respond(
    auth: &Authenticator,
    actor: &Actor,
    key: &str,
    path: UserPath,
    request: &Request,
) -> HandlerResult {
    if request.method == Method::OPTIONS {
        sign_in_status::Subject::find(&auth.engine, actor, key).await?;
        let described = json!({
            "name": path.title(),
            "description": path.description(),
            "renders": ["application/json", "text/html"],
            "parses": ["application/json"],
        });
        return Ok(Response::json(StatusCode::OK, described));
    }
    if !path.methods().contains(&request.method.as_str()) {
        return Err(Error::MethodNotAllowed.into());
    }
    match path {
        UserPath::SignIn => sign_in_status::respond(auth, actor, key, request).await,
        _ => second_factor::respond(auth, actor, key, path, request).await,
    }
}

/// A path of a user's sign-in; not in AWX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserPath {
    /// `sign_in/`
    SignIn,
    /// `second_factor/`
    SecondFactor,
    /// `second_factor/verify/`
    VerifySecondFactor,
    /// `second_factor/recovery_codes/`
    RecoveryCodes,
    /// `second_factor/disable/`
    DisableSecondFactor,
}

impl UserPath {
    /// The path below a user.
    pub fn find(parts: &[&str]) -> Option<Self> {
        match parts {
            ["sign_in"] => Some(UserPath::SignIn),
            ["second_factor"] => Some(UserPath::SecondFactor),
            ["second_factor", "verify"] => Some(UserPath::VerifySecondFactor),
            ["second_factor", "recovery_codes"] => Some(UserPath::RecoveryCodes),
            ["second_factor", "disable"] => Some(UserPath::DisableSecondFactor),
            _ => None,
        }
    }

    /// The allowed methods beside OPTIONS, as in the `Allow` header.
    pub fn methods(self) -> &'static [&'static str] {
        match self {
            UserPath::SignIn => &["GET", "PATCH", "HEAD"],
            UserPath::SecondFactor => &["GET", "POST", "DELETE", "HEAD"],
            _ => &["POST"],
        }
    }

    /// The title of its page.
    pub fn title(self) -> &'static str {
        match self {
            UserPath::SignIn => "Sign-in of a User",
            UserPath::SecondFactor => "Second Factor of a User",
            UserPath::VerifySecondFactor => "Verify the Second Factor",
            UserPath::RecoveryCodes => "New Recovery Codes",
            UserPath::DisableSecondFactor => "Disable the Second Factor",
        }
    }

    fn description(self) -> &'static str {
        match self {
            UserPath::SignIn => {
                "Failed attempts to sign in as this user, and whether the user is locked out. PATCH with \
                 {\"failed_attempts\": 0} resets them."
            }
            UserPath::SecondFactor => {
                "Codes of a device in addition to the password. POST the password to set up a new device; DELETE removes \
                 another user's second factor."
            }
            UserPath::VerifySecondFactor => "POST the first code of the new device to enable the second factor.",
            UserPath::RecoveryCodes => "POST the password and a code to replace the recovery codes.",
            UserPath::DisableSecondFactor => "POST the password and a code to disable the second factor.",
        }
    }
}
