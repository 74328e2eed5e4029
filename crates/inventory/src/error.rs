use std::fmt;

use hostler_database::Error as DatabaseError;
use hostler_variables::InvalidVariables;

/// Why an inventory cannot be turned into a document.
#[derive(Debug)]
pub enum ScriptError {
    /// There is no inventory with this id.
    NoInventory,
    /// The filter of a smart inventory is invalid, for this reason.
    HostFilter(String),
    /// Stored variables cannot be parsed.
    Variables {
        /// What they belong to, such as `host web1`.
        owner: String,
        /// What is wrong with them.
        problem: InvalidVariables,
    },
    /// The database failed.
    Database(DatabaseError),
}

impl fmt::Display for ScriptError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScriptError::NoInventory => formatter.write_str("the inventory does not exist"),
            ScriptError::HostFilter(reason) => write!(formatter, "its host filter is invalid: {reason}"),
            ScriptError::Variables { owner, problem } => {
                write!(formatter, "the variables of the {owner} are invalid: {problem}")
            }
            ScriptError::Database(error) => write!(formatter, "the inventory cannot be read: {error}"),
        }
    }
}

impl std::error::Error for ScriptError {}

impl From<DatabaseError> for ScriptError {
    fn from(error: DatabaseError) -> Self {
        ScriptError::Database(error)
    }
}
