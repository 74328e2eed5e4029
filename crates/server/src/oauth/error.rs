//! Errors of the OAuth2 endpoints, in the format of RFC 6749, section 5.2.

use axum::http::{StatusCode, header};
use hostler_database::Error as DatabaseError;
use hostler_engine::Error;
use serde_json::json;

use crate::error::error_response;
use crate::response::Response;

/// Why an OAuth2 request failed.
pub(super) enum OAuthError {
    /// An error of the request: the standard's error code, and a description.
    /// Neither repeats a secret that was sent.
    Protocol(&'static str, &'static str),
    /// The application is unknown or its secret is wrong. True if it used the
    /// `Authorization` header: the response must have `WWW-Authenticate` then.
    InvalidClient(bool),
    /// A finished response.
    Response(Response),
    /// An error of the server.
    Server(Error),
}

impl OAuthError {
    /// The grant is unknown, used, expired, revoked or of another application: the
    /// response does not say which.
    pub(super) fn invalid_grant() -> Self {
        OAuthError::Protocol("invalid_grant", "The grant is invalid, expired, revoked or already used.")
    }

    /// The response.
    pub(super) fn into_response(self, method: &str) -> Response {
        let protocol_error = |status, error: &str, description: &str| {
            Response::json(status, json!({"error": error, "error_description": description}))
                .with(header::PRAGMA, "no-cache")
        };
        match self {
            OAuthError::Protocol(error, description) => protocol_error(StatusCode::BAD_REQUEST, error, description),
            OAuthError::InvalidClient(by_header) => {
                let description = "The application is unknown or its secret is wrong.";
                let response = protocol_error(StatusCode::UNAUTHORIZED, "invalid_client", description);
                if by_header {
                    response.with(header::WWW_AUTHENTICATE, "Basic realm=\"applications\"")
                } else {
                    response
                }
            }
            OAuthError::Response(response) => response,
            OAuthError::Server(failure) => error_response(failure, method),
        }
    }
}

impl From<Error> for OAuthError {
    fn from(failure: Error) -> Self {
        OAuthError::Server(failure)
    }
}

impl From<DatabaseError> for OAuthError {
    fn from(error: DatabaseError) -> Self {
        OAuthError::Server(error.into())
    }
}

impl From<Response> for OAuthError {
    fn from(response: Response) -> Self {
        OAuthError::Response(response)
    }
}
