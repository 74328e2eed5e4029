//! Tests of projects against real repositories on this machine. None needs a network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bad_input;
mod checkout;
mod credentials;
mod fixture;
mod http_server;
mod lfs;
mod listing;
mod local;
mod programs;
mod requirements;
mod speed;
mod ssh;
mod submodules;
mod update;
