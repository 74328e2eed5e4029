//! The loop of the supervisor: one thread that waits for output and for notifications.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, WaitOptions, wait};

use super::notifications::Notifications;
use crate::error::Error;
use crate::event::EventLog;
use crate::final_record::{Exit, FinalRecord, Reason};
use crate::job::JobDescription;
use crate::leftovers::KILL_TIMEOUT;
use crate::output::{EventPipe, Output};
use crate::processes::{Process, descendants};
use crate::time;

/// Bytes that are read at a time: the capacity of a pipe (pipe(7)).
const CHUNK: usize = 64 << 10;

/// Chunks of output that are read before events are written. One would contain all that was written before the events.
const CHUNKS_OF_OUTPUT: usize = 2;

/// How often descendants are killed, until there are none, and how often a program is sought that can be interrupted.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(20);

/// How often a full disk is tried again.
const FULL_INTERVAL: Duration = Duration::from_millis(200);

/// How long the beginning of a line waits for its end.
const PARTIAL_LINE_WAIT: Duration = Duration::from_millis(500);

/// The reading ends of the pipes of the program; none when all writers have closed them.
pub struct Pipes {
    pub output: Option<File>,
    pub events: Option<File>,
}

/// The program is being stopped.
struct Stop {
    reason: Reason,
    kill_at: Instant,
    /// The program got SIGINT.
    is_interrupted: bool,
}

/// What happened while the supervisor waited.
struct Ready {
    /// Signals, or something in the directory.
    notifications: bool,
    output: bool,
    events: bool,
}

pub struct Supervision {
    timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
    cancel_grace: Duration,
    disk_full_wait: Duration,
    program: i32,
    pipes: Pipes,
    output: Output,
    events: EventPipe,
    log: EventLog,
    chunk: Vec<u8>,
    notifications: Notifications,
    begin: Instant,
    /// When the program last wrote something.
    last_output: Instant,
    /// It was stopped because it wrote nothing.
    was_idle: bool,
    exit: Option<Exit>,
    has_children: bool,
    stop: Option<Stop>,
    /// Since when descendants are killed.
    killing_since: Option<Instant>,
    /// Since when the spool cannot be written.
    full_since: Option<Instant>,
    /// The disk was full for too long: what cannot be written is dropped.
    is_dropping: bool,
}

impl Supervision {
    /// Of a program that was just started.
    pub fn new(
        description: &JobDescription,
        program: &Child,
        pipes: Pipes,
        notifications: Notifications,
        log: EventLog,
    ) -> Self {
        Self {
            timeout: description.timeout.map(Duration::from_secs),
            idle_timeout: description.idle_timeout.map(Duration::from_secs),
            cancel_grace: Duration::from_secs(description.cancel_grace),
            disk_full_wait: Duration::from_secs(description.disk_full_wait),
            program: i32::try_from(program.id()).unwrap_or_default(),
            pipes,
            output: Output::default(),
            events: EventPipe::default(),
            log,
            chunk: vec![0; CHUNK],
            notifications,
            begin: Instant::now(),
            last_output: Instant::now(),
            was_idle: false,
            exit: None,
            has_children: true,
            stop: None,
            killing_since: None,
            full_since: None,
            is_dropping: false,
        }
    }

    /// Runs until no process of the job is left and all its output is written.
    pub fn run(mut self) -> Result<(EventLog, FinalRecord), Error> {
        let result = self.supervise();
        if result.is_err() {
            kill_descendants();
        }
        let survivors = result?;
        let record = self.record(survivors);
        Ok((self.log, record))
    }

    fn supervise(&mut self) -> Result<Vec<i32>, Error> {
        let mut ready = Ready { notifications: true, output: true, events: true };
        loop {
            if ready.notifications || self.killing_since.is_some() {
                self.reap()?;
            }
            self.flush()?;
            let now = Instant::now();
            self.check_limits(now, ready.notifications || self.notifications.interval().is_some());
            self.interrupt();
            let is_killing = self.exit.is_some() || self.stop.as_ref().is_some_and(|stop| stop.kill_at <= now);
            let mut remaining = Vec::new();
            if is_killing {
                remaining = own_descendants();
                remaining.iter().for_each(Process::kill);
                let since = *self.killing_since.get_or_insert(now);
                if now - since > KILL_TIMEOUT {
                    self.finish_output();
                    self.is_dropping = true;
                    self.flush()?;
                    return Ok(remaining.iter().map(|process| process.pid).collect());
                }
            }
            let is_read = self.pipes.output.is_none() && self.pipes.events.is_none();
            if self.exit.is_some() && !self.has_children && is_read && self.log.spool.pending() == 0 {
                return Ok(Vec::new());
            }
            ready = self.wait(now, !remaining.is_empty())?;
            if self.log.spool.pending() == 0 {
                self.read(&ready)?;
                let is_idle = !ready.notifications && !ready.output && !ready.events;
                if is_idle && self.output.is_pending() {
                    self.output.flush(&mut self.log);
                }
            }
        }
    }

