//! The types of events, in AWX's order.

/// A type of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    /// The `event` of its events.
    pub name: &'static str,
    /// The name for people.
    pub display: &'static str,
    /// 3 for events of a host, 2 for tasks, 1 for plays, 0 for the playbook and other output.
    pub level: i64,
    /// Whether it is a failure, unless errors are ignored.
    pub is_failure: bool,
}

const fn normal(level: i64, name: &'static str, display: &'static str) -> EventType {
    EventType { name, display, level, is_failure: false }
}

const fn failure(level: i64, name: &'static str, display: &'static str) -> EventType {
    EventType { name, display, level, is_failure: true }
}

const TYPES: [EventType; 33] = [
    failure(3, "runner_on_failed", "Host Failed"),
    normal(3, "runner_on_start", "Host Started"),
    normal(3, "runner_on_ok", "Host OK"),
    failure(3, "runner_on_error", "Host Failure"),
    normal(3, "runner_on_skipped", "Host Skipped"),
    failure(3, "runner_on_unreachable", "Host Unreachable"),
    normal(3, "runner_on_no_hosts", "No Hosts Remaining"),
    normal(3, "runner_on_async_poll", "Host Polling"),
    normal(3, "runner_on_async_ok", "Host Async OK"),
    failure(3, "runner_on_async_failed", "Host Async Failure"),
    normal(3, "runner_item_on_ok", "Item OK"),
    failure(3, "runner_item_on_failed", "Item Failed"),
    normal(3, "runner_item_on_skipped", "Item Skipped"),
    normal(3, "runner_retry", "Host Retry"),
    normal(3, "runner_on_file_diff", "File Difference"),
    normal(0, "playbook_on_start", "Playbook Started"),
    normal(2, "playbook_on_notify", "Running Handlers"),
    normal(2, "playbook_on_include", "Including File"),
    normal(2, "playbook_on_no_hosts_matched", "No Hosts Matched"),
    normal(2, "playbook_on_no_hosts_remaining", "No Hosts Remaining"),
    normal(2, "playbook_on_task_start", "Task Started"),
    normal(1, "playbook_on_vars_prompt", "Variables Prompted"),
    normal(2, "playbook_on_setup", "Gathering Facts"),
    normal(2, "playbook_on_import_for_host", "internal: on Import for Host"),
    normal(2, "playbook_on_not_import_for_host", "internal: on Not Import for Host"),
    normal(1, "playbook_on_play_start", "Play Started"),
    normal(1, "playbook_on_stats", "Playbook Complete"),
    normal(0, "debug", "Debug"),
    normal(0, "verbose", "Verbose"),
    normal(0, "deprecated", "Deprecated"),
    normal(0, "warning", "Warning"),
    normal(0, "system_warning", "System Warning"),
    failure(0, "error", "Error"),
];

/// The names of all types, each with its name for people.
pub const EVENT_CHOICES: &[(&str, &str)] = &{
    let mut choices = [("", ""); TYPES.len()];
    let mut index = 0;
    while index < TYPES.len() {
        choices[index] = (TYPES[index].name, TYPES[index].display);
        index += 1;
    }
    choices
};

/// The types of events that other events may be below.
pub const PARENT_EVENTS: [&str; 3] = ["playbook_on_start", "playbook_on_play_start", "playbook_on_task_start"];

/// The type with this name.
pub fn event_type(name: &str) -> Option<&'static EventType> {
    TYPES.iter().find(|known| known.name == name)
}
