//! The states of a job.

use std::fmt;

/// The state of a job, with AWX's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Created, but not launched.
    New,
    /// Launched; it waits for other jobs or for capacity.
    Pending,
    /// Given to a node, which prepares it.
    Waiting,
    /// Runs.
    Running,
    /// Ended well.
    Successful,
    /// Ended with a failure.
    Failed,
    /// Could not be run to its end.
    Error,
    /// Ended at the request of a user.
    Canceled,
}

use Status::{Canceled, Error, Failed, New, Pending, Running, Successful, Waiting};

/// The allowed changes.
const ALLOWED: [(Status, Status); 17] = [
    (New, Pending),
    (New, Failed),
    (New, Error),
    (New, Canceled),
    (Pending, Waiting),
    // What the job depends on has failed.
    (Pending, Failed),
    (Pending, Error),
    (Pending, Canceled),
    (Waiting, Running),
    // The preparation found that the job cannot run.
    (Waiting, Failed),
    (Waiting, Error),
    (Waiting, Canceled),
    (Running, Successful),
    (Running, Failed),
    (Running, Error),
    (Running, Canceled),
    // A short job may have ended before the server saw it run.
    (Waiting, Successful),
];

impl Status {
    /// All states, in the order in which a job passes them.
    pub const ALL: [Status; 8] = [New, Pending, Waiting, Running, Successful, Failed, Error, Canceled];

    /// The name in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            New => "new",
            Pending => "pending",
            Waiting => "waiting",
            Running => "running",
            Successful => "successful",
            Failed => "failed",
            Error => "error",
            Canceled => "canceled",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the job has not ended.
    pub const fn is_active(self) -> bool {
        matches!(self, New | Pending | Waiting | Running)
    }

    /// Whether the job has ended: then it never changes again.
    pub const fn is_finished(self) -> bool {
        !self.is_active()
    }

    /// Whether the job has ended without success.
    pub const fn is_failure(self) -> bool {
        matches!(self, Failed | Error | Canceled)
    }

    /// Whether a job in this state may come into that one.
    pub fn may_become(self, next: Status) -> bool {
        ALLOWED.contains(&(self, next))
    }

    /// The states from which a job may come into this one.
    pub(crate) fn allowed_before(self) -> Vec<Status> {
        Status::ALL.into_iter().filter(|before| before.may_become(self)).collect()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_jobs_never_change() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            let changes = Status::ALL.into_iter().filter(|next| status.may_become(*next)).count();
            assert_eq!(changes == 0, status.is_finished(), "{status}");
            assert!(!status.may_become(status), "{status}");
        }
        assert_eq!(Status::parse("finished"), None);
    }

    #[test]
    fn each_active_job_can_end() {
        for status in Status::ALL.into_iter().filter(|status| status.is_active()) {
            for end in [Failed, Error, Canceled] {
                assert!(status.may_become(end), "{status} {end}");
            }
        }
        assert_eq!(Waiting.allowed_before(), [Pending]);
        assert_eq!(Running.allowed_before(), [Waiting]);
    }
}
