//! Events of the pipe, and events for other output: they get their number and their lines here.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::spool::SpoolWriter;
use crate::time;

/// One line of the event pipe, as the callback plugin writes it.
#[derive(Deserialize)]
struct PipeEvent<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    uuid: Cow<'a, str>,
    #[serde(borrow, default)]
    parent_uuid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    created: Cow<'a, str>,
    #[serde(default)]
    pid: Option<i64>,
    #[serde(borrow, default)]
    stdout: Cow<'a, str>,
    #[serde(borrow)]
    event_data: &'a RawValue,
}

/// An event as it stands in the spool.
#[derive(Serialize)]
struct SpoolEvent<'a> {
    uuid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_uuid: Option<&'a str>,
    counter: u64,
    stdout: &'a str,
    start_line: u64,
    end_line: u64,
    event: &'a str,
    created: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i64>,
    event_data: &'a RawValue,
}

/// Numbers the events and their lines, and writes them to the spool.
pub struct EventLog {
    pub spool: SpoolWriter,
    /// The number of the last event.
    pub counter: u64,
    /// The number of line feeds so far.
    pub line: u64,
    /// The number of events that could not be written.
    pub dropped: u64,
}

impl EventLog {
    pub fn new(spool: SpoolWriter) -> Self {
        Self { spool, counter: 0, line: 0, dropped: 0 }
    }

    /// Writes a line of the event pipe; `false` if it is no event.
    pub fn pipe_event(&mut self, line: &mut [u8]) -> bool {
        replace_invalid_escapes(line);
        let line = String::from_utf8_lossy(line);
        let Ok(event) = serde_json::from_str::<PipeEvent<'_>>(&line) else { return false };
        self.write(&event);
        true
    }

    /// Writes text that the program printed outside of events.
    pub fn verbose(&mut self, text: &str) {
        let Ok(no_data) = RawValue::from_string("{}".to_owned()) else { return };
        let text = if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { Cow::Borrowed(text) };
        let uuid = Uuid::new_v4().to_string();
        self.write(&PipeEvent {
            event: "verbose".into(),
            uuid: uuid.into(),
            parent_uuid: None,
            created: time::now().into(),
            pid: None,
            stdout: text,
            event_data: &no_data,
        });
    }

    fn write(&mut self, event: &PipeEvent<'_>) {
        let stdout: &str = &event.stdout;
        // Either whole lines, or a part of one: otherwise it would not be known whether a line feed was removed.
        let end_of_lines = memchr::memrchr(b'\n', stdout.as_bytes()).map_or(stdout.len(), |line_feed| line_feed + 1);
        let (stdout, rest) = stdout.split_at(end_of_lines);
        let start_line = self.line;
        self.line += memchr::memchr_iter(b'\n', stdout.as_bytes()).count() as u64;
        self.counter += 1;
        self.spool.event(&SpoolEvent {
            uuid: &event.uuid,
            parent_uuid: event.parent_uuid.as_deref(),
            counter: self.counter,
            stdout: stdout.strip_suffix('\n').unwrap_or(stdout),
            start_line,
            end_line: self.line,
            event: &event.event,
            created: &event.created,
            pid: event.pid,
            event_data: event.event_data,
        });
        if !rest.is_empty() {
            self.verbose(rest);
        }
    }
}

/// Replaces what JSON can express and databases refuse: NUL, and halves of surrogate pairs. `\u0000` and `\ufffd` have
/// the same length.
fn replace_invalid_escapes(json: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += found;
        let Some(unit) = code_unit(json, at) else {
            // Another escape, of two characters.
            at += 2;
            continue;
        };
        let is_pair = (0xd800..0xdc00).contains(&unit)
            && code_unit(json, at + 6).is_some_and(|second| (0xdc00..0xe000).contains(&second));
        if is_pair {
            at += 12;
            continue;
        }
        if unit == 0 || (0xd800..0xe000).contains(&unit) {
            json[at + 2..at + 6].copy_from_slice(b"fffd");
        }
        at += 6;
    }
}

/// The code unit of the escape at this place: `\u` and four hexadecimal digits.
fn code_unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(br"\u")?;
    u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_and_lone_surrogates_are_replaced() {
        for (json, expected) in [
            (r#""a\u0000b""#, r#""a\ufffdb""#),
            (r#""a\\u0000b""#, r#""a\\u0000b""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83dx\udc80\n""#, r#""\ufffdx\ufffd\n""#),
            (r#""\u00"#, r#""\u00"#),
        ] {
            let mut bytes = json.as_bytes().to_vec();
            replace_invalid_escapes(&mut bytes);
            assert_eq!(String::from_utf8_lossy(&bytes), expected, "{json}");
        }
    }
}
