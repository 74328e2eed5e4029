//! Tests of the executor of jobs. Most of them run a small script instead of Ansible.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests report by panicking")]

mod ansible;
mod endings;
mod isolation;
mod killed;
mod refusals;
mod setup;
