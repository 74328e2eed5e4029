//! Locks between tasks of this server and between servers that use the same folder.
//!
//! A lock is an advisory lock on a file, so the operating system frees it when its holder is killed. Programs that work
//! for the holder inherit the open file: the lock also lasts while a program of a killed server still runs.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

use crate::error::Error;
use crate::process::Input;

/// The locks that tasks of this server hold or wait for. Tasks wait here without a thread; one task per file waits for
/// other servers, on a blocking thread.
#[derive(Default)]
pub(crate) struct Locks(Mutex<HashMap<PathBuf, Weak<tokio::sync::Mutex<()>>>>);

/// A lock that is held until all copies of it are dropped.
#[derive(Clone)]
pub(crate) struct Lock(Arc<Held>);

struct Held {
    file: File,
    _task: Option<OwnedMutexGuard<()>>,
}

impl Lock {
    fn new(file: File, task: Option<OwnedMutexGuard<()>>) -> Self {
        Self(Arc::new(Held { file, _task: task }))
    }

    /// Lets a program share the lock.
    pub fn inherited(&self) -> Result<Input, Error> {
        self.0.file.try_clone().map(Input::Lock).map_err(Error::io("duplicate", Path::new("a lock file")))
    }

    /// Runs file operations that need the lock. They hold it to their end, even if the caller is cancelled.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let lock = self.clone();
        blocking(move || {
            let result = work();
            drop(lock);
            result
        })
        .await
    }
}

impl Locks {
    /// Waits for the lock. The file and its folder are created if they are missing.
    pub async fn exclusive(&self, path: &Path) -> Result<Lock, Error> {
        let task = self.of(path).lock_owned().await;
        let file = wait(path, File::lock).await?;
        Ok(Lock::new(file, Some(task)))
    }

    /// Waits for a lock that others may hold in the same way.
    pub async fn shared(&self, path: &Path) -> Result<Lock, Error> {
        let file = wait(path, File::lock_shared).await?;
        Ok(Lock::new(file, None))
    }

    /// Takes the lock if nobody holds it.
    pub fn try_exclusive(&self, path: &Path) -> Result<Option<Lock>, Error> {
        let Ok(task) = self.of(path).try_lock_owned() else { return Ok(None) };
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) if is_current(&file, path) => Ok(Some(Lock::new(file, Some(task)))),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", path)(error)),
        }
    }

    fn of(&self, path: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(path).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        locks.insert(path.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

/// Locks the file on a blocking thread, again if it was removed before it was locked.
async fn wait(path: &Path, lock: fn(&File) -> std::io::Result<()>) -> Result<File, Error> {
    let path = path.to_owned();
    blocking(move || {
        loop {
            let file = open(&path)?;
            lock(&file).map_err(Error::io("lock", &path))?;
            if is_current(&file, &path) {
                return Ok(file);
            }
        }
    })
    .await
}

fn open(path: &Path) -> Result<File, Error> {
    loop {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        match File::options().create(true).append(true).read(true).open(path) {
            // The folder was removed in between.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            result => return result.map_err(Error::io("open", path)),
        }
    }
}

fn is_current(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(locked), Ok(present)) => (locked.dev(), locked.ino()) == (present.dev(), present.ino()),
        _ => false,
    }
}

/// Runs file operations on a blocking thread.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Failed { program: "a task of the server".to_owned(), detail: error.to_string() }),
    }
}
