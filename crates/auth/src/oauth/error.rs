//! Errors of the OAuth2 endpoints, in the format of RFC 6749, section 5.2.

use hostler_http::{HandlerError, Response};
use http::{StatusCode, header};
use serde_json::json;

/// An error that the protocol defines.
#[derive(Clone, Copy, Debug)]
pub(super) enum OAuthError {
    /// The standard's error code, and a description. Neither repeats a secret that was sent.
    Protocol(&'static str, &'static str),
    /// The application is unknown or its secret is wrong. True if it used the
    /// `Authorization` header: the response must have `WWW-Authenticate` then.
    InvalidClient(bool),
}

impl OAuthError {
    /// The grant is unknown, used, expired, revoked or of another application: the
    /// response does not say which.
    pub(super) fn invalid_grant() -> Self {
        OAuthError::Protocol("invalid_grant", "The grant is invalid, expired, revoked or already used.")
    }

    fn response(self) -> Response {
        let (status, error, description) = match self {
            OAuthError::Protocol(error, description) => (StatusCode::BAD_REQUEST, error, description),
            OAuthError::InvalidClient(_) => {
                (StatusCode::UNAUTHORIZED, "invalid_client", "The application is unknown or its secret is wrong.")
            }
        };
        let response = Response::json(status, json!({"error": error, "error_description": description}))
            .with(header::PRAGMA, "no-cache");
        match self {
            OAuthError::InvalidClient(true) => response.with(header::WWW_AUTHENTICATE, "Basic realm=\"applications\""),
            _ => response,
        }
    }
}

impl From<OAuthError> for HandlerError {
    fn from(error: OAuthError) -> Self {
        HandlerError::Response(error.response())
    }
}
