//! A disk that a test can fill.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::skip::{skip, skip_forbidden};

/// A file system in memory; unmounted on drop.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one with this number of MiB; none if that is not allowed, which is reported. Only root may.
    pub fn mount(size: u32) -> Option<Self> {
        let folder = TempDir::with_prefix("hostler-disk-").expect("a folder to mount on");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}m"), "hostler-test"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => Some(Self { folder }),
            Ok(output) => {
                let problem = String::from_utf8_lossy(&output.stderr);
                skip_forbidden(&format!("a small disk cannot be mounted here: {}", problem.trim()));
                None
            }
            Err(problem) => {
                skip(&format!("there is no mount: {problem}"));
                None
            }
        }
    }

    /// The mount point.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills the disk.
    pub fn fill(&self) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.ballast()).expect("a file that fills");
        // The last bytes too.
        for size in [1 << 16, 1] {
            let chunk = vec![b'x'; size];
            while file.write_all(&chunk).is_ok() {}
        }
    }

    /// Frees the space again.
    pub fn empty(&self) {
        fs::remove_file(self.ballast()).expect("the file that fills is there");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a killed server may still be ending.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).stdin(Stdio::null()).status();
        if !matches!(unmounted, Ok(status) if status.success()) {
            eprintln!("could not unmount {}", self.path().display());
        }
    }
}
