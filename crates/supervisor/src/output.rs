//! Divides the bytes of the two pipes: output into pieces of text, the event pipe into lines.

use crate::event::EventLog;

/// The longest text of one event, in bytes.
const LONGEST_PIECE: usize = 32 << 10;

/// The longest event, in bytes. A longer line of the event pipe is treated as output.
const LONGEST_EVENT: usize = 16 << 20;

/// Bytes that the program printed, and that are no event yet: the beginning of a line.
#[derive(Default)]
pub struct Output {
    buffer: Vec<u8>,
}

impl Output {
    /// Whether the beginning of a line waits for its end.
    pub fn is_pending(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Takes bytes, and writes what is complete.
    pub fn push(&mut self, bytes: &[u8], log: &mut EventLog) {
        self.buffer.extend_from_slice(bytes);
        let mut begin = 0;
        while let Some(rest) = self.buffer.get(begin..).filter(|rest| !rest.is_empty()) {
            let window = &rest[..rest.len().min(LONGEST_PIECE)];
            let end = match memchr::memrchr(b'\n', window) {
                Some(line_feed) => line_feed + 1,
                None if window.len() == LONGEST_PIECE => complete_characters(window),
                None => break,
            };
            log.verbose(&String::from_utf8_lossy(&rest[..end]));
            begin += end;
        }
        self.buffer.drain(..begin);
    }

    /// Writes the beginning of a line, because something else follows or nothing more comes.
    pub fn flush(&mut self, log: &mut EventLog) {
        if !self.buffer.is_empty() {
            log.verbose(&String::from_utf8_lossy(&self.buffer));
            self.buffer.clear();
        }
    }
}

/// The length without an incomplete character at the end.
fn complete_characters(bytes: &[u8]) -> usize {
    // Continuation bytes are 10xxxxxx; a character has at most three of them.
    let first = bytes.iter().rev().take(4).position(|byte| byte & 0xc0 != 0x80);
    let Some(start) = first.map(|back| bytes.len() - 1 - back) else { return bytes.len() };
    match str::from_utf8(&bytes[start..]) {
        Err(problem) if problem.error_len().is_none() && start > 0 => start,
        _ => bytes.len(),
    }
}

/// Bytes of the event pipe.
#[derive(Default)]
pub struct EventPipe {
    buffer: Vec<u8>,
    /// How far the buffer was searched for a line feed.
    searched: usize,
    /// Inside of a line that is too long for an event.
    is_too_long: bool,
}

impl EventPipe {
    /// Adds bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    fn line_feed(&self) -> Option<usize> {
        let rest = self.buffer.get(self.searched..)?;
        memchr::memchr(b'\n', rest).map(|found| self.searched + found)
    }

    /// Writes the complete lines. A line that is no event is output.
    pub fn write(&mut self, output: &mut Output, log: &mut EventLog) {
        let mut begin = 0;
        while let Some(end) = self.line_feed() {
            let Some(line) = self.buffer.get_mut(begin..=end) else { break };
            output.flush(log);
            if self.is_too_long || !log.pipe_event(line) {
                output.push(line, log);
            }
            self.is_too_long = false;
            begin = end + 1;
            self.searched = begin;
        }
        self.buffer.drain(..begin);
        if self.is_too_long || self.buffer.len() > LONGEST_EVENT {
            self.is_too_long = true;
            output.push(&self.buffer, log);
            self.buffer.clear();
        }
        self.searched = self.buffer.len();
        if self.buffer.is_empty() && self.buffer.capacity() > LONGEST_PIECE {
            self.buffer = Vec::new();
        }
    }

    /// Writes the rest as output, because nothing more comes.
    pub fn finish(&mut self, output: &mut Output, log: &mut EventLog) {
        self.write(output, log);
        output.push(&self.buffer, log);
        self.buffer.clear();
        output.flush(log);
    }
}
