//! The fields of events.

use hostler_events::EVENT_CHOICES;
use hostler_schema::{Field, fields};

use crate::common::CREATED;
use crate::{AD_HOC_COMMAND, HOST, INVENTORY_UPDATE, JOB, PROJECT_UPDATE};

/// When it was stored; shortly after it happened.
const MODIFIED: Field =
    fields::time("modified").column("created").label("Modified").read_only().help("When this object was last changed.");

/// The job.
pub const JOB_LINK: Field =
    fields::link("job", "job_id", || &JOB).label("Job").read_only().summarized().help("The job in which it happened.");
/// The project update.
pub const PROJECT_UPDATE_LINK: Field = fields::link("project_update", "job_id", || &PROJECT_UPDATE)
    .label("Project update")
    .read_only()
    .summarized()
    .help("The update in which it happened.");
/// The inventory update.
pub const INVENTORY_UPDATE_LINK: Field = fields::link("inventory_update", "job_id", || &INVENTORY_UPDATE)
    .label("Inventory update")
    .read_only()
    .summarized()
    .reverse("inventory_update_events")
    .help("The update in which it happened.");
/// The ad hoc command.
pub const AD_HOC_COMMAND_LINK: Field = fields::link("ad_hoc_command", "job_id", || &AD_HOC_COMMAND)
    .label("Ad hoc command")
    .read_only()
    .reverse("ad_hoc_command_events")
    .help("The ad hoc command in which it happened.");
/// The types that AWX lists for the events of ad hoc commands, with their names for people.
pub const AD_HOC_EVENTS: &[(&str, &str)] = &[
    ("runner_on_failed", "Host Failed"),
    ("runner_on_ok", "Host OK"),
    ("runner_on_unreachable", "Host Unreachable"),
    ("runner_on_skipped", "Host Skipped"),
    ("debug", "Debug"),
    ("verbose", "Verbose"),
    ("deprecated", "Deprecated"),
    ("warning", "Warning"),
    ("system_warning", "System Warning"),
    ("error", "Error"),
];
/// The type of the event.
pub const EVENT: Field =
    fields::choice("event", EVENT_CHOICES).label("Event").read_only().filtered_by_hooks().help("What happened.");
const COUNTER: Field = fields::integer("counter")
    .label("Counter")
    .at_least(0)
    .read_only()
    .ordered_by("id")
    .help("Its number among the events of the job, from 1.");
/// What happened, for people.
pub const EVENT_DISPLAY: Field =
    fields::computed("event_display").label("Event display").type_name("string").help("What happened, for people.");
/// What Ansible reports about it.
pub const EVENT_DATA: Field = fields::object("event_data")
    .column("")
    .label("Event data")
    .read_only()
    .filtered_by_hooks()
    .help("What Ansible says about it, such as the result of a module.");
/// How deep it is.
pub const EVENT_LEVEL: Field = fields::computed("event_level")
    .label("Event level")
    .type_name("integer")
    .help("3 for what happened on a host, 2 for tasks, 1 for plays, 0 for the rest.");
const FAILED: Field =
    fields::boolean("failed").label("Failed").read_only().help("Whether it is a failure, or one happened below it.");
const CHANGED: Field = fields::boolean("changed")
    .label("Changed")
    .read_only()
    .help("Whether it changed a host, or an event below it did.");
/// The UUID.
pub const UUID: Field = fields::text("uuid")
    .column("")
    .label("Uuid")
    .read_only()
    .filtered_by_hooks()
    .help("The UUID that Ansible gave it.");
/// The UUID of the event above it.
pub const PARENT_UUID: Field = fields::text("parent_uuid")
    .column("")
    .label("Parent uuid")
    .read_only()
    .filtered_by_hooks()
    .help("The UUID of the event above it: of its task, play or playbook.");
/// The host.
pub const HOST_LINK: Field = fields::link("host", "host_id", || &HOST)
    .label("Host")
    .nullable()
    .read_only()
    .summarized()
    .reverse("job_events_as_primary_host")
    .help("The host on which it happened; null if the inventory has no such host.");
