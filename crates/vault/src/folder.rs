//! The folder of key files: `N.key`, N counting the generations.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hostler_identity::key::{KeyError, SecretKey};

use crate::VaultError;
use crate::cipher::Cipher;

/// All keys of the folder, the oldest first; none if there is no folder.
pub(crate) fn read(folder: &Path) -> Result<Vec<Cipher>, VaultError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(source) => return Err(VaultError::Folder { doing: "read", path: folder.to_owned(), source }),
    };
    let mut numbers = vec![];
    for entry in entries {
        let entry = entry.map_err(|source| VaultError::Folder { doing: "read", path: folder.to_owned(), source })?;
        numbers.extend(entry.file_name().to_str().and_then(number));
    }
    numbers.sort_unstable();
    let load = |number| match SecretKey::load(&path(folder, number)) {
        Ok(key) => Some(Ok(Cipher::new(&key))),
        // Retired since the folder was listed.
        Err(KeyError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
        Err(problem) => Some(Err(problem.into())),
    };
    numbers.into_iter().filter_map(load).collect()
}

/// Makes the key of a generation, unless another process has made it already.
pub(crate) fn create(folder: &Path, number: u64) -> Result<Cipher, VaultError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|source| VaultError::Folder {
        doing: "create",
        path: folder.to_owned(),
        source,
    })?;
    Ok(Cipher::new(&SecretKey::load_or_create(&path(folder, number))?))
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.key"))
}

/// The generation of a key file; `None` for other files.
fn number(name: &str) -> Option<u64> {
    let number: u64 = name.strip_suffix(".key")?.parse().ok()?;
    // No two names for one number.
    (name == format!("{number}.key")).then_some(number)
}
