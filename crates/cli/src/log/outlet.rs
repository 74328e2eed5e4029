//! Where lines of the log go, if whoever reads them does.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::options::LogFormat;

/// How long a reader may fall behind before lines are lost: whoever logs waits for it.
const PATIENCE: Duration = Duration::from_millis(200);
/// What fits into a pipe or a socket that says there is room (POSIX names at least 512 bytes, Linux has this).
const PIECE: usize = 4096;

/// A file, a pipe or a socket that holds nobody up: where its reader sleeps, lines are lost until it wakes.
pub struct Outlet {
    file: File,
    format: LogFormat,
    /// How many lines were lost since the last one that was written.
    lost: u64,
}

impl Outlet {
    /// One that writes to the same as `target`.
    ///
    /// # Errors
    /// If there are too many open files.
    pub fn new(target: impl AsFd, format: LogFormat) -> io::Result<Self> {
        // Not by way of the library's own, which would be kept from others while it is written to.
        Ok(Self { file: target.as_fd().try_clone_to_owned()?.into(), format, lost: 0 })
    }

    /// Whether there is room for a piece, now or soon.
    fn has_room(&self, patience: Duration) -> bool {
        let patience = Timespec::try_from(patience).ok();
        let mut asked = [PollFd::new(&self.file, PollFlags::OUT)];
        // What is broken is ready, too: writing tells.
        poll(&mut asked, patience.as_ref()).is_ok_and(|ready| ready > 0)
    }

    fn tell_lost(&mut self) -> io::Result<()> {
        let lost = std::mem::take(&mut self.lost);
        match self.format {
            LogFormat::Human => writeln!(self.file, "WARN {lost} lines of the log were lost, for nobody read them"),
            LogFormat::Json => writeln!(
                self.file,
                r#"{{"level":"WARN","message":"lines of the log were lost, for nobody read them","lines":{lost}}}"#
            ),
        }
    }
}

impl Write for Outlet {
    /// Takes a whole line, or loses it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let patience = if self.lost > 0 { Duration::ZERO } else { PATIENCE };
        if !self.has_room(patience) {
            self.lost += 1;
            return Ok(line.len());
        }
        if self.lost > 0 {
            self.tell_lost()?;
        }
        for piece in line.chunks(PIECE) {
            // The first has its room, unless it was needed to tell of others.
            if !self.has_room(PATIENCE) {
                self.lost += 1;
                break;
            }
            match self.file.write_all(piece) {
                // Somebody else who has it open may have said that nobody waits.
                Err(problem) if problem.kind() == ErrorKind::WouldBlock => {
                    self.lost += 1;
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
    fn what_nobody_reads_is_lost_and_told() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let mut outlet = Outlet::new(&writer, LogFormat::Json).expect("an outlet");
        drop(writer);
        let line = format!("{}\n", "x".repeat(999));
        // More than any pipe takes: were it to wait, this would not end.
        for _ in 0..2000 {
            outlet.write_all(line.as_bytes()).expect("a line");
        }
        assert!(outlet.lost > 0);
        let mut read = vec![0; 1 << 16];
        let length = reader.read(&mut read).expect("lines");
        outlet.write_all(b"the last\n").expect("a line");
        drop(outlet);
        let mut rest = String::from_utf8(read[..length].to_vec()).expect("text");
        reader.read_to_string(&mut rest).expect("lines");
        assert!(rest.lines().rev().nth(1).is_some_and(|line| line.contains("lines of the log were lost")), "{rest}");
        assert!(rest.ends_with("the last\n"), "{rest}");
        let whole = rest.lines().filter(|line| *line == "x".repeat(999)).count();
        assert_eq!(whole + 2, rest.lines().count(), "lines are whole");
    }

    #[test]
    fn long_lines_arrive_whole() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let mut outlet = Outlet::new(&writer, LogFormat::Human).expect("an outlet");
        drop(writer);
        let line = "long ".repeat(PIECE);
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        outlet.write_all(line.as_bytes()).expect("a line");
        drop(outlet);
        assert_eq!(reading.join().expect("no panic").expect("lines"), line);
    }
}
