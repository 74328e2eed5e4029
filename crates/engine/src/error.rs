use hostler_database::Error as DatabaseError;
use hostler_tasks::TaskError;
use hostler_vault::VaultError;

/// The error of a request. The server maps each variant to a status and a body.
#[derive(Debug)]
pub enum Error {
    /// The body is invalid: messages by field, `__all__` for the whole.
    Invalid(Vec<(String, Vec<String>)>),
    /// Errors in parts of one field.
    InvalidNested {
        /// The field.
        field: String,
        /// Messages by part, which the response nests below the field.
        parts: Vec<(String, Vec<String>)>,
        /// Messages for other fields.
        others: Vec<(String, Vec<String>)>,
    },
    /// The object that this field links to does not allow the change: `{field: {"detail": …}}`.
    InvalidLink(&'static str, String),
    /// An invalid request: `{"detail": …}`.
    BadRequest(String),
    /// An invalid request, in the older format of sub-lists: `{"msg": …}`.
    BadRequestMsg(String),
    /// An invalid request: `{"error": …}`.
    BadRequestError(String),
    /// The object cannot be deleted, because these jobs, each with its type, use it and are not finished.
    InUse(Vec<(i64, String)>),
    /// The path supports the method, but not this change by it.
    ChangeNotAllowed(String),
    /// The actor lacks the permission; `None` for the default text.
    Forbidden(Option<String>),
    /// The actor lacks a permission on an object that the body links to: the field and the message.
    ForbiddenLink(&'static str, &'static str),
    /// The object does not exist, with its type if it is known.
    NotFound(Option<&'static str>),
    /// The requested page does not exist.
    InvalidPage,
    /// The path does not support the method.
    MethodNotAllowed,
    /// `If-Match` does not match the version of the object.
    PreconditionFailed,
    /// A conflict with a concurrent request.
    Conflict(String),
    /// This part of AWX's API is not implemented yet.
    NotImplemented(String),
    /// The database is unreachable; the client may retry.
    Unavailable(String),
    /// The connection to the database was lost during the commit: the change may or may not have been made.
    CommitUnknown,
    /// The disk is full.
    StorageFull,
    /// Too many failed sign-ins; retry after this number of seconds.
    TooManyAttempts(u64),
    /// The query takes too long or is too large for the database.
    QueryTooExpensive,
    /// A bug or an inconsistent database. The text is for the log only, not for the client.
    Internal(String),
}

impl Error {
    /// A message about one field.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Error::Invalid(vec![(field.to_owned(), vec![message.into()])])
    }

    /// The actor lacks the permission, with the default text.
    pub fn forbidden() -> Self {
        Error::Forbidden(None)
    }
}

impl Error {
    /// Reading the object failed after the change: if the database is unavailable, the change may have been made.
    pub(crate) fn after_change(self) -> Self {
        match self {
            Error::Unavailable(_) => Error::CommitUnknown,
            failure => failure,
        }
    }
}

impl From<DatabaseError> for Error {
    fn from(error: DatabaseError) -> Self {
        match error {
            // The rules were checked before the row was written, so this is a race between two writers.
            DatabaseError::Unique(_) => {
                Error::Conflict("An object with these values was created at the same moment.".into())
            }
            DatabaseError::ForeignKey => Error::Conflict("A linked object was deleted at the same moment.".into()),
            DatabaseError::Contended => {
                Error::Conflict("Another request changed the same objects at the same moment: try again.".into())
            }
            DatabaseError::Unavailable(why) => Error::Unavailable(why),
            DatabaseError::CommitUnknown => Error::CommitUnknown,
            DatabaseError::Full => Error::StorageFull,
            DatabaseError::Timeout | DatabaseError::TooComplex => Error::QueryTooExpensive,
            DatabaseError::Internal(why) => Error::Internal(why),
        }
    }
}

impl From<Error> for TaskError {
    fn from(error: Error) -> Self {
        TaskError(format!("{error:?}"))
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => error.into(),
            // Clients cannot correct these. The texts contain no secret.
            error => Error::Internal(error.to_string()),
        }
    }
}
