//! Support for Hostler's tests: it starts the real binary on a free port with its own database, and has a small HTTP
//! client and the replay of recorded conversations. It contains no product code.
//!
//! Errors panic: every caller is a test, and the message of the panic is the failure of the test.
#![allow(clippy::expect_used, clippy::panic, reason = "a test helper reports by panicking")]

mod ansible;
pub mod browser;
pub mod certificate_authority;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod conformance;
pub mod database;
mod dump;
pub mod fixture;
mod fixture_events;
mod fixture_inventories;
mod fixture_jobs;
pub mod pages;
pub mod raw_requests;
pub mod server;
pub mod skip;
pub mod slapd;
mod small_disk;
pub mod tls;
pub mod users;
pub mod websocket;

pub use ansible::{has_ansible, stand_in_ansible};
pub use browser::Browser;
pub use certificate_authority::{CertificateAndKey, CertificateAuthority};
pub use client::{Client, Response};
pub use cluster::Cluster;
pub use database::{Backend, backends};
pub use fixture::{Endpoint, Fixture};
pub use pages::PageBrowser;
pub use server::{ADMIN, ADMIN_PASSWORD, TestServer, command};
pub use slapd::Slapd;
pub use small_disk::SmallDisk;
pub use users::{PASSWORD, TestUser};
pub use websocket::Websocket;

/// Runs each of these functions, which take a [`Backend`], as two tests: one on SQLite and one on PostgreSQL. Without a
/// PostgreSQL server the second is skipped, which is reported.
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
