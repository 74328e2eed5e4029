//! Tests of `hostler run-job`. Most of them run a small script instead of Ansible.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests report by panicking")]

mod ansible;
mod disk_full;
mod isolation;
mod job;
mod kill;
mod output;
mod secrets;
mod stop;
