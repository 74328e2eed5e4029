//! The installation's secret key, from which every other key is derived.

use hkdf::Hkdf;
use sha2::Sha256;
use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The length of the key, in bytes.
const LENGTH: usize = 64;

/// The secret of an installation: its sessions and encrypted values are invalid in
/// every other installation. Only keys derived from it are used.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; LENGTH]);

/// Why there is no usable key. Each message is one line for the administrator.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or created.
    #[error("cannot {doing} the secret key {}: {source}", path.display())]
    Io {
        /// The action: "read" or "create".
        doing: &'static str,
        /// The key file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Others than the owner may read or write the file.
    #[error("the secret key {} is accessible to other users (mode {mode:04o}): run chmod 600 on it", path.display())]
    Open {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file has the wrong length.
    #[error("the secret key {} is not {LENGTH} bytes long: restore it from a backup", path.display())]
    Length {
        /// The key file.
        path: PathBuf,
    },
}

impl SecretKey {
    /// A key from these bytes, which must be random: for tests, and for keys that are
    /// not in a file.
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// Reads the key from the file at `path`, or creates the file. Of several
    /// processes that start at once, one creates the key and all get the same.
    ///
    /// # Errors
    /// [`KeyError`]: the file cannot be read or created, its group or others may read
    /// or write it, or it has the wrong length.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::create(path)?;
                Self::load(path)
            }
            loaded => loaded,
        }
    }

    /// Reads the key from the file at `path`.
    ///
    /// # Errors
    /// As [`SecretKey::load_or_create`]; a missing file is an error too.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let file = File::open(path).map_err(|source| io_error("read", path, source))?;
        // Of the open file, because the path may lead elsewhere by now.
        let metadata = file.metadata().map_err(|source| io_error("read", path, source))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Open { path: path.to_owned(), mode });
        }
        let mut read = zeroize::Zeroizing::new(Vec::with_capacity(LENGTH + 1));
        // One more byte detects a file that is too long.
        file.take(LENGTH as u64 + 1).read_to_end(&mut read).map_err(|source| io_error("read", path, source))?;
        let bytes = read.as_slice().try_into().map_err(|_| KeyError::Length { path: path.to_owned() })?;
        Ok(Self(bytes))
    }

    /// Creates a new key at `path` atomically, unless there is one.
    fn create(path: &Path) -> Result<(), KeyError> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written = || -> io::Result<()> {
            // Created with mode 0600, and deleted unless it is renamed.
            let mut file = tempfile::Builder::new().prefix(".secret-key-").tempfile_in(directory)?;
            file.write_all(&*zeroize::Zeroizing::new(crate::random::bytes::<LENGTH>()))?;
            change_owner(file.as_file(), directory)?;
            file.as_file().sync_all()?;
            match file.persist_noclobber(path) {
                Ok(_) => {}
                // Another process created the key first.
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.error),
            }
            // The directory entry must survive a power failure too: values encrypted
            // from now on need this key.
            File::open(directory)?.sync_all()
        };
        written().map_err(|source| io_error("create", path, source))
    }

    /// The key for one purpose, by HKDF-SHA256 (RFC 5869) without a salt.
    /// `purpose` is a fixed phrase. A derived key reveals nothing about this key or
    /// the others.
    #[expect(clippy::expect_used, reason = "HKDF refuses only more than 8160 bytes, and we ask for 32")]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, &self.0).expand(purpose.as_bytes(), &mut key).expect("32 bytes can be derived");
        key
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Creates an empty file that only its owner can read, unless it exists.
///
/// A file that root creates in another user's directory gets that directory's owner: the server runs as its own user and
/// could not read it otherwise, while administrators run commands as root.
///
/// # Errors
/// If it cannot be created. An existing file is no error.
pub fn make_file(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // `create_new` does not follow a symbolic link of the directory's owner.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => change_owner(&file, directory),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives a file that this process has just created as root to the owner of its directory.
fn change_owner(file: &File, directory: &Path) -> io::Result<()> {
    let (creator, owner) = (file.metadata()?.uid(), directory.metadata()?);
    if creator != 0 || owner.uid() == 0 {
        return Ok(());
    }
    match fchown(file, Some(owner.uid()), Some(owner.gid())) {
        // Root without CAP_CHOWN, as in some containers, keeps the file.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> KeyError {
    KeyError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
