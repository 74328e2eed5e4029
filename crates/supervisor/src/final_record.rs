use serde::{Deserialize, Serialize};

/// The last record of the spool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinalRecord {
    /// Why the job ended.
    pub reason: Reason,
    /// How the program ended; none if it was not started.
    pub exit: Option<Exit>,
    /// The reason as a sentence for users; empty if the program ended by itself.
    pub message: String,
    /// When the program was started, in RFC 3339.
    pub started: Option<String>,
    /// When the job ended, in RFC 3339.
    pub finished: String,
    /// Seconds between the two, by a clock that is not set.
    pub elapsed: f64,
    /// Number of events in the spool.
    pub events: u64,
    /// Number of line feeds in the output.
    pub lines: u64,
    /// Process ids that did not end after SIGKILL, such as processes that wait for a dead file server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub survivors: Vec<i32>,
}

impl FinalRecord {
    /// Of a program that was not started; the caller adds what is known of others.
    pub(crate) fn new(reason: Reason, message: String) -> Self {
        Self {
            reason,
            exit: None,
            message,
            started: None,
            finished: String::new(),
            elapsed: 0.0,
            events: 0,
            lines: 0,
            survivors: Vec::new(),
        }
    }
}

/// Why a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The program ended by itself, or another process killed it.
    Exited,
    /// The server asked for it.
    Canceled,
    /// The time limit of the job was reached.
    TimedOut,
    /// The program could not be started.
    NotStarted,
    /// The spool could not be written for too long.
    DiskFull,
    /// The supervisor received SIGTERM, as when the machine is stopped.
    Terminated,
}

impl Reason {
    /// The sentence for a program that was stopped on request.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Canceled => "The job was canceled.",
            Self::Terminated => "The supervisor was stopped by a signal.",
            Self::Exited | Self::TimedOut | Self::NotStarted | Self::DiskFull => "",
        }
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}
