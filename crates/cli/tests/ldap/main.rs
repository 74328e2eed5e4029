//! Signing in through LDAP, against OpenLDAP: who gets in, what becomes of them, and the settings.
#![allow(clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod accounts;
mod connections;
mod mapping;
mod settings;
mod world;
