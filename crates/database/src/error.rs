//! What can go wrong, in words that both databases share.

use std::path::PathBuf;

/// Why a statement or a transaction failed.
///
/// The texts never contain values that were bound, so that they can be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A row with the same unique columns exists. As far as the database says,
    /// the text names the constraint (PostgreSQL) or the columns (SQLite).
    #[error("a row with these values exists already ({0})")]
    Unique(String),
    /// A row refers to one that does not exist, or is still referred to.
    #[error("a row refers to one that does not exist, or is still referred to")]
    ForeignKey,
    /// The transaction was given up in favour of another one that changed the
    /// same rows: the same will succeed at once.
    #[error("the transaction was given up in favour of another")]
    Contended,
    /// The database cannot be reached or is too busy: the same may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The connection was lost before the database said whether it committed:
    /// everything may have happened, or nothing.
    #[error("the connection was lost while committing: whether that happened is unknown")]
    CommitUnknown,
    /// The disk of the database is full.
    #[error("the disk of the database is full")]
    Full,
    /// The statement ran for too long and was stopped.
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

/// Why a database could not be opened. The texts are for the operator and
/// never contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created, opened or read as a database.
    #[error("cannot open the SQLite database {path}: {problem}; {remedy}", path = path.display())]
    File {
        /// Where the file is.
        path: PathBuf,
        /// What went wrong.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The PostgreSQL server does not answer, or lets us not in.
    #[error(
        "cannot connect to PostgreSQL at {place}: {problem}; check that the server runs and the user, password and database in the URL"
    )]
    Server {
        /// Host, port and database.
        place: String,
        /// What went wrong.
        problem: String,
    },
    /// The URL of the PostgreSQL server is none.
    #[error("the database URL cannot be understood; write it as postgres://user:password@host:5432/database")]
    Url,
    /// What the URL says of TLS is unknown or contradicts itself, or names a file that cannot be used.
    #[error("the URL of the database at {place} cannot be used: {problem}")]
    TlsSettings {
        /// Host, port and database.
        place: String,
        /// What is wrong, and what to write.
        problem: String,
    },
    /// The PostgreSQL server and we do not agree on TLS, or its certificate is not the right one.
    #[error("cannot connect to PostgreSQL at {place} by TLS: {problem}; {remedy}")]
    Tls {
        /// Host, port and database.
        place: String,
        /// What went wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// Somebody began to restore it and did not finish.
    #[error("the database {place} was not restored to the end: restore it again, or give Hostler an empty one")]
    UnfinishedRestore {
        /// Host, port and database.
        place: String,
    },
    /// The schema was migrated by a newer version of this software; nothing was changed.
    #[error(
        "the database has schema version {found}, but this version of Hostler knows only up to {known}; run the newer Hostler, or restore a backup from before its upgrade"
    )]
    NewerSchema {
        /// The version that the database records.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The schema could not be brought up to date; a migration that fails changes nothing.
    #[error("cannot migrate the database {place}: {problem}; restore the schema that Hostler created, or report this")]
    Migration {
        /// The file, or host, port and database.
        place: String,
        /// What went wrong.
        problem: String,
    },
}
