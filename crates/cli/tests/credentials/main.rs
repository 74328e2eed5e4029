//! Credentials from the outside: what is secret, whose they are, who may use
//! them and for what.
#![allow(clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod copying;
mod grants;
mod input_sources;
mod owners;
mod secrets;
mod types;
mod uses;
mod world;
