//! Paths that users name: of playbooks, inventory files and manual folders.

use std::path::{Component, Path, PathBuf};

/// Why a path is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// The path is empty, absolute, or has a part such as `..`.
    #[error("The path '{0}' must be relative and must not contain '..'.")]
    NotRelative(String),
    /// There is no such file.
    #[error("'{0}' does not exist in the project.")]
    NotFound(String),
    /// A symbolic link leads out of the project.
    #[error("'{0}' leads out of the project.")]
    LeadsOut(String),
    /// The path names something else than a file, or than a folder.
    #[error("'{0}' has the wrong type: a file is needed.")]
    NotAFile(String),
}

/// The file of a playbook in the project's folder.
pub fn playbook(folder: &Path, path: &str) -> Result<PathBuf, InvalidPath> {
    let file = inside(folder, path)?;
    if file.is_file() { Ok(file) } else { Err(InvalidPath::NotAFile(path.to_owned())) }
}

/// The inventory file, or the folder of such files, in the project's folder. An empty path is the whole project.
pub fn inventory_source(folder: &Path, path: &str) -> Result<PathBuf, InvalidPath> {
    let file = inside(folder, if path.is_empty() { "." } else { path })?;
    if file.is_file() || file.is_dir() { Ok(file) } else { Err(InvalidPath::NotAFile(path.to_owned())) }
}

/// Resolves a relative path below a folder. The result has no symbolic link and is below the folder.
pub(crate) fn inside(folder: &Path, path: &str) -> Result<PathBuf, InvalidPath> {
    let relative = Path::new(path);
    let is_relative = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if path.is_empty() || !is_relative || path.chars().any(char::is_control) {
        return Err(InvalidPath::NotRelative(path.to_owned()));
    }
    let not_found = |_| InvalidPath::NotFound(path.to_owned());
    let folder = folder.canonicalize().map_err(not_found)?;
    let file = folder.join(relative).canonicalize().map_err(not_found)?;
    if file.starts_with(&folder) { Ok(file) } else { Err(InvalidPath::LeadsOut(path.to_owned())) }
}
