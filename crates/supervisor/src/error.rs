use std::io;
use std::path::{Path, PathBuf};

/// Why a job could not be supervised, or its directory not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file of the directory has invalid content.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is invalid.
        problem: String,
    },
    /// The directory is already supervised, or was.
    #[error("{} belongs to another supervisor", .0.display())]
    AlreadySupervised(PathBuf),
    /// A record of the spool is invalid.
    #[error("the spool has an invalid record at byte {offset}")]
    Corrupt {
        /// Where the record begins.
        offset: u64,
    },
    /// A call of the system failed.
    #[error("{action}: {source}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// The error of the system.
        source: io::Error,
    },
    /// Processes did not end after SIGKILL.
    #[error("processes do not end: {0:?}")]
    Survivors(Vec<i32>),
    /// The job cannot be started; the final record has this text.
    #[error("{0}")]
    Preparation(String),
}

impl Error {
    /// For `map_err`: an error about this file.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }

    /// For `map_err`: an error of a call of the system.
    pub(crate) fn system<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System { action, source: source.into() }
    }
}
