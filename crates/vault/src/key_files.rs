//! The folder of key files: `N.key`, where N is the generation.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};

use hostler_identity::key::{KeyError, SecretKey};

use crate::VaultError;
use crate::cipher::Cipher;

/// All keys of the folder with their generations, oldest first; none without a folder.
pub(crate) fn read(folder: &Path) -> Result<Vec<(u64, Cipher)>, VaultError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        Err(source) => return Err(VaultError::Io { doing: "read", path: folder.to_owned(), source }),
    };
    let mut numbers = vec![];
    for entry in entries {
        let entry = entry.map_err(|source| VaultError::Io { doing: "read", path: folder.to_owned(), source })?;
        numbers.extend(entry.file_name().to_str().and_then(number));
    }
    numbers.sort_unstable();
    let load = |number| match SecretKey::load(&path(folder, number)) {
        Ok(key) => Some(Ok((number, Cipher::new(&key)))),
        // Removed by a rotation since the folder was listed.
        Err(KeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => None,
        Err(problem) => Some(Err(problem.into())),
    };
    numbers.into_iter().filter_map(load).collect()
}

/// The ids of all keys in a folder, oldest first; none without a folder.
///
/// # Errors
/// [`VaultError::Io`], [`VaultError::Key`].
pub fn key_ids(folder: &Path) -> Result<Vec<String>, VaultError> {
    Ok(read(folder)?.iter().map(|(_, cipher)| cipher.id().to_owned()).collect())
}

/// Creates the key of a generation, or loads the one that another process has created.
pub(crate) fn create(folder: &Path, number: u64) -> Result<(u64, Cipher), VaultError> {
    create_folder(folder).map_err(|source| VaultError::Io { doing: "create", path: folder.to_owned(), source })?;
    Ok((number, Cipher::new(&SecretKey::load_or_create(&path(folder, number))?)))
}

/// Creates the folder if it does not exist. If root creates it, it gets the owner of its parent, as the keys do.
fn create_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(problem) if problem.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(problem) => return Err(problem),
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")).metadata()?;
    if above.uid() != 0 && fs::symlink_metadata(folder)?.uid() == 0 {
        match lchown(folder, Some(above.uid()), Some(above.gid())) {
            Err(problem) if problem.kind() == ErrorKind::PermissionDenied => {}
            given => given?,
        }
    }
    Ok(())
}

/// Removes the key of a generation and syncs the folder.
pub(crate) fn remove(folder: &Path, number: u64) -> Result<(), VaultError> {
    let path = path(folder, number);
    let removed = fs::remove_file(&path).and_then(|()| fs::File::open(folder)?.sync_all());
    removed.map_err(|source| VaultError::Io { doing: "remove", path, source })
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.key"))
}

/// The generation of a key file; `None` for other files.
fn number(name: &str) -> Option<u64> {
    let number: u64 = name.strip_suffix(".key")?.parse().ok()?;
    // `01.key` is not a second name of `1.key`.
    (name == format!("{number}.key")).then_some(number)
}
