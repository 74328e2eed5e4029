//! A lock between processes.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::listener::Shared;

/// The pause before the next attempt to take the lock.
const PAUSE: Duration = Duration::from_millis(250);

/// Takes the lock on a file as soon as no other process has it, and keeps it until this future is dropped.
pub(super) async fn hold(file: PathBuf, shared: Arc<Shared>) {
    let _held = loop {
        match take(&file) {
            Ok(Some(held)) => break held,
            Ok(None) => {}
            Err(error) => tracing::warn!(file = %file.display(), %error, "cannot lock a file"),
        }
        tokio::time::sleep(PAUSE).await;
    };
    shared.has_lock.store(true, Ordering::Release);
    shared.notify.notify_one();
    std::future::pending().await
}

/// Gives a file that root has created to the owner of its folder, whose server must be able to lock it.
fn give_to_owner(file: &File, path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let (creator, owner) = (file.metadata()?.uid(), folder.metadata()?);
    if creator != 0 || owner.uid() == 0 {
        return Ok(());
    }
    match fchown(file, Some(owner.uid()), Some(owner.gid())) {
        // Root without CAP_CHOWN, as in some containers, keeps the file.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

/// The locked file; none if another process has the lock.
fn take(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    give_to_owner(&file, path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
