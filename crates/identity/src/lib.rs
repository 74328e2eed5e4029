//! Authentication primitives: passwords, tokens, sessions, and their secrets.
//!
//! This crate only computes. It uses no database and handles no request. Its only file is the installation's secret key
//! ([`key`]), and it needs randomness of the operating system.
//!
//! No secret is printed: types that contain one have their own `Debug`.

// A test that finds something unexpected should stop.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod common_passwords;
pub mod csrf;
pub mod header;
pub mod key;
mod mac;
pub mod mfa_challenge;
pub mod password;
pub mod password_cache;
pub mod pkce;
pub mod policy;
mod random;
pub mod session;
pub mod throttle;
pub mod token;
pub mod totp;
pub mod username;
pub mod webhook_signature;
