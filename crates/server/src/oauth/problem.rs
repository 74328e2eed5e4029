//! What goes wrong at the token endpoint, in the words of RFC 6749, section 5.2.

use axum::http::{StatusCode, header};
use hostler_database::Error as DatabaseError;
use hostler_engine::Error;
use serde_json::json;

use crate::error::error_response;
use crate::response::Response;

/// Why a request was not granted.
pub(super) enum Problem {
    /// The request is at fault: a word of the standard, and what it means here.
    /// Neither ever repeats a secret that was sent.
    Refused(&'static str, &'static str),
    /// The application did not prove to be who it says. True if it tried to in
    /// the `Authorization` header, which the answer must take up then.
    UnknownClient(bool),
    /// Anything else that has an answer already.
    Answered(Response),
    /// The server is at fault.
    Failed(Error),
}

impl Problem {
    /// The grant is unknown, used up, expired, revoked or another's: which of
    /// these is nobody's business.
    pub(super) fn invalid_grant() -> Self {
        Problem::Refused("invalid_grant", "The grant is not valid, or not any more.")
    }

    /// The answer.
    pub(super) fn into_reply(self, method: &str) -> Response {
        let refused = |status, error: &str, description: &str| {
            Response::json(status, json!({"error": error, "error_description": description}))
                .with(header::PRAGMA, "no-cache")
        };
        match self {
            Problem::Refused(error, description) => refused(StatusCode::BAD_REQUEST, error, description),
            Problem::UnknownClient(by_header) => {
                let description = "The application is unknown or its secret is wrong.";
                let response = refused(StatusCode::UNAUTHORIZED, "invalid_client", description);
                if by_header {
                    response.with(header::WWW_AUTHENTICATE, "Basic realm=\"applications\"")
                } else {
                    response
                }
            }
            Problem::Answered(response) => response,
            Problem::Failed(failure) => error_response(failure, method),
        }
    }
}

impl From<Error> for Problem {
    fn from(failure: Error) -> Self {
        Problem::Failed(failure)
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        Problem::Failed(error.into())
    }
}

impl From<Response> for Problem {
    fn from(response: Response) -> Self {
        Problem::Answered(response)
    }
}
