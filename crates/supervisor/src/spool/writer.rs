use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;

use super::{Header, Kind};
use crate::FinalRecord;
use crate::error::Error;

/// Appends records. They are collected and written together by [`SpoolWriter::flush`].
pub struct SpoolWriter {
    file: File,
    /// Records that are not written yet.
    pending: Vec<u8>,
    /// How many bytes of `pending` are written already.
    written: usize,
    /// The end of the last record that is written completely.
    end: u64,
    /// The lengths of the pending records, oldest first.
    lengths: std::collections::VecDeque<usize>,
    json: Vec<u8>,
}

impl SpoolWriter {
    /// Creates the file, which must not exist: a job is run once.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self {
            file,
            pending: Vec::new(),
            written: 0,
            end: 0,
            lengths: std::collections::VecDeque::new(),
            json: Vec::new(),
        })
    }

    /// Adds an event.
    pub fn event(&mut self, event: &impl Serialize) {
        self.append(Kind::Event, event);
    }

    /// Adds the final record.
    pub fn final_record(&mut self, record: &FinalRecord) {
        self.append(Kind::Final, record);
    }

    fn append(&mut self, kind: Kind, record: &impl Serialize) {
        self.json.clear();
        // Records have string keys, and a vector can always be written.
        let _ = serde_json::to_writer(&mut self.json, record);
        let before = self.pending.len();
        self.pending.extend_from_slice(Header::encode(kind, &self.json).as_bytes());
        self.pending.extend_from_slice(&self.json);
        self.pending.push(b'\n');
        self.lengths.push_back(self.pending.len() - before);
        if self.json.capacity() > KEPT_CAPACITY {
            self.json = Vec::new();
        }
    }

    /// Number of bytes that are not written yet.
    pub fn pending(&self) -> usize {
        self.pending.len() - self.written
    }

    /// Writes the pending records. What could not be written stays pending: `false` if the disk is full.
    pub fn flush(&mut self) -> Result<bool, io::Error> {
        while let Some(rest) = self.pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.file.write(rest) {
                Ok(0) => return Ok(false),
                Ok(count) => self.written += count,
                Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
                Err(problem) if is_full(&problem) => return Ok(false),
                Err(problem) => return Err(problem),
            }
        }
        self.end += self.pending.len() as u64;
        self.pending.clear();
        self.lengths.clear();
        self.written = 0;
        if self.pending.capacity() > KEPT_CAPACITY {
            self.pending = Vec::new();
        }
        Ok(true)
    }

    /// Drops the records that could not be written, and removes a record that was written in part. Returns how many
    /// records were dropped.
    pub fn drop_pending(&mut self) -> Result<u64, Error> {
        let mut written = self.written;
        while let Some(length) = self.lengths.front().copied().filter(|length| *length <= written) {
            written -= length;
            self.end += length as u64;
            self.lengths.pop_front();
        }
        let dropped = self.lengths.len() as u64;
        self.file.set_len(self.end).map_err(Error::system("could not truncate the spool"))?;
        self.pending.clear();
        self.lengths.clear();
        self.written = 0;
        Ok(dropped)
    }
}

/// Larger buffers are returned to the system after use.
const KEPT_CAPACITY: usize = 256 << 10;

/// A state that may pass, unlike an error of the disk.
fn is_full(problem: &io::Error) -> bool {
    matches!(problem.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}
