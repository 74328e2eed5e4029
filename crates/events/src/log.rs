//! Events of work that the server does itself, in the form of the supervisor's spool.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::EventWriter;

/// Numbers events and their lines, for the work of a job that needs no supervisor, such as the update of a project.
#[derive(Clone, Debug)]
pub struct EventLog {
    counter: i64,
    line: i64,
}

impl EventLog {
    /// Continues after the events of a writer.
    pub fn after(writer: &EventWriter) -> Self {
        EventLog { counter: writer.counter(), line: writer.lines() }
    }

    /// An event, as [`EventWriter::append`] takes it, and its UUID. `stdout` are whole lines without the line feed of the
    /// last one; none for an event without output.
    pub fn event(
        &mut self,
        event: &str,
        created: Timestamp,
        parent_uuid: Option<&str>,
        stdout: Option<&str>,
        mut event_data: Map<String, Value>,
    ) -> (Vec<u8>, String) {
        let uuid = Uuid::new_v4().to_string();
        event_data.insert("uuid".into(), uuid.as_str().into());
        let start_line = self.line;
        if let Some(text) = stdout {
            self.line += 1 + memchr::memchr_iter(b'\n', text.as_bytes()).count() as i64;
        }
        self.counter += 1;
        let event = json!({
            "event": event,
            "uuid": uuid,
            "parent_uuid": parent_uuid,
            "counter": self.counter,
            "stdout": stdout.unwrap_or_default(),
            "start_line": start_line,
            "end_line": self.line,
            "created": created.to_string(),
            "event_data": event_data,
        });
        (event.to_string().into_bytes(), uuid)
    }
}