    /// Stops the program if that was requested or a limit is reached.
    fn check_limits(&mut self, now: Instant, is_notified: bool) {
        if self.timeout.is_some_and(|timeout| now - self.begin >= timeout) {
            self.stop(Reason::TimedOut, now);
        }
        // A full disk keeps the program from writing.
        let is_idle = self.full_since.is_none() && self.stop.is_none() && self.exit.is_none();
        if is_idle && self.idle_timeout.is_some_and(|timeout| now - self.last_output >= timeout) {
            self.was_idle = true;
            self.stop(Reason::TimedOut, now);
        }
        if self.stop.is_none()
            && is_notified
            && let Some(reason) = self.notifications.stop_request()
        {
            self.stop(reason, now);
        }
        if self.full_since.is_some_and(|since| now - since >= self.disk_full_wait) && !self.is_dropping {
            self.stop(Reason::DiskFull, now);
            // It could only wait for its output to be read.
            if let Some(stop) = &mut self.stop {
                stop.kill_at = now;
            }
            self.is_dropping = true;
        }
    }

    fn stop(&mut self, reason: Reason, now: Instant) {
        if self.stop.is_none() && self.exit.is_none() {
            self.stop = Some(Stop { reason, kill_at: now + self.cancel_grace, is_interrupted: false });
        }
    }

    /// Whether the program should get SIGINT and has not: bubblewrap may not have started it yet.
    fn is_interrupt_due(&self) -> bool {
        self.exit.is_none() && self.stop.as_ref().is_some_and(|stop| !stop.is_interrupted)
    }

    fn interrupt(&mut self) {
        if self.is_interrupt_due()
            && let Some(program) = self.interruptible_program()
            && let Some(stop) = &mut self.stop
        {
            program.signal(Signal::INT);
            stop.is_interrupted = true;
        }
    }

    /// The program itself: SIGINT would end bubblewrap, and with it the program, at once.
    fn interruptible_program(&self) -> Option<Process> {
        let mut program = Process::read(self.program)?;
        while program.name().is_some_and(|name| name == "bwrap") {
            let children = Process::all();
            program = *children.iter().find(|process| process.parent == program.pid)?;
        }
        Some(program)
    }

    /// Waits for the next thing to do.
    fn wait(&mut self, now: Instant, has_descendants: bool) -> Result<Ready, Error> {
        let mut timeout: Option<Duration> = None;
        let mut at_most = |duration: Duration| timeout = Some(timeout.map_or(duration, |other| other.min(duration)));
        if has_descendants || self.is_interrupt_due() {
            at_most(SIGNAL_INTERVAL);
        }
        if let Some(interval) = self.notifications.interval() {
            at_most(interval);
        }
        if self.full_since.is_some() {
            at_most(FULL_INTERVAL);
        }
        if self.output.is_pending() {
            at_most(PARTIAL_LINE_WAIT);
        }
        if let (Some(limit), None) = (self.timeout, &self.stop) {
            at_most((self.begin + limit).saturating_duration_since(now));
        }
        if let (Some(limit), None, None) = (self.idle_timeout, &self.stop, self.full_since) {
            at_most((self.last_output + limit).saturating_duration_since(now));
        }
        if let (Some(stop), None) = (&self.stop, self.killing_since) {
            at_most(stop.kill_at.saturating_duration_since(now));
        }
        if let Some(since) = self.killing_since {
            at_most((since + KILL_TIMEOUT).saturating_duration_since(now) + SIGNAL_INTERVAL);
        }
        let mut descriptors = self.notifications.descriptors();
        let notifications = descriptors.len();
        // A disk that is full, or slow, blocks the program: its output is not read.
        let pipes =
            [&self.pipes.output, &self.pipes.events].map(|pipe| pipe.as_ref().filter(|_| self.full_since.is_none()));
        descriptors.extend(pipes.iter().flatten().map(|pipe| PollFd::new(*pipe, PollFlags::IN)));
        let is_interrupted = match poll(&mut descriptors, timeout.map(time::timespec).as_ref()) {
            Ok(_) => false,
            Err(rustix::io::Errno::INTR) => true,
            Err(problem) => return Err(Error::system("poll")(problem)),
        };
        let mut are_ready = descriptors.iter().map(|descriptor| is_interrupted || !descriptor.revents().is_empty());
        let is_notified = are_ready.by_ref().take(notifications).fold(false, |any, is_ready| any | is_ready);
        let [output, events] = pipes.map(|pipe| pipe.is_some() && are_ready.next().unwrap_or_default());
        if is_notified {
            self.notifications.clear();
        }
        Ok(Ready { notifications: is_notified, output, events })
    }

