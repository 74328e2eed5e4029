//! Runs jobs: the [`Executor`](hostler_queue::Executor) of the queue.
//!
//! For a job it takes the files of the project, writes the inventory and the variables into the directory of the job,
//! decrypts the credentials, and starts a supervisor (`hostler-supervisor`). It reads the events of the supervisor's spool
//! and stores them, each batch in one transaction with the position in the spool. The last events and the end of the job
//! are one transaction, too.
//!
//! # The directory of a job
//!
//! `jobs/ID` in the data folder, with the files of `hostler-supervisor`, `runner.json`: what must be given back when the
//! job ends, and for a job on a smart inventory `hosts.json`: the ids of its hosts. It exists from the preparation of the job until after its end. If the server is killed, the next one finds out
//! by it what became of the job:
//!
//! | directory | supervisor | what is done |
//! |---|---|---|
//! | none, the job waits | | the job is started |
//! | without the file `started`, the job waits | | removed, and the job is started |
//! | with it and without a spool, the job waits | gone; the machine was not restarted | removed, and the job is started |
//! | with it | runs, or has written its final record | events are read on |
//! | with it | gone otherwise | all its processes are killed, and the job ends as an error with the reason |
//! | none, or without the file `started`, the job runs | | the same |

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod ansible;
mod clean_up;
mod credentials;
mod ending;
mod environment;
mod facts;
mod ingest;
mod inventory_file;
mod inventory_update;
mod isolation;
mod job_directory;
mod job_row;
mod preparation;
mod project_files;
mod runner;
mod spool_thread;
mod variables;

pub use ansible::{Ansible, InstallError, install};
pub use hostler_project_updates::ReadJobSettings;
pub use isolation::IsolationMode;
pub use runner::{Clock, Runner, RunnerOptions};
