//! Cleanup after killed tests.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

const PREFIX: &str = "hostler-tests-";

/// A folder for the temporary files of a whole run. It is deleted with its content, after unmounting file systems below
/// it.
pub struct Scratch(TempDir);

impl Scratch {
    /// Creates the folder.
    pub fn make() -> Result<Self> {
        let folder = TempDir::with_prefix(PREFIX).context("a folder for the tests' temporary files")?;
        // PostgreSQL runs as its own user, which needs access.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
        Ok(Self(folder))
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for place in mounted_below(self.path(), &mounts) {
            // File systems that cannot be unmounted stay.
            let _ = Command::new("umount").arg("--lazy").arg(place).stderr(Stdio::null()).status();
        }
    }
}

/// The mount points below a folder, from `/proc/self/mounts`.
fn mounted_below(folder: &Path, mounts: &str) -> Vec<PathBuf> {
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    places.filter(|place| place.starts_with(folder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_below_a_folder_are_found() {
        let mounts = "tmpfs /tmp/a/disk tmpfs rw 0 0\n/dev/x / ext4 rw 0 0\ntmpfs /tmp/ab tmpfs rw 0 0\n";
        assert_eq!(mounted_below(Path::new("/tmp/a"), mounts), [PathBuf::from("/tmp/a/disk")]);
    }
}
