//! Unix sockets.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The file of a Unix socket. It is deleted on drop if this process has created it.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode of the file that this process has created.
    created: Option<(u64, u64)>,
}

impl SocketFile {
    /// The file of a socket that another process has created, and deletes.
    pub(crate) fn not_owned(path: PathBuf) -> SocketFile {
        SocketFile { path, created: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have deleted or replaced the file.
        if self.created.is_some() && self.created == inode(&self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    path.symlink_metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// Creates a socket. It replaces a socket file on which no process listens any more.
pub(crate) async fn bind(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    if path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()) {
        match UnixStream::connect(path).await {
            Err(problem) if problem.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(problem) => return Err(problem),
        }
    }
    // Created under a temporary name: no client may connect before the permissions are set.
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let listener = UnixListener::bind(&temporary)?;
    let linked = fs::set_permissions(&temporary, fs::Permissions::from_mode(mode))
        // Unlike a rename, a link replaces no existing file.
        .and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    linked?;
    Ok((listener, SocketFile { path: path.to_owned(), created: inode(path) }))
}