    /// Reads what the program wrote. Events that were written later than output are written after it.
    fn read(&mut self, ready: &Ready) -> Result<(), Error> {
        if !ready.output && !ready.events {
            return Ok(());
        }
        if ready.events
            && let Some(count) = read(&mut self.pipes.events, &mut self.chunk)?
        {
            self.last_output = Instant::now();
            self.events.push(self.chunk.get(..count).unwrap_or_default());
        }
        for _ in 0..CHUNKS_OF_OUTPUT {
            let Some(count) = read(&mut self.pipes.output, &mut self.chunk)? else { break };
            self.last_output = Instant::now();
            self.output.push(self.chunk.get(..count).unwrap_or_default(), &mut self.log);
        }
        self.events.write(&mut self.output, &mut self.log);
        if self.pipes.output.is_none() && self.pipes.events.is_none() {
            self.finish_output();
        }
        Ok(())
    }

    fn finish_output(&mut self) {
        self.events.finish(&mut self.output, &mut self.log);
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.log.spool.flush().map_err(Error::system("could not write the spool"))? {
            if self.full_since.take().is_some() {
                self.last_output = Instant::now();
            }
        } else {
            self.full_since.get_or_insert_with(Instant::now);
            if self.is_dropping {
                self.drop_output()?;
            }
        }
        Ok(())
    }

    fn drop_output(&mut self) -> Result<(), Error> {
        self.log.dropped += self.log.spool.drop_pending()?;
        self.full_since = None;
        Ok(())
    }

    /// Reaps all children that have ended, also those whose parents have.
    fn reap(&mut self) -> Result<(), Error> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == self.program => {
                    self.exit = status.exit_status().map(Exit::Code).or(status.terminating_signal().map(Exit::Signal));
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.has_children = true;
                    return Ok(());
                }
                Err(rustix::io::Errno::CHILD) => {
                    self.has_children = false;
                    return Ok(());
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(problem) => return Err(Error::system("wait")(problem)),
            }
        }
    }

    fn record(&self, survivors: Vec<i32>) -> FinalRecord {
        let reason = self.stop.as_ref().map_or(Reason::Exited, |stop| stop.reason);
        let mut message = match (reason, self.exit) {
            (Reason::Exited, Some(Exit::Signal(signal))) => {
                format!("The program was killed by signal {signal}{}.", meaning(signal))
            }
            (Reason::TimedOut, _) if self.was_idle => {
                let seconds = self.idle_timeout.unwrap_or_default().as_secs();
                format!("The job was stopped: it printed nothing for {seconds} seconds.")
            }
            (Reason::TimedOut, _) => {
                format!(
                    "The job was stopped after {} seconds, its time limit.",
                    self.timeout.unwrap_or_default().as_secs()
                )
            }
            (Reason::DiskFull, _) => {
                format!("The job was stopped: the disk was full for {} seconds.", self.disk_full_wait.as_secs())
            }
            (reason, _) => reason.message().to_owned(),
        };
        let dropped = self.log.dropped;
        if dropped > 0 {
            message += &format!(" {dropped} events are lost, because the disk was full.");
        }
        if !survivors.is_empty() {
            message += &format!(" Processes do not end after SIGKILL: {survivors:?}.");
        }
        FinalRecord { exit: self.exit, survivors, ..FinalRecord::new(reason, message.trim_start().to_owned()) }
    }
}

/// What users should think of first.
fn meaning(signal: i32) -> &'static str {
    if signal == signal_hook::consts::SIGKILL { " (SIGKILL), perhaps because memory ran out" } else { "" }
}

/// Reads one chunk; none if there is nothing to read. At the end of the pipe it is closed.
fn read(pipe: &mut Option<File>, chunk: &mut [u8]) -> Result<Option<usize>, Error> {
    let Some(file) = pipe else { return Ok(None) };
    loop {
        return match file.read(chunk) {
            Ok(0) => {
                *pipe = None;
                Ok(None)
            }
            Ok(count) => Ok(Some(count)),
            Err(problem) if problem.kind() == ErrorKind::Interrupted => continue,
            Err(problem) if problem.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(problem) => Err(Error::system("could not read the output")(io::Error::from(problem.kind()))),
        };
    }
}

fn own_descendants() -> Vec<Process> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    descendants(&[own], &Process::all()).into_iter().filter(|process| !process.is_zombie).collect()
}

/// Kills all descendants, and waits until they have ended, for some time.
pub fn kill_descendants() {
    let begin = Instant::now();
    while begin.elapsed() < KILL_TIMEOUT {
        let remaining = own_descendants();
        if remaining.is_empty() {
            break;
        }
        remaining.iter().for_each(Process::kill);
        std::thread::sleep(Duration::from_millis(5));
    }
}
