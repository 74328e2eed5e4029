//! Runs one job: the process `hostler run-job DIR` beside Ansible. It knows no database and no API.
//!
//! The server writes a [`JobDescription`] into a private directory and starts the supervisor with
//! [`start_supervisor`]. From then on they share only that directory, so that the server may end at any time, also by
//! kill -9: the supervisor is a session of its own, and a restarted server continues to read where it stopped.
//!
//! # The directory of a job
//!
//! | name | content |
//! |---|---|
//! | `job.json` | the [`JobDescription`]; without secrets |
//! | `spool` | events and the final record |
//! | `supervisor.json` | [`SupervisorRecord`]: which processes belong to the job |
//! | `supervisor.lock` | locked while the supervisor runs: [`is_supervised`] |
//! | `supervisor.log` | errors of the supervisor itself |
//! | `cancel` | the server creates this file to cancel the job: [`request_cancel`] |
//! | `workspace/` | what the job may see and change; all other files are hidden from an isolated job |
//!
//! The directory has the mode 0700. The server removes it when it has read the final record.
//!
//! # The spool file
//!
//! A sequence of records, one a line:
//!
//! ```text
//! K LLLLLLLL CCCCCCCC {...}\n
//! ```
//!
//! `K` is the kind (`E` for an event, `F` for the final record), `L` the length of the JSON in bytes and `C` its CRC-32,
//! both in eight hexadecimal digits. A position is the byte offset of a record. A record is complete once its last byte
//! is there, and is never changed then, so a reader may continue at any position that it has stored. A record whose end
//! is missing is still being written, or, if no supervisor runs, was torn by a crash. On a full disk it may be replaced. The final record is the last
//! one: when it is written, no process of the job is left, except those that it names.
//!
//! # Events
//!
//! Events have the names and keys of ansible-runner's events. `stdout` has no line feed at its end. `start_line` and
//! `end_line` count the line feeds before the event and after it; so an output is restored by writing `stdout` of each
//! event, with a line feed if `end_line` is greater than `start_line`. Text of an event that does not end with a line feed
//! continues in an event of its own, of the type `verbose`. Whatever the program prints outside of events
//! becomes events of the type `verbose`. Several whole lines may be one event; a line that is longer than 32 KiB
//! becomes several. What was printed before an event of the pipe is written to the spool before it; what was
//! printed shortly after it may be, too.

mod ad_hoc_command;
mod ansible;
mod ansible_options;
mod bubblewrap;
mod callback;
mod error;
mod event;
mod file_watch;
mod final_record;
mod job;
mod leftovers;
mod output;
mod playbook;
mod preparation;
mod processes;
mod run;
mod secrets;
mod spool;
mod ssh_agent;
mod start;
mod time;

pub use ad_hoc_command::AdHocCommand;
pub use ansible::AnsibleInstallation;
pub use ansible_options::AnsibleOptions;
pub use bubblewrap::check_bubblewrap;
pub use error::Error;
pub use final_record::{Exit, FinalRecord, Reason};
pub use job::{Bubblewrap, Isolation, JobDescription, Program, Shown};
pub use leftovers::{ProcessIdentity, SupervisorRecord, boot_id, is_supervised, kill_leftovers};
pub use playbook::Playbook;
pub use run::run_job;
pub use secrets::{Secrets, SshKey, VaultPassword};
pub use spool::{Record, SpoolReader};
pub use start::{request_cancel, start_supervisor};

/// Names of files in the directory of a job.
mod files {
    pub const JOB: &str = "job.json";
    pub const SPOOL: &str = "spool";
    /// Reserves room for the final record on a full disk.
    pub const RESERVE: &str = "spool.reserve";
    pub const SUPERVISOR: &str = "supervisor.json";
    pub const LOCK: &str = "supervisor.lock";
    pub const LOG: &str = "supervisor.log";
    pub const CANCEL: &str = "cancel";
    pub const WORKSPACE: &str = "workspace";
}
