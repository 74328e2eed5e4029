//! The error type of handlers, and the responses to errors: the only table of their statuses.

use axum::http::{Method, StatusCode, header};
use hostler_database::Error as DatabaseError;
use hostler_engine::Error;
use hostler_settings::ChangeError;
use serde_json::{Map, Value as Json, json};

use crate::request::is_safe;
use crate::response::Response;

/// Why a handler failed.
pub enum HandlerError {
    /// An error of the engine, or of the database.
    Engine(Error),
    /// An error with a response of its own.
    Response(Response),
}

/// What a handler returns.
pub type HandlerResult = Result<Response, HandlerError>;

impl HandlerError {
    /// The response to the error. `method` is that of the request.
    pub fn into_response(self, method: &Method) -> Response {
        match self {
            HandlerError::Engine(error) => error_response(error, method),
            HandlerError::Response(response) => response,
        }
    }
}

impl From<Error> for HandlerError {
    fn from(error: Error) -> Self {
        HandlerError::Engine(error)
    }
}

impl From<DatabaseError> for HandlerError {
    fn from(error: DatabaseError) -> Self {
        HandlerError::Engine(error.into())
    }
}

impl From<Response> for HandlerError {
    fn from(response: Response) -> Self {
        HandlerError::Response(response)
    }
}

impl From<ChangeError> for HandlerError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Invalid(messages) => Response::json(StatusCode::BAD_REQUEST, messages).into(),
            ChangeError::Failed(error) => error.into(),
        }
    }
}

/// The response to an error. Internal errors go to the log, without details for the client.
pub fn error_response(error: Error, method: &Method) -> Response {
    match error {
        Error::Invalid(fields) => {
            let body: Map<String, Json> =
                fields.into_iter().map(|(field, messages)| (field, json!(messages))).collect();
            Response::json(StatusCode::BAD_REQUEST, body)
        }
        Error::InvalidNested { field, parts, others } => {
            let parts: Map<String, Json> = parts.into_iter().map(|(part, messages)| (part, json!(messages))).collect();
            let mut body: Map<String, Json> =
                others.into_iter().map(|(field, messages)| (field, json!(messages))).collect();
            body.insert(field, parts.into());
            Response::json(StatusCode::BAD_REQUEST, body)
        }
        Error::InvalidLink(field, detail) => {
            Response::json(StatusCode::BAD_REQUEST, json!({field: {"detail": detail}}))
        }
        Error::BadRequest(detail) => Response::detail(StatusCode::BAD_REQUEST, detail),
        Error::BadRequestMsg(message) => Response::json(StatusCode::BAD_REQUEST, json!({"msg": message})),
        Error::BadRequestError(message) => Response::json(StatusCode::BAD_REQUEST, json!({"error": message})),
        Error::InUse(jobs) => {
            let jobs: Vec<Json> = jobs.into_iter().map(|(id, kind)| json!({"id": id, "type": kind})).collect();
            let body = json!({"error": "Resource is being used by running jobs.", "active_jobs": jobs});
            Response::json(StatusCode::CONFLICT, body)
        }
        Error::ChangeNotAllowed(message) => Response::json(StatusCode::METHOD_NOT_ALLOWED, json!({"error": message})),
        Error::Forbidden(detail) => Response::detail(
            StatusCode::FORBIDDEN,
            detail.unwrap_or_else(|| "You do not have permission to perform this action.".into()),
        ),
        Error::ForbiddenLink(field, message) => Response::json(StatusCode::FORBIDDEN, json!({field: [message]})),
        Error::NotFound(Some(label)) => {
            Response::detail(StatusCode::NOT_FOUND, format!("No {label} matches the given query."))
        }
        Error::NotFound(None) => Response::not_found(),
        Error::InvalidPage => Response::detail(StatusCode::NOT_FOUND, "Invalid page."),
        Error::MethodNotAllowed => {
            Response::detail(StatusCode::METHOD_NOT_ALLOWED, format!("Method \"{method}\" not allowed."))
        }
        Error::PreconditionFailed => Response::detail(
            StatusCode::PRECONDITION_FAILED,
            "The object has changed since you read it: read it again, then repeat your change with its new ETag in If-Match.",
        ),
        Error::Conflict(detail) => Response::detail(StatusCode::CONFLICT, detail),
        Error::NotImplemented(what) => Response::detail(
            StatusCode::NOT_IMPLEMENTED,
            format!("Hostler does not serve {what} yet; see docs/differences-from-awx.md."),
        ),
        Error::Unavailable(why) => {
            tracing::error!(%why, "the database is unavailable");
            Response::detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database cannot be reached right now: try again in a few seconds.",
            )
            .with(header::RETRY_AFTER, "5")
        }
        Error::CommitUnknown => {
            tracing::error!("the connection to the database was lost while a change was being saved");
            Response::detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "The connection to the database was lost while the change was being saved: it may have been made or \
                 not. Check before you try again.",
            )
            .with(header::RETRY_AFTER, "5")
        }
        Error::TooManyAttempts(seconds) => Response::detail(
            StatusCode::TOO_MANY_REQUESTS,
            format!("Too many failed attempts to sign in: try again in {seconds} seconds."),
        )
        .with(header::RETRY_AFTER, seconds.to_string()),
        Error::StorageFull => {
            tracing::error!("the disk is full");
            Response::detail(StatusCode::INSUFFICIENT_STORAGE, "The server's disk is full: nothing was changed.")
        }
        Error::QueryTooExpensive if !is_safe(method) => Response::detail(
            StatusCode::BAD_REQUEST,
            "The change affects more rows than the database can change in time: nothing was changed.",
        ),
        Error::QueryTooExpensive => {
            Response::detail(StatusCode::BAD_REQUEST, "The query is too expensive: use fewer or simpler filters.")
        }
        Error::Internal(why) => {
            tracing::error!(%why, "internal error");
            Response::detail(
                StatusCode::INTERNAL_SERVER_ERROR,
                "An internal error occurred; the server's log has details under the id in X-API-Request-Id.",
            )
        }
    }
}
