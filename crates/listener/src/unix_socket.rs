//! Sockets in the file system.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The name of a socket in the file system, which goes when this does if we made it.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and number of the socket that we made.
    made: Option<(u64, u64)>,
}

impl SocketFile {
    /// That of a socket which somebody else has made, and will remove.
    pub(crate) fn not_owned(path: PathBuf) -> SocketFile {
        SocketFile { path, made: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have removed it before, or put another one in its place.
        if self.made.is_some() && self.made == identity(&self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.symlink_metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// Makes a socket, in the place of one that nobody listens at any more.
pub(crate) async fn bind(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    if path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()) {
        match UnixStream::connect(path).await {
            Err(problem) if problem.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(problem) => return Err(problem),
        }
    }
    // Under another name until it has its permissions: nobody may come in before.
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{}", std::process::id()));
    let fresh = PathBuf::from(fresh);
    let listener = UnixListener::bind(&fresh)?;
    let named = fs::set_permissions(&fresh, fs::Permissions::from_mode(mode))
        // Unlike a rename, this replaces nothing.
        .and_then(|()| fs::hard_link(&fresh, path));
    fs::remove_file(&fresh)?;
    named?;
    Ok((listener, SocketFile { path: path.to_owned(), made: identity(path) }))
}
