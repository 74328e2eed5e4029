//! Signing in with a password, and whoever attacks it.
//!
//! Every password and every code that anybody sends is checked here, behind the
//! [`RateLimiter`]: for sessions, with single requests (Basic), for OAuth2, and where a
//! user proves once more to be who they are.

mod attempt_queue;
mod check_password;
mod django_hashes;
mod failure_store;
mod known_locations;
mod rate_limit;
mod second_factor;
mod second_factor_store;
mod sign_in_status;

pub(crate) use check_password::{CheckedPassword, PasswordCredentials, check, locked, wait};
pub(crate) use django_hashes::DjangoHashes;
pub(crate) use rate_limit::{Attempt, AttemptRefused, AttemptSubject, RateLimiter, Rules};
pub use second_factor::reset_second_factor;
pub(crate) use second_factor_store::{consume_code, has_second_factor};
pub use sign_in_status::unlock;

use axum::http::{Method, StatusCode};
use hostler_engine::Error;
use hostler_schema::Actor;
use serde_json::json;

use crate::request::Request;
use crate::response::Response;
use crate::state::App;

/// Answers a request to one of the paths below a user.
pub(crate) async fn respond(
    app: &App,
    actor: &Actor,
    key: &str,
    path: UserPath,
    request: &Request,
) -> Result<Response, Error> {
    if request.method == Method::OPTIONS {
        sign_in_status::Subject::find(&app.engine, actor, key).await?;
        let described = json!({
            "name": path.title(),
            "description": path.description(),
            "renders": ["application/json", "text/html"],
            "parses": ["application/json"],
        });
        return Ok(Response::json(StatusCode::OK, described));
    }
    if !path.methods().contains(&request.method.as_str()) {
        return Err(Error::MethodNotAllowed);
    }
    match path {
        UserPath::SignIn => sign_in_status::respond(app, actor, key, request).await,
        _ => second_factor::respond(app, actor, key, path, request).await,
    }
}

/// A path below a user that is about signing in: beyond AWX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserPath {
    /// How signing in stands.
    SignIn,
    /// The second factor.
    SecondFactor,
    /// Shows that the device of a new second factor works.
    VerifySecondFactor,
    /// New recovery codes.
    RecoveryCodes,
    /// Does without a second factor.
    DisableSecondFactor,
}

impl UserPath {
    /// The path of these parts below a user.
    pub(crate) fn find(parts: &[&str]) -> Option<Self> {
        match parts {
            ["sign_in"] => Some(UserPath::SignIn),
            ["second_factor"] => Some(UserPath::SecondFactor),
            ["second_factor", "verify"] => Some(UserPath::VerifySecondFactor),
            ["second_factor", "recovery_codes"] => Some(UserPath::RecoveryCodes),
            ["second_factor", "disable"] => Some(UserPath::DisableSecondFactor),
            _ => None,
        }
    }

    /// The methods it answers beside OPTIONS, as the `Allow` header lists them.
    pub(crate) fn methods(self) -> &'static [&'static str] {
        match self {
            UserPath::SignIn => &["GET", "PATCH", "HEAD"],
            UserPath::SecondFactor => &["GET", "POST", "DELETE", "HEAD"],
            _ => &["POST"],
        }
    }

    /// What people call it.
    pub(crate) fn title(self) -> &'static str {
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
                "Failed attempts to sign in as this user, and whether they are locked out. PATCH with {\"failed_attempts\": \
                 0} forgives them."
            }
            UserPath::SecondFactor => {
                "Codes of a device beside the password. POST of the password begins with a new device; DELETE takes \
                 another user's away."
            }
            UserPath::VerifySecondFactor => "POST of a first code of the new device: from then on one is asked for.",
            UserPath::RecoveryCodes => "POST of password and code makes new recovery codes in place of the old.",
            UserPath::DisableSecondFactor => "POST of password and code does without a second factor.",
        }
    }
}
