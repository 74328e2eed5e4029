//! The process `hostler run-job DIR`.

mod notifications;
mod supervision;

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use self::notifications::Notifications;
use self::supervision::{Pipes, Supervision};
use crate::error::Error;
use crate::event::EventLog;
use crate::final_record::{FinalRecord, Reason};
use crate::job::JobDescription;
use crate::leftovers::{self, ProcessIdentity, SupervisorRecord};
use crate::secrets::{self, Secrets};
use crate::spool::SpoolWriter;
use crate::{bubblewrap, files, preparation, time};

/// Bytes that are kept free for the final record.
const RESERVED: usize = 64 << 10;

/// Supervises the job of this directory until it ends. Standard input has the [`Secrets`] in JSON.
///
/// It makes the calling process a session of its own and the reaper of all its descendants, all of which it kills.
///
/// # Errors
///
/// If the job was not started, because the directory is not usable or has been used; or if the final record could not
/// be written. A job that fails is no error, but a final record.
pub fn run_job(directory: &Path) -> Result<(), Error> {
    let directory = &directory.canonicalize().map_err(Error::file(directory))?;
    // Events may contain secrets, so only this user may read them.
    fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(Error::file(directory))?;
    rustix::process::setsid().map_err(Error::system("setsid"))?;
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).map_err(Error::system("PR_SET_CHILD_SUBREAPER"))?;
    bubblewrap::drop_ambient_capabilities()?;
    let _lock = leftovers::lock(directory)?;
    let secrets = Secrets::read(io::stdin().lock())?;
    secrets::close_stdin()?;
    let path = directory.join(files::SPOOL);
    let spool = SpoolWriter::create(&path).map_err(|problem| match problem.kind() {
        io::ErrorKind::AlreadyExists => Error::AlreadySupervised(directory.clone()),
        _ => Error::file(&path)(problem),
    })?;
    let reserve = directory.join(files::RESERVE);
    // Without it, the final record is missing if the disk is full.
    let _ = fs::write(&reserve, vec![0; RESERVED]);
    let mut record = SupervisorRecord::of_this_process()?;
    record.write(directory)?;
    let log = EventLog::new(spool);
    let begin = Instant::now();
    let started = time::now();
    let (mut log, mut last) = match start(directory, &secrets, &mut record) {
        Ok(program) => {
            drop(secrets);
            let Started { description, child, pipes, notifications } = program;
            let supervision = Supervision::new(&description, &child, pipes, notifications, log);
            let (log, mut last) = supervision.run()?;
            last.started = Some(started);
            (log, last)
        }
        Err((reason, message)) => {
            // An SSH agent may run.
            supervision::kill_descendants();
            (log, FinalRecord::new(reason, message))
        }
    };
    let _ = fs::remove_file(&reserve);
    last.finished = time::now();
    last.elapsed = begin.elapsed().as_secs_f64();
    last.events = log.counter - log.dropped;
    last.lines = log.line;
    log.spool.final_record(&last);
    match log.spool.flush() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::file(&path)(io::ErrorKind::StorageFull.into())),
        Err(problem) => Err(Error::file(&path)(problem)),
    }
}

/// A program that runs.
struct Started {
    description: JobDescription,
    child: Child,
    pipes: Pipes,
    notifications: Notifications,
}

/// Starts the program; otherwise says why not.
fn start(directory: &Path, secrets: &Secrets, record: &mut SupervisorRecord) -> Result<Started, (Reason, String)> {
    let not_started = |problem: Error| (Reason::NotStarted, problem.to_string());
    let notifications = Notifications::new(directory).map_err(not_started)?;
    let prepared = prepare(directory, secrets);
    // Also if the preparation failed: its programs may have got the same signal.
    if let Some(reason) = notifications.stop_request() {
        return Err((reason, reason.message().to_owned()));
    }
    let mut prepared = prepared.map_err(not_started)?;
    let child = prepared.command.spawn().map_err(|problem| {
        let program = prepared.command.get_program().display();
        (Reason::NotStarted, format!("{program} could not be started: {problem}"))
    })?;
    if let Some(bytes) = prepared.description.largest_file {
        limit_files(&child, bytes);
    }
    record.program = i32::try_from(child.id()).ok().and_then(ProcessIdentity::of);
    // Without the program in the record it is still found by its environment.
    if let Err(problem) = record.write(directory) {
        eprintln!("{problem}");
    }
    Ok(Started { description: prepared.description, child, pipes: prepared.pipes, notifications })
}

/// Limits the size of the files that a program writes, and those that it starts from now on. It has hardly begun.
fn limit_files(child: &Child, bytes: u64) {
    let program = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    if let Err(problem) = prlimit(program, Resource::Fsize, limit) {
        eprintln!("the size of files could not be limited: {problem}");
    }
}

/// A program that can be started.
struct Prepared {
    description: JobDescription,
    command: Command,
    pipes: Pipes,
    /// The program inherits it.
    _events_of_program: OwnedFd,
}

fn prepare(directory: &Path, secrets: &Secrets) -> Result<Prepared, Error> {
    let description = JobDescription::read(directory)?;
    let (events, events_of_program) = pipe()?;
    let (output, output_of_program) = pipe()?;
    let mut command = preparation::command(directory, &description, secrets, events_of_program.as_raw_fd())?;
    let errors_of_program = output_of_program.try_clone().map_err(Error::system("dup"))?;
    command.stdin(Stdio::null()).stdout(output_of_program).stderr(errors_of_program);
    // Only now: the programs that the preparation starts must not inherit it.
    fcntl_setfd(&events_of_program, FdFlags::empty()).map_err(Error::system("fcntl"))?;
    let pipes = Pipes { output: Some(File::from(output)), events: Some(File::from(events)) };
    Ok(Prepared { description, command, pipes, _events_of_program: events_of_program })
}

/// A pipe whose reader does not block.
fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(Error::system("pipe"))?;
    rustix::fs::fcntl_setfl(&reader, OFlags::NONBLOCK).map_err(Error::system("fcntl"))?;
    Ok((reader, writer))
}
