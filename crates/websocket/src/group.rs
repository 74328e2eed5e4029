//! The groups that a client may subscribe to.

use std::fmt;

/// The kinds of jobs whose events have a group for each job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Jobs of playbooks.
    Job,
    /// Ad hoc commands.
    AdHocCommand,
    /// Updates of projects.
    ProjectUpdate,
    /// Updates of inventory sources.
    InventoryUpdate,
    /// Jobs of the system.
    SystemJob,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 5] = [
        EventKind::Job,
        EventKind::AdHocCommand,
        EventKind::ProjectUpdate,
        EventKind::InventoryUpdate,
        EventKind::SystemJob,
    ];

    /// The name of the job's type, which is also the key of the job in its events.
    pub const fn job_type(self) -> &'static str {
        match self {
            EventKind::Job => "job",
            EventKind::AdHocCommand => "ad_hoc_command",
            EventKind::ProjectUpdate => "project_update",
            EventKind::InventoryUpdate => "inventory_update",
            EventKind::SystemJob => "system_job",
        }
    }

    /// The name of the group, without the job.
    pub const fn group_name(self) -> &'static str {
        match self {
            EventKind::Job => "job_events",
            EventKind::AdHocCommand => "ad_hoc_command_events",
            EventKind::ProjectUpdate => "project_update_events",
            EventKind::InventoryUpdate => "inventory_update_events",
            EventKind::SystemJob => "system_job_events",
        }
    }
}

/// The group of the messages about a workflow's jobs.
const WORKFLOW: &str = "workflow_events";
/// The group of the messages to one user.
const CONTROL: &str = "control";
/// The member of `control`, with the id of the user behind it.
const LIMIT_REACHED: &str = "limit_reached_";
/// A group of another name that is longer does not exist.
const LONGEST: usize = 100;

/// A group with its member, such as `job_events-5`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// The events of a job.
    Events(EventKind, i64),
    /// The messages about the jobs of this workflow job.
    Workflow(i64),
    /// The messages to this user.
    Control(i64),
    /// A group of messages about many objects, such as `jobs-status_changed`. An unknown one stays silent.
    Named(String),
}

/// The object that a message or a group is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A job of this kind.
    Job(EventKind, i64),
    /// A job of any type.
    UnifiedJob(i64),
    /// A workflow job.
    WorkflowJob(i64),
}

impl Group {
    /// The group of this name with this member; an error names what there is no group for.
    pub(crate) fn parse(group: &str, member: &str) -> Result<Group, String> {
        let id = || match member.bytes().all(|byte| byte.is_ascii_digit()) {
            true => member.parse::<i64>().map_err(|_| refusal(group, member)),
            false => Err(refusal(group, member)),
        };
        if let Some(kind) = EventKind::ALL.into_iter().find(|kind| kind.group_name() == group) {
            return Ok(Group::Events(kind, id()?));
        }
        if group == WORKFLOW {
            return Ok(Group::Workflow(id()?));
        }
        if let (CONTROL, Some(user)) = (group, member.strip_prefix(LIMIT_REACHED)) {
            let is_id = user.bytes().all(|byte| byte.is_ascii_digit());
            return match user.parse() {
                Ok(user) if is_id => Ok(Group::Control(user)),
                _ => Err(refusal(group, member)),
            };
        }
        if group.len() + member.len() > LONGEST {
            return Err(refusal(&shortened(group), &shortened(member)));
        }
        Ok(Group::Named(format!("{group}-{member}")))
    }

    /// The object that a client must be allowed to see; none if everybody may join.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match self {
            Group::Events(kind, job) => Some(Subject::Job(*kind, *job)),
            Group::Workflow(job) => Some(Subject::WorkflowJob(*job)),
            Group::Control(_) | Group::Named(_) => None,
        }
    }

    /// What is said to a client that may not join.
    pub(crate) fn refusal(&self) -> String {
        match self {
            Group::Events(kind, job) => refusal(kind.group_name(), &job.to_string()),
            Group::Workflow(job) => refusal(WORKFLOW, &job.to_string()),
            Group::Control(user) => refusal(CONTROL, &format!("{LIMIT_REACHED}{user}")),
            Group::Named(name) => format!("access denied to channel {name}"),
        }
    }
}

/// In AWX's words, whether the object does not exist or must not be seen.
fn refusal(group: &str, member: &str) -> String {
    format!("access denied to channel {group} for resource id {member}")
}

fn shortened(name: &str) -> String {
    name.chars().take(LONGEST / 2).collect()
}

impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Group::Events(kind, job) => write!(formatter, "{}-{job}", kind.group_name()),
            Group::Workflow(job) => write!(formatter, "{WORKFLOW}-{job}"),
            Group::Control(user) => write!(formatter, "{CONTROL}-{LIMIT_REACHED}{user}"),
            Group::Named(name) => formatter.write_str(name),
        }
    }
}
