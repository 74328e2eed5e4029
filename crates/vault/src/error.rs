use std::path::PathBuf;

use hostler_database::Error as DatabaseError;
use hostler_identity::key::KeyError;

/// Why a secret could not be encrypted or decrypted. The messages contain neither secrets nor ciphertexts, so that they
/// can be logged.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The text is no encrypted secret, or has a format that this version does not know.
    #[error("the stored text is not an encrypted secret")]
    Malformed,
    /// The text was changed, or was encrypted for another context.
    #[error("the encrypted secret was changed or belongs to another row or field")]
    DecryptionFailed,
    /// The key is not in the folder.
    #[error(
        "the key {id} is not in {}: put the key files that belong to this database there (from a backup, or from the other servers that use it)", folder.display()
    )]
    MissingKey {
        /// The key that is needed.
        id: String,
        /// The folder of the keys.
        folder: PathBuf,
    },
    /// The folder of the keys, or a file in it, cannot be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The operation, such as "read".
        doing: &'static str,
        /// The folder, or a file in it.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}
