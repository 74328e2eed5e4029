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

/// The secret that makes an installation this one: sessions and encrypted
/// values of one installation mean nothing to another. It is never used itself,
/// only what is derived from it for one purpose.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; LENGTH]);

/// Why there is no usable key. Each message is one line for whoever starts the
/// server.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read, or not be made.
    #[error("cannot {doing} the secret key {}: {source}", path.display())]
    Io {
        /// What was tried: "read" or "create".
        doing: &'static str,
        /// The file of the key.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Somebody besides the owner may read or change the file.
    #[error("the secret key {} is open to others (mode {mode:04o}): run chmod 600 on it", path.display())]
    Open {
        /// The file of the key.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not as long as a key.
    #[error("the secret key {} is not {LENGTH} bytes long: restore it from a backup", path.display())]
    Length {
        /// The file of the key.
        path: PathBuf,
    },
}

impl SecretKey {
    /// The key made of these bytes, for tests and for keys that are kept
    /// elsewhere than in a file. They must be random.
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// Reads the key from the file at `path`, or makes a new one there if there
    /// is none. Of several processes that start at once, one makes the key and
    /// all get the same.
    ///
    /// # Errors
    /// [`KeyError`]: the file cannot be read or made, its group or others may
    /// read or write it, or it has another length.
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
    /// As [`SecretKey::load_or_create`]; no file is an error too.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let file = File::open(path).map_err(|source| io_error("read", path, source))?;
        // Asked of the open file, not of the path, which may lead elsewhere by now.
        let metadata = file.metadata().map_err(|source| io_error("read", path, source))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Open { path: path.to_owned(), mode });
        }
        let mut read = zeroize::Zeroizing::new(Vec::with_capacity(LENGTH + 1));
        // One byte more than a key shows a file that is too long.
        file.take(LENGTH as u64 + 1).read_to_end(&mut read).map_err(|source| io_error("read", path, source))?;
        let bytes = read.as_slice().try_into().map_err(|_| KeyError::Length { path: path.to_owned() })?;
        Ok(Self(bytes))
    }

    /// Puts a new key at `path`, complete or not at all, unless there is one.
    fn create(path: &Path) -> Result<(), KeyError> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written = || -> io::Result<()> {
            // Made with mode 0600, and removed again unless it gets its name.
            let mut file = tempfile::Builder::new().prefix(".secret-key-").tempfile_in(directory)?;
            file.write_all(&*zeroize::Zeroizing::new(crate::random::bytes::<LENGTH>()))?;
            give_to_owner(file.as_file(), directory)?;
            file.as_file().sync_all()?;
            match file.persist_noclobber(path) {
                Ok(_) => {}
                // Another process was faster: its key is the key.
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.error),
            }
            // The name, too, must outlast a power cut: what is encrypted from
            // now on can be read with this key only.
            File::open(directory)?.sync_all()
        };
        written().map_err(|source| io_error("create", path, source))
    }

    /// The key for one purpose, by HKDF-SHA256 (RFC 5869) without a salt.
    /// `purpose` is a fixed phrase; who knows one derived key learns nothing of
    /// the others, nor of this one.
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

/// Makes an empty file that only its owner can read, unless there is one.
///
/// What root makes in a folder of somebody else belongs to the owner of the folder: the server has a user of its own,
/// who could not read it otherwise, and its administrator runs commands as root.
///
/// # Errors
/// If it cannot be made; there being one is none.
pub fn make_file(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // It never follows a link that the owner of the folder has laid.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => give_to_owner(&file, directory),
        Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(problem) => Err(problem),
    }
}

/// Gives a file, which must have been made just now by this process, to the owner of its folder where root has made it.
fn give_to_owner(made: &File, directory: &Path) -> io::Result<()> {
    let (maker, owner) = (made.metadata()?.uid(), directory.metadata()?);
    if maker != 0 || owner.uid() == 0 {
        return Ok(());
    }
    match fchown(made, Some(owner.uid()), Some(owner.gid())) {
        // A root without that power, as in some containers, keeps what it makes.
        Err(problem) if problem.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        given => given,
    }
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> KeyError {
    KeyError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
