//! What tests leave behind that are killed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

const PREFIX: &str = "hostler-tests-";

/// A folder for the temporary files of a whole run. What is left in it goes with it, what is mounted there first.
pub struct Scratch(TempDir);

impl Scratch {
    /// Makes the folder.
    pub fn make() -> Result<Self> {
        let folder = TempDir::with_prefix(PREFIX).context("a folder for the tests' temporary files")?;
        // PostgreSQL runs as a user of its own, and has to get through.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for place in mounted_below(self.path(), &mounts) {
            // What cannot be unmounted stays.
            let _ = Command::new("umount").arg("--lazy").arg(place).stderr(Stdio::null()).status();
        }
    }
}

/// What is mounted below a folder, as `/proc/self/mounts` tells.
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
