//! The events of an update, in the form in which Ansible reports plays and tasks.

use hostler_events::{EventLog, EventWriter};
use hostler_queue::Status;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::end::Outcome;
use crate::{Failure, Found, TIMED_OUT, Update};

const PLAYBOOK: &str = "project_update.yml";
const HOST: &str = "localhost";
const FETCH_PLAY: &str = "Update source tree if necessary";
const FETCH_TASK: &str = "Update project using git";
const REVISION_TASK: &str = "Repository Version";
const CONTENT_PLAY: &str = "Install content with ansible-galaxy command if necessary";
const CONTENT_TASK: &str = "Install roles and collections";
/// The width of the lines that begin a play or a task.
const WIDTH: usize = 79;

/// Something in whose name events are reported.
#[derive(Clone, Default)]
struct Named {
    name: &'static str,
    uuid: String,
}

/// Collects the events that are not yet written.
pub(crate) struct Report {
    log: EventLog,
    /// Whether an earlier process of the server began the update.
    continues: bool,
    events: Vec<Vec<u8>>,
    playbook: Named,
    play: Named,
    task: Named,
    action: &'static str,
    ok: i64,
    changed: i64,
    failed: i64,
}

impl Report {
    /// Continues after the events of this writer.
    pub fn after(writer: &EventWriter) -> Self {
        Report {
            log: EventLog::after(writer),
            continues: writer.counter() > 0,
            events: Vec::new(),
            playbook: Named { name: PLAYBOOK, uuid: String::new() },
            play: Named::default(),
            task: Named::default(),
            action: "",
            ok: 0,
            changed: 0,
            failed: 0,
        }
    }

    /// All events so far. The writer skips those that are already written.
    pub fn events(&self) -> &[Vec<u8>] {
        &self.events
    }

    /// The events before the repository is fetched.
    pub fn start(&mut self, now: Timestamp) {
        if self.continues {
            let text = "\nThe server was restarted: the update begins again.";
            self.event("verbose", now, None, Some(text), Map::new());
        }
        self.playbook.uuid = self.event("playbook_on_start", now, None, None, Map::new());
        self.start_play(now, FETCH_PLAY);
        self.start_task(now, FETCH_TASK, "git");
    }

    /// The events of the end, the status, and the explanation of it.
    pub fn end(&mut self, now: Timestamp, update: &Update, outcome: &Outcome) -> (Status, &'static str) {
        let (status, explanation) = match outcome {
            Outcome::Found(found) => {
                self.fetched(now, update, &found.commit);
                self.installed(now, found);
                (Status::Successful, "")
            }
            Outcome::Failed(failure) => {
                if matches!(failure, Failure::Requirements(_)) {
                    self.result(now, false, Map::new());
                    self.start_play(now, CONTENT_PLAY);
                    self.start_task(now, CONTENT_TASK, "command");
                }
                self.failed(now, &failure.to_string());
                (Status::Failed, "")
            }
            Outcome::Canceled => return (Status::Canceled, ""),
            Outcome::TimedOut => {
                self.failed(now, &format!("The update took more than {} seconds.", update.timeout));
                (Status::Failed, TIMED_OUT)
            }
        };
        self.statistics(now);
        (status, explanation)
    }

    fn fetched(&mut self, now: Timestamp, update: &Update, commit: &str) {
        let before = (!update.revision_before.is_empty()).then_some(update.revision_before.as_str());
        let mut result = Map::new();
        result.insert("before".into(), before.into());
        result.insert("after".into(), commit.into());
        self.result(now, before != Some(commit), result);
        self.start_task(now, REVISION_TASK, "debug");
        self.message(now, &format!("Repository Version {commit}"));
    }

    fn installed(&mut self, now: Timestamp, found: &Found) {
        if found.installed.is_empty() {
            return;
        }
        self.start_play(now, CONTENT_PLAY);
        self.start_task(now, CONTENT_TASK, "command");
        let mut result = Map::new();
        result.insert("stdout_lines".into(), json!(found.installed));
        self.result(now, true, result);
    }

    /// A task that was successful.
    fn result(&mut self, now: Timestamp, changed: bool, mut result: Map<String, Value>) {
        result.insert("changed".into(), changed.into());
        let state = if changed { "changed" } else { "ok" };
        self.ok += 1;
        self.changed += i64::from(changed);
        self.host_event("runner_on_ok", now, &format!("{state}: [{HOST}]"), result);
    }

