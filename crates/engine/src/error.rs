use hostler_database::Error as DatabaseError;
use hostler_vault::VaultError;

/// Why a request failed. The server maps each variant to a status and a body.
#[derive(Debug)]
pub enum Error {
    /// The body is invalid: messages by field, `__all__` for the whole.
    Invalid(Vec<(String, Vec<String>)>),
    /// Parts of one field break rules.
    InvalidNested {
        /// The field.
        field: String,
        /// Messages by part, which the answer nests below the field.
        parts: Vec<(String, Vec<String>)>,
        /// Messages by other fields.
        others: Vec<(String, Vec<String>)>,
    },
    /// The request makes no sense: `{"detail": …}`.
    BadRequest(String),
    /// The request makes no sense, in the older shape of sub-lists: `{"msg": …}`.
    BadRequestMsg(String),
    /// The actor lacks the permission; `None` for the default text.
    Forbidden(Option<String>),
    /// There is no such object, of this type if one is named.
    NotFound(Option<&'static str>),
    /// The page asked for does not exist.
    InvalidPage,
    /// The path exists, but not for this method.
    MethodNotAllowed,
    /// `If-Match` names another state of the object than the stored one.
    PreconditionFailed,
    /// Another request changed the same thing at the same moment.
    Conflict(String),
    /// Hostler does not serve this part of AWX's API yet.
    NotImplemented(String),
    /// The database cannot be reached now; trying again later may help.
    Unavailable(String),
    /// The connection to the database was lost before it said whether a change was made.
    CommitUnknown,
    /// The disk is full.
    StorageFull,
    /// Too many attempts to sign in failed; retry after so many seconds.
    TooManyAttempts(u64),
    /// The query takes the database too long or is too large for it.
    QueryTooExpensive,
    /// A bug or an inconsistent database. The text is for the log, never for the client.
    Internal(String),
}

impl Error {
    /// One message about one field.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Error::Invalid(vec![(field.to_owned(), vec![message.into()])])
    }

    /// The actor lacks the permission; with the default text.
    pub fn forbidden() -> Self {
        Error::Forbidden(None)
    }
}

impl Error {
    /// Reading the object failed after it was changed: if the database is unavailable, the change may have been made.
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
            // Rules are checked before the row is written, so this is a race between two writers.
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

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => error.into(),
            // A client cannot correct these. The texts contain no secret.
            error => Error::Internal(error.to_string()),
        }
    }
}
