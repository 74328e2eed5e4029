//! Maps PostgreSQL's errors.

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

use super::closed;
use super::tls::{Settings, TlsProblem, cause, tls_problem};
use crate::Error;

/// Maps an error of a statement or of a connection.
pub(crate) fn statement_error(error: tokio_postgres::Error) -> Error {
    let Some(problem) = error.as_db_error() else {
        return if error.is_closed() || is_io(&error) || cause(&error).is_some() {
            Error::Unavailable("the connection to PostgreSQL was lost".to_owned())
        } else {
            // Errors of encoding and decoding: they name types and positions, not values.
            Error::Internal(crate::migrate::problem(&error))
        };
    };
    let code = problem.code();
    let constraint = || problem.constraint().unwrap_or_else(|| problem.message()).to_owned();
    match *code {
        SqlState::UNIQUE_VIOLATION => Error::Unique(constraint()),
        SqlState::FOREIGN_KEY_VIOLATION | SqlState::RESTRICT_VIOLATION => Error::ForeignKey,
        SqlState::DISK_FULL => Error::Full,
        SqlState::QUERY_CANCELED => Error::Timeout,
        // Hostler checks with the `regex` crate, but PostgreSQL does not accept all of its syntax.
        SqlState::INVALID_REGULAR_EXPRESSION => Error::TooComplex,
        SqlState::READ_ONLY_SQL_TRANSACTION
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | SqlState::LOCK_NOT_AVAILABLE => Error::Unavailable(problem.message().to_owned()),
        _ if is_stale(problem) => Error::Unavailable("the schema changed while the server ran".to_owned()),
        _ => match code.code().get(..2).unwrap_or_default() {
            // Deadlocks and conflicts with other transactions.
            "40" => Error::Contended,
            // Connections, resources, operator intervention.
            "08" | "53" | "57" => Error::Unavailable(problem.message().to_owned()),
            "54" => Error::TooComplex,
            // These messages quote the data.
            "22" => Error::Internal(format!("PostgreSQL refused a value (SQLSTATE {})", code.code())),
            _ => Error::Internal(format!("{} (SQLSTATE {})", problem.message(), code.code())),
        },
    }
}

/// Maps an error of the pool.
pub(super) fn pool_error(error: PoolError, settings: &Settings) -> Error {
    match error {
        PoolError::Backend(error) if error.as_db_error().is_none() => {
            Error::Unavailable(match tls_problem(&error, settings) {
                Some(TlsProblem { problem, remedy }) => {
                    format!("PostgreSQL cannot be reached with TLS: {problem}; {remedy}")
                }
                None => "PostgreSQL cannot be reached".to_owned(),
            })
        }
        // The server accepted the connection at start, so this is temporary.
        PoolError::Backend(error) => match statement_error(error) {
            Error::Internal(problem) => Error::Unavailable(problem),
            error => error,
        },
        PoolError::Timeout(_) => Error::Unavailable("no connection to PostgreSQL became free in time".to_owned()),
        PoolError::Closed => closed(),
        PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            Error::Internal("the pool of connections is set up wrongly".to_owned())
        }
    }
}

/// Whether prepared statements of this connection have to be prepared again.
pub(super) fn needs_preparing(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(is_stale)
}

fn is_stale(problem: &DbError) -> bool {
    // "cached plan must not change result type" has no SQLSTATE of its own, and its text depends on the locale.
    *problem.code() == SqlState::INVALID_SQL_STATEMENT_NAME || problem.routine() == Some("RevalidateCachedQuery")
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            // The protocol's encoder reports values that are too large, or contain NUL, this way.
            return !matches!(error.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData);
        }
        cause = error.source();
    }
    false
}
