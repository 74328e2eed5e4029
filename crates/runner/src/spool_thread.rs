//! Reads the spool of a job on a thread of its own: files and waiting for them would block the runtime.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use hostler_supervisor::{Error, FinalRecord, Record, SpoolReader, is_supervised};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A batch has at most this number of events, and of bytes unless one event has more.
const MOST_EVENTS: usize = 1000;
const MOST_BYTES: usize = 1 << 20;
/// The time between two batches, as long as they are not full.
const BETWEEN: Duration = Duration::from_millis(200);
/// How long an event waits for others if no batch was sent for that time: who follows the job sees it at once.
const SHORTEST_DELAY: Duration = Duration::from_millis(20);
/// From this number of events in a batch on, the spool is read in intervals, not after each event.
const MANY_EVENTS: usize = 30;
const INTERVAL: Duration = Duration::from_millis(20);
/// How long nothing may come before it is checked whether the supervisor still runs.
const IDLE: Duration = Duration::from_millis(250);
/// How long a supervisor that holds its lock may take to create the spool.
const LONGEST_START: Duration = Duration::from_secs(60);

/// Events that follow each other.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub events: Vec<Vec<u8>>,
    /// The position in the spool after them.
    pub position: u64,
    /// Set in the last batch.
    pub end: Option<SpoolEnd>,
}

/// How the spool ends.
#[derive(Debug)]
pub(crate) enum SpoolEnd {
    /// With the final record.
    Final(FinalRecord),
    /// The supervisor is gone, and has not written one.
    Lost,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

/// Reads the spool of the job in this directory from a position on. The child is the supervisor, if this process has
/// started it. The thread ends with the spool, or when the receiver is dropped.
pub(crate) fn read_spool(directory: PathBuf, position: u64, child: Option<Child>) -> io::Result<Receiver<Batch>> {
    let (sender, receiver) = channel(1);
    let mut reading = Reading { directory, child, sender, batch: Batch { position, ..Batch::default() }, size: 0 };
    let name = "spool".to_owned();
    thread::Builder::new().name(name).stack_size(256 << 10).spawn(move || {
        if let Some(end) = reading.run(position) {
            reading.batch.end = Some(end);
            reading.send();
        }
        reading.reap();
    })?;
    Ok(receiver)
}

struct Reading {
    directory: PathBuf,
    child: Option<Child>,
    sender: Sender<Batch>,
    batch: Batch,
    size: usize,
}

impl Reading {
    /// Sends all batches but the last. None if nobody receives them.
    fn run(&mut self, position: u64) -> Option<SpoolEnd> {
        let unreadable = |problem: Error| Some(SpoolEnd::Unreadable(problem.to_string()));
        let mut reader = match self.open(position) {
            Ok(Some(reader)) => reader,
            Ok(None) => return Some(SpoolEnd::Lost),
            Err(problem) => return unreadable(problem),
        };
        let mut first = Instant::now();
        let mut last = Instant::now();
        let mut sent = first;
        let mut is_lost = false;
        loop {
            if self.sender.is_closed() {
                return None;
            }
            match reader.read_record() {
                Ok(Some(Record::Event(event))) => {
                    if self.batch.events.is_empty() {
                        first = Instant::now();
                    }
                    self.size += event.len();
                    self.batch.events.push(event.to_vec());
                    self.batch.position = reader.position();
                    last = Instant::now();
                    is_lost = false;
                    if self.batch.events.len() >= MOST_EVENTS || self.size >= MOST_BYTES {
                        self.send();
                        sent = Instant::now();
                    }
                    continue;
                }
                Ok(Some(Record::Final(record))) => {
                    self.batch.position = reader.position();
                    return Some(SpoolEnd::Final(record));
                }
                // It has ended before everything was read.
                Ok(None) if is_lost => return Some(SpoolEnd::Lost),
                Ok(None) => {}
                Err(problem) => return unreadable(problem),
            }
            let mut at_most = IDLE;
            if !self.batch.events.is_empty() {
                let due = (first + SHORTEST_DELAY).max(sent + BETWEEN);
                at_most = due.saturating_duration_since(Instant::now());
                if at_most.is_zero() {
                    self.send();
                    sent = Instant::now();
                    continue;
                }
            } else if last.elapsed() >= IDLE {
                match is_supervised(&self.directory) {
                    Ok(true) => {}
                    Ok(false) => {
                        is_lost = true;
                        continue;
                    }
                    Err(problem) => return unreadable(problem),
                }
            }
            if self.batch.events.len() >= MANY_EVENTS {
                thread::sleep(at_most.min(INTERVAL));
            } else if let Err(problem) = reader.wait(at_most) {
                return unreadable(problem);
            }
        }
    }

    /// Opens the spool as soon as it exists; none if the supervisor ended before.
    fn open(&mut self, position: u64) -> Result<Option<SpoolReader>, Error> {
        let begin = Instant::now();
        let mut pause = Duration::from_micros(500);
        loop {
            let has_ended = match &mut self.child {
                Some(child) => child.try_wait().is_ok_and(|status| status.is_some()),
                None => !is_supervised(&self.directory)?,
            };
            match SpoolReader::open(&self.directory, position) {
                Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                reader => return reader.map(Some),
            }
            if has_ended || self.sender.is_closed() || begin.elapsed() > LONGEST_START {
                return Ok(None);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    fn send(&mut self) {
        let next = Batch { position: self.batch.position, ..Batch::default() };
        self.size = 0;
        // If nobody receives it any more, the next server reads it again.
        let _ = self.sender.blocking_send(std::mem::replace(&mut self.batch, next));
    }

    /// Waits for the supervisor, so that it does not stay a zombie. A server that ends does not wait for this thread.
    fn reap(&mut self) {
        if let Some(child) = &mut self.child {
            // It fails only if there is no such child.
            let _ = child.wait();
        }
    }
}

/// What the supervisor said of its own errors, in one line.
pub(crate) fn supervisor_log(directory: &std::path::Path) -> String {
    let text = fs::read_to_string(directory.join("supervisor.log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" ")
}
