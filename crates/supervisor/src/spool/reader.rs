use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::poll;
use rustix::fs::inotify::WatchFlags;

use super::{HEADER, Header, Kind};
use crate::error::Error;
use crate::file_watch::FileWatch;
use crate::{FinalRecord, files, time};

/// One record of a spool.
#[derive(Debug, PartialEq)]
pub enum Record<'a> {
    /// An event, as JSON.
    Event(&'a [u8]),
    /// The last record.
    Final(FinalRecord),
}

/// Reads the records of a spool, also while it is written.
///
/// To find out whether a job ended without a final record, call [`is_supervised`](crate::is_supervised) first and read
/// until there is no record after that.
#[derive(Debug)]
pub struct SpoolReader {
    file: File,
    path: PathBuf,
    offset: u64,
    watch: FileWatch,
    /// Bytes of the file from `offset` on.
    buffer: Vec<u8>,
    /// Where the next record begins in `buffer`.
    begin: usize,
}

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

/// The longest valid record: an event of 16 MiB, whose invalid bytes are replaced by three each.
const LONGEST: usize = 64 << 20;

impl SpoolReader {
    /// Opens the spool of a job at a position: 0, or one that [`position`](Self::position) returned before.
    ///
    /// # Errors
    ///
    /// If the file does not exist, as before the supervisor has started.
    pub fn open(directory: &Path, position: u64) -> Result<Self, Error> {
        let path = directory.join(files::SPOOL);
        let file = File::open(&path).map_err(Error::file(&path))?;
        let watch = FileWatch::new(&path, WatchFlags::MODIFY);
        Ok(Self { file, path, offset: position, watch, buffer: Vec::new(), begin: 0 })
    }

    /// [Opens](Self::open) a spool without a watch, which takes the kernel some milliseconds to remove.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    #[cfg(feature = "fuzzing")]
    pub fn open_unwatched(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(files::SPOOL);
        let file = File::open(&path).map_err(Error::file(&path))?;
        Ok(Self { file, path, offset: 0, watch: FileWatch::none(), buffer: Vec::new(), begin: 0 })
    }

    /// The position after the record that was read last.
    pub fn position(&self) -> u64 {
        self.offset
    }

    /// The next record; none if it is not there, or not complete.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if the bytes at the position are no record.
    pub fn read_record(&mut self) -> Result<Option<Record<'_>>, Error> {
        let located = match self.locate() {
            Err(Error::Corrupt { .. }) => {
                // The buffer may have a part of a record that was replaced, as on a full disk.
                self.buffer.clear();
                self.begin = 0;
                self.locate()?
            }
            located => located?,
        };
        let Some((kind, json)) = located else { return Ok(None) };
        let offset = self.offset;
        self.begin = json.end + 1;
        self.offset += (HEADER + json.len() + 1) as u64;
        let json = self.buffer.get(json).unwrap_or_default();
        match kind {
            Kind::Event => Ok(Some(Record::Event(json))),
            Kind::Final => serde_json::from_slice(json)
                .map(|record| Some(Record::Final(record)))
                .map_err(|_| Error::Corrupt { offset }),
        }
    }

    /// The kind of the next record, and where its JSON is in the buffer.
    fn locate(&mut self) -> Result<Option<(Kind, Range<usize>)>, Error> {
        let offset = self.offset;
        let corrupt = || Error::Corrupt { offset };
        let Some(header) = self.fill(HEADER)? else { return Ok(None) };
        let header = header.try_into().ok().and_then(|bytes: &[u8; HEADER]| Header::decode(bytes));
        let header = header.filter(|header| header.length <= LONGEST).ok_or_else(corrupt)?;
        let whole = HEADER + header.length + 1;
        let Some(record) = self.fill(whole)? else { return Ok(None) };
        match record.get(HEADER..).unwrap_or_default().split_last() {
            Some((b'\n', json)) if crc32fast::hash(json) == header.checksum => {
                let begin = self.begin + HEADER;
                Ok(Some((header.kind, begin..begin + header.length)))
            }
            _ => Err(corrupt()),
        }
    }

    /// Waits until the file grows, or at most for this time. It may return early.
    ///
    /// # Errors
    ///
    /// If the system refuses to wait.
    pub fn wait(&self, at_most: Duration) -> Result<(), Error> {
        let at_most = self.watch.interval().map_or(at_most, |interval| interval.min(at_most));
        match poll(self.watch.descriptor().as_mut_slice(), Some(&time::timespec(at_most))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(problem) => return Err(Error::system("poll")(problem)),
        }
        self.watch.clear();
        Ok(())
    }

    /// This many bytes from the position on; none if the file is shorter.
    fn fill(&mut self, count: usize) -> Result<Option<&[u8]>, Error> {
        while self.buffer.len() - self.begin < count {
            self.buffer.drain(..self.begin);
            self.begin = 0;
            let filled = self.buffer.len();
            if filled == 0 && self.buffer.capacity() > 2 * CHUNK {
                self.buffer = Vec::new();
            }
            self.buffer.resize(filled + CHUNK, 0);
            let read = loop {
                let space = self.buffer.get_mut(filled..).unwrap_or_default();
                match self.file.read_at(space, self.offset + filled as u64) {
                    Err(problem) if problem.kind() == io::ErrorKind::Interrupted => {}
                    read => break read,
                }
            };
            self.buffer.truncate(filled + read.as_ref().copied().unwrap_or_default());
            if read.map_err(Error::file(&self.path))? == 0 {
                // Read again later: a record that was written in part may be replaced.
                self.buffer.truncate(self.begin);
                return Ok(None);
            }
        }
        Ok(self.buffer.get(self.begin..self.begin + count))
    }
}
