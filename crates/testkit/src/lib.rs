//! What Hostler's tests stand on: the real binary started on a free port with a
//! database of its own, a small HTTP client that hides nothing, and the replay
//! of recorded conversations. No product logic lives here.
//!
//! Failures panic: every caller is a test, and the message of the panic is what
//! its reader needs.
#![allow(clippy::expect_used, clippy::panic, reason = "a test helper reports by panicking")]

pub mod authority;
pub mod browser;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod conformance;
pub mod database;
mod disk;
mod dump;
pub mod fixture;
pub mod pages;
pub mod people;
pub mod raw;
pub mod server;
pub mod skip;
pub mod slapd;
pub mod tls;

pub use authority::{Authority, Issued};
pub use browser::Browser;
pub use client::{Answer, Client};
pub use cluster::Cluster;
pub use database::{Backend, backends};
pub use disk::SmallDisk;
pub use fixture::{Endpoint, Fixture};
pub use pages::PageBrowser;
pub use people::{PASSWORD, Person};
pub use server::{ADMIN, ADMIN_PASSWORD, TestServer, command};
pub use slapd::Slapd;

/// Runs each of these functions, which take a [`Backend`], as two tests: one on
/// SQLite and one on PostgreSQL. Without a PostgreSQL server the second says so
/// and does nothing.
#[macro_export]
macro_rules! on_each_backend {
    ($($body:ident),+ $(,)?) => {
        $(mod $body {
            #[test]
            fn sqlite() {
                super::$body($crate::Backend::Sqlite);
            }

            #[test]
            fn postgres() {
                if $crate::backends().contains(&$crate::Backend::Postgres) {
                    super::$body($crate::Backend::Postgres);
                } else {
                    $crate::skip::skip(&format!("{} names no server", $crate::database::POSTGRES_VARIABLE));
                }
            }
        })+
    };
}