const HOST_OF_COMMAND: Field = HOST_LINK.reverse("ad_hoc_command_events");
const HOST_NAME: Field = name("host_name", "Host name", "The name of the host at that time.");
const PLAYBOOK: Field = name("playbook", "Playbook", "The playbook.");
/// The play.
pub const PLAY: Field = name("play", "Play", "The name of the play.");
/// The task.
pub const TASK: Field = name("task", "Task", "The name of the task.");
/// The role.
pub const ROLE: Field = name("role", "Role", "The role that contains the task.");
/// The output.
pub const STDOUT: Field =
    fields::text("stdout").column("").label("Stdout").read_only().filtered_by_hooks().help("What Ansible printed.");
const START_LINE: Field = fields::integer("start_line")
    .label("Start line")
    .at_least(0)
    .read_only()
    .ordered_by("id")
    .help("The number of lines of the output before it.");
const END_LINE: Field = fields::integer("end_line")
    .label("End line")
    .at_least(0)
    .read_only()
    .ordered_by("id")
    .help("The number of lines of the output after it.");
const VERBOSITY: Field =
    fields::integer("verbosity").label("Verbosity").at_least(0).read_only().help("The verbosity that shows it.");

const fn name(name: &'static str, label: &'static str, help: &'static str) -> Field {
    fields::text(name).label(label).read_only().filtered_by_hooks().help(help)
}

/// The fields of the events of jobs.
pub const OF_JOBS: &[Field] = &[
    fields::id(),
    CREATED,
    MODIFIED,
    JOB_LINK,
    EVENT,
    COUNTER,
    EVENT_DISPLAY,
    EVENT_DATA,
    EVENT_LEVEL,
    FAILED,
    CHANGED,
    UUID,
    PARENT_UUID,
    HOST_LINK,
    HOST_NAME,
    PLAYBOOK,
    PLAY,
    TASK,
    ROLE,
    STDOUT,
    START_LINE,
    END_LINE,
    VERBOSITY,
];

/// The fields of the events of project updates.
pub const OF_PROJECT_UPDATES: &[Field] = &[
    fields::id(),
    CREATED,
    MODIFIED,
    EVENT,
    COUNTER,
    EVENT_DISPLAY,
    EVENT_DATA,
    EVENT_LEVEL,
    FAILED,
    CHANGED,
    UUID,
    HOST_NAME.not_filterable().type_name("field"),
    PLAYBOOK,
    PLAY,
    TASK,
    ROLE,
    STDOUT.type_name("field"),
    START_LINE,
    END_LINE,
    VERBOSITY,
    PROJECT_UPDATE_LINK,
];

/// The fields of the events of inventory updates.
pub const OF_INVENTORY_UPDATES: &[Field] = &[
    fields::id(),
    CREATED,
    MODIFIED,
    EVENT.not_filterable().type_name("field"),
    COUNTER,
    EVENT_DISPLAY,
    EVENT_DATA,
    FAILED.not_filterable().type_name("field"),
    CHANGED.not_filterable().type_name("field"),
    UUID,
    STDOUT,
    START_LINE,
    END_LINE,
    VERBOSITY,
    INVENTORY_UPDATE_LINK,
];

/// The fields of the events of ad hoc commands.
pub const OF_AD_HOC_COMMANDS: &[Field] = &[
    fields::id(),
    CREATED,
    MODIFIED,
    AD_HOC_COMMAND_LINK,
    fields::choice("event", AD_HOC_EVENTS).label("Event").read_only().filtered_by_hooks().help("What happened."),
    COUNTER,
    EVENT_DISPLAY,
    EVENT_DATA,
    FAILED,
    CHANGED,
    UUID,
    HOST_OF_COMMAND,
    HOST_NAME,
    STDOUT,
    START_LINE,
    END_LINE,
    VERBOSITY,
];
