//! Background tasks, stored in the database.
//!
//! A [`Task`] is added in the transaction of the change that needs it ([`TaskQueue::add`]), so it exists if and only if
//! the change does. A [`Worker`] on each node runs the tasks that are due. A lease excludes other nodes while a task
//! runs; if the node dies, the lease expires and another node runs the task. A task that fails is retried later.
//! Periodic tasks have one row each, so one node runs them.

mod queue;
mod store;
mod task;
mod worker;

pub use queue::TaskQueue;
pub use task::{Outcome, Task, TaskError, TaskRun};
pub use worker::{Now, RunResult, Worker, WorkerOptions};
