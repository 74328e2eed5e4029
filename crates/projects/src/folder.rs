//! The folder of one project.
//!
//! ```text
//! update.lock              held by the one update that runs
//! reading.lock             shared by those that read mirrors, exclusive for replacing them
//! source                   the URL to which the mirrors belong, as a digest
//! mirrors/DIGEST.git       one per URL: the repository and its submodules
//! checkouts/KEY/lock       held while the checkout is created or removed, or its references change
//! checkouts/KEY/files      the files, complete and read-only
//! checkouts/KEY/references one file per holder
//! checkouts/KEY/requirements-HASH  roles and collections that the project requires
//! ```

use std::path::PathBuf;

use crate::git_url::GitUrl;
use crate::mirror::digest;

pub(crate) struct ProjectFolder {
    pub path: PathBuf,
}

impl ProjectFolder {
    pub fn mirrors(&self) -> PathBuf {
        self.path.join("mirrors")
    }

    pub fn mirror(&self, url: &GitUrl) -> PathBuf {
        self.mirrors().join(format!("{}.git", digest(url.as_str())))
    }

    pub fn update_lock(&self) -> PathBuf {
        self.path.join("update.lock")
    }

    pub fn reading_lock(&self) -> PathBuf {
        self.path.join("reading.lock")
    }

    pub fn checkouts(&self) -> PathBuf {
        self.path.join("checkouts")
    }

    pub fn checkout(&self, key: &str) -> CheckoutFolder {
        CheckoutFolder { path: self.checkouts().join(key) }
    }
}

/// The folder of one checkout.
#[derive(Debug, Clone)]
pub(crate) struct CheckoutFolder {
    pub path: PathBuf,
}

impl CheckoutFolder {
    pub fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// The files while they are written. They get their final name when they are complete.
    pub fn partial(&self) -> PathBuf {
        self.path.join("partial")
    }

    /// git's index while the files are written.
    pub fn index(&self) -> PathBuf {
        self.path.join("index")
    }

    pub fn references(&self) -> PathBuf {
        self.path.join("references")
    }
}
