//! A writer for the log that drops lines instead of blocking while nothing reads them.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::options::LogFormat;

/// How long to wait for the reader before a line is dropped. Requests wait for the log during this time.
const TIMEOUT: Duration = Duration::from_millis(200);
/// The bytes that a writable pipe or socket accepts without blocking (PIPE_BUF: POSIX requires 512, Linux has 4096).
const CHUNK: usize = 4096;

/// A file, pipe or socket.
pub struct LossyWriter {
    file: File,
    format: LogFormat,
    /// Lines dropped since the last line that was written.
    dropped: u64,
}

impl LossyWriter {
    /// Writes to the same file as `target`.
    ///
    /// # Errors
    /// If there are too many open files.
    pub fn new(target: impl AsFd, format: LogFormat) -> io::Result<Self> {
        // Not `std::io::Stderr`: its lock would block other users of standard error.
        Ok(Self { file: target.as_fd().try_clone_to_owned()?.into(), format, dropped: 0 })
    }

    /// Whether a chunk can be written, now or before the timeout.
    fn is_writable(&self, timeout: Duration) -> bool {
        let timeout = Timespec::try_from(timeout).ok();
        let mut polled = [PollFd::new(&self.file, PollFlags::OUT)];
        // A broken pipe is ready, too: the write reports the error.
        poll(&mut polled, timeout.as_ref()).is_ok_and(|ready| ready > 0)
    }

    fn report_dropped(&mut self) -> io::Result<()> {
        let dropped = std::mem::take(&mut self.dropped);
        match self.format {
            LogFormat::Human => writeln!(self.file, "WARN {dropped} log lines dropped (reader blocked)"),
            LogFormat::Json => writeln!(
                self.file,
                r#"{{"level":"WARN","message":"log lines dropped (reader blocked)","lines":{dropped}}}"#
            ),
        }
    }
}

impl Write for LossyWriter {
    /// Writes a whole line, or drops it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let timeout = if self.dropped > 0 { Duration::ZERO } else { TIMEOUT };
        if !self.is_writable(timeout) {
            self.dropped += 1;
            return Ok(line.len());
        }
        if self.dropped > 0 {
            self.report_dropped()?;
        }
        for chunk in line.chunks(CHUNK) {
            // Checked again for the first one: the report may have filled the pipe.
            if !self.is_writable(TIMEOUT) {
                self.dropped += 1;
                break;
            }
            match self.file.write_all(chunk) {
                // Another process may have made the shared file non-blocking.
                Err(problem) if problem.kind() == ErrorKind::WouldBlock => {
                    self.dropped += 1;
                    break;
                }
                written => written?,
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests report by panicking")]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn lines_are_dropped_and_counted_while_nothing_reads() {
        let (mut reader, pipe) = io::pipe().expect("a pipe");
        let mut writer = LossyWriter::new(&pipe, LogFormat::Json).expect("a writer");
        drop(pipe);
        let line = format!("{}\n", "x".repeat(999));
        // More than any pipe buffers: a blocking writer would never finish.
        for _ in 0..2000 {
            writer.write_all(line.as_bytes()).expect("a line");
        }
        assert!(writer.dropped > 0);
        let mut read = vec![0; 1 << 16];
        let length = reader.read(&mut read).expect("lines");
        writer.write_all(b"the last\n").expect("a line");
        drop(writer);
        let mut text = String::from_utf8(read[..length].to_vec()).expect("text");
        reader.read_to_string(&mut text).expect("lines");
        assert!(text.lines().rev().nth(1).is_some_and(|line| line.contains("log lines dropped")), "{text}");
        assert!(text.ends_with("the last\n"), "{text}");
        let whole = text.lines().filter(|line| *line == "x".repeat(999)).count();
        assert_eq!(whole + 2, text.lines().count(), "lines are whole");
    }

    #[test]
    fn long_lines_are_written_whole() {
        let (mut reader, pipe) = io::pipe().expect("a pipe");
        let mut writer = LossyWriter::new(&pipe, LogFormat::Human).expect("a writer");
        drop(pipe);
        let line = "long ".repeat(CHUNK);
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        writer.write_all(line.as_bytes()).expect("a line");
        drop(writer);
        assert_eq!(reading.join().expect("no panic").expect("lines"), line);
    }
}
