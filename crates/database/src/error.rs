//! Database errors.

use std::path::PathBuf;

/// Why a statement or a transaction failed.
///
/// The messages never contain bound values, so that they can be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A row with the same unique columns exists. The text names the constraint (PostgreSQL) or the columns (SQLite),
    /// if the database reports them.
    #[error("a row with these values already exists ({0})")]
    Unique(String),
    /// A row refers to one that does not exist, or is still referred to.
    #[error("a row refers to one that does not exist, or is still referred to")]
    ForeignKey,
    /// The transaction was aborted because another one changed the same rows: a
    /// retry will succeed.
    #[error("the transaction was aborted because of a conflict with another")]
    Contended,
    /// The database cannot be reached or is too busy: a retry may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The connection was lost before the database confirmed the commit: the
    /// transaction may be committed or not.
    #[error("the connection was lost while committing: the outcome is unknown")]
    CommitUnknown,
    /// The disk of the database is full.
    #[error("the disk of the database is full")]
    Full,
    /// The statement ran for too long and was interrupted.
    #[error("the statement took too long")]
    Timeout,
    /// The database cannot run a statement of this size or depth, or a regular
    /// expression that it does not understand: the request has to be simpler.
    #[error("the statement is too complex")]
    TooComplex,
    /// Anything else: a mistake in the statement or in the data.
    #[error("database error: {0}")]
    Internal(String),
}

impl Error {
    /// Whether another attempt may succeed.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Error::Contended | Error::Unavailable(_) | Error::CommitUnknown | Error::Full | Error::Timeout)
    }
}

/// Why a database could not be opened. The texts are for the operator and
/// never contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created, opened or read as a database.
    #[error("cannot open the SQLite database {path}: {problem}; {remedy}", path = path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The error.
        problem: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// The PostgreSQL server does not answer, or rejects the connection.
    #[error(
        "cannot connect to PostgreSQL at {database}: {problem}; check that the server runs and the user, password and database in the URL"
    )]
    Server {
        /// Host, port and database.
        database: String,
        /// The error.
        problem: String,
    },
    /// The URL of the PostgreSQL server is invalid.
    #[error("the database URL is invalid; the format is postgres://user:password@host:5432/database")]
    Url,
    /// A TLS parameter of the URL is unknown, contradicts another, or names a file that cannot be used.
    #[error("the URL of the database at {database} cannot be used: {problem}")]
    TlsSettings {
        /// Host, port and database.
        database: String,
        /// The problem and the correct form.
        problem: String,
    },
    /// The TLS handshake with the PostgreSQL server failed, or its certificate is not trusted.
    #[error("cannot connect to PostgreSQL at {database} with TLS: {problem}; {remedy}")]
    Tls {
        /// Host, port and database.
        database: String,
        /// The error.
        problem: String,
        /// The remedy.
        remedy: String,
    },
    /// The database has an unfinished restore.
    #[error("the database {database} has an unfinished restore: restore it again, or use an empty database")]
    UnfinishedRestore {
        /// Host, port and database.
        database: String,
    },
    /// The schema was migrated by a newer version of Hostler; nothing was changed.
    #[error(
        "the database has schema version {found}, but this version of Hostler knows only up to {known}; run the newer Hostler, or restore a backup from before its upgrade"
    )]
    NewerSchema {
        /// The schema version of the database.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// A migration failed, and changed nothing.
    #[error(
        "cannot migrate the database {database}: {problem}; restore the schema that Hostler created, or report this"
    )]
    Migration {
        /// The file, or host, port and database.
        database: String,
        /// The error.
        problem: String,
    },
}