    /// A task that says something.
    fn message(&mut self, now: Timestamp, message: &str) {
        let mut result = Map::new();
        result.insert("msg".into(), message.into());
        result.insert("changed".into(), false.into());
        self.ok += 1;
        let text = format!("ok: [{HOST}] => {{\n    \"msg\": {}\n}}", json!(message));
        self.host_event("runner_on_ok", now, &text, result);
    }

    fn failed(&mut self, now: Timestamp, message: &str) {
        let mut result = Map::new();
        result.insert("changed".into(), false.into());
        result.insert("msg".into(), message.into());
        result.insert("failed".into(), true.into());
        self.failed += 1;
        let text = format!("fatal: [{HOST}]: FAILED! => {{\"changed\": false, \"msg\": {}}}", json!(message));
        self.host_event("runner_on_failed", now, &text, result);
    }

    fn host_event(&mut self, event: &str, now: Timestamp, text: &str, result: Map<String, Value>) {
        let mut data = self.data();
        data.insert("host".into(), HOST.into());
        data.insert("remote_addr".into(), HOST.into());
        data.insert("res".into(), result.into());
        let parent = self.task.uuid.clone();
        self.event(event, now, Some(&parent), Some(text), data);
    }

    fn start_play(&mut self, now: Timestamp, name: &'static str) {
        self.play = Named { name, uuid: String::new() };
        self.task = Named::default();
        let mut data = self.data();
        data.insert("name".into(), name.into());
        data.insert("pattern".into(), HOST.into());
        let parent = self.playbook.uuid.clone();
        let text = heading(&format!("PLAY [{name}]"));
        self.play.uuid = self.event("playbook_on_play_start", now, Some(&parent), Some(&text), data);
    }

    fn start_task(&mut self, now: Timestamp, name: &'static str, action: &'static str) {
        self.task = Named { name, uuid: String::new() };
        self.action = action;
        let mut data = self.data();
        data.insert("name".into(), name.into());
        data.insert("is_conditional".into(), false.into());
        let parent = self.play.uuid.clone();
        let text = heading(&format!("TASK [{name}]"));
        self.task.uuid = self.event("playbook_on_task_start", now, Some(&parent), Some(&text), data);
    }

    fn statistics(&mut self, now: Timestamp) {
        let (ok, changed, failed) = (self.ok, self.changed, self.failed);
        let of_host = |count: i64| if count == 0 { json!({}) } else { json!({ HOST: count }) };
        let mut data = Map::new();
        data.insert("playbook".into(), PLAYBOOK.into());
        data.insert("playbook_uuid".into(), self.playbook.uuid.as_str().into());
        for (name, count) in [("ok", ok), ("changed", changed), ("failures", failed), ("processed", 1)] {
            data.insert(name.into(), of_host(count));
        }
        for name in ["dark", "skipped", "rescued", "ignored"] {
            data.insert(name.into(), of_host(0));
        }
        let text = format!(
            "{}\n{HOST:<26} : ok={ok:<4} changed={changed:<4} unreachable=0    failed={failed:<4} skipped=0    \
             rescued=0    ignored=0   ",
            heading("PLAY RECAP")
        );
        let parent = self.playbook.uuid.clone();
        self.event("playbook_on_stats", now, Some(&parent), Some(&text), data);
    }

    /// What all events of a play or a task say.
    fn data(&self) -> Map<String, Value> {
        let mut data = Map::new();
        let mut insert = |name: &str, value: &str| data.insert(name.into(), value.into());
        insert("playbook", PLAYBOOK);
        insert("playbook_uuid", &self.playbook.uuid);
        insert("play", self.play.name);
        insert("play_uuid", &self.play.uuid);
        insert("play_pattern", HOST);
        if !self.task.name.is_empty() {
            insert("task", self.task.name);
            insert("task_uuid", &self.task.uuid);
            insert("task_action", self.action);
        }
        data
    }

    fn event(
        &mut self,
        event: &str,
        now: Timestamp,
        parent: Option<&str>,
        text: Option<&str>,
        mut data: Map<String, Value>,
    ) -> String {
        if data.is_empty() {
            data.insert("playbook".into(), PLAYBOOK.into());
        }
        let (json, uuid) = self.log.event(event, now, parent, text, data);
        self.events.push(json);
        uuid
    }
}

/// An empty line, and a line that begins a part of the output.
fn heading(text: &str) -> String {
    let stars = WIDTH.saturating_sub(text.chars().count()).max(3);
    format!("\n{text} {}", "*".repeat(stars))
}
