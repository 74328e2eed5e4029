//! What Hostler's tests stand on: the real binary started on a free port with a
//! database of its own, a small HTTP client that hides nothing, and the replay
//! of recorded conversations. No product logic lives here.
//!
//! Failures panic: every caller is a test, and the message of the panic is what
//! its reader needs.
#![allow(clippy::expect_used, clippy::panic, reason = "a test helper reports by panicking")]

pub mod browser;
pub mod client;
pub mod conformance;
pub mod database;
pub mod server;

pub use browser::Browser;
pub use client::{Answer, Client};
pub use database::{Backend, backends};
pub use server::{ADMIN, ADMIN_PASSWORD, TestServer, command};
