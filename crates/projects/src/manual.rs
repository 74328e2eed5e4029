//! Projects whose files an administrator puts into a folder of the server.

use std::fs;
use std::path::{Path, PathBuf};

use crate::paths::{InvalidPath, inside};

/// The folder of a manual project: `local_path` below the folder of all manual projects. It is looked up again for each
/// job, because its content may change at any time.
pub fn manual_folder(root: &Path, local_path: &str) -> Result<PathBuf, InvalidPath> {
    let folder = inside(root, local_path)?;
    let is_root = root.canonicalize().is_ok_and(|root| root == folder);
    if folder.is_dir() && !is_root { Ok(folder) } else { Err(InvalidPath::NotFound(local_path.to_owned())) }
}

/// The folders that a manual project may use, sorted. Names with a leading dot or underscore are left out, as in AWX.
pub fn manual_folders(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| !name.starts_with(['.', '_']) && manual_folder(root, name).is_ok()).collect();
    names.sort_unstable();
    names
}
