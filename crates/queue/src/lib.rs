//! The queue of jobs: their states, the request to cancel one, and who runs them.
//!
//! A job is a row of `unified_jobs`. A launch inserts it with the status `pending`, and calls
//! [`JobQueue::wake`] after the commit. An [`Executor`] takes a job from `waiting` to its end.
//!
//! Each change of a status goes through one function, which has the table of the allowed changes
//! ([`Status::may_become`]): a job that has ended never changes again.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod capacity;
mod claim;
mod dependencies;
mod dispatcher;
mod end;
mod environment;
mod examine;
mod executor;
mod groups;
mod impact;
mod job_queue;
mod needs;
mod new_update;
mod nodes;
mod overview;
mod pauses;
mod running;
mod status;
mod store;

pub use capacity::{CONTROL_IMPACT, CapacityOptions, Machine, adjusted_capacity};
pub use dispatcher::{Dispatcher, DispatcherEvent, DispatcherOptions, Now};
pub use end::{Cancellation, Finish, finish, request_cancel, set_running};
pub use environment::{CONTROL_PLANE_ENVIRONMENT, DEFAULT_IMAGE};
pub use executor::{ClaimedJob, Ended, Executor, ExecutorError, JobKind, JobSignals};
pub use job_queue::JobQueue;
pub use new_update::{NewUpdate, Updated, create_update};
pub use overview::{JobOverview, NodeOverview, Overview, Usage, Usages, job_counts, overview, usages};
pub use pauses::Pauses;
pub use status::Status;
