//! Which processes belong to a job, and what is done if its supervisor was killed.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
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

fn boot_id() -> Result<String, Error> {
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
/// not. What changed its user and its session, and whose parents have ended, is not found without isolation.
///
/// # Errors
///
/// [`Error::Survivors`] if processes do not end in 30 seconds.
pub fn kill_leftovers(directory: &Path) -> Result<usize, Error> {
    let Some(record) = SupervisorRecord::read(directory)? else { return Ok(0) };
    if record.boot_id != boot_id()? {
        return Ok(0);
    }
    let directory = directory.canonicalize().map_err(Error::file(directory))?;
    let marker = [DIRECTORY_VARIABLE.as_bytes(), b"=", directory.as_os_str().as_encoded_bytes()].concat();
    let begin = Instant::now();
    let mut killed: HashMap<i32, u64> = HashMap::new();
    loop {
        let found = processes_of_job(&record, &marker);
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

fn processes_of_job(record: &SupervisorRecord, marker: &[u8]) -> Vec<Process> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let all: Vec<Process> = Process::all().into_iter().filter(|process| !process.is_zombie).collect();
    // The id of a session is not given to another process while the session has processes. A session whose leader
    // started later than the supervisor is another one.
    let session = record.supervisor.pid;
    let leader = Process::read(session);
    let is_session_of_job = leader.is_none_or(|leader| record.supervisor.is(&leader));
    let is_of_job = |process: &Process| {
        record.supervisor.is(process)
            || record.program.is_some_and(|program| program.is(process))
            || is_session_of_job && process.session == session && process.start_time >= record.supervisor.start_time
            || fs::read(format!("/proc/{}/environ", process.pid))
                .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|variable| variable == marker))
    };
    let mut found: Vec<Process> =
        all.iter().filter(|process| process.pid != own && is_of_job(process)).copied().collect();
    let roots: Vec<i32> = found.iter().map(|process| process.pid).collect();
    found.extend(descendants(&roots, &all));
    found
}
