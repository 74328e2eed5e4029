//! From failures to statuses: the only such table.

use axum::http::{StatusCode, header};
use hostler_engine::Failure;
use serde_json::{Map, Value as Json, json};

use crate::response::Response;

/// What a client is told of a failure. Faults of ours go to the log, never to the client.
pub(crate) fn error_response(failure: Failure, method: &str) -> Response {
    match failure {
        Failure::Invalid(problems) => {
            let body: Map<String, Json> =
                problems.into_iter().map(|(field, messages)| (field, json!(messages))).collect();
            Response::json(StatusCode::BAD_REQUEST, body)
        }
        Failure::InvalidParts(field, problems) => {
            let parts: Map<String, Json> =
                problems.into_iter().map(|(part, messages)| (part, json!(messages))).collect();
            Response::json(StatusCode::BAD_REQUEST, json!({ field: parts }))
        }
        Failure::BadRequest(detail) => Response::detail(StatusCode::BAD_REQUEST, detail),
        Failure::BadMessage(message) => Response::json(StatusCode::BAD_REQUEST, json!({"msg": message})),
        Failure::Forbidden(detail) => Response::detail(
            StatusCode::FORBIDDEN,
            detail.unwrap_or_else(|| "You do not have permission to perform this action.".into()),
        ),
        Failure::NotFound(Some(label)) => {
            Response::detail(StatusCode::NOT_FOUND, format!("No {label} matches the given query."))
        }
        Failure::NotFound(None) => Response::unknown_path(),
        Failure::InvalidPage => Response::detail(StatusCode::NOT_FOUND, "Invalid page."),
        Failure::MethodNotAllowed => {
            Response::detail(StatusCode::METHOD_NOT_ALLOWED, format!("Method \"{method}\" not allowed."))
        }
        Failure::PreconditionFailed => Response::detail(
            StatusCode::PRECONDITION_FAILED,
            "The object has changed since you read it: read it again, then repeat your change with its new ETag in If-Match.",
        ),
        Failure::Conflict(detail) => Response::detail(StatusCode::CONFLICT, detail),
        Failure::NotYet(what) => Response::detail(
            StatusCode::NOT_IMPLEMENTED,
            format!("Hostler does not serve {what} yet; see docs/differences-from-awx.md."),
        ),
        Failure::Unavailable(why) => {
            tracing::error!(%why, "the database is unavailable");
            Response::detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database cannot be reached right now: try again in a few seconds.",
            )
            .with(header::RETRY_AFTER, "5")
        }
        Failure::Uncertain => {
            tracing::error!("the connection to the database was lost while a change was being saved");
            Response::detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "The connection to the database was lost while the change was being saved: it may have been made or \
                 not. Look before you try again.",
            )
            .with(header::RETRY_AFTER, "5")
        }
        Failure::TooManyAttempts(seconds) => Response::detail(
            StatusCode::TOO_MANY_REQUESTS,
            format!("Too many failed attempts to sign in: try again in {seconds} seconds."),
        )
        .with(header::RETRY_AFTER, seconds.to_string()),
        Failure::StorageFull => {
            tracing::error!("the disk is full");
            Response::detail(StatusCode::INSUFFICIENT_STORAGE, "The server's disk is full: nothing was changed.")
        }
        Failure::TooExpensive => Response::detail(
            StatusCode::BAD_REQUEST,
            "The request asks too much of the database: use fewer or simpler filters.",
        ),
        Failure::Internal(why) => {
            tracing::error!(%why, "internal error");
            Response::detail(
                StatusCode::INTERNAL_SERVER_ERROR,
                "An internal error happened; the server's log tells more under this request's id.",
            )
        }
    }
}
