use std::path::PathBuf;

use hostler_database::Error as DatabaseError;
use hostler_identity::key::KeyError;

/// Why a secret could not be sealed or opened. The texts hold neither secrets
/// nor sealed texts, so that they can be logged.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The text is not a sealed one, or of a form that this version does not know.
    #[error("the stored text is not a sealed secret")]
    Malformed,
    /// The text was changed, or stands where it was not sealed for.
    #[error("the sealed secret was changed or belongs elsewhere")]
    DecryptionFailed,
    /// The folder lacks the key.
    #[error(
        "the key {id} is not in {}: put the key files that belong to this database there (from a backup, or from the other servers that use it)", folder.display()
    )]
    MissingKey {
        /// The key that is needed.
        id: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The folder of the keys cannot be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, such as "read".
        doing: &'static str,
        /// The folder, or a file in it.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database does not say which key seals.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}
