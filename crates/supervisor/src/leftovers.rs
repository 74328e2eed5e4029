//! Which processes belong to a job, and what is done if its supervisor was killed.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::files;
use crate::processes::{Process, descendants};

/// The environment variable that all processes of a job inherit: the directory of the job.
pub const DIRECTORY_VARIABLE: &str = "HOSTLER_JOB_DIRECTORY";

/// How long processes may take to end after SIGKILL.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(30);

/// A process, distinguished from later ones with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process id.
    pub pid: i32,
    /// When it was started, in clock ticks since the start of the machine (field 22 of proc_pid_stat(5)).
    pub start_time: u64,
}

impl ProcessIdentity {
    /// The process with this id; none if it has ended.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Process::read(pid).map(|process| Self { pid, start_time: process.start_time })
    }

    fn is(&self, process: &Process) -> bool {
        self.pid == process.pid && self.start_time == process.start_time
    }
}

/// The file `supervisor.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorRecord {
    /// The supervisor. Its id is also that of its session.
    pub supervisor: ProcessIdentity,
    /// The program; none before it is started.
    pub program: Option<ProcessIdentity>,
    /// Identifies the start of the machine: after another one, no process is left.
    pub boot_id: String,
}

impl SupervisorRecord {
    /// A record of this process, which becomes a supervisor.
    pub(crate) fn of_this_process() -> Result<Self, Error> {
        let own = i32::try_from(std::process::id()).ok().and_then(ProcessIdentity::of);
        let missing = || io::Error::other("this process is not in /proc");
        let supervisor = own.ok_or_else(|| Error::system("/proc")(missing()))?;
        Ok(Self { supervisor, program: None, boot_id: boot_id()? })
    }

    /// Replaces the file.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(files::SUPERVISOR);
        let new = path.with_extension("new");
        let text = serde_json::to_vec(self)
            .map_err(|problem| Error::Content { path: path.clone(), problem: problem.to_string() })?;
        fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).map_err(Error::file(&path))
    }

    /// Whether this process is the supervisor or the program.
    fn names(&self, process: &Process) -> bool {
        self.supervisor.is(process) || self.program.is_some_and(|program| program.is(process))
    }

    /// Reads the file; none if no supervisor was started.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn read(directory: &Path) -> Result<Option<Self>, Error> {
        let path = directory.join(files::SUPERVISOR);
        let text = match fs::read(&path) {
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(Error::file(&path))?,
        };
        serde_json::from_slice(&text).map(Some).map_err(|problem| Error::Content { path, problem: problem.to_string() })
    }
}

/// Identifies the start of the machine, see random(4).
///
/// # Errors
///
/// If the file cannot be read.
pub fn boot_id() -> Result<String, Error> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    Ok(fs::read_to_string(path).map_err(Error::file(path))?.trim().to_owned())
}

/// Locks the directory for this supervisor, until the file is closed.
pub fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join(files::LOCK);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(Error::file(&path))?;
    // `is_supervised` holds the lock for a moment.
    for _ in 0..100 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::Error(problem)) => return Err(Error::file(&path)(problem)),
        }
    }
    Err(Error::AlreadySupervised(directory.to_owned()))
}

/// Whether a supervisor runs for the job.
///
/// # Errors
///
/// If the file cannot be opened.
pub fn is_supervised(directory: &Path) -> Result<bool, Error> {
    let path = directory.join(files::LOCK);
    let file = match File::open(&path) {
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(false),
        file => file.map_err(Error::file(&path))?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(problem)) => Err(Error::file(&path)(problem)),
    }
}

/// Kills all processes of a job, including its supervisor, and returns how many there were. Use it when
/// [`is_supervised`] is false and there is no final record.
///
/// A process belongs to the job if it is the supervisor or the program, is in the supervisor's session, has the
/// job's directory in its environment, or descends from such a process. A process with an id that was used again does
/// not. What changed its session and its user or environment, and whose parents have ended, is not found without isolation. The
/// directory, or its file with the ids, may be gone: then the supervisor is found by its command line.
///
/// # Errors
///
/// [`Error::Survivors`] if processes do not end in 30 seconds.
pub fn kill_leftovers(directory: &Path) -> Result<usize, Error> {
    let record = match SupervisorRecord::read(directory) {
        // After a failure of the machine the file may have lost its content.
        Err(Error::Content { .. }) => None,
        record => record?,
    };
    if let Some(record) = &record
        && record.boot_id != boot_id()?
    {
        return Ok(0);
    }
    let job = JobProcesses::new(directory, record);
    let begin = Instant::now();
    let mut killed: HashMap<i32, u64> = HashMap::new();
    loop {
        let found = job.find();
        if found.is_empty() {
            return Ok(killed.len());
        }
        if begin.elapsed() > KILL_TIMEOUT {
            return Err(Error::Survivors(found.iter().map(|process| process.pid).collect()));
        }
        for process in found {
            process.kill();
            killed.insert(process.pid, process.start_time);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// How the processes of a job are recognized.
struct JobProcesses {
    record: Option<SupervisorRecord>,
    /// The directory of the job, as the server names it, and without links.
    directories: [PathBuf; 2],
    /// What the processes have in their environment.
    marker: Vec<u8>,
}

impl JobProcesses {
    fn new(directory: &Path, record: Option<SupervisorRecord>) -> Self {
        let real = real_path(directory);
        let marker = [DIRECTORY_VARIABLE.as_bytes(), b"=", real.as_os_str().as_encoded_bytes()].concat();
        Self { record, directories: [directory.to_owned(), real], marker }
    }

    fn find(&self) -> Vec<Process> {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let all: Vec<Process> = Process::all().into_iter().filter(|process| !process.is_zombie).collect();
        let session = self.session();
        let is_of_job = |process: &Process| {
            self.record.as_ref().is_some_and(|record| record.names(process))
                || session
                    .is_some_and(|leader| process.session == leader.pid && process.start_time >= leader.start_time)
                || self.has_marker(process)
                || self.is_supervisor(process)
        };
        let mut found: Vec<Process> =
            all.iter().filter(|process| process.pid != own && is_of_job(process)).copied().collect();
        let roots: Vec<i32> = found.iter().map(|process| process.pid).collect();
        found.extend(descendants(&roots, &all));
        found
    }

    /// The supervisor, if its session is still that of the job: the id of a session is not given to another process while
    /// the session has processes. A session whose leader started later than the supervisor is another one.
    fn session(&self) -> Option<ProcessIdentity> {
        let supervisor = self.record.as_ref()?.supervisor;
        let leader = Process::read(supervisor.pid);
        leader.is_none_or(|leader| supervisor.is(&leader)).then_some(supervisor)
    }

    fn has_marker(&self, process: &Process) -> bool {
        process.read_file("environ").split(|byte| *byte == 0).any(|variable| variable == self.marker)
    }

    /// Whether its command line is that of [`start_supervisor`](crate::start_supervisor).
    fn is_supervisor(&self, process: &Process) -> bool {
        let command = process.read_file("cmdline");
        let arguments: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
        let [_, b"run-job", directory, b""] = arguments.as_slice() else { return false };
        self.directories.iter().any(|known| known.as_os_str().as_encoded_bytes() == *directory)
    }
}

/// A path without links, also if its last parts do not exist.
fn real_path(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) else { continue };
        return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
    }
    path.to_owned()
}
