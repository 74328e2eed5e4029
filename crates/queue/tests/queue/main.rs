//! The queue on a real database, with an executor that does what the test says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod blocking;
mod dispatching;
mod fixture;
mod nodes;
mod states;
