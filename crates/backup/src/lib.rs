//! Backup of a whole installation in one file: the rows of its database, and its key files.
//!
//! The file is a tar archive: `manifest.json`, the key files, `tables/NAME.jsonl.gz` with a JSON list for each row, and
//! at the end `manifest.sha256`. The manifest contains the SHA-256 checksum of every other entry. Rows have the format
//! of [`hostler_database::copy`], so that a backup of either database can be restored into either.

mod archive;
mod manifest;
mod transfer;
mod writer;

use std::path::PathBuf;

use hostler_database::copy::CopyError;

pub use archive::Archive;
pub use manifest::{FORMAT, Manifest};
pub use transfer::{TransferSummary, encryption_key_ids, transfer};
pub use writer::{BackupOrigin, KeyFile, write};

/// Why a backup could not be written, read or restored. The messages are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// The operation, such as "read".
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The backup file already exists.
    #[error("{} already exists: use another file, or --force to replace it", .0.display())]
    Exists(PathBuf),
    /// The file is not a Hostler backup, or was changed or truncated.
    #[error("{} is not a complete backup of Hostler: {problem}; nothing was changed", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The file was written by a newer version of Hostler.
    #[error(
        "{} has the format {found}, but this version of Hostler reads only up to {FORMAT}: use the version that wrote it ({version})", path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The version that wrote the file.
        version: String,
    },
    /// The database failed.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The rows that were written differ from the rows that were read.
    #[error(
        "table {table} differs from its source ({sent} rows read, {arrived} written): nothing was changed; please report this"
    )]
    Mismatch {
        /// The table.
        table: String,
        /// The number of rows that were read.
        sent: u64,
        /// The number of rows that were written.
        arrived: u64,
    },
}
