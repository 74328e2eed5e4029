//! The directory of a job in the data folder.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use hostler_supervisor::boot_id;
use serde::{Deserialize, Serialize};

/// The folder of all these directories in the data folder.
const JOBS: &str = "jobs";
const HELD: &str = "runner.json";
const HOSTS: &str = "hosts.json";
const STARTED: &str = "started";
const SPOOL: &str = "spool";

/// What must be given back when the job ends.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Held {
    /// The project of whose files it uses a checkout.
    pub project: Option<i64>,
}

/// The directory of one job.
#[derive(Clone, Debug)]
pub(crate) struct JobDirectory {
    job: i64,
    path: PathBuf,
}

impl JobDirectory {
    pub fn new(data: &Path, job: i64) -> Self {
        JobDirectory { job, path: data.join(JOBS).join(job.to_string()) }
    }

    /// Those of all jobs.
    pub fn all(data: &Path) -> Vec<Self> {
        let entries = fs::read_dir(data.join(JOBS)).into_iter().flatten().flatten();
        let jobs = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        jobs.map(|job| Self::new(data, job)).collect()
    }

    pub fn job(&self) -> i64 {
        self.job
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name under which the job holds a checkout.
    pub fn holder(&self) -> String {
        holder(self.job)
    }

    /// Creates it, with nothing but the record of what the job will hold. Nobody else may read it.
    pub fn create(&self, held: &Held) -> Result<(), String> {
        let failed = failed("create", &self.path);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(failed)?;
        let text = serde_json::to_vec(held).map_err(|problem| problem.to_string())?;
        self.write(HELD, &text).map(drop)
    }

    /// Writes a file that nobody else may read; its folders are created. Returns its path.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, String> {
        let path = self.path.join(name);
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("create", folder))?;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(content));
        written.map_err(failed("write", &path))?;
        Ok(path)
    }

    /// Remembers the hosts of a job on a smart inventory, by name: another filter would later find others.
    pub fn write_hosts(&self, hosts: &BTreeMap<String, i64>) -> Result<(), String> {
        let text = serde_json::to_vec(hosts).map_err(|problem| problem.to_string())?;
        self.write(HOSTS, &text).map(drop)
    }

    /// The hosts of a job on a smart inventory, by name; none for other inventories.
    pub fn hosts(&self) -> Result<Option<HashMap<String, i64>>, String> {
        let path = self.path.join(HOSTS);
        match fs::read(&path) {
            Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(None),
            Err(problem) => Err(failed("read", &path)(problem)),
            Ok(text) => {
                serde_json::from_slice(&text).map(Some).map_err(|problem| format!("{}: {problem}", path.display()))
            }
        }
    }

    /// Remembers that a supervisor is started from now on, also if the machine fails.
    pub fn mark_started(&self) -> Result<(), String> {
        let boot = boot_id().map_err(|problem| problem.to_string())?;
        let path = self.write(STARTED, boot.as_bytes())?;
        let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
        synced.map_err(failed("write", &path))
    }

    /// Whether a supervisor may have been started.
    pub fn is_started(&self) -> bool {
        self.path.join(STARTED).exists()
    }

    /// Whether a supervisor may have been started since the machine was. Files that were written since are not lost.
    pub fn is_started_since_boot(&self) -> bool {
        fs::read(self.path.join(STARTED)).is_ok_and(|text| boot_id().is_ok_and(|boot| text == boot.as_bytes()))
    }

    /// Whether the supervisor has begun to write events.
    pub fn has_spool(&self) -> bool {
        self.path.join(SPOOL).exists()
    }

    /// What the job holds; nothing if it has no directory.
    pub fn held(&self) -> Result<Held, String> {
        let path = self.path.join(HELD);
        match fs::read(&path) {
            Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(Held::default()),
            Err(problem) => Err(failed("read", &path)(problem)),
            Ok(text) => serde_json::from_slice(&text).map_err(|problem| format!("{}: {problem}", path.display())),
        }
    }

    /// Removes it. One that does not exist is no error.
    pub fn remove(&self) -> Result<(), String> {
        match fs::remove_dir_all(&self.path) {
            Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(()),
            Err(problem) if problem.kind() == ErrorKind::PermissionDenied => {
                // Ansible and its modules may have made folders read-only.
                make_writable(&self.path);
                fs::remove_dir_all(&self.path).map_err(failed("remove", &self.path))
            }
            removed => removed.map_err(failed("remove", &self.path)),
        }
    }
}

/// The name under which a job holds a checkout.
pub(crate) fn holder(job: i64) -> String {
    format!("job-{job}")
}

/// Makes a folder and all folders in it writable. It does not follow links.
fn make_writable(folder: &Path) {
    // What cannot be changed makes the removal fail, which is reported.
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> String {
    let path = path.to_owned();
    move |problem| format!("cannot {doing} {}: {problem}", path.display())
}

/// Runs work with files or processes on a thread for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|problem| Err(problem.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_comes_and_goes() {
        let data = tempfile::tempdir().unwrap();
        let directory = JobDirectory::new(data.path(), 7);
        directory.remove().unwrap();
        assert_eq!(directory.held().unwrap().project, None);
        directory.create(&Held { project: Some(3) }).unwrap();
        assert_eq!(directory.held().unwrap().project, Some(3));
        assert!(!directory.is_started() && !directory.has_spool());
        directory.mark_started().unwrap();
        assert!(directory.is_started() && directory.is_started_since_boot());
        directory.write(STARTED, b"of an earlier start").unwrap();
        assert!(directory.is_started() && !directory.is_started_since_boot());
        let file = directory.write("workspace/a/b", b"x").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(JobDirectory::all(data.path()).iter().map(JobDirectory::job).collect::<Vec<_>>(), [7]);
        directory.remove().unwrap();
        assert!(!directory.path().exists() && !directory.is_started());
    }
}
