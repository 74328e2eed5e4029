//! A private folder with the secrets that a program needs while it runs.
//!
//! git and ssh get secrets from an askpass program, which reads them from this folder: they are in no argument, no
//! environment variable and no URL. The folder has the mode 0700 and is removed as soon as the program has ended. The
//! folder of a server that was killed is removed when a server starts again: its lock is free then.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::Error;

const PREFIX: &str = "hostler-secrets-";
const LOCK: &str = "lock";

/// The program that git and ssh call to ask for a secret. It answers only if the question names the expected server,
/// so that a redirect to another server does not get the secret.
const ASKPASS: &str = r#"#!/bin/sh
dir=$HOSTLER_SECRETS
case $1 in
"Enter passphrase for "*) exec cat "$dir/passphrase" ;;
*://*)
    scheme=${1%%://*}
    # A user name may contain any character: the host follows the last @, and ends at the last quotation mark.
    host=${1#*://}
    host=${host%[\'\"]*}
    host=${host##*@}
    server=${scheme##*[\'\"]}://$host ;;
*"'s password: ")
    server=${1%%"'s password: "}
    server=${server##*@} ;;
"("*") "*)
    server=${1%%") "*}
    server=${server##*@} ;;
*) exit 1 ;;
esac
[ "$server" = "$(cat "$dir/server")" ] || exit 1
case $1 in
Username*) exec cat "$dir/username" ;;
*) exec cat "$dir/password" ;;
esac
"#;

/// Writes the askpass program below a folder, and returns its path.
pub(crate) fn write_askpass(folder: &Path) -> Result<PathBuf, Error> {
    let path = folder.join("askpass");
    let mut file = tempfile::Builder::new()
        .permissions(mode(0o700))
        .tempfile_in(folder)
        .map_err(Error::io("create a file in", folder))?;
    file.write_all(ASKPASS.as_bytes()).map_err(Error::io("write", &path))?;
    // A server that is running may execute the present file: it is replaced, not written.
    file.persist(&path).map_err(|error| Error::io("write", &path)(error.error))?;
    Ok(path)
}

fn mode(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

/// The folder in memory for secrets, if the machine has one.
pub(crate) fn default_parent() -> Option<PathBuf> {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).is_ok().then(|| memory.to_owned())
}

/// A private folder; dropping it removes it.
pub(crate) struct SecretsDir {
    dir: TempDir,
    _lock: File,
}

impl SecretsDir {
    pub fn create(parent: &Path) -> Result<Self, Error> {
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(mode(0o700))
            .tempdir_in(parent)
            .map_err(Error::io("create a folder in", parent))?;
        // Renamed when it is locked: a lock file that can be locked belongs to a server that was killed.
        let (new, lock) = (dir.path().join("lock.new"), dir.path().join(LOCK));
        let file = File::create(&new).map_err(Error::io("create", &new))?;
        file.lock().map_err(Error::io("lock", &new))?;
        fs::rename(&new, &lock).map_err(Error::io("rename", &new))?;
        Ok(Self { dir, _lock: file })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a secret into a file that only this user can read.
    pub fn write(&self, name: &str, secret: &str) -> Result<PathBuf, Error> {
        let path = self.dir.path().join(name);
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o600).open(&path).map_err(Error::io("create", &path))?;
        file.write_all(secret.as_bytes()).map_err(Error::io("write", &path))?;
        Ok(path)
    }
}

/// Removes the folders of servers that were killed. What cannot be removed is logged.
pub(crate) fn remove_abandoned(parent: &Path) -> Result<(), Error> {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).map_err(Error::io("read", parent))?.flatten() {
        // All users may create files in `parent`: opening a FIFO would block. This metadata is not that of a link's target.
        let is_own_folder = entry.metadata().is_ok_and(|entry| entry.is_dir() && entry.uid() == user);
        if !is_own_folder || !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if lock.try_lock().is_ok()
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::warn!(%error, path = %path.display(), "secrets of a killed server cannot be removed");
        }
    }
    Ok(())
}

/// Creates a folder, with its parents, that only this user can read.
pub(crate) fn create_private(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("create", path))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn password_is_given_only_to_the_server() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let askpass = write_askpass(folder.path())?;
        for (name, text) in [("server", "https://good.org"), ("username", "USERNAME"), ("password", "PASSWORD")] {
            fs::write(folder.path().join(name), text)?;
        }
        for (question, answer) in [
            ("Username for 'https://good.org': ", "USERNAME"),
            ("Password for 'https://ada@good.org': ", "PASSWORD"),
            ("Password for \"https://ada@good.org\": ", "PASSWORD"),
            ("Password for 'https://a/b@good.org': ", "PASSWORD"),
            ("Password for 'https://o'brien@good.org': ", "PASSWORD"),
            ("Password for 'https://ada@example.org@good.org': ", "PASSWORD"),
            ("Password for 'https://good.org/x@evil.org': ", ""),
            ("Password for 'https://good.org'@evil.org': ", ""),
            ("Password for 'https://good.org@evil.org': ", ""),
            ("Password for 'http://ada@good.org': ", ""),
            ("Username for 'https://good.org:8443': ", ""),
            ("ada@good.org's password: ", ""),
        ] {
            let mut command = Command::new("sh");
            let output = command.arg(&askpass).arg(question).env("HOSTLER_SECRETS", folder.path()).output()?;
            assert_eq!(String::from_utf8_lossy(&output.stdout), answer, "{question}");
        }
        Ok(())
    }
}
